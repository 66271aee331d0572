import fc from 'fast-check';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineResource, defineSensor, dynamicPartitions, RetryAfterError } from '../../src/index.js';
import { CRASH_STEPS } from '../../src/testing/crashes.js';
import { simulate, type Crashes, type SimulatedRun } from '../../src/testing/index.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;
const START = new Date('2026-01-01T00:00:00Z').getTime();

const processFile = defineJob({
  name: 'processFile',
  config: z.object({ path: z.string(), n: z.number().default(1) }),
});
const noop = defineJob({ name: 'noop' });

/** A folder that the sensor lists, in the order in which files came. */
const newFiles = defineSensor({
  name: 'newFiles',
  job: processFile,
  interval: '30s',
  resources: { inbox: defineResource({ create: (): readonly string[] => [] }) },
  cursor: z.number().default(0),
  *evaluate(ctx) {
    const { inbox } = ctx.resources;
    const files = inbox.slice(ctx.cursor);
    if (files.length === 0) return ctx.skip(`no new files after ${ctx.cursor}`);
    for (const path of files) yield ctx.run({ runKey: path, config: { path } });
    ctx.setCursor(inbox.length);
    return undefined;
  },
});

function keysOf(runs: readonly SimulatedRun[]): string[] {
  return runs.map(({ runKey }) => runKey ?? 'none');
}

test('a week of a sensor at 30 s is a moment, and nothing of it is forgotten', async () => {
  const inbox: string[] = [];
  const { ticks, quietTicks, quiet, runs, cursor, state, now } = await simulate(newFiles, {
    for: '7 days',
    resources: { inbox },
    at: { '36h': (_, { inbox }) => void inbox.push('a.csv', 'b.csv'), '5 days': () => void inbox.push('c.csv') },
  });
  expect(ticks.map(({ status, trigger, startedAt }) => ({ status, trigger, startedAt }))).toEqual([
    { status: 'skipped', trigger: 'start', startedAt: START },
    { status: 'success', trigger: 'interval', startedAt: START + 36 * HOUR_MS },
    { status: 'success', trigger: 'interval', startedAt: START + 5 * DAY_MS },
  ]);
  expect(quietTicks + ticks.length).toBe((7 * DAY_MS) / 30_000);
  expect(quiet.map(({ reason, count }) => ({ reason, count }))).toEqual([
    { reason: 'no new files after 0', count: (36 * HOUR_MS) / 30_000 - 1 },
    { reason: 'no new files after 2', count: (3.5 * DAY_MS) / 30_000 - 1 },
    { reason: 'no new files after 3', count: (2 * DAY_MS) / 30_000 - 1 },
  ]);
  expect(runs.map(({ runKey, config, at, tick }) => ({ runKey, config, at: at.getTime(), tick }))).toEqual([
    { runKey: 'a.csv', config: { path: 'a.csv', n: 1 }, at: START + 36 * HOUR_MS, tick: 2 },
    { runKey: 'b.csv', config: { path: 'b.csv', n: 1 }, at: START + 36 * HOUR_MS, tick: 2 },
    { runKey: 'c.csv', config: { path: 'c.csv', n: 1 }, at: START + 5 * DAY_MS, tick: 3 },
  ]);
  expect(cursor).toBe(3);
  expect(state).toMatchObject({ status: 'running', counters: { runs: 3, failures: 0 } });
  expect(now.getTime()).toBe(START + 7 * DAY_MS);
});

test('ctx says the virtual time, and what came before', async () => {
  const seen: { now: number; last: number | undefined; first: boolean }[] = [];
  const sensor = defineSensor({
    name: 'times',
    interval: '1h',
    evaluate(ctx) {
      seen.push({
        now: ctx.now.getTime() - START,
        last: ctx.lastTickAt === undefined ? undefined : ctx.lastTickAt.getTime() - START,
        first: ctx.isFirstTickSinceStart,
      });
    },
  });
  await simulate(sensor, { for: '3 hours' });
  expect(seen).toEqual([
    { now: 0, last: undefined, first: true },
    { now: HOUR_MS, last: 0, first: false },
    { now: 2 * HOUR_MS, last: HOUR_MS, first: false },
  ]);
});

test('at is called before each evaluation with the virtual time and the world', async () => {
  const inbox: string[] = [];
  const { runs } = await simulate(newFiles, {
    for: '5m',
    start: new Date(0),
    resources: { inbox },
    at: (now, { inbox }) => void (now.getTime() % 60_000 === 0 && inbox.push(`file-${now.getTime()}`)),
  });
  expect(keysOf(runs)).toEqual([0, 1, 2, 3, 4].map((minute) => `file-${minute * 60_000}`));
});

