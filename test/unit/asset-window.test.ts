import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { AssetEvent } from '../../src/sensors/asset-event.js';
import { upTo } from '../../src/sensors/positions.js';
import { AssetWindow } from '../../src/sources/asset-window.js';

const TEXT = 'x'.repeat(15_000);
const LAST = 4_000;

function eventAt(position: number): AssetEvent {
  const metadata = { text: { type: 'text', value: TEXT } } as const;
  const eventId = `${position}`;
  return { position, asset: 'a', kind: 'materialization', eventId, at: position * 1_000, metadata, producer: {} };
}

test('a window that is full reads nothing until some of it is consumed, and says up to when everything is known', async () => {
  let reads = 0;
  const reader = {
    async read(_: Client, __: string, after: number, limit: number): Promise<readonly AssetEvent[]> {
      reads++;
      return Array.from({ length: Math.min(limit, LAST - after) }, (___, index) => eventAt(after + index + 1));
    },
    gone: () => 'gone',
  };
  const window = new AssetWindow(reader, false);
  const ctx = { client: {} as Client, signal: new AbortController().signal };
  const log = { log: 'x', last: LAST, problem: undefined };
  const first = await window.open(ctx, upTo(0), log);
  expect(first.events).toHaveLength(2_500);
  expect(first.fullUntil).toBe(2_500_000);
  const before = reads;
  const again = await window.open(ctx, upTo(0), log);
  expect([reads, again.events.length, again.fullUntil]).toEqual([before, 2_500, 2_500_000]);

  const later = await window.open(ctx, upTo(2_000), log);
  expect(later.events.map(({ position }) => position)).toEqual(Array.from({ length: 2_000 }, (_, n) => 2_001 + n));
  expect(later.fullUntil).toBeUndefined();
  // another log has none of these events
  const anew = await window.open(ctx, upTo(3_999), { ...log, log: 'y' });
  expect(anew.events.map(({ eventId }) => eventId)).toEqual(['a@y.4000']);
});
