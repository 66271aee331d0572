import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor, type RunRequest } from '../../../src/index.js';
import { Harness, waitFor } from '../../support/harness.js';

const noop = defineJob({ name: 'noop' });
const sized = defineJob({ name: 'noop', config: z.object({ text: z.string() }) });

/** Each makes one tick fail; the sensor lives on with its cursor. */
const failures: readonly {
  readonly name: string;
  readonly evaluate: (ctx: {
    run(request?: { runKey?: string }): RunRequest;
    skip(reason: string): unknown;
    setCursor(cursor: unknown): void;
    log: { info(message: string): void };
  }) => unknown;
  readonly error: string | RegExp;
}[] = [
  {
    name: 'throws',
    evaluate: () => {
      throw new TypeError('no such host');
    },
    error: 'TypeError: no such host',
  },
  {
    name: 'throws a text',
    evaluate: () => {
      throw 'oops'; // oxlint-disable-line no-throw-literal -- authors do
    },
    error: `evaluate threw 'oops', which is not an Error`,
  },
  {
    name: 'throws 1 MB',
    evaluate: () => {
      throw new Error('x'.repeat(1_000_000));
    },
    error: /^Error: x+ … \(cut, 1000007 bytes\)$/,
  },
  { name: 'returns nonsense', evaluate: () => new Map([[1, 2]]), error: 'evaluate gave a Map; accepted: what ctx.run' },
  { name: 'returns a text', evaluate: () => 'skip', error: 'evaluate gave a string' },
  {
    name: 'returns an unknown field',
    evaluate: () => ({ runRequest: [] }),
    error: `an object with a field 'runRequest'`,
  },
  {
    name: 'forgets a request',
    evaluate: (ctx) => {
      ctx.run({ runKey: 'forgotten' });
      return [ctx.run({ runKey: 'given' })];
    },
    error: `a run request of job 'noop' (run key 'forgotten') was made with ctx.run but neither yielded nor returned; it would be a lost run`,
  },
  {
    name: 'skips and runs',
    evaluate: (ctx) => [ctx.skip('no'), ctx.run()],
    error: 'a skip reason together with 1 run requests',
  },
  { name: 'skips twice', evaluate: (ctx) => [ctx.skip('no'), ctx.skip('really')], error: 'two skip reasons' },
  {
    name: 'sets a cursor of 300 KB',
    evaluate: (ctx) => ctx.setCursor('x'.repeat(300_000)),
    error: 'at most 65536 (64 KB)',
  },
  {
    name: 'sets a cursor that does not fit',
    evaluate: (ctx) => ctx.setCursor({ a: 1 }),
    error: 'the cursor does not fit',
  },
];

test('whatever evaluate does wrong: the tick fails with a clear error, the cursor stays, the sensor lives on', async () => {
  const h = await Harness.create();
  const sensors = failures.map(({ evaluate }, index) =>
    defineSensor({
      name: `bad-${index}`,
      job: noop,
      interval: '1h',
      defaultStatus: 'running',
      cursor: z.string().default('start'),
      evaluate: (ctx) => {
        if (ctx.tick === 1) return ctx.setCursor('kept');
        if (ctx.tick === 2) return evaluate(ctx) as never;
        return ctx.run({ runKey: 'after' });
      },
    })
  );
  await h.work(sensors);
  await Promise.all(
    failures.map(async (failure, index) => {
      const { name: what, error } = failure;
      const name = h.name(`bad-${index}`);
      await h.tickWhere(`bad-${index}`, ({ tick }) => tick === 1, `the first tick of what ${what}`);
      const tick = await h.sensors.tick(name);
      expect(tick, what).toMatchObject({ status: 'failure', runs: { count: 0 } });
      if (typeof error === 'string') expect(tick.error).toContain(error);
      else expect(tick.error).toMatch(error);
      expect(await h.sensors.describe(name), what).toMatchObject({ health: 'failing' });
      expect((await h.sensors.state(name)).cursor, what).toEqual({ value: 'kept' });
      expect(await h.sensors.tick(name), what).toMatchObject({ status: 'success', runs: { count: 1 } });
      expect(await h.sensors.describe(name), what).toMatchObject({ health: 'ok' });
    })
  );
});

