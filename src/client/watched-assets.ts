/** The assets that a sensor watches, as its memo tells, and how much was recorded of them. */
import type { Client } from '@temporalio/client';
import { parseSensorAssets } from '../sensors/lineage.js';
import { ASSET_LOG_ID_PREFIX, ASSET_MEMO, type AssetMemo } from '../sensors/protocol.js';
import { lookAtAsset } from './assets.js';
import { inBatches } from './batches.js';
import { lookUpExecution } from './executions.js';

const LOOKUPS_AT_ONCE = 20;
const ANSWER_TIMEOUT_MS = 3_000;

/** An asset that a sensor watches. */
export interface WatchedAsset {
  readonly asset: string;
  /** Position of the newest event, as its log told at most a minute ago; absent before the first. */
  readonly last?: number;
}

/** What a log says of its newest event. */
export interface LastPosition {
  /** Identity of the log: another when it began anew, its positions from 1. */
  readonly id: string;
  /** Position of the newest event. */
  readonly last: number;
}

/** As their logs told. Needs no worker. @param options those in the memo of the sensor's loop */
export async function watchedAssets(client: Client, options: unknown): Promise<readonly WatchedAsset[]> {
  const told = Object.entries(parseSensorAssets(options)?.assets ?? {});
  const names = told.flatMap(([asset, { watched }]) => (watched === true ? [asset] : []));
  const found = new Map<string, WatchedAsset>();
  await inBatches(names, LOOKUPS_AT_ONCE, async (asset) => {
    const log = await lookUpExecution(client, ASSET_LOG_ID_PREFIX + asset);
    const { last } = (log?.memo?.[ASSET_MEMO] as AssetMemo | undefined) ?? {};
    found.set(asset, { asset, ...(last === undefined ? {} : { last }) });
  });
  return names.flatMap((name) => found.get(name) ?? []);
}

/** Positions of the newest events, as the logs say now: of those that answer within 3 s. Asks workers. */
export async function lastPositions(
  client: Client,
  assets: readonly string[]
): Promise<ReadonlyMap<string, LastPosition>> {
  const found = new Map<string, LastPosition>();
  await inBatches(assets, LOOKUPS_AT_ONCE, async (asset) => {
    const look = { sensor: '', after: Number.MAX_SAFE_INTEGER, timeoutMs: ANSWER_TIMEOUT_MS };
    const log = await lookAtAsset(client, asset, look).catch(() => undefined);
    if (log !== undefined) found.set(asset, { id: log.id, last: log.last });
  });
  return found;
}
