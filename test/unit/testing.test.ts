import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  defineJob,
  defineResource,
  defineSensor,
  EvaluationError,
  RetryAfterError,
  type Evaluation,
  type SensorContext,
} from '../../src/index.js';
import { buildSensorContext, evaluateTick } from '../../src/testing/index.js';

const processFile = defineJob({
  name: 'processFile',
  config: z.object({ path: z.string(), retries: z.number().default(3) }),
});
const other = defineJob({ name: 'other' });

interface Folder {
  list(): readonly { readonly name: string; readonly mtimeMs: number }[];
}

const newFiles = defineSensor({
  name: 'newFiles',
  job: processFile,
  resources: { folder: defineResource({ create: (): Folder => ({ list: () => [] }) }) },
  cursor: z.object({ mtimeMs: z.number() }).default({ mtimeMs: 0 }),
  *evaluate(ctx) {
    const { folder } = ctx.resources;
    const files = folder.list().filter(({ mtimeMs }) => mtimeMs > ctx.cursor.mtimeMs);
    ctx.log.info('listed', { files: files.length });
    if (files.length === 0) return ctx.skip('no new files');
    for (const { name, mtimeMs } of files)
      yield ctx.run({ runKey: `${name}:${mtimeMs}`, config: { path: name }, tags: { source: 'inbox' } });
    ctx.setCursor({ mtimeMs: Math.max(...files.map(({ mtimeMs }) => mtimeMs)) });
    return undefined;
  },
});
const folder: Folder = {
  list: () => [
    { name: 'a.csv', mtimeMs: 10 },
    { name: 'b.csv', mtimeMs: 20 },
  ],
};

test('a sensor is called directly: its requests, and afterwards the cursor and the log lines', () => {
  const context = buildSensorContext({ cursor: { mtimeMs: 10 }, resources: { folder } });
  const requests = [...newFiles.evaluate(context)];
  expect(requests.map(({ runKey, config }) => ({ runKey, config }))).toEqual([
    { runKey: 'b.csv:20', config: { path: 'b.csv' } },
  ]);
  expect(context.cursor).toEqual({ mtimeMs: 20 });
  expect(context.logs.map(({ message }) => message)).toEqual(['listed files=1']);
  // the same context goes on where it is
  expect([...newFiles.evaluate(context)]).toEqual([]);
});

test('without a cursor the default of the schema counts', () => {
  const context = buildSensorContext({ resources: { folder } });
  expect([...newFiles.evaluate(context)]).toHaveLength(2);
  expect(context.cursor).toEqual({ mtimeMs: 20 });
});

test('functions, async functions and async generators are called as they are', async () => {
  const plain = defineSensor({ name: 'plain', job: other, evaluate: (ctx) => ctx.run({ runKey: 'a' }) });
  expect(plain.evaluate(buildSensorContext()).runKey).toBe('a');
  const late = defineSensor({ name: 'late', job: other, evaluate: async (ctx) => ctx.skip('later') });
  expect((await late.evaluate(buildSensorContext())).reason).toBe('later');
  const stream = defineSensor({
    name: 'stream',
    job: other,
    async *evaluate(ctx) {
      for (const runKey of ['a', 'b']) yield ctx.run({ runKey });
    },
  });
  const keys: (string | undefined)[] = [];
  for await (const { runKey } of stream.evaluate(buildSensorContext())) keys.push(runKey);
  expect(keys).toEqual(['a', 'b']);
});

test("the author's function on its own takes a context that knows no sensor", () => {
  function* evaluate(ctx: SensorContext<readonly [typeof processFile]>) {
    yield ctx.run({ runKey: ctx.sensor, config: { path: 'x' } });
  }
  const [request] = [...evaluate(buildSensorContext({ cursor: undefined }))];
  expect(request).toMatchObject({ kind: 'run', job: 'job', runKey: 'sensor', config: { path: 'x' } });
});

