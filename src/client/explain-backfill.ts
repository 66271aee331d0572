/** A key for which the sensor asked for a backfill: its ledger has it under another hash than that of a run, and the run is the backfill. */
import type { Client } from '@temporalio/client';
import { aliasesOf } from '../sensors/earlier-names.js';
import { BACKFILL_ID_PREFIX } from '../sensors/protocol.js';
import { requestHash, sensorBackfillId } from '../sensors/run-key.js';
import { describeExecution, type Description } from './executions.js';
import { isPacked, recentSpan, type KeyFacts, type Outside, type Span } from './explain-key.js';
import { readRunError, runOf } from './list-runs.js';

type AboutKey = Pick<KeyFacts, 'job' | 'runKey' | 'state' | 'waiting'> & {
  /** Where the sealed pages have a hash. */
  readonly sealedSpan: (hashes: readonly string[]) => Promise<Span | undefined>;
};

/**
 * What is known of the backfill, or nothing when the sensor knows of none for this key.
 *
 * @param sensors the names that the sensor has and had
 */
export async function lookForBackfill(
  client: Client,
  sensors: readonly string[],
  { job, runKey, state, waiting, sealedSpan }: AboutKey
): Promise<Outside | undefined> {
  const jobs = [job, ...aliasesOf(state.options, job)];
  const hashes = jobs.map((name) => requestHash({ job: name, runKey, backfill: {} }));
  const ids = hashes.flatMap((hash) => sensors.map((sensor) => sensorBackfillId(sensor, hash)));
  const execution = await firstOf(client, ids);
  const known = recentSpan(state.ledger, hashes);
  const waits = waiting.some(({ hash }) => hash !== undefined && hashes.includes(hash));
  const remembered = hashes.findIndex((hash) => recentSpan(state.ledger, [hash]) !== undefined);
  const asked = execution === undefined ? !waits : state.options.dedupeMs !== undefined;
  const sealed = asked && known === undefined ? await sealedSpan(hashes) : undefined;
  const discarded = state.audit.some(
    (entry) => entry.discarded !== undefined && isPacked(entry.discarded.keys, hashes)
  );
  const seen = known !== undefined || sealed !== undefined || discarded;
  if (execution === undefined && !waits && !seen) return undefined;
  const run = execution === undefined ? undefined : runOf(execution);
  const error = run === undefined ? undefined : await readRunError(client, run);
  const backfill = (execution?.workflowId ?? ids[Math.max(0, remembered) * sensors.length] ?? '').slice(
    BACKFILL_ID_PREFIX.length
  );
  // no names: what was rejected under the key is told of a run
  return { names: [], hashes, ids, run, error, sealed, backfill };
}

async function firstOf(client: Client, ids: readonly string[]): Promise<Description | undefined> {
  for (const id of ids) {
    const execution = await describeExecution(client, id);
    if (execution !== undefined) return execution;
  }
  return undefined;
}
