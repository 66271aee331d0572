/** Forgetting a sensor: its loop, its pages, its run keys. Its runs stay. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { PAGE_ID_PREFIX } from '../sensors/protocol.js';
import { inBatches } from './batches.js';
import { findLoop, loopId } from './loops.js';
import { quoted } from './query.js';

const AT_ONCE = 20;
const POLL_MS = 100;
const GONE_WITHIN_MS = 30_000;

/** What was removed. */
export interface Pruned {
  /** Runs of the loop. */
  readonly loopRuns: number;
  readonly pages: number;
}

/**
 * Deletes the loop with all its runs, and the sensor's pages. Until it is done it may be repeated.
 *
 * @throws when the server does not let go of the loop within 30 s
 */
export async function prune(client: Client, sensor: string): Promise<Pruned> {
  const loop = await findLoop(client, sensor);
  if (loop?.status.name === 'RUNNING') await client.workflow.getHandle(loopId(sensor)).terminate('pruned');
  const pages = await remove(client, `WorkflowId STARTS_WITH ${quoted(`${PAGE_ID_PREFIX}${sensor}/`)}`);
  let loopRuns = 0;
  // visibility lags behind: what it does not list yet is the last run, which `describe` knows
  for (const deadline = Date.now() + GONE_WITHIN_MS; ;) {
    loopRuns += await remove(client, `WorkflowId = ${quoted(loopId(sensor))}`);
    const left = await findLoop(client, sensor);
    if (left === undefined) return { loopRuns, pages };
    if (Date.now() > deadline) throw new Error(`the server still has workflow '${loopId(sensor)}'; prune it again`);
    await deleteRun(client, left);
    await sleep(POLL_MS);
  }
}

async function remove(client: Client, query: string): Promise<number> {
  const found: Execution[] = [];
  for await (const { workflowId, runId, status } of client.workflow.list({ query })) {
    found.push({ workflowId, runId, running: status.name === 'RUNNING' });
  }
  await inBatches(found, AT_ONCE, async (execution) => {
    if (execution.running) await terminate(client, execution);
    await deleteRun(client, execution);
  });
  return found.length;
}

interface Execution {
  readonly workflowId: string;
  readonly runId: string;
  readonly running?: boolean;
}

async function terminate(client: Client, { workflowId, runId }: Execution): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId, runId).terminate('pruned');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

async function deleteRun(client: Client, { workflowId, runId }: Execution): Promise<void> {
  const GRPC_NOT_FOUND = 5;
  try {
    const { namespace } = client.options;
    await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } });
  } catch (error) {
    if ((error as { code?: number }).code !== GRPC_NOT_FOUND) throw error;
  }
}
