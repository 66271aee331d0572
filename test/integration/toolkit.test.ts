/** What the testing toolkit says is what the real loop does: random sensors, tick by tick. */
import fc from 'fast-check';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { z } from 'zod';
import {
  defineJob,
  defineRunFailureSensor,
  defineSensor,
  type RunRequest,
  type SensorDefinition,
} from '../../src/index.js';
import type { TickRecord } from '../../src/client/index.js';
import {
  buildRunStatusSensorContext,
  buildSensorContext,
  createSensorTestEnvironment,
  evaluateTick,
  executeJob,
  simulate,
} from '../../src/testing/index.js';
import { Harness, waitFor } from '../support/harness.js';

const noop = defineJob({ name: 'noop' });
const echo = defineJob({ name: 'echo', config: z.object({ n: z.number(), extra: z.string().default('filled') }) });

/** What one evaluation does. */
interface Step {
  readonly items: readonly (
    | { readonly kind: 'key' | 'bad' | 'forgotten'; readonly key: number }
    | { readonly kind: 'keyless' | 'badKeyless' | 'skip' | 'throw' | 'log' | 'nothing' }
  )[];
  readonly cursor?: number | undefined;
  readonly clear: boolean;
  /** Pushed before it. */
  readonly events: readonly (number | string)[];
}

const key = fc.integer({ min: 0, max: 4 });
const step: fc.Arbitrary<Step> = fc.record({
  items: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('key', 'key', 'bad'), key }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('keyless', 'log', 'nothing', 'badKeyless') }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('skip', 'throw') }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('forgotten' as const), key }) }
    ),
    { maxLength: 4 }
  ),
  cursor: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  clear: fc.boolean(),
  events: fc.array(fc.oneof(key, fc.constant('no number')), { maxLength: 2 }),
});
const script = fc.array(step, { minLength: 3, maxLength: 5 });

/** A sensor that does one step after the other, and then nothing. */
function scripted(
  name: string,
  steps: readonly Step[],
  interval: number
): { sensor: SensorDefinition; done: () => boolean } {
  let evaluation = 0;
  const sensor = defineSensor({
    name,
    jobs: [noop, echo],
    interval,
    cursor: z.number(),
    events: z.number(),
    *evaluate(ctx) {
      const { items, cursor, clear } = steps[evaluation++] ?? { items: [], clear: false };
      // what the types would not let an author do
      const run = ctx.run as (request: object) => RunRequest;
      for (const event of ctx.events) yield ctx.run({ job: noop, runKey: `event ${event}` });
      if (cursor !== undefined) ctx.setCursor(cursor);
      else if (clear) ctx.clearCursor();
      for (const item of items) yield give(item);

      function give(item: Step['items'][number]): RunRequest | ReturnType<typeof ctx.skip> | undefined {
        switch (item.kind) {
          case 'key':
            return run({ job: item.key % 2 === 0 ? echo : noop, runKey: `key ${item.key}`, config: { n: item.key } });
          case 'bad':
            return run({ job: echo, runKey: `bad ${item.key}`, config: { n: 'no number' } });
          case 'badKeyless':
            return run({ job: echo, config: {} });
          case 'keyless':
            return ctx.run({ job: noop, tags: { from: 'test' } });
          case 'forgotten':
            ctx.run({ job: noop, runKey: `forgotten ${item.key}` });
            return undefined;
          case 'skip':
            return ctx.skip(`nothing at ${evaluation}`);
          case 'throw':
            throw new Error(`fails at ${evaluation}`);
          case 'log':
            ctx.log.info(`looked at ${evaluation}`, { tick: ctx.tick });
            return undefined;
          default:
            return undefined;
        }
      }
    },
  });
  return { sensor, done: () => evaluation > steps.length };
}

