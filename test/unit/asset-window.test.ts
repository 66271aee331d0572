import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { AssetEvent } from '../../src/sensors/asset-event.js';
import { upTo } from '../../src/sensors/positions.js';
import { AssetWindow } from '../../src/sources/asset-window.js';

const ctx = { client: {} as Client, signal: new AbortController().signal };
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

test('what was read before an evaluation ran out of time is not read again, and what is gone is still said', async () => {
  const after: number[] = [];
  let timeout = new AbortController();
  const reader = {
    async read(_: Client, __: string, from: number, limit: number): Promise<readonly AssetEvent[]> {
      after.push(from);
      if (after.length === 2 || after.length === 4) timeout.abort(new Error('timed out'));
      const first = Math.max(from, 10) + 1;
      return Array.from({ length: Math.min(limit, 1_200 - first + 1) }, (___, index) => ({
        ...eventAt(first + index),
        metadata: {},
      }));
    },
    gone: (from: number, to: number) => `${from} to ${to} are gone`,
  };
  const window = new AssetWindow(reader, false);
  const look = async (low: number) => {
    timeout = new AbortController();
    const log = { log: 'x', last: 1_200, problem: undefined };
    return await window.open({ client: ctx.client, signal: timeout.signal }, upTo(low), log);
  };
  await expect(look(0)).rejects.toThrow('timed out');
  await expect(look(0)).rejects.toThrow('timed out');
  const { events, problems, positions } = await look(0);
  expect(after).toEqual([0, 510, 510, 1_010, 1_010]);
  expect([events.length, problems, positions]).toEqual([1_190, ['1 to 10 are gone'], upTo(10)]);
  expect((await look(10)).problems).toEqual([]);
});
