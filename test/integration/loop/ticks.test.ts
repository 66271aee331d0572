import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../../src/index.js';
import { Harness, waitFor } from '../../support/harness.js';

const echo = defineJob({ name: 'echo', config: z.object({ n: z.number(), extra: z.string().default('filled') }) });
const noop = defineJob({ name: 'noop' });

test('starts each run key once, folds when only known keys come, and costs no history from then on', async () => {
  const h = await Harness.create();
  let evaluations = 0;
  const sensor = defineSensor({
    name: 'known',
    job: echo,
    interval: 100,
    defaultStatus: 'running',
    *evaluate(ctx) {
      evaluations++;
      for (const n of [1, 2, 3]) yield ctx.run({ runKey: `key ${n}`, config: { n }, tags: { source: 'test' } });
    },
  });
  await h.work([sensor]);
  await h.folded(sensor);
  const seen = evaluations;
  const heartbeat = async (): Promise<unknown> =>
    (await h.loop(sensor).describe()).raw.pendingActivities?.[0]?.lastHeartbeatTime;
  const said = await heartbeat();
  await waitFor(() => evaluations > seen + 10, 'ten more evaluations');
  // each heartbeat is a write of the server's, and on Temporal Cloud an action
  expect(await heartbeat()).toEqual(said);
  const description = await h.sensors.describe(h.name(sensor));
  expect(description).toMatchObject({
    status: 'running',
    health: 'ok',
    historyLength: 5,
    evaluation: { lastOutcome: '3 requests, all already run' },
  });
  expect(description.evaluation?.streak.map(({ reason }) => reason)).toEqual(['3 requests, all already run']);
  const ticks = await h.sensors.ticks(h.name(sensor));
  expect(ticks).toHaveLength(1);
  expect(ticks[0]).toMatchObject({ tick: 1, status: 'success', trigger: 'start', runs: { count: 3 } });
  const runs = await h.settledRuns(sensor, 3);
  expect(runs).toHaveLength(3);
  const result = await h.client.workflow.getHandle(`${h.name(sensor)}:echo:key 2`).result();
  expect(result).toEqual({
    config: { n: 2, extra: 'filled' },
    info: { sensor: h.name(sensor), job: 'echo', tick: 1, runKey: 'key 2', tags: { source: 'test' } },
  });
});

test('records duplicates inside a tick and across ticks with the run they point to', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'dup',
    job: echo,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      yield [ctx.run({ runKey: 'a', config: { n: 1 } }), ctx.run({ runKey: 'a', config: { n: 2 } })];
      if (ctx.tick > 1) yield ctx.run({ runKey: 'b', config: { n: 3 } });
    },
  });
  await h.work([sensor]);
  const first = await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  expect(first.runs.count).toBe(1);
  expect(first.duplicates).toEqual({ count: 1, sample: [{ id: `${h.name(sensor)}:echo:a`, runKey: 'a' }] });
  const second = await h.sensors.tick(h.name(sensor));
  expect(second).toMatchObject({
    tick: 2,
    trigger: 'tick',
    status: 'success',
    runs: { count: 1 },
    duplicates: { count: 2 },
  });
  // the first request of a key wins
  expect(await h.client.workflow.getHandle(`${h.name(sensor)}:echo:a`).result()).toMatchObject({ config: { n: 1 } });
});

