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
import {
  describeRun,
  firstRunOf,
  listExecutions,
  lookUpExecution,
  withMemo,
  type Description,
  type Execution,
} from './executions.js';
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
  const found = await lookUpExecution(client, loopId(sensor));
  // before it ends: where its memo cannot be read, it stays
  const watched = watchedBy(found === undefined ? undefined : withMemo(found));
  const loop = await end(client, found);
  for (const asset of watched) await unsubscribeAsset(client, asset, sensor);
  const { runs, pages } = await removeAll(client, loopId(sensor), loop, `${PAGE_ID_PREFIX}${sensor}/`, options);
  return { loopRuns: runs, pages };
}

/** The same for the log of an asset. Its next event begins it anew. */
export async function pruneAsset(client: Client, asset: string, options: PruneOptions = {}): Promise<PrunedAsset> {
  const workflowId = ASSET_LOG_ID_PREFIX + asset;
  const log = await end(client, await lookUpExecution(client, workflowId));
  const { runs, pages } = await removeAll(
    client,
    workflowId,
    log,
    `${PAGE_ID_PREFIX}${ASSET_PAGE_OWNER}${asset}/`,
    options
  );
  return { logRuns: runs, pages };
}

type Ended = Pick<Execution, 'workflowId' | 'runId' | 'status' | 'startTime' | 'closeTime'>;

/**
 * Ends a workflow for good; gives its last run, if it has one. What somebody starts by its ID from then on is another
 * workflow and is left alone, as a log is by an event that comes while it is pruned.
 */
async function end(client: Client, last: Description | undefined): Promise<Ended | undefined> {
  if (last?.status.name !== 'RUNNING') return last;
  const { workflowId } = last;
  await terminate(client, { workflowId, firstRunId: firstRunOf(last) });
  // one that continued as new at this moment has another run: ended until none runs
  const next = await lookUpExecution(client, workflowId);
  if (next !== undefined && firstRunOf(next) === firstRunOf(last)) return await end(client, next);
  return await describeRun(client, last);
}

async function removeAll(
  client: Client,
  workflowId: string,
  last: Ended | undefined,
  pagePrefix: string,
  { onRemoved }: PruneOptions
): Promise<{ readonly runs: number; readonly pages: number }> {
  const { closeTime = new Date() } = last ?? {};
  const isOlder = ({ startTime }: Ended): boolean => startTime <= closeTime;
  const runs = (await find(client, `WorkflowId = ${quoted(workflowId)}`)).filter(isOlder);
  // visibility lags behind: what it does not list yet is the last run
  if (last !== undefined && !runs.some(({ runId }) => runId === last.runId)) runs.push(last);
  const listed = await find(client, `WorkflowId STARTS_WITH ${quoted(pagePrefix)}`);
  const pages = listed.filter((page) => isOlder(page) && isPageOf(pagePrefix, page.workflowId));
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

async function find(client: Client, query: string): Promise<Ended[]> {
  const found: Ended[] = [];
  for await (const execution of listExecutions(client, query)) found.push(execution);
  return found;
}

async function terminate(
  client: Client,
  {
    workflowId,
    runId,
    firstRunId,
  }: Pick<Execution, 'workflowId'> & { readonly runId?: string; readonly firstRunId?: string }
): Promise<void> {
  try {
    const chain = firstRunId === undefined ? {} : { firstExecutionRunId: firstRunId };
    await client.workflow.getHandle(workflowId, runId, chain).terminate(PRUNED);
  } catch (error) {
    // it has ended meanwhile
    if (!isNotFound(error)) throw error;
  }
}

async function remove(client: Client, { workflowId, runId }: Ended): Promise<void> {
  try {
    const { namespace } = client.options;
    await client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