test('a context says what the test gave it', () => {
  const signal = AbortSignal.abort();
  const context = buildSensorContext({
    now: new Date(5_000),
    tick: 7,
    lastTickAt: new Date(4_000),
    lastRunKey: 'k',
    sensorStartedAt: new Date(1_000),
    events: [{ id: 1 }],
    signal,
  });
  expect(context).toMatchObject({
    now: new Date(5_000),
    tick: 7,
    lastTickAt: new Date(4_000),
    lastRunKey: 'k',
    isFirstTickSinceStart: false,
    sensorStartedAt: new Date(1_000),
    events: [{ id: 1 }],
    signal,
  });
  expect(buildSensorContext().isFirstTickSinceStart).toBe(true);
});

test('what a context lacks or cannot be is said by name', () => {
  expect(() => buildSensorContext().client.workflow).toThrow(
    'ctx.client is used, and this test has no client: give one to buildSensorContext'
  );
  expect(() => buildSensorContext({ curser: 1 } as never)).toThrow(`buildSensorContext has an unknown option 'curser'`);
  expect(() => buildSensorContext({ sensor: newFiles, cursor: { mtimeMs: 'now' } as never })).toThrow(
    `the stored cursor does not fit the sensor's schema (cursor.mtimeMs`
  );
  expect(() => [...newFiles.evaluate(buildSensorContext({ cursor: 'x' }))]).toThrow(EvaluationError);
  const pushed = defineSensor({ name: 'pushed', events: z.object({ id: z.number() }), evaluate: () => null });
  expect(() => pushed.evaluate(buildSensorContext({ events: ['x'] }))).toThrow(
    `a pushed event does not fit the sensor's schema`
  );
  const begun = defineSensor({ name: 'begun', cursor: z.number(), initialCursor: () => 1, evaluate: () => null });
  expect(() => begun.evaluate(buildSensorContext())).toThrow(`sensor 'begun' has an initialCursor`);
});

test('evaluateTick gives what the tick starts, with the config parsed and the defaults filled', async () => {
  const outcome = await evaluateTick(newFiles, buildSensorContext({ resources: { folder } }), {
    knownKeys: ['a.csv:10'],
  });
  expect(outcome).toMatchObject({
    status: 'success',
    requests: [
      {
        workflowId: 'newFiles:processFile:b.csv:20',
        job: 'processFile',
        runKey: 'b.csv:20',
        config: { path: 'b.csv', retries: 3 },
        tags: { source: 'inbox' },
      },
    ],
    cursor: { mtimeMs: 20 },
    more: false,
    duplicates: { count: 1, sample: [{ id: 'newFiles:processFile:a.csv:10', runKey: 'a.csv:10' }] },
    rejected: { count: 0 },
  });
  expect(outcome.logs.map(({ message }) => message)).toEqual(['listed files=2']);
});

test('evaluateTick leaves the context as it is', async () => {
  const context = buildSensorContext({ cursor: { mtimeMs: 15 }, resources: { folder } });
  const first = await evaluateTick(newFiles, context);
  expect(await evaluateTick(newFiles, context)).toMatchObject({ status: first.status, cursor: first.cursor });
  expect(context.cursor).toEqual({ mtimeMs: 15 });
});

test('a tick that starts nothing says why', async () => {
  const context = buildSensorContext({ cursor: { mtimeMs: 20 }, resources: { folder } });
  const outcome = await evaluateTick(newFiles, context);
  expect(outcome).toMatchObject({ status: 'skipped', skipReason: 'no new files', requests: [] });
  expect(outcome.cursor).toEqual({ mtimeMs: 20 });
});

test('bad requests are rejected by themselves, and only bad ones fail the tick', async () => {
  const sensor = defineSensor({
    name: 'mixed',
    jobs: [processFile, other],
    cursor: z.number().default(0),
    *evaluate(ctx) {
      if (ctx.cursor === 0) yield ctx.run({ job: other, runKey: 'good' });
      yield ctx.run({ job: processFile, runKey: 'bad', config: { path: 1 } as never });
    },
  });
  expect(await evaluateTick(sensor)).toMatchObject({
    status: 'success',
    requests: [{ job: 'other', runKey: 'good', config: {} }],
    rejected: { count: 1, sample: [{ job: 'processFile', runKey: 'bad' }] },
  });
  const failed = await evaluateTick(sensor, buildSensorContext({ cursor: 1 }));
  expect(failed.status).toBe('failure');
  expect(failed.error).toContain('all 1 new requests were rejected');
});