test("a job's run changes the world, and its failure is its own", async () => {
  const world = { done: [] as unknown[] };
  const { runs, state } = await simulate(newFiles, {
    for: '1m',
    resources: { inbox: ['good', 'bad'] },
    world,
    jobs: {
      processFile: (config, { runKey }, { done }) => {
        if (runKey === 'bad') throw new Error('cannot be read');
        done.push(config);
      },
    },
  });
  expect(world.done).toEqual([{ path: 'good', n: 1 }]);
  expect(runs.map(({ error }) => error)).toEqual([undefined, new Error('cannot be read')]);
  expect(state.health.status).toBe('ok');
});

// every step, alone
test.each(CRASH_STEPS)('a crash %s starts every run exactly once', async (step) => {
  let crashed = 0;
  const inbox = ['a', 'b', 'c'];
  const sensor = defineSensor({
    name: 'crashed',
    job: noop,
    interval: '1m',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      if (ctx.cursor === inbox.length) return ctx.skip('nothing');
      for (const runKey of inbox) yield [ctx.run({ runKey }), ctx.run({ tags: { item: runKey } })];
      ctx.setCursor(inbox.length);
      return undefined;
    },
  });
  const { runs, ticks, cursor } = await simulate(sensor, {
    for: '10m',
    crashes: (point) => point.step === step && ++crashed === 1,
  });
  expect(crashed).toBeGreaterThan(0);
  expect(runs.map(({ runKey, tags }) => runKey ?? tags['item'] ?? '').sort()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  expect(new Set(runs.map(({ workflowId }) => workflowId)).size).toBe(6);
  expect(cursor).toBe(3);
  // the answer that was lost is counted where it was asked for again
  const lost = step === 'after start' ? 1 : 0;
  expect(ticks[0]).toMatchObject({ status: 'success', runs: { count: 6 - lost }, duplicates: { count: lost } });
});

test('a lost attempt is evaluated again; a committed result never is', async () => {
  const evaluations = async (crashes: Crashes): Promise<number> => {
    let count = 0;
    const sensor = defineSensor({
      name: 'counted',
      job: noop,
      interval: '1h',
      evaluate: (ctx) => (count++, ctx.run()),
    });
    const { runs } = await simulate(sensor, { for: '30m', crashes });
    expect(runs).toHaveLength(1);
    return count;
  };
  expect(await evaluations(['before evaluate'])).toBe(1);
  expect(await evaluations(['after evaluate'])).toBe(2);
  expect(await evaluations([{ step: 'after evaluate', tick: 1 }, 'after evaluate'])).toBe(3);
  for (const step of CRASH_STEPS.slice(2)) expect(await evaluations([step])).toBe(1);
});

test('whatever crashes, every key runs exactly once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.double({ min: 0, max: 0.4, noNaN: true }),
      fc.array(fc.integer({ min: 0, max: 3_500 }), { maxLength: 30 }),
      async (seed, share, arrivals) => {
        const inbox: string[] = [];
        const changes = Object.fromEntries(arrivals.map((at, n) => [`${at}s`, () => void inbox.push(`${n} at ${at}`)]));
        const { runs } = await simulate(newFiles, {
          for: '3h',
          resources: { inbox },
          at: changes,
          crashes: { seed, share },
        });
        expect(keysOf(runs).sort()).toEqual([...inbox].sort());
      }
    ),
    { numRuns: 60 }
  );
});

test('the same seed gives the same simulation', async () => {
  const once = (): ReturnType<typeof simulate> =>
    simulate(newFiles, { for: '2h', resources: { inbox: ['a', 'b'] }, crashes: { seed: 7, share: 0.3 } });
  expect(await once()).toEqual(await once());
});

test('a thousand runs of one tick start in order, over several runs of the loop', async () => {
  const inbox = Array.from({ length: 1_200 }, (_, n) => `file ${n}`);
  const { runs, ticks } = await simulate(newFiles, { for: '1m', resources: { inbox } });
  expect(keysOf(runs)).toEqual(inbox);
  expect(ticks).toHaveLength(1);
  expect(ticks[0]?.runs.count).toBe(1_200);
});

