/** Forgetting a sensor: its loop, its pages, its run keys, its place in the logs of assets. Its runs stay. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { parseSensorAssets } from '../sensors/lineage.js';
import { PAGE_ID_PREFIX, SENSOR_MEMO, type SensorMemo } from '../sensors/protocol.js';
import { unsubscribeAsset } from './assets.js';
import { inBatches } from './batches.js';
import { listExecutions } from './executions.js';
import { findLoop, loopId, PRUNED } from './loops.js';
import { isNotFound } from './not-found.js';
import { quoted } from './query.js';

const AT_ONCE = 20;

/** What was removed. */
export interface Pruned {
  /** Runs of the loop. */
  readonly loopRuns: number;
  readonly pages: number;
}

export interface PruneOptions {
  /** Told after each of the workflows, of so many, that is removed. */
  readonly onRemoved?: (of: number) => void;
}

/**
 * Ends the loop for good and deletes all its runs, and the sensor's pages. The server removes them in its own time,
 * which takes up to a minute; a loop that was ended so never comes back with its state. What fails half-way goes on when
 * it is repeated.
 */
export async function prune(client: Client, sensor: string, { onRemoved }: PruneOptions = {}): Promise<Pruned> {
  // a loop that continues as new at this moment has another run: ended until none runs
  for (let running = await findLoop(client, sensor); running?.status.name === 'RUNNING';) {
    await terminate(client, { workflowId: running.workflowId });
    running = await findLoop(client, sensor);
  }
  const loop = await findLoop(client, sensor);
  for (const asset of watchedBy(loop)) await unsubscribeAsset(client, asset, sensor);
  const loops = await find(client, `WorkflowId = ${quoted(loopId(sensor))}`);
  // visibility lags behind: what it does not list yet is the last run
  if (loop !== undefined && !loops.some(({ runId }) => runId === loop.runId)) loops.push(loop);
  const pages = await find(client, `WorkflowId STARTS_WITH ${quoted(`${PAGE_ID_PREFIX}${sensor}/`)}`);
  const all = [...loops, ...pages];
  await inBatches(all, AT_ONCE, async (execution) => {
    if (execution.status.name === 'RUNNING') await terminate(client, execution);
    await remove(client, execution);
    onRemoved?.(all.length);
  });
  return { loopRuns: loops.length, pages: pages.length };
}

/** Names of the assets that a sensor watches, as its loop tells. */
export function watchedBy(loop: Pick<WorkflowExecutionDescription, 'memo'> | undefined): readonly string[] {
  const memo = loop?.memo?.[SENSOR_MEMO] as Partial<SensorMemo> | undefined;
  const { assets = {} } = parseSensorAssets(memo?.options) ?? {};
  return Object.entries(assets).flatMap(([asset, { watched }]) => (watched === true ? [asset] : []));
}

interface Execution {
  readonly workflowId: string;
  readonly runId: string;
  readonly status: { readonly name: string };
}

async function find(client: Client, query: string): Promise<Execution[]> {
  const found: Execution[] = [];
  for await (const execution of listExecutions(client, query)) found.push(execution);
  return found;
}

async function terminate(
  client: Client,
  { workflowId, runId }: Pick<Execution, 'workflowId'> & Partial<Execution>
): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId, runId).terminate(PRUNED);
  } catch (error) {
    // it has ended meanwhile
    if (!isNotFound(error)) throw error;
  }
}

async function remove(client: Client, { workflowId, runId }: Execution): Promise<void> {
  try {
    const { namespace } = client.options;
    await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