test('an evaluation that ends at its abort fails with its timeout; one that never returns too, and is not overlapped', async () => {
  const h = await Harness.create();
  let stuck = 0;
  const polite = defineSensor({
    name: 'polite',
    interval: '1h',
    timeout: 300,
    defaultStatus: 'running',
    evaluate: (ctx) =>
      new Promise<void>((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error))),
  });
  const deaf = defineSensor({
    name: 'deaf',
    interval: '1h',
    timeout: 300,
    defaultStatus: 'running',
    evaluate: () => {
      stuck++;
      return new Promise<void>(() => undefined);
    },
  });
  await h.work([polite, deaf]);
  const timedOut = await h.tickWhere(polite, ({ tick }) => tick === 1, 'the timeout');
  expect(timedOut).toMatchObject({
    status: 'failure',
    error: 'the evaluation did not end within its timeout of 300 ms',
  });
  const ignored = await h.tickWhere(deaf, ({ tick }) => tick === 1, 'the abandoned evaluation');
  expect(ignored.error).toContain('it ignores ctx.signal and still runs');
  expect((await h.sensors.tick(h.name(deaf))).error).toContain('a second one was not begun');
  expect(stuck).toBe(1);
});

test('a failing sensor records the first failure, folds its repeats, and records the recovery; the hooks run once', async () => {
  const h = await Harness.create();
  let evaluations = 0;
  let broken = true;
  const hooks: string[] = [];
  const sensor = defineSensor({
    name: 'failing',
    interval: 100,
    defaultStatus: 'running',
    onFailure: ({ error }) => void hooks.push(`failure: ${error}`),
    onRecovered: ({ error }) => void hooks.push(`recovered from: ${error}`),
    evaluate(ctx) {
      evaluations++;
      ctx.log.warn('looking', { host: 'example' });
      if (broken) throw new Error('source is down');
      return ctx.skip('source is up');
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await waitFor(() => evaluations > 10, 'ten failures');
  const description = await h.sensors.describe(name);
  expect(description).toMatchObject({ health: 'failing', evaluation: { lastOutcome: 'Error: source is down' } });
  const seen = evaluations;
  await waitFor(() => evaluations > seen + 5, 'five more failures');
  expect((await h.sensors.describe(name)).historyLength).toBe(description.historyLength);
  broken = false;
  await waitFor(async () => (await h.sensors.describe(name)).health === 'ok', 'recovery');
  const ticks = await h.sensors.ticks(name);
  expect(ticks.map(({ status }) => status)).toEqual(['failure', 'skipped']);
  expect(ticks[0]?.logs).toMatchObject([
    { level: 'warn', message: 'looking host="example"' },
    { level: 'error', message: expect.stringMatching(/^Error: source is down\n\s+at /) },
  ]);
  await waitFor(() => hooks.length === 2, 'both hooks');
  expect(hooks).toEqual(['failure: Error: source is down', 'recovered from: Error: source is down']);
});

test('bad requests are rejected one by one and kept; good ones run; a valid re-yield clears its dead letter', async () => {
  const h = await Harness.create();
  let repaired = false;
  const sensor = defineSensor({
    name: 'rejecting',
    job: sized,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      yield ctx.run({ runKey: 'good', config: { text: 'fine' } });
      yield ctx.run({ runKey: 'wrong', config: repaired ? { text: 'now fine' } : ({ text: 4711 } as never) });
      yield ctx.run({ runKey: 'big', config: { text: 'x'.repeat(200_000) } });
      yield ctx.run({ runKey: '', config: { text: 'no key' } });
      yield ctx.run({ runKey: 'also good', config: { text: 'fine' } });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  const tick = await h.tickWhere(sensor, ({ tick: number }) => number === 1, 'the first tick');
  expect(tick).toMatchObject({ status: 'success', runs: { count: 2 }, rejected: { count: 3 } });
  const { deadLetters } = await h.sensors.state(name);
  expect(deadLetters.map(({ runKey, error }) => [runKey, error])).toEqual([
    ['wrong', `config does not fit job 'noop' (config.text: Invalid input: expected string, received number)`],
    ['big', expect.stringContaining('at most 131072 (128 KB)')],
    ['', expect.stringContaining('runKey is empty')],
  ]);
  expect(JSON.stringify(deadLetters.map(({ error }) => error))).not.toContain('4711');
  // the same again is nothing new
  expect(await h.sensors.tick(name)).toMatchObject({
    status: 'skipped',
    skipReason: '5 requests: 2 already run, 3 in the dead letters',
  });
  repaired = true;
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'success', runs: { count: 1 } });
  expect((await h.sensors.state(name)).deadLetters.map(({ runKey }) => runKey)).toEqual(['big', '']);
  expect((await h.sensors.discardDeadLetters(name)).deadLetters).toEqual([]);
});

test('odd run keys each start one run', async () => {
  const h = await Harness.create();
  const keys = [
    'x'.repeat(5000),
    '../../x',
    '🦊',
    'a:b',
    'a!1',
    'a#b',
    'a@2',
    'a~b',
    "it's",
    ' ',
    'a\nb',
    '\ud800',
    '\udfff',
    'é',
    'e\u0301',
    '%2F',
    'a/b',
  ];
  const sensor = defineSensor({
    name: 'keys',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      for (const runKey of keys) yield ctx.run({ runKey });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  const tick = await h.tickWhere(sensor, ({ tick: number }) => number === 1, 'the first tick');
  expect(tick).toMatchObject({ runs: { count: keys.length }, duplicates: { count: 0 }, rejected: { count: 0 } });
  expect(await h.settledRuns(sensor, keys.length)).toHaveLength(keys.length);
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'skipped', duplicates: { count: keys.length } });
});

test('10 requests of 100 KB start within the window, 24 of 110 KB from pages', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'large',
    job: sized,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      const [count, bytes] = ctx.tick === 1 ? [10, 100_000] : [24, 110_000];
      for (let n = 0; n < count; n++)
        yield ctx.run({ runKey: `${ctx.tick}/${n}`, config: { text: 'x'.repeat(bytes) } });
    },
  });
  await h.work([sensor]);
  expect(await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick')).toMatchObject({ runs: { count: 10 } });
  const tick = await h.sensors.tick(h.name(sensor));
  // 5 MB of history: a run of the loop ends in between
  expect(['started', 'success']).toContain(tick.status);
  await waitFor(async () => (await h.sensors.state(h.name(sensor))).counters.runs === 34, '34 runs');
  expect(await h.settledRuns(sensor, 34)).toHaveLength(34);
});

