/**
 * For use inside job workflows: who asked for this run, and what it made.
 *
 * Safe in workflow code: imports nothing but `@temporalio/workflow` and pure files.
 */
import { workflowInfo } from '@temporalio/workflow';
import { RUN_MEMO, type RunMemo } from '../sensors/protocol.js';

/** Who asked for this run: sensor, tick, run key and tags; the backfill that it is part of. */
export type RunInfo = RunMemo;

/** The sensor, tick, run key and tags of the run that calls it; `undefined` when neither a sensor nor a backfill started it. */
export function runInfo(): RunInfo | undefined {
  return workflowInfo().memo?.[RUN_MEMO] as RunInfo | undefined;
}

export { materialize, observe } from './assets.js';
export type { AssetEventOptions } from '../sensors/asset-event.js';