test('keys beyond what the state holds stay known', async () => {
  const inbox = Array.from({ length: 6_000 }, (_, n) => `file ${n}`);
  const again = defineSensor({
    name: 'again',
    job: noop,
    interval: '1h',
    *evaluate(ctx) {
      for (const runKey of inbox) yield ctx.run({ runKey });
    },
  });
  const { runs, quiet, state } = await simulate(again, { for: '3h', crashes: ['after evaluate'] });
  expect(runs).toHaveLength(6_000);
  expect(state.keys).toBe(6_000);
  expect(quiet).toMatchObject([{ reason: '6000 requests, all already run', count: 2 }]);
});

test('a stop and a start: nothing in between, and the cursor stays', async () => {
  const inbox: string[] = [];
  const { runs, ticks, state } = await simulate(newFiles, {
    for: '4h',
    resources: { inbox },
    at: {
      '1h': (_, __, control) => control.stop({ by: 'ann' }),
      '90m': () => void inbox.push('a'),
      '2h': (_, __, control) => control.start(),
    },
  });
  expect(runs).toMatchObject([{ runKey: 'a', at: new Date(START + 2 * HOUR_MS) }]);
  expect(ticks.map(({ trigger }) => trigger)).toEqual(['start', 'start']);
  expect(state.audit.map(({ what }) => what)).toEqual(['start', 'stop', 'start']);
});

test('a tick on a stopped sensor starts its runs and leaves it stopped', async () => {
  const { runs, ticks, state } = await simulate(newFiles, {
    for: '1h',
    stopped: true,
    resources: { inbox: ['a'] },
    at: { '10m': (_, __, control) => control.tick() },
  });
  expect(runs).toMatchObject([{ runKey: 'a', at: new Date(START + 600_000) }]);
  expect(ticks).toMatchObject([{ trigger: 'tick', status: 'success' }]);
  expect(state.status).toBe('stopped');
});

test('a stop in the middle of a launch holds back the rest, and a start brings it', async () => {
  const inbox = ['a', 'b', 'c'];
  const stopAtB = { stopped: false };
  const { runs, ticks } = await simulate(newFiles, {
    for: '2h',
    resources: { inbox },
    at: [(_, __, control) => void Object.assign(stopAtB, { control }), { '1h': (_, __, control) => control.start() }],
    world: stopAtB as { control?: { stop(): void } },
    jobs: { processFile: (_, { runKey }, { control }) => void (runKey === 'b' && control?.stop()) },
  });
  expect(ticks.map(({ status, pending, runs }) => ({ status, pending, started: runs.count })).slice(0, 2)).toEqual([
    { status: 'success', pending: 1, started: 2 },
    { status: 'success', pending: 0, started: 1 },
  ]);
  expect(runs[2]).toMatchObject({ runKey: 'c', at: new Date(START + HOUR_MS) });
});

test('a stop while the author awaits aborts the signal, and the evaluation counts for nothing', async () => {
  const control = { stop: () => undefined as void };
  const sensor = defineSensor({
    name: 'aborted',
    job: noop,
    interval: '1m',
    async evaluate(ctx) {
      control.stop();
      await sleep(60_000, undefined, { signal: ctx.signal }).catch(() => undefined);
      return ctx.run({ runKey: 'lost' });
    },
  });
  const { runs, ticks, state } = await simulate(sensor, {
    for: '1h',
    at: (_, __, { stop }) => void (control.stop = stop),
  });
  expect({ runs, ticks, status: state.status }).toEqual({ runs: [], ticks: [], status: 'stopped' });
});

test('failure and recovery: the first is recorded, repeats fold, hooks are called once', async () => {
  const hooks: string[] = [];
  const source = { down: false };
  const sensor = defineSensor({
    name: 'flaky',
    job: noop,
    interval: '1m',
    evaluate(ctx) {
      if (source.down) throw new Error('503');
      return ctx.skip('up');
    },
    onFailure: ({ error, failingSince }) => void hooks.push(`${error} since ${failingSince.getTime() - START}`),
    onRecovered: () => void hooks.push('recovered'),
  });
  const { ticks, failures, quiet, state } = await simulate(sensor, {
    for: '1h',
    at: { '10m': () => void (source.down = true), '20m': () => void (source.down = false) },
  });
  expect(ticks.map(({ status, error }) => ({ status, error }))).toEqual([
    { status: 'skipped', error: undefined },
    { status: 'failure', error: 'Error: 503' },
    { status: 'skipped', error: undefined },
  ]);
  expect(failures).toHaveLength(10);
  expect(failures[0]).toMatchObject({ at: new Date(START + 600_000), error: 'Error: 503', cause: new Error('503') });
  expect(quiet.map(({ reason, count }) => [reason, count])).toEqual([
    ['up', 9],
    ['Error: 503', 9],
    ['up', 39],
  ]);
  expect(hooks).toEqual(['Error: 503 since 600000', 'recovered']);
  expect(state.health.status).toBe('ok');
});

