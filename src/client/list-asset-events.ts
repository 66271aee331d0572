/** Events of an asset as an operator looks at them: the newest, or those after a position; of one partition or of all. */
import type { Client } from '@temporalio/client';
import type { AssetEvent } from '../sensors/asset-event.js';
import { assetState, readAsset } from './assets.js';

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

/**
 * In the order of their positions. Asks a worker.
 *
 * @throws {@link AssetLogUnavailableError}
 */
export async function listAssetEvents(
  client: Client,
  asset: string,
  { after, limit = DEFAULT_LIMIT, partition }: AssetEventsOptions = {}
): Promise<readonly AssetEvent[]> {
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

async function newest(client: Client, asset: string, { fits, limit, size }: Search): Promise<readonly AssetEvent[]> {
  const { first = 1, last = 0 } = (await assetState(client, asset)) ?? {};
  const found: AssetEvent[] = [];
  for (let end = last; end >= first && found.length < limit; end -= size) {
    const after = Math.max(first - 1, end - size);
    const events = await readAsset(client, asset, { after, limit: end - after });
    found.unshift(...events.filter((event) => event.position <= end && fits(event)));
  }
  return found.slice(-limit);
}

async function oldest(
  client: Client,
  asset: string,
  { fits, limit, size, after }: Search & { readonly after: number }
): Promise<readonly AssetEvent[]> {
  const found: AssetEvent[] = [];
  for (let position = after; found.length < limit;) {
    const events = await readAsset(client, asset, { after: position, limit: size });
    found.push(...events.filter(fits));
    position = events.at(-1)?.position ?? position;
    if (events.length < size) break;
  }
  return found.slice(0, limit);
}
