/**
 * Forgetting a sensor: its loop, its pages, its run keys, its place in the logs of assets. Its runs stay. Forgetting an
 * asset: its log and the pages of it.
 */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { parseSensorAssets } from '../sensors/lineage.js';
import { ASSET_LOG_ID_PREFIX, PAGE_ID_PREFIX, SENSOR_MEMO, type SensorMemo } from '../sensors/protocol.js';
import { ASSET_PAGE_OWNER } from '../workflows/asset-log-state.js';
import { unsubscribeAsset } from './assets.js';
import { inBatches } from './batches.js';
import { describeExecution, type Description, listExecutions } from './executions.js';
import { loopId, PRUNED } from './loops.js';
import { isNotFound } from './not-found.js';
import { quoted } from './query.js';

const AT_ONCE = 20;

/** What was removed. */
export interface Pruned {
  /** Runs of the loop. */
  readonly loopRuns: number;
  readonly pages: number;
}

/** What was removed of an asset. */
export interface PrunedAsset {
  /** Runs of the log. */
  readonly logRuns: number;
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
export async function prune(client: Client, sensor: string, options: PruneOptions = {}): Promise<Pruned> {
  const loop = await end(client, loopId(sensor));
  for (const asset of watchedBy(loop)) await unsubscribeAsset(client, asset, sensor);
  const { runs, pages } = await removeAll(client, loopId(sensor), loop, `${PAGE_ID_PREFIX}${sensor}/`, options);
  return { loopRuns: runs, pages };
}

/** The same for the log of an asset. Its next event begins it anew. */
export async function pruneAsset(client: Client, asset: string, options: PruneOptions = {}): Promise<PrunedAsset> {
  const workflowId = ASSET_LOG_ID_PREFIX + asset;
  const log = await end(client, workflowId);
  const { runs, pages } = await removeAll(
    client,
    workflowId,
    log,
    `${PAGE_ID_PREFIX}${ASSET_PAGE_OWNER}${asset}/`,
    options
  );
  return { logRuns: runs, pages };
}

/** Ends a workflow for good; gives its last run, if it has one. */
async function end(client: Client, workflowId: string): Promise<Description | undefined> {
  for (;;) {
    // one that continues as new at this moment has another run: ended until none runs
    const last = await describeExecution(client, workflowId);
    if (last?.status.name !== 'RUNNING') return last;
    await terminate(client, { workflowId });
  }
}

async function removeAll(
  client: Client,
  workflowId: string,
  last: Execution | undefined,
  pagePrefix: string,
  { onRemoved }: PruneOptions
): Promise<{ readonly runs: number; readonly pages: number }> {
  const runs = await find(client, `WorkflowId = ${quoted(workflowId)}`);
  // visibility lags behind: what it does not list yet is the last run
  if (last !== undefined && !runs.some(({ runId }) => runId === last.runId)) runs.push(last);
  const listed = await find(client, `WorkflowId STARTS_WITH ${quoted(pagePrefix)}`);
  const pages = listed.filter((page) => isPageOf(pagePrefix, page.workflowId));
  const all = [...runs, ...pages];
  await inBatches(all, AT_ONCE, async (execution) => {
    if (execution.status.name === 'RUNNING') await terminate(client, execution);
    await remove(client, execution);
    onRemoved?.(all.length);
  });
  return { runs: runs.length, pages: pages.length };
}

/**
 * After its owner a page is named by kind and hash. What has more parts belongs to another: to the asset `a/b` if the owner
 * is `a`, to any asset if it is a sensor that is called `asset`.
 */
export function isPageOf(pagePrefix: string, workflowId: string): boolean {
  return workflowId.startsWith(pagePrefix) && workflowId.slice(pagePrefix.length).split('/').length === 2;
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
