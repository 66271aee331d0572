/** A key for which the sensor asked for a backfill: its ledger has it under another hash than that of a run, and the run is the backfill. */
import type { Client } from '@temporalio/client';
import { BACKFILL_ID_PREFIX } from '../sensors/protocol.js';
import { requestHash, sensorBackfillId } from '../sensors/run-key.js';
import { describeExecution } from './executions.js';
import { recentSpan, type KeyFacts, type Outside, type Span } from './explain-key.js';
import { readRunError, runOf } from './list-runs.js';

type AboutKey = Pick<KeyFacts, 'job' | 'runKey' | 'state' | 'waiting'> & {
  /** Where the sealed pages have a hash. */
  readonly sealedSpan: (hash: string) => Promise<Span | undefined>;
};

/** What is known of the backfill, or nothing when the sensor knows of none for this key. */
export async function lookForBackfill(
  client: Client,
  sensor: string,
  { job, runKey, state, waiting, sealedSpan }: AboutKey
): Promise<Outside | undefined> {
  const hash = requestHash({ job, runKey, backfill: {} });
  const workflowId = sensorBackfillId(sensor, hash);
  const execution = await describeExecution(client, workflowId);
  const known = recentSpan(state.ledger, [hash]);
  const waits = waiting.some((each) => each.hash === hash);
  const asked = execution === undefined ? !waits : state.options.dedupeMs !== undefined;
  const sealed = asked && known === undefined ? await sealedSpan(hash) : undefined;
  if (execution === undefined && !waits && known === undefined && sealed === undefined) return undefined;
  const run = execution === undefined ? undefined : runOf(execution);
  const error = run === undefined ? undefined : await readRunError(client, run);
  const backfill = workflowId.slice(BACKFILL_ID_PREFIX.length);
  // no names: what was rejected under the key is told of a run
  return { names: [], hashes: [hash], ids: [workflowId], run, error, sealed, backfill };
}