test('a key that the server knows and the loop has forgotten is a duplicate; a foreign owner of an ID is an error', async () => {
  const h = await Harness.create();
  const keys: string[] = [];
  const sensor = defineSensor({
    name: 'owner',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      for (const runKey of keys) yield ctx.run({ runKey });
    },
  });
  const foreign = `${h.name(sensor)}:noop:foreign`;
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await h.client.workflow.start('waiting', { workflowId: foreign, taskQueue: h.taskQueue });
  keys.push('mine', 'foreign');
  const tick = await h.sensors.tick(h.name(sensor));
  expect(tick).toMatchObject({
    status: 'success',
    runs: { count: 1 },
    duplicates: { count: 0 },
    rejected: { count: 1 },
  });
  expect(tick.rejected.sample[0]?.error).toContain(`belongs to a workflow of type 'waiting'`);
  const { deadLetters } = await h.sensors.state(h.name(sensor));
  expect(deadLetters).toMatchObject([{ job: 'noop', runKey: 'foreign', count: 1 }]);
  expect(await h.sensors.explain(h.name(sensor), { run: foreign })).toMatchObject({
    answer: { kind: 'foreign', deadLetter: deadLetters[0]?.id },
  });
  // known now: not new any more
  expect(await h.sensors.tick(h.name(sensor))).toMatchObject({ status: 'skipped', runs: { count: 0 } });
  expect((await h.sensors.state(h.name(sensor))).deadLetters).toMatchObject([{ runKey: 'foreign', count: 2 }]);
  await h.client.workflow.getHandle(foreign).terminate();
});

test('requests without a key are launched exactly once per tick', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'keyless',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    evaluate: (ctx) => [ctx.run(), ctx.run()],
  });
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await h.sensors.tick(h.name(sensor));
  const runs = await h.settledRuns(sensor, 4);
  expect(runs.map(({ runKey }) => runKey)).toEqual([undefined, undefined, undefined, undefined]);
  expect(new Set(runs.map(({ workflowId }) => workflowId)).size).toBe(4);
});

test('keeps a typed cursor, shows it at once, and stores it only when the tick ends well', async () => {
  const h = await Harness.create();
  const seen: unknown[] = [];
  let fail = false;
  const sensor = defineSensor({
    name: 'cursor',
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.object({ at: z.number() }).default({ at: 0 }),
    evaluate(ctx) {
      seen.push(ctx.cursor);
      ctx.setCursor({ at: ctx.cursor.at + 1 });
      seen.push(ctx.cursor);
      expect(Object.isFrozen(ctx.cursor)).toBe(true);
      if (fail) throw new Error('after the cursor was set');
      return ctx.skip('nothing to start');
    },
  });
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  fail = true;
  expect(await h.sensors.tick(h.name(sensor))).toMatchObject({
    status: 'failure',
    error: 'Error: after the cursor was set',
  });
  fail = false;
  const tick = await h.sensors.tick(h.name(sensor));
  expect(tick).toMatchObject({
    status: 'skipped',
    skipReason: 'nothing to start',
    cursorBefore: { value: { at: 1 } },
    cursorAfter: { value: { at: 2 } },
  });
  expect(seen).toEqual([{ at: 0 }, { at: 1 }, { at: 1 }, { at: 2 }, { at: 1 }, { at: 2 }]);
});

