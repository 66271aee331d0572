/** A key for which a sensor asked for a backfill and never for a run: `rearm` and `rerun`, which are about runs, would do nothing for it. */
import { Context } from '@temporalio/activity';
import { PageMissingError, readPage } from '../client/pages.js';
import type { JobDefinition } from '../sensors/define-job.js';
import { quote } from '../sensors/errors.js';
import type { LedgerKeys, LedgerView } from '../sensors/key-ledger.js';
import { BACKFILL_ID_PREFIX, QUERIES } from '../sensors/protocol.js';
import { requestHash, runKeyHash, sensorBackfillId } from '../sensors/run-key.js';
import { KnownKeys } from './known-keys.js';

/** Why the key cannot be run again, when the sensor knows it only as a backfill's. */
export async function backfillKeyProblem(
  sensor: string,
  { name, aliases }: Pick<JobDefinition, 'name' | 'aliases'>,
  runKey: string,
  ledger: LedgerView
): Promise<string | undefined> {
  const known = await knownKeys(ledger);
  const names = [name, ...aliases];
  if (known === undefined || names.some((job) => known.has(runKeyHash(job, runKey)))) return undefined;
  const hash = names.map((job) => requestHash({ job, runKey, backfill: {} })).find((each) => known.has(each));
  if (hash === undefined) return undefined;
  const id = sensorBackfillId(sensor, hash).slice(BACKFILL_ID_PREFIX.length);
  return (
    `for key ${quote(runKey)} the sensor asked for backfill '${id}', and not for a run. Its failed partitions run again with: ` +
    `sensors backfills retry ${id}. For others start a backfill of them`
  );
}

/** Nothing when a page of them is gone: then nobody can tell. */
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