/** A tick without what must differ: times, the prefix of names, and what stands for the evaluation in keyless IDs. */
function comparable({ tick, status, trigger, pending, events, skipReason, error, ...record }: TickRecord, prefix = '') {
  const plain = (id: string): string => id.replace(prefix, '').replace(/![^.]*\./, '!nonce.');
  const { runs, duplicates, rejected, cursorBefore, cursorAfter, cursorChanged, logs = [] } = record;
  return {
    tick,
    status,
    trigger,
    pending,
    events,
    skipReason,
    error,
    // starts of one window are answered in any order
    runs: runs.sample.map(plain).sort(),
    duplicates: [duplicates.count, duplicates.sample.map(({ id, runKey }) => [plain(id), runKey])],
    rejected: [rejected.count, rejected.sample.map(({ kind, job, runKey, error }) => ({ kind, job, runKey, error }))],
    cursorBefore,
    cursorAfter,
    cursorChanged,
    // tracebacks have the paths of the code that called
    logs: logs.map(({ level, message }) => (level === 'error' ? level : message)),
  };
}

test('ticks that are asked for are the same on a server and in a simulation, and the first one in evaluateTick', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(script, { minLength: 12, maxLength: 12 }), async (scripts) => {
      const h = await Harness.create();
      const real = scripts.map((steps, n) => scripted(`asked${n}`, steps, 60_000));
      const worker = await h.work(real.map(({ sensor }) => sensor));
      await Promise.all(
        scripts.map(async (steps, n) => {
          const name = h.name(`asked${n}`);
          const ticks: TickRecord[] = [];
          for (const { events } of steps) {
            if (events.length > 0) await h.sensors.push(name, ...events);
            ticks.push(await h.sensors.tick(name));
          }
          const simulated = await simulate(scripted(`asked${n}`, steps, 60_000).sensor, {
            for: '1h',
            stopped: true,
            at: Object.fromEntries(
              steps.map(({ events }, index) => [
                `${index + 1}m`,
                (
                  _: Date,
                  __: unknown,
                  control: { push: (...events: (number | string)[]) => void; tick: () => void }
                ) => {
                  if (events.length > 0) control.push(...events);
                  control.tick();
                },
              ])
            ),
          });
          const expected = ticks.map((tick) => comparable(tick, h.prefix));
          expect(simulated.ticks.map((tick) => comparable(tick))).toEqual(expected);
          const events = steps[0]?.events ?? [];
          const first = await evaluateTick(scripted(`asked${n}`, steps, 60_000).sensor, buildSensorContext({ events }));
          expect(comparable(first.record)).toEqual(expected[0]);
        })
      );
      await worker.stop();
    }),
    { numRuns: 2, endOnFailure: true }
  );
});

test('sensors that run by themselves record the same ticks on a server and in a simulation', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(script, { minLength: 12, maxLength: 12 }), async (scripts) => {
      const h = await Harness.create();
      const real = scripts.map((steps, n) => scripted(`runs${n}`, steps, 200));
      await h.work(real.map(({ sensor }) => sensor));
      await Promise.all(real.map(({ sensor }) => h.sensors.start(h.name(sensor))));
      await waitFor(() => real.every(({ done }) => done()), 'every step of every sensor');
      await Promise.all(
        scripts.map(async (steps, n) => {
          const name = h.name(`runs${n}`);
          const { ticks } = await simulate(scripted(`runs${n}`, steps, 200).sensor, { for: '3s' });
          const expected = ticks.map((tick) => comparable(tick));
          await waitFor(async () => (await h.sensors.ticks(name)).length >= expected.length, `ticks of ${name}`);
          expect((await h.sensors.ticks(name)).map((tick) => comparable(tick, h.prefix))).toEqual(expected);
        })
      );
    }),
    { numRuns: 1, endOnFailure: true }
  );
});

const workflowsPath = fileURLToPath(new URL('../support/workflows.ts', import.meta.url));
const ready = defineSensor({
  name: 'ready',
  job: echo,
  interval: '1s',
  cursor: z.number().default(0),
  *evaluate(ctx) {
    yield ctx.run({ runKey: `file ${ctx.cursor}`, config: { n: ctx.cursor } });
    ctx.setCursor(ctx.cursor + 1);
  },
});

test('a file is really processed', async () => {
  await using env = await createSensorTestEnvironment({ sensors: [ready], workflowsPath });
  expect(await env.tick(ready)).toMatchObject({ status: 'success' });
  const [run] = await env.settled(ready);
  expect(run?.status).toBe('COMPLETED');
});

