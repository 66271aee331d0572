/** A key for which the sensor asked for a backfill: its ledger has it under another hash than that of a run, and the run is the backfill. */
import type { Client } from '@temporalio/client';
import { BACKFILL_ID_PREFIX } from '../sensors/protocol.js';
import { requestHash, sensorBackfillId } from '../sensors/run-key.js';
import { describeExecution } from './executions.js';
import { decideKey, recentSpan, type KeyAnswer, type KeyFacts, type Span } from './explain-key.js';
import { readRunError, runOf } from './list-runs.js';

/**
 * What became of the backfill, or nothing when the sensor knows of none for this key.
 *
 * @param sealedSpan where the sealed pages have a hash
 */
export async function explainBackfill(
  client: Client,
  sensor: string,
  about: Omit<KeyFacts, 'hash' | 'run' | 'error' | 'sealed'>,
  sealedSpan: (hash: string) => Promise<Span | undefined>
): Promise<KeyAnswer | undefined> {
  const { job, runKey, state, waiting } = about;
  const hash = requestHash({ job, runKey, backfill: {} });
  const workflowId = sensorBackfillId(sensor, hash);
  const execution = await describeExecution(client, workflowId);
  const known = recentSpan(state.ledger, hash);
  const waits = waiting.some((each) => each.hash === hash);
  const asked = execution === undefined ? !waits : state.options.dedupeMs !== undefined;
  const sealed = asked && known === undefined ? await sealedSpan(hash) : undefined;
  if (execution === undefined && !waits && known === undefined && sealed === undefined) return undefined;
  const run = execution === undefined ? undefined : runOf(execution);
  const error = run === undefined ? undefined : await readRunError(client, run);
  const answer = decideKey({ ...about, hash, run, error, sealed });
  return { ...answer, backfill: workflowId.slice(BACKFILL_ID_PREFIX.length) };
}