test('a megabyte of log lines is cut, and kept with the tick', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'talkative',
    interval: '1h',
    defaultStatus: 'running',
    evaluate(ctx) {
      for (let n = 0; n < 1000; n++) ctx.log.debug('x'.repeat(1000));
    },
  });
  await h.work([sensor]);
  const tick = await h.tickWhere(sensor, ({ tick: number }) => number === 1, 'the first tick');
  expect(JSON.stringify(tick.logs).length).toBeLessThan(5000);
  expect((tick.logs?.length ?? 0) + (tick.logLinesDropped ?? 0)).toBe(1000);
});

test('a stored cursor that no longer fits fails the tick and stays; definitions are found by name at each tick', async () => {
  const h = await Harness.create();
  const before = defineSensor({
    name: 'schema',
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.number().default(1),
    evaluate: (ctx) => ctx.setCursor(41),
  });
  const worker = await h.work([before]);
  await h.tickWhere(before, ({ tick }) => tick === 1, 'the first tick');
  await worker.stop();
  const after = defineSensor({
    name: 'schema',
    interval: '2h',
    cursor: z.object({ n: z.number() }),
    evaluate: () => null,
  });
  await h.work([after]);
  const tick = await h.sensors.tick(h.name(after));
  expect(tick.error).toBe(
    `the stored cursor does not fit the sensor's schema (cursor: Invalid input: expected object, received number); ` +
      `it was kept: change the schema, or set a cursor that fits`
  );
  const state = await h.sensors.state(h.name(after));
  expect(state).toMatchObject({ cursor: { value: 41 }, options: { intervalMs: 7_200_000 }, status: 'stopped' });
});

test('a sensor that was renamed or deleted keeps waiting, says so, and can be stopped', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({ name: 'gone', interval: 200, defaultStatus: 'running', evaluate: () => null });
  const other = defineSensor({ name: 'other', interval: '1h', evaluate: () => null });
  const worker = await h.work([sensor]);
  await h.folded(sensor);
  await worker.stop();
  await h.work([other]);
  const description = await waitFor(async () => {
    const now = await h.sensors.describe(h.name(sensor));
    return now.health === 'notLoaded' ? now : undefined;
  }, 'notLoaded');
  expect(description.evaluation?.lastOutcome).toContain(
    `is not loaded by the worker that was asked (loaded: ${h.name(other)})`
  );
  await h.sensors.stop(h.name(sensor));
  await waitFor(async () => (await h.sensors.describe(h.name(sensor))).evaluation === undefined, 'stopped');
});

test('an evaluation completed by hand with null is a failed tick', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({ name: 'byhand', interval: 1000, defaultStatus: 'running', evaluate: () => null });
  await h.work([sensor]);
  await h.folded(sensor);
  const { raw } = await h.loop(sensor).describe();
  const activityId = raw.pendingActivities?.[0]?.activityId ?? '';
  await h.client.workflowService.respondActivityTaskCompletedById({
    namespace: 'default',
    workflowId: `sensor/${h.name(sensor)}`,
    activityId,
    result: { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('null') }] },
  });
  const tick = await h.tickWhere(sensor, ({ status }) => status === 'failure', 'the failed tick');
  expect(tick.error).toContain('completed with something that is not an evaluation result');
  await h.tickWhere(sensor, ({ status, tick: number }) => status === 'skipped' && number > tick.tick, 'recovery');
});
