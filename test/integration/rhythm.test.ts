/** When a sensor evaluates, where its cursor begins, and what it says of itself when it idles or fails. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineSensor, RetryAfterError } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

function gaps(times: readonly number[]): number[] {
  return times.slice(1).map((at, index) => at - (times[index] ?? at));
}

test('an idle sensor waits longer and longer, up to its maximum, and a push sets it back', async () => {
  const h = await Harness.create();
  const at: number[] = [];
  const last: (Date | undefined)[] = [];
  const sensor = defineSensor({
    name: 'idle',
    interval: '200ms',
    idleBackoff: { max: '900ms' },
    defaultStatus: 'running',
    evaluate(ctx) {
      at.push(Date.now());
      last.push(ctx.lastTickAt);
      return ctx.skip('nothing');
    },
  });
  await h.work([sensor]);
  await waitFor(() => at.length >= 8, 'eight evaluations');
  expect(gaps(at).at(-1)).toBeGreaterThanOrEqual(850);
  // the previous evaluation, as far as an attempt can know
  expect((at.at(-1) ?? 0) - (last.at(-1)?.getTime() ?? 0)).toBeGreaterThanOrEqual(850);
  expect(last.at(-1)?.getTime()).toBeGreaterThan(at.at(-3) ?? 0);
  const before = at.length;
  await h.sensors.push(h.name(sensor), { some: 'event' });
  await waitFor(() => at.length >= before + 3, 'three more evaluations');
  expect(Math.min(...gaps(at.slice(before)))).toBeLessThan(850);
});

test('a failing sensor backs off, keeps its traceback, tries again when the source says so, and stops itself', async () => {
  const h = await Harness.create();
  const at: number[] = [];
  const sensor = defineSensor({
    name: 'down',
    interval: '100ms',
    failureBackoff: { min: '150ms', max: '1h' },
    stopAfterFailures: 4,
    defaultStatus: 'running',
    evaluate() {
      at.push(Date.now());
      if (at.length === 1) throw new RetryAfterError('1200ms', 'HTTP 429');
      throw new TypeError('no connection');
    },
  });
  await h.work([sensor]);
  const name = h.name(sensor);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first failure');
  // whoever talks to it meanwhile does not cut the pause short
  await h.sensors.discardDeadLetters(name);
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.status === 'stopped' ? now : undefined;
  }, 'its own stop');
  expect(gaps(at)[0]).toBeGreaterThanOrEqual(1190);
  // failing for 1.2 s, then for 2.4 s and more
  expect(gaps(at)[1]).toBeGreaterThanOrEqual(1190);
  expect(at).toHaveLength(4);
  expect(state).toMatchObject({
    choice: { by: 'stopAfterFailures', reason: '4 failures in a row, the last: TypeError: no connection' },
    health: { status: 'failing', failures: 4 },
  });
  const ticks = await h.sensors.ticks(name);
  expect(ticks.slice(0, 4).map(({ error }) => error)).toEqual([
    'RetryAfterError: HTTP 429',
    ...Array.from({ length: 3 }, () => 'TypeError: no connection'),
  ]);
  expect(ticks.at(-1)?.logs?.at(-1)?.message).toMatch(/^TypeError: no connection\n\s+at .*rhythm\.test/);
});

test('after it stopped itself, a start gives a sensor all its attempts again', async () => {
  const h = await Harness.create();
  let failures = 0;
  const sensor = defineSensor({
    name: 'patient',
    interval: '100ms',
    stopAfterFailures: 2,
    defaultStatus: 'running',
    evaluate() {
      failures++;
      throw new Error('down');
    },
  });
  await h.work([sensor]);
  const name = h.name(sensor);
  const stopped = async (): Promise<boolean> => (await h.sensors.state(name)).status === 'stopped';
  await waitFor(stopped, 'its first stop');
  expect(failures).toBe(2);
  await h.sensors.start(name);
  await waitFor(async () => failures > 2 && (await stopped()), 'its second stop');
  expect(failures).toBe(4);
});

test('an evaluation that takes most of its timeout is warned about, in its tick', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'slow',
    interval: '1h',
    timeout: '500ms',
    async evaluate(ctx) {
      await new Promise((resolve) => setTimeout(resolve, 430));
      return ctx.skip('at last');
    },
  });
  await h.work([sensor]);
  const { logs } = await h.sensors.tick(h.name(sensor));
  expect(logs).toMatchObject([
    { level: 'warn', message: expect.stringMatching(/took 4\d\d ms, \d+ % of its timeout/) },
  ]);
});

test('the initial cursor is stored before anything reads from it, also when the first evaluation fails', async () => {
  const h = await Harness.create();
  let asked = 0;
  const seen: { cursor: number | undefined; first: boolean; events: number }[] = [];
  const sensor = defineSensor({
    name: 'begins',
    interval: '100ms',
    cursor: z.number(),
    initialCursor: async () => 40 + ++asked,
    evaluate(ctx) {
      seen.push({ cursor: ctx.cursor, first: ctx.isFirstTickSinceStart, events: ctx.events.length });
      if (seen.length === 1) throw new Error('the source is down');
      return ctx.skip('nothing');
    },
  });
  await h.work([sensor]);
  // what was pushed before waits for the evaluation itself
  await h.sensors.push(h.name(sensor), 'early');
  await h.sensors.start(h.name(sensor));
  await h.folded(sensor);
  expect(seen.slice(0, 3)).toEqual([
    { cursor: 41, first: true, events: 1 },
    { cursor: 41, first: false, events: 1 },
    { cursor: 41, first: false, events: 0 },
  ]);
  expect(asked).toBe(1);
  expect((await h.sensors.ticks(h.name(sensor)))[0]).toMatchObject({
    status: 'skipped',
    skipReason: 'the initial cursor was stored',
    cursorAfter: { value: 41 },
  });
  await h.sensors.clearCursor(h.name(sensor));
  await waitFor(() => seen.at(-1)?.cursor === 42, 'a new initial cursor');
  // a tick that somebody asks for is the evaluation, not the tick that only stores the cursor
  await h.sensors.stop(h.name(sensor));
  await h.sensors.clearCursor(h.name(sensor));
  expect(await h.sensors.tick(h.name(sensor))).toMatchObject({ skipReason: 'nothing', cursorBefore: { value: 43 } });
});

test('a stored cursor of an older shape is migrated, once, and stored in the new one', async () => {
  const h = await Harness.create();
  const name = 'moves';
  const before = defineSensor({
    name,
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.number(),
    evaluate: (ctx) => ctx.setCursor(7),
  });
  const old = await h.work([before]);
  await h.tickWhere(before, ({ cursorAfter }) => cursorAfter?.value === 7, 'the old cursor');
  await old.stop();
  const migrations: unknown[] = [];
  const after = defineSensor({
    name,
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.object({ page: z.number() }),
    migrateCursor(stored) {
      migrations.push(stored);
      return { page: z.number().parse(stored) };
    },
    evaluate: (ctx) => ctx.skip(`at page ${ctx.cursor?.page}`),
  });
  await h.work([after]);
  expect(await h.sensors.tick(h.name(after))).toMatchObject({
    skipReason: 'at page 7',
    cursorBefore: { value: 7 },
    cursorAfter: { value: { page: 7 } },
  });
  await h.sensors.tick(h.name(after));
  expect(migrations).toEqual([7]);
});

test('describe says why idle ticks cost history, and that they no longer do', async () => {
  const h = await Harness.create();
  let moving = true;
  const sensor = defineSensor({
    name: 'restless',
    interval: '100ms',
    defaultStatus: 'running',
    cursor: z.number().default(0),
    evaluate(ctx) {
      if (moving) ctx.setCursor(ctx.cursor + 1);
    },
  });
  await h.work([sensor]);
  const name = h.name(sensor);
  const described = await waitFor(async () => {
    const now = await h.sensors.describe(name);
    return now.unfolded === undefined ? undefined : now;
  }, 'a reason');
  expect(described.unfolded).toBe('the cursor changes at every tick');
  moving = false;
  await waitFor(async () => (await h.sensors.describe(name)).unfolded === undefined, 'folding');
});