test('stopAfterFailures stops, RetryAfterError waits, and an idle sensor looks less often', async () => {
  const broken = (): never => {
    throw new Error('always');
  };
  const stopping = defineSensor({ name: 'stopping', interval: '1m', stopAfterFailures: 3, evaluate: broken });
  const stopped = await simulate(stopping, { for: '1h' });
  expect(stopped.ticks.map(({ status }) => status)).toEqual(['failure', 'failure', 'failure']);
  expect(stopped.state).toMatchObject({ status: 'stopped', choice: { by: 'stopAfterFailures' } });

  let calls = 0;
  const busy = defineSensor({
    name: 'busy',
    interval: '1m',
    evaluate() {
      if (++calls === 1) throw new RetryAfterError('25m', 'later');
    },
  });
  const { ticks } = await simulate(busy, { for: '1h' });
  expect(ticks.map(({ startedAt }) => startedAt - START)).toEqual([0, 25 * 60_000]);

  const idle = defineSensor({
    name: 'idle',
    interval: '1m',
    idleBackoff: { min: '1m', max: '16m' },
    evaluate: (ctx) => ctx.skip('idle'),
  });
  const { quietTicks } = await simulate(idle, { for: '1 day' });
  expect(quietTicks).toBeLessThan((DAY_MS / 60_000 / 16) * 1.2);
});

test('pushed events wake the sensor and are taken once', async () => {
  const sensor = defineSensor({
    name: 'pushed',
    job: noop,
    interval: '1 day',
    events: z.object({ id: z.string() }),
    *evaluate(ctx) {
      for (const { id } of ctx.events) yield ctx.run({ runKey: id });
    },
  });
  const { runs, state, ticks } = await simulate(sensor, {
    for: '3h',
    at: {
      '1h': (_, __, { push }) => push({ id: 'a' }, { id: 'b' }),
      '2h': (_, __, { push }) => push({ id: 'b' }, 'nonsense'),
    },
  });
  expect(runs.map(({ runKey, at }) => [runKey, at.getTime() - START])).toEqual([
    ['a', HOUR_MS],
    ['b', HOUR_MS],
  ]);
  expect(ticks[2]).toMatchObject({ trigger: 'push', duplicates: { count: 1 }, rejected: { count: 1 } });
  expect(state).toMatchObject({ eventsWaiting: 0, counters: { events: 4 } });
});

test('an edited cursor counts from the next evaluation on, and must fit', async () => {
  const inbox = ['a', 'b', 'c'];
  const { runs, ticks, cursor } = await simulate(newFiles, {
    for: '1h',
    resources: { inbox },
    cursor: 3,
    at: {
      '10m': (_, __, control) => control.setCursor(2),
      '20m': (_, __, control) => {
        expect(() => control.setCursor('two')).toThrow(`the cursor does not fit the sensor's schema`);
        control.clearCursor();
      },
    },
  });
  expect(keysOf(runs)).toEqual(['c', 'a', 'b']);
  expect(ticks.map(({ trigger }) => trigger)).toEqual(['start', 'cursor', 'cursor']);
  expect(cursor).toBe(3);
});

test('another version goes on where the first one ended', async () => {
  const inbox = ['a'];
  const first = await simulate(newFiles, { for: '1h', resources: { inbox } });
  const second = defineSensor({
    name: 'newFiles',
    job: processFile,
    interval: '1m',
    *evaluate(ctx) {
      for (const path of inbox) yield ctx.run({ runKey: path, config: { path, n: 2 } });
      yield ctx.run({ config: { path: 'none' } });
    },
  });
  inbox.push('b');
  const { runs, ticks, now } = await simulate(second, { for: '90s', after: first });
  expect(keysOf(runs)).toEqual(['b', 'none', 'none']);
  expect(ticks.map(({ tick }) => tick)).toEqual([2, 3]);
  expect(now.getTime() - first.now.getTime()).toBe(90_000);
});