test('an environment ends its worker and its server, and what it does not know is an error', async () => {
  const env = await createSensorTestEnvironment({
    sensors: [ready],
    workflowBundle: { codePath: inject('bundlePath') },
  });
  try {
    await env.sensors.start(env.name(ready));
    await env.waitFor(async () => (await env.ticks(ready)).length >= 2, { what: 'a second tick' });
    const [run] = await env.settled('ready');
    expect(await env.client.workflow.getHandle(run?.workflowId ?? '').result()).toMatchObject({
      config: { extra: 'filled' },
    });
  } finally {
    await env.dispose();
  }
  expect(env.worker.getState()).toBe('STOPPED');
  await env.dispose();
});

const failing = defineJob({ name: 'failing' });
const onFailure = defineRunFailureSensor({
  name: 'onFailure',
  monitor: { jobs: [failing] },
  job: echo,
  handle: (ctx, run) => ctx.run({ config: { n: run.failure.message.length } }),
});
const options = { workflowBundle: { codePath: inject('bundlePath') }, address: inject('temporalAddress') };

test('a run that really failed is handled', async () => {
  await using env = await createSensorTestEnvironment({ ...options, sensors: [onFailure] });
  const executed = await executeJob(env, failing);
  const { ctx, run } = buildRunStatusSensorContext({ run: executed.run }).forRunFailure();
  expect(run.failure.message).toBe('this job fails');
  expect(onFailure.handle(ctx, run)).toMatchObject({ job: 'echo', runKey: run.eventId });
});

test('a job is executed to its end, whatever that is, and one that cannot be executed is an error', async () => {
  await using env = await createSensorTestEnvironment({ ...options, sensors: [ready] });
  const { run, result } = await executeJob(env, echo, { n: 1 });
  expect(run).toMatchObject({ type: 'echo', status: 'completed' });
  expect(await run.input()).toEqual([{ n: 1, extra: 'filled' }]);
  expect(result).toEqual({ config: { n: 1, extra: 'filled' } });
  const timedOut = await executeJob(env, defineJob({ name: 'waiting', workflowRunTimeout: '1s' }));
  expect(timedOut.run).toMatchObject({ status: 'timedOut', failure: { causes: [] } });
  expect(timedOut).not.toHaveProperty('result');

  await expect(executeJob(env, echo, { n: 'one' } as never)).rejects.toThrow(
    "config does not fit job 'echo' (config.n: Invalid input: expected number, received string)"
  );
  await expect(executeJob(env, defineJob({ name: 'missing' }))).rejects.toThrow(/'missing' cannot go on: .*'missing'/);
  await expect(executeJob(env, defineJob({ name: 'slow' }), {}, { timeout: '100ms' })).rejects.toThrow(
    "waited 100 ms for the end of job 'slow'"
  );
});

test('an environment on a server that runs already has names of its own, and forgets them', async () => {
  const sensor = defineSensor({ name: 'visits', job: noop, evaluate: (ctx) => ctx.run({ runKey: 'a' }) });
  const h = await Harness.create();
  const names: string[] = [];
  {
    await using env = await createSensorTestEnvironment({ ...options, sensors: [sensor] });
    await using other = await createSensorTestEnvironment({ ...options, sensors: [sensor] });
    names.push(env.name(sensor), other.name('visits'));
    expect((await Promise.all([env.tick(sensor), other.tick(sensor)])).map(({ status }) => status)).toEqual([
      'success',
      'success',
    ]);
    await expect(env.waitFor(() => false, { timeout: '10ms', what: 'nothing' })).rejects.toThrow(
      'waited 10 ms for nothing'
    );
  }
  expect(new Set(names).size).toBe(2);
  for (const name of names) await expect(h.sensors.start(name)).rejects.toThrow(/was pruned|there is no sensor/);
});

test('an environment needs workflows', async () => {
  await expect(createSensorTestEnvironment({ sensors: [] })).rejects.toThrow('needs workflowsPath or workflowBundle');
});
