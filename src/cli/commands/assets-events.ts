/** `sensors assets events`: what was recorded, in its order; with `--follow` also what comes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListedAssetEvent } from '../../client/index.js';
import { plain } from '../../sensors/text.js';
import { EVENT_HEADER, eventCells } from '../asset-text.js';
import { assetEventView } from '../asset-views.js';
import { linkedTable, type Output } from '../output.js';
import type { Session } from '../session.js';

const FOLLOW_PAUSE_MS = 1_000;
const FOLLOW_LIMIT = 1_000;

export interface AssetEventsCommandOptions {
  readonly after?: number;
  readonly limit: number;
  readonly partition?: string;
  readonly follow?: true;
}

/** `sensors assets events <asset>` */
export async function showAssetEvents(
  session: Session,
  output: Output,
  asset: string,
  { follow, ...options }: AssetEventsCommandOptions
): Promise<void> {
  const events = await session.call(() => session.sensors.assetEvents(asset, options));
  if (follow === true) return await followEvents(session, output, asset, { ...options, events });
  output.result(
    events.map((event) => assetEventView(event, session.webUrlOf)),
    (colors, width) => {
      if (events.length === 0) return [noEvents(asset, options)];
      const keys = events.map(({ key }) => plain(key));
      return linkedTable(EVENT_HEADER, events.map(eventCells), keys, colors, width, 'KEY');
    }
  );
}

/** Why there is nothing to show. */
export function noEvents(
  asset: string,
  { after, partition }: Pick<AssetEventsCommandOptions, 'after' | 'partition'>
): string {
  return after === undefined && partition === undefined
    ? `The log of ${plain(asset)} has no events: nothing was recorded of it yet, or it was pruned since.`
    : `${plain(asset)} has no such events.`;
}

/** Each event as a line, those that were there first, until somebody ends the command or stops reading. */
async function followEvents(
  session: Session,
  output: Output,
  asset: string,
  { events, after, partition }: { readonly events: readonly ListedAssetEvent[] } & Partial<AssetEventsCommandOptions>
): Promise<never> {
  let position = after ?? 0;
  for (let found = events; ;) {
    for (const event of found) {
      position = event.position;
      if (partition !== undefined && event.partitionKey !== partition) continue;
      output.item(assetEventView(event, session.webUrlOf), () => [
        // so that what reads a line by its fields finds each in its place
        [...eventCells(event), plain(event.key)].map((cell) => (cell === '' ? '-' : cell)).join('  '),
      ]);
    }
    if (found.length < FOLLOW_LIMIT) await sleep(FOLLOW_PAUSE_MS);
    // of all partitions: the position moves on also where there is nothing to show
    found = await session.call(() => session.sensors.assetEvents(asset, { after: position, limit: FOLLOW_LIMIT }));
  }
}
