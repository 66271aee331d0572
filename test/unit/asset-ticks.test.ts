/** What a tick of a sensor of several assets says when there is no room: for events that wait, or for what is consumed. */
import { expect, test } from 'vitest';
import { allOf, type AssetCondition } from '../../src/sensors/asset-condition.js';
import { OpenAsset } from '../../src/sensors/asset-view.js';
import { defineAsset } from '../../src/sensors/define-asset.js';
import { FEED, type FeedReport } from '../../src/sensors/feed-host.js';
import { parsePositions, upTo, type Positions } from '../../src/sensors/positions.js';
import { handleAssets } from '../../src/sources/handle-assets.js';
import { handleMatches } from '../../src/sources/handle-matches.js';
import type { MultiAssetContext, MultiAssetFeed, Opened } from '../../src/sources/multi-asset-feed.js';

const HOUR_MS = 3_600_000;
const NOW = Date.now();
const full = 'window full: 32 MB of events of a are not consumed; newer ones are read when some of them are';

/** An asset of which so many events are open, the first so many hours old and each next one a minute younger. */
function open(key: string, many: number, ageHours: number, positions: Positions = upTo(0), isFull = false): Opened {
  const from = (positions.at(-1)?.[1] ?? 0) + 1;
  const events = Array.from({ length: many }, (_, index) => ({
    position: from + index,
    asset: key,
    kind: 'materialization' as const,
    eventId: `${key}@${from + index}`,
    partitionKey: `${key} ${index}`,
    recordedAt: new Date(NOW - ageHours * HOUR_MS + index * 60_000),
    metadata: {},
    producer: {},
  }));
  const fullUntil = isFull ? events.at(-1)?.recordedAt.getTime() : undefined;
  const reading = { log: 'x', positions, events, passed: [], read: from + many - 1, fullUntil, problems: [] };
  return { key, asset: new OpenAsset(defineAsset({ key }), reading, new Date(NOW)), reading };
}

/** A tick over these assets: what it reported, and how many events are open after it. */
async function tick(
  opened: readonly Opened[],
  when?: AssetCondition,
  {
    returned = [],
    retries = [],
  }: { readonly returned?: readonly unknown[]; readonly retries?: readonly unknown[] } = {}
) {
  let report: FeedReport | undefined;
  const ctx = {
    sensor: 's',
    cursor: { assets: {}, retries },
    events: returned,
    signal: new AbortController().signal,
    now: new Date(NOW),
    log: { warn: () => undefined, error: () => undefined },
    setCursor: () => undefined,
    more: () => ({ kind: 'more' }),
    skip: (reason: string) => ({ kind: 'skip', reason }),
    [FEED]: {
      scheduledAt: NOW,
      deadLetterRoom: 64 * 1024,
      deadLetters: [],
      record: () => undefined,
      report: (given: FeedReport) => (report = given),
    },
  } as unknown as MultiAssetContext;
  const feed = {
    names: 'a, b',
    keys: ['a', 'b'],
    open: async () => opened,
    readerOf: () => undefined,
  } as unknown as MultiAssetFeed;
  const handle = (): undefined => undefined;
  const handling = { handlers: { handle }, maxAttempts: 1, handleTimeoutMs: 1_000, intervalMs: () => 1_000 };
  if (when === undefined) await handleAssets(ctx, feed, handle);
  else await handleMatches(ctx, feed, { ...handling, condition: when });
  return { failure: report?.failure, open: opened.map(({ asset }) => asset.open.length) };
}

const others = 'record what the events wait for, or begin anew without all that waits: sensors cursor clear s';

test('a full window of which nothing is consumed fails the tick, with a condition and without', async () => {
  const waiting = (): readonly Opened[] => [open('a', 5, 10, upTo(0), true), open('b', 5, 5)];
  const byPartition = allOf('a', 'b', { by: 'partition' });
  expect(await tick(waiting(), byPartition)).toEqual({
    failure: `${full}: give the condition a time after which events expire, such as allOf(…, { within: '24h' }), ${others}`,
    open: [5, 5],
  });
  expect((await tick(waiting())).failure).toBe(`${full}: call ctx.assets.….advanceAll() for those that are not needed`);
  // what comes after the newest event that is known decides
  expect(await tick(waiting(), allOf('a', 'b', { by: 'partition', within: '1h' }))).toEqual({ open: [0, 5] });
});

test('events of full windows that are given up by the clock alone are a failure that says so', async () => {
  const both = [open('a', 5, 10, upTo(0), true), open('b', 5, 9.9, upTo(0), true)];
  const { failure, open: left } = await tick(both, allOf('a', 'b', { by: 'partition', within: '1h' }));
  expect(failure).toBe(
    `${full.replace('of a are', 'of a, b are')}; what may have come for those that expired was not read`
  );
  expect(left).toEqual([0, 0]);
});

test('a tick that can remember no more of what is consumed says so, also when it is to give up an event', async () => {
  const most = parsePositions({ low: 0, above: Array.from({ length: 25_000 }, () => '1').join(' ') });
  const { failure, open: left } = await tick(
    [open('a', 1, 10, most), open('b', 1, 1)],
    allOf('a', 'b', { within: '1h' })
  );
  expect(failure).toMatch('takes more than 32 KB of the cursor');
  expect(failure).toMatch(`: give the condition a shorter 'within', ${others}`);
  expect(left).toEqual([1, 1]);
});

test('a match with an event of an asset that is no longer in the map is parked at once, and says what to do', async () => {
  const { failure } = await tick([open('a', 0, 1), open('b', 0, 1)], allOf('a', 'b'), {
    returned: [{ gone: 'x.1' }],
  });
  expect(failure).toContain(
    "the sensor has no asset under the name 'gone' any more (it has a, b): put it back into assets"
  );
  expect(failure).toMatch(/^1 event parked in the dead letters: gone@x\.1: /);
});

test('a match with an event of a log that is gone is parked at once, whenever it was to be tried again', async () => {
  const retry = (ref: object) => ({ ref, attempts: 1, at: NOW + HOUR_MS, error: 'no' });
  const retries = [retry({ a: 'before.1', b: 'x.1' }), retry({ a: 'x.1', b: 'x.1' })];
  const { failure } = await tick([open('a', 0, 1), open('b', 0, 1)], allOf('a', 'b'), { retries });
  expect(failure).toMatch(/^1 event parked in the dead letters: .*before\.1.*; 1 event to be tried again: no$/);
});
