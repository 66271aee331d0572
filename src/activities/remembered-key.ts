/**
 * What a sensor remembers of a run key. `rearm` and `rerun` are about runs: for a key that asked for a backfill, or that
 * nothing asked for, they would do nothing.
 */
import { Context } from '@temporalio/activity';
import { PageMissingError, readPage } from '../client/pages.js';
import type { JobDefinition } from '../sensors/define-job.js';
import { quote } from '../sensors/errors.js';
import type { LedgerKeys, LedgerView } from '../sensors/key-ledger.js';
import { BACKFILL_ID_PREFIX, QUERIES } from '../sensors/protocol.js';
import { requestHash, runKeyHash, sensorBackfillId } from '../sensors/run-key.js';
import { KnownKeys } from './known-keys.js';

/** `unknown`: a page of the sensor's keys is gone, so nobody can tell. */
export type RememberedKey = 'run' | 'nothing' | 'unknown' | { readonly backfill: string };

/** @param ledger absent for a loop of an older worker, which does not say */
export async function rememberedKey(
  sensor: string,
  { name, aliases }: Pick<JobDefinition, 'name' | 'aliases'>,
  runKey: string,
  ledger: LedgerView | undefined
): Promise<RememberedKey> {
  const known = ledger === undefined ? undefined : await knownKeys(ledger);
  if (known === undefined) return 'unknown';
  const names = [name, ...aliases];
  if (names.some((job) => known.has(runKeyHash(job, runKey)))) return 'run';
  const hash = names.map((job) => requestHash({ job, runKey, backfill: {} })).find((each) => known.has(each));
  return hash === undefined ? 'nothing' : { backfill: sensorBackfillId(sensor, hash).slice(BACKFILL_ID_PREFIX.length) };
}

/** Why a key that asked for a backfill cannot be run again. */
export function backfillKeyProblem(runKey: string, id: string): string {
  return (
    `for key ${quote(runKey)} the sensor asked for backfill '${id}', and not for a run. Its failed partitions run again with: ` +
    `sensors backfills retry ${id}. For others start a backfill of them`
  );
}

async function knownKeys(ledger: LedgerView): Promise<KnownKeys | undefined> {
  const { client, info, heartbeat } = Context.current();
  const { workflowId = '', runId } = info.workflowExecution ?? {};
  const known = new KnownKeys();
  try {
    await known.refresh(ledger, {
      ask: () => client.workflow.getHandle(workflowId, runId).query<LedgerKeys>(QUERIES.keys),
      readPage: (id) => readPage(client, id),
      alive: () => heartbeat(),
    });
    return known;
  } catch (error) {
    if (error instanceof PageMissingError) return undefined;
    throw error;
  }
}
