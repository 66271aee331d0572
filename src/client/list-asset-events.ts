/** Events of an asset as an operator looks at them: the newest, or those after a position; of one partition or of all. */
import type { Client } from '@temporalio/client';
import type { AssetEvent } from '../sensors/asset-event.js';
import { keyOf } from '../sensors/asset-sensor-event.js';
import { assetState, readAssetLog } from './assets.js';

const DEFAULT_LIMIT = 20;
/** Events looked at in one request, when only those of a partition are wanted. */
const SCAN = 1_000;

export interface AssetEventsOptions {
  /** Only events after this position, the oldest of them first. @default the newest events */
  readonly after?: number;
  /** At most so many. @default 20 */
  readonly limit?: number;
  /** Only those of this partition. @default all */
  readonly partition?: string;
}

/** An event of an asset, and how to find what became of it. */
export interface ListedAssetEvent extends AssetEvent {
  /** The run key of a request of an asset sensor that names none: `sales/orders@tmqgz4.3`, as `event.eventId` in its handler. */
  readonly key: string;
}

/**
 * In the order of their positions. Asks a worker.
 *
 * @throws {@link AssetLogUnavailableError}
 */
export async function listAssetEvents(
  client: Client,
  asset: string,
  { after, limit = DEFAULT_LIMIT, partition }: AssetEventsOptions = {}
): Promise<readonly ListedAssetEvent[]> {
  const fits = ({ partitionKey }: AssetEvent): boolean => partition === undefined || partitionKey === partition;
  const size = partition === undefined ? limit : SCAN;
  return after === undefined
    ? await newest(client, asset, { fits, limit, size })
    : await oldest(client, asset, { fits, limit, size, after });
}

interface Search {
  readonly fits: (event: AssetEvent) => boolean;
  readonly limit: number;
  /** Events read at once. */
  readonly size: number;
}

async function newest(
  client: Client,
  asset: string,
  { fits, limit, size }: Search
): Promise<readonly ListedAssetEvent[]> {
  const { first = 1, last = 0 } = (await assetState(client, asset)) ?? {};
  const found: ListedAssetEvent[] = [];
  for (let end = last; end >= first && found.length < limit; end -= size) {
    const after = Math.max(first - 1, end - size);
    const events = await read(client, asset, { after, limit: end - after });
    found.unshift(...events.filter((event) => event.position <= end && fits(event)));
  }
  return found.slice(-limit);
}

async function oldest(
  client: Client,
  asset: string,
  { fits, limit, size, after }: Search & { readonly after: number }
): Promise<readonly ListedAssetEvent[]> {
  const found: ListedAssetEvent[] = [];
  for (let position = after; found.length < limit;) {
    const events = await read(client, asset, { after: position, limit: size });
    found.push(...events.filter(fits));
    position = events.at(-1)?.position ?? position;
    if (events.length < size) break;
  }
  return found.slice(0, limit);
}

async function read(
  client: Client,
  asset: string,
  stretch: { readonly after: number; readonly limit: number }
): Promise<readonly ListedAssetEvent[]> {
  const { log, events } = await readAssetLog(client, asset, stretch);
  return events.map((event) => ({ ...event, key: keyOf(event, log) }));
}