test('an evaluation that throws is a failed tick that starts nothing, with what was thrown', async () => {
  const thrown = new TypeError('the source is down');
  const sensor = defineSensor({
    name: 'throws',
    job: other,
    cursor: z.number().default(0),
    *evaluate(ctx) {
      ctx.log.warn('about to fail');
      ctx.setCursor(9);
      yield ctx.run();
      throw thrown;
    },
  });
  const outcome = await evaluateTick(sensor, buildSensorContext({ cursor: 4 }));
  expect(outcome).toMatchObject({ status: 'failure', error: 'TypeError: the source is down', requests: [], cursor: 4 });
  expect(outcome.cause).toBe(thrown);
  expect(outcome.logs[0]?.message).toBe('about to fail');
});

test.each([
  ['forgets a request', (ctx) => void ctx.run({ runKey: 'k' }), 'neither yielded nor returned; it would be a lost run'],
  ['skips with requests', (ctx) => [ctx.run(), ctx.skip('no')], 'a skip reason together with 1 run requests'],
  ['gives nonsense', () => ({ runRequest: [] }) as never, `an object with a field 'runRequest'`],
] satisfies [string, (ctx: SensorContext<readonly [typeof other]>) => Evaluation<never>, string][])(
  'misuse reads as in production: %s',
  async (_, evaluate, message) => {
    const outcome = await evaluateTick(defineSensor({ name: 'misuse', job: other, evaluate }));
    expect(outcome).toMatchObject({ status: 'failure', requests: [] });
    expect(outcome.error).toContain(message);
  }
);

test('pushed events, jobs with positional arguments and more come through', async () => {
  const positional = defineJob({
    name: 'positional',
    config: z.object({ a: z.string(), b: z.number().default(2) }),
    args: ({ a, b }) => [a, b],
  });
  const sensor = defineSensor({
    name: 'pushed',
    job: positional,
    events: z.object({ id: z.string() }),
    *evaluate(ctx) {
      for (const { id } of ctx.events) yield ctx.run({ runKey: id, config: { a: id } });
      yield ctx.more();
    },
  });
  const outcome = await evaluateTick(sensor, buildSensorContext({ events: [{ id: 'x' }, { wrong: true }] }));
  expect(outcome).toMatchObject({
    status: 'success',
    more: true,
    requests: [{ runKey: 'x', args: ['x', 2] }],
    rejected: { count: 1, sample: [{ kind: 'event' }] },
  });
  expect(outcome.requests[0]).not.toHaveProperty('config');
});

test('a sensor with an initial cursor is evaluated from there', async () => {
  const sensor = defineSensor({
    name: 'begun',
    job: other,
    cursor: z.number(),
    initialCursor: async ({ now }) => now.getTime(),
    evaluate: (ctx) => ctx.run({ runKey: String(ctx.cursor) }),
  });
  const outcome = await evaluateTick(sensor, buildSensorContext({ now: new Date(42) }));
  expect(outcome).toMatchObject({ status: 'success', cursor: 42, more: false, requests: [{ runKey: '42' }] });
  expect(await evaluateTick(sensor, buildSensorContext({ cursor: 42 }))).toMatchObject({ status: 'success' });
});

test('a failure that says when to try again is a failure as any other', async () => {
  const evaluate = (): never => {
    throw new RetryAfterError('5m', 'busy');
  };
  const outcome = await evaluateTick(defineSensor({ name: 'busy', evaluate }));
  expect(outcome).toMatchObject({ status: 'failure', error: 'RetryAfterError: busy' });
});

test('evaluateTick refuses what is no sensor, no context and no job of the sensor', async () => {
  await expect(evaluateTick({} as never)).rejects.toThrow(
    'evaluateTick is given {}; accepted: what defineSensor returned'
  );
  await expect(evaluateTick(newFiles, {} as never)).rejects.toThrow('the context was not made by buildSensorContext');
  const knownKeys = [{ job: 'proces', runKey: 'a' }];
  await expect(evaluateTick(newFiles, buildSensorContext(), { knownKeys })).rejects.toThrow(
    `knownKeys names job 'proces', which sensor 'newFiles' does not have; accepted: 'processFile'`
  );
});