test('more() drains at once; the interval counts from the end of an evaluation', async () => {
  const h = await Harness.create();
  const calls: { at: number; last: Date | undefined }[] = [];
  const sensor = defineSensor({
    name: 'rhythm',
    interval: 2000,
    defaultStatus: 'running',
    cursor: z.number().default(0),
    async evaluate(ctx) {
      calls.push({ at: Date.now(), last: ctx.lastTickAt });
      if (ctx.cursor >= 3) return ctx.skip('drained');
      ctx.setCursor(ctx.cursor + 1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return ctx.cursor < 3 ? ctx.more() : null;
    },
  });
  await h.work([sensor]);
  await waitFor(() => calls.length >= 6, 'six evaluations');
  const gaps = calls.slice(1).map(({ at }, index) => at - (calls[index]?.at ?? 0));
  expect(gaps[0]).toBeLessThan(2000);
  expect(gaps[1]).toBeLessThan(2000);
  expect(gaps[2]).toBeGreaterThanOrEqual(2090);
  expect(gaps[3]).toBeGreaterThanOrEqual(1990);
  expect(gaps[4]).toBeGreaterThanOrEqual(1990);
  // inside a quiet streak: the previous attempt's time
  expect(Math.abs((calls[5]?.last?.getTime() ?? 0) - (calls[4]?.at ?? 0))).toBeLessThan(1000);
  // two interruptions, and what was said before them is on record all the same
  const { evaluation } = await h.folded(sensor);
  await h.sensors.push(h.name(sensor));
  const { quiet } = await h.sensors.tick(h.name(sensor));
  expect(quiet).toEqual([{ reason: 'drained', since: evaluation?.streak[0]?.since }]);
});

test('several jobs, positional arguments and a job on another task queue', async () => {
  const h = await Harness.create();
  const positional = defineJob({
    name: 'positional',
    config: z.object({ first: z.string(), second: z.number() }),
    args: ({ first, second }) => [first, second],
  });
  const elsewhere = defineJob({ name: 'waiting', taskQueue: `${h.taskQueue}-other` });
  const sensor = defineSensor({
    name: 'several',
    jobs: [echo, positional, elsewhere],
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      yield ctx.run({ job: echo, runKey: 'same', config: { n: 1 } });
      yield ctx.run({ job: positional, runKey: 'same', config: { first: 'x', second: 2 } });
      yield ctx.run({ job: elsewhere });
    },
  });
  await h.work([sensor]);
  const tick = await h.tickWhere(sensor, ({ status }) => status === 'success', 'the first tick');
  expect(tick.runs.count).toBe(3);
  const id = `${h.name(sensor)}:positional:same`;
  expect(await h.client.workflow.getHandle(id).result()).toBe(`x/2/${id}`);
  const other = (await h.settledRuns(sensor, 3)).find(({ job }) => job === 'waiting');
  const description = await h.client.workflow.getHandle(other?.workflowId ?? '').describe();
  expect(description.taskQueue).toBe(`${h.taskQueue}-other`);
});

test('pushed events arrive typed and in order; one that does not fit goes to the dead letters, its neighbours on', async () => {
  const h = await Harness.create();
  const got: number[] = [];
  const sensor = defineSensor({
    name: 'events',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    events: z.object({ n: z.number() }),
    *evaluate(ctx) {
      for (const event of ctx.events) {
        got.push(event.n);
        yield ctx.run({ runKey: `event ${event.n}` });
      }
    },
  });
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  const large = 'x'.repeat(2000);
  await expect(h.sensors.push(h.name(sensor), large)).rejects.toThrow('at most 1024 (1 KB)');
  await h.loop(sensor).signal('push', { n: 1 }, { n: 2 }, { wrong: true }, large, { n: 3 });
  await waitFor(async () => (await h.sensors.state(h.name(sensor))).counters.runs === 3, 'three runs');
  expect(got).toEqual([1, 2, 3]);
  const state = await h.sensors.state(h.name(sensor));
  expect(state.eventsWaiting).toBe(0);
  expect(state.deadLetters.map(({ kind, error }) => [kind, error])).toEqual([
    ['event', expect.stringContaining('at most 1024 (1 KB)')],
    ['event', expect.stringContaining('event.n: Invalid input: expected number')],
  ]);
});

test('events of a failing evaluation stay, are tried one at a time, and are parked after maxEventAttempts', async () => {
  const h = await Harness.create();
  const batches: unknown[][] = [];
  const sensor = defineSensor({
    name: 'poison',
    interval: 100,
    defaultStatus: 'running',
    maxEventAttempts: 3,
    evaluate(ctx) {
      if (ctx.events.length > 0) batches.push([...ctx.events]);
      if (ctx.events.includes('poison')) throw new Error('cannot take it');
      return ctx.skip('ok');
    },
  });
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await h.sensors.push(h.name(sensor), 'poison', 'good', 'better');
  await waitFor(async () => (await h.sensors.state(h.name(sensor))).eventsWaiting === 0, 'an empty inbox');
  expect(batches).toEqual([['poison', 'good', 'better'], ['poison'], ['poison'], ['poison'], ['good'], ['better']]);
  const { deadLetters, health } = await h.sensors.state(h.name(sensor));
  expect(deadLetters).toMatchObject([
    { kind: 'event', payload: 'poison', error: expect.stringContaining('cannot take it') },
  ]);
  expect(health.status).toBe('ok');
});