test('known keys do not run', async () => {
  const { runs } = await simulate(newFiles, { for: '1m', resources: { inbox: ['a', 'b'] }, knownKeys: ['a'] });
  expect(keysOf(runs)).toEqual(['b']);
});

test('every line of ctx.log is kept, those of quiet ticks too', async () => {
  const sensor = defineSensor({ name: 'logs', interval: '1m', evaluate: (ctx) => ctx.log.debug('looked', { n: 1 }) });
  const { logs } = await simulate(sensor, { for: '3m' });
  expect(logs.map(({ message, at, metadata }) => [message, at - START, metadata])).toEqual([
    ['looked', 0, { n: 1 }],
    ['looked', 60_000, { n: 1 }],
    ['looked', 120_000, { n: 1 }],
  ]);
});

test('what the author awaits is really awaited, and an evaluation that never ends is said', async () => {
  const waits = defineSensor({
    name: 'waits',
    job: noop,
    async evaluate(ctx) {
      await sleep(5);
      return ctx.run();
    },
  });
  expect((await simulate(waits, { for: '1s' })).runs).toHaveLength(1);
  const hangs = defineSensor({ name: 'hangs', evaluate: () => new Promise<void>(() => undefined) });
  await expect(simulate(hangs, { for: '1h', hangsAfter: '50ms' })).rejects.toThrow(
    `the evaluation of sensor 'hangs' at 2026-01-01T00:00:00.000Z did not end within 50 ms of real time`
  );
});

test('a sensor that asks for more for ever is said', async () => {
  const greedy = defineSensor({
    name: 'greedy',
    cursor: z.number().default(0),
    evaluate(ctx) {
      ctx.setCursor(ctx.cursor + 1);
      return ctx.more();
    },
  });
  await expect(simulate(greedy, { for: '1h' })).rejects.toThrow(
    `sensor 'greedy' was evaluated 10000 times at 2026-01-01T00:00:00.000Z without any time passing`
  );
});

test.each([
  [{ for: 'ever' }, `simulate: for is 'ever', which is not a duration`],
  [{ for: '1h', crashs: [] }, `simulate has an unknown option 'crashs'`],
  [{ for: '1h', crashes: ['sometime'] }, `simulate: crashes contains 'sometime'; accepted: before evaluate, after`],
  [{ for: '1h', crashes: { seed: 1, share: 1 } }, 'simulate: crashes.share is 1; accepted: from 0 to below 1'],
  [{ for: '1h', at: { soon: () => undefined } }, `simulate: a time of at is 'soon'`],
  [
    { for: '1h', jobs: { proces: () => undefined } },
    `simulate: jobs has 'proces', which is no job of sensor 'newFiles'`,
  ],
  [{ for: '1h', after: {} }, 'simulate: after is not what simulate returned'],
])('simulate refuses %o', async (options, message) => {
  await expect(simulate(newFiles, options as never)).rejects.toThrow(message);
});

test('what at throws ends the simulation', async () => {
  const at = (): never => {
    throw new Error('a mistake in the test');
  };
  await expect(simulate(newFiles, { for: '1h', resources: { inbox: [] }, at })).rejects.toThrow(
    'a mistake in the test'
  );
});

test('partitions that one tick adds are there for the next, also in the next version', async () => {
  const customers = dynamicPartitions('customers');
  const report = defineJob({ name: 'report', partitions: customers });
  const sensor = defineSensor({
    name: 'customers',
    job: report,
    interval: '1h',
    cursor: z.number().default(0),
    evaluate(ctx) {
      const partitionKey = ['known', 'new', 'unknown'][ctx.cursor];
      if (partitionKey === undefined) return ctx.skip('all');
      ctx.setCursor(ctx.cursor + 1);
      return {
        runRequests: [ctx.run({ runKey: partitionKey, partitionKey })],
        partitionRequests: partitionKey === 'new' ? [customers.add(['new'])] : [],
      };
    },
  });
  const first = await simulate(sensor, { for: '3h', partitions: { customers: ['known'] } });
  expect(first.runs.map(({ partitionKey }) => partitionKey)).toEqual(['known', 'new']);
  expect(first.ticks[2]).toMatchObject({ status: 'failure', rejected: { count: 1 } });
  const again = defineSensor({
    name: 'customers',
    job: report,
    evaluate: (ctx) => ctx.run({ runKey: 'again', partitionKey: 'new' }),
  });
  expect((await simulate(again, { for: '1m', after: first })).runs).toMatchObject([{ partitionKey: 'new' }]);
});
