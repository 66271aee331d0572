/** What must compile and what must not, for an author. Checked by `tsc` in `npm run check`; never run. */
import { z } from 'zod';
import {
  buildResources,
  defineJob,
  defineResource,
  defineRunFailureSensor,
  defineRunStatusSensor,
  defineSensor,
  env,
  withResources,
  type FailedRun,
  type JobConfig,
  type ResourceConfig,
  type RunFailure,
  type RunRequest,
  type SensorDefinition,
  type StatusRun,
} from '../../src/index.js';
import {
  buildRunStatusSensorContext,
  buildSensorContext,
  executeJob,
  simulate,
  type SensorTestEnvironment,
} from '../../src/testing/index.js';

const file = defineJob({ name: 'file', config: z.object({ path: z.string(), retries: z.number().default(3) }) });
const plain = defineJob({ name: 'plain' });

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>(): void {}

// the job receives the parsed config; the name stays a literal
same<Equal<JobConfig<typeof file>, { path: string; retries: number }>>();
same<Equal<typeof file.name, 'file'>>();

defineSensor({
  name: 'one',
  job: file,
  cursor: z.object({ at: z.number() }).default({ at: 0 }),
  events: z.object({ id: z.string() }),
  interval: '30s',
  async *evaluate(ctx) {
    same<Equal<typeof ctx.cursor, { at: number }>>();
    same<Equal<(typeof ctx.events)[number], { id: string }>>();
    yield ctx.run({ runKey: 'a', config: { path: 'x' } });
    yield [ctx.run({ config: { path: 'x', retries: 1 }, tags: { a: 'b' } }), null, undefined];
    // @ts-expect-error config is required
    yield ctx.run({ runKey: 'a' });
    // @ts-expect-error unknown field
    yield ctx.run({ runkey: 'a', config: { path: 'x' } });
    // @ts-expect-error wrong config
    yield ctx.run({ config: { path: 1 } });
    ctx.setCursor({ at: 1 });
    // @ts-expect-error wrong cursor
    ctx.setCursor({ at: 'now' });
    // @ts-expect-error a field of the cursor is read-only only by freezing, but the cursor itself cannot be replaced
    ctx.cursor = { at: 2 };
    return ctx.skip('done');
  },
});

defineSensor({
  name: 'no default',
  job: plain,
  cursor: z.number(),
  evaluate(ctx) {
    same<Equal<typeof ctx.cursor, number | undefined>>();
    // config is optional when the schema accepts {}
    return [ctx.run(), ctx.run({ runKey: 'k' })];
  },
});

defineSensor({
  name: 'several',
  jobs: [file, plain],
  *evaluate(ctx) {
    yield ctx.run({ job: file, config: { path: 'x' } });
    yield ctx.run({ job: plain });
    // @ts-expect-error job is required with several
    yield ctx.run({ config: { path: 'x' } });
    // @ts-expect-error the config of another job
    yield ctx.run({ job: file, config: {} });
    return { runRequests: [ctx.run({ job: plain })], more: true };
  },
});

defineSensor({
  name: 'none',
  evaluate(ctx) {
    // @ts-expect-error without a job there is no ctx.run
    ctx.run();
    same<Equal<typeof ctx.cursor, undefined>>();
  },
});

// @ts-expect-error an unknown option is reported at that option
defineSensor({ name: 'typo', evaluat: () => null, evaluate: () => null });
// @ts-expect-error not a duration
defineSensor({ name: 'duration', interval: '30 sconds', evaluate: () => null });
// @ts-expect-error a cursor must be JSON
defineSensor({ name: 'date', cursor: z.date(), evaluate: () => null });
// @ts-expect-error so must a config
defineJob({ name: 'map', config: z.map(z.string(), z.string()) });
// @ts-expect-error a text is not an answer
defineSensor({ name: 'text', evaluate: () => 'skip' });

const credentials = defineResource({ create: async () => ({ token: 'secret' }) });
const bucket = defineResource({
  config: z.object({ name: z.string(), retries: z.number().default(3), tls: z.object({ ca: z.string() }).optional() }),
  dependsOn: { credentials },
  create({ config, resources, signal }) {
    same<Equal<typeof config.retries, number>>();
    same<Equal<typeof resources, { readonly credentials: { token: string } }>>();
    // @ts-expect-error not one it depends on
    void resources.bucket;
    return { list: async (): Promise<string[]> => [config.name, resources.credentials.token, String(signal.aborted)] };
  },
  dispose(value) {
    same<Equal<Awaited<ReturnType<typeof value.list>>, string[]>>();
  },
});

defineSensor({
  name: 'resources',
  job: plain,
  resources: { bucket, credentials },
  async *evaluate(ctx) {
    same<Equal<typeof ctx.resources.credentials, { token: string }>>();
    for (const runKey of await ctx.resources.bucket.list()) yield ctx.run({ runKey });
    // @ts-expect-error the sensor does not name it
    void ctx.resources.database;
  },
});

defineSensor({
  name: 'no resources',
  evaluate(ctx) {
    // @ts-expect-error it names none
    void ctx.resources.bucket;
  },
});

defineSensor({
  name: 'initial',
  cursor: z.string(),
  resources: { bucket },
  initialCursor: async (ctx) => (await ctx.resources.bucket.list())[0] ?? '',
  evaluate: () => null,
});

// @ts-expect-error a resource is what defineResource returned
defineSensor({ name: 'instance', resources: { bucket: { list: () => [] } }, evaluate: () => null });
// @ts-expect-error an unknown option
defineResource({ create: () => 1, teardown: () => undefined });
// @ts-expect-error not a scope
defineResource({ scope: 'run', create: () => 1 });

const activities = withResources(
  { bucket },
  {
    async download({ bucket }, key: string): Promise<number> {
      return (await bucket.list()).indexOf(key);
    },
    count: ({ bucket }) => typeof bucket.list,
    // @ts-expect-error it does not name this resource
    wrong: ({ credentials }) => credentials,
  }
);
// a workflow calls them without the resources
same<Equal<typeof activities.download, (key: string) => Promise<number>>>();

same<Equal<ResourceConfig<typeof credentials>, undefined>>();
({ name: env('BUCKET'), tls: { ca: env('CA', 'none') } }) satisfies ResourceConfig<typeof bucket>;

void buildResources({ bucket }, { config: { bucket: { name: env('BUCKET') } } }).then(({ resources }) =>
  same<Equal<Awaited<ReturnType<typeof resources.bucket.list>>, string[]>>()
);
// @ts-expect-error wrong config
void buildResources({ bucket }, { config: { bucket: { name: 1 } } });
// @ts-expect-error a default is a text, as the environment has it
env('PORT', 80);
// tests call evaluate with what buildSensorContext gives, and use its result without casts
const tested = defineSensor({
  name: 'tested',
  job: file,
  cursor: z.object({ at: z.number() }).default({ at: 0 }),
  *evaluate(ctx) {
    yield ctx.run({ runKey: 'a', config: { path: 'x' } });
    return ctx.skip('done');
  },
});
same<Equal<string | undefined, ReturnType<typeof keys>[number]>>();
function keys() {
  return [...tested.evaluate(buildSensorContext())].map(({ runKey }) => runKey);
}
const one = defineSensor({ name: 'oneRequest', job: plain, evaluate: (ctx) => ctx.run() });
same<Equal<ReturnType<typeof one.evaluate>, RunRequest>>();
const late = defineSensor({ name: 'later', job: plain, evaluate: async (ctx) => [ctx.run()] });
same<Equal<ReturnType<typeof late.evaluate>, Promise<RunRequest[]>>>();
same<Equal<ReturnType<typeof typed>['cursor'], { at: number }>>();
function typed() {
  return buildSensorContext({ sensor: tested, cursor: { at: 1 } });
}
// @ts-expect-error the cursor of another sensor
buildSensorContext({ sensor: tested, cursor: 'now' });
// @ts-expect-error not a context
tested.evaluate({});
// every sensor is an element of the list that a worker takes
export const all: readonly SensorDefinition[] = [tested, one, late];

void simulate(tested, {
  for: '3 days',
  resources: { inbox: ['a'] },
  at: {
    '2h': (now, { inbox }, control) => {
      same<Equal<typeof inbox, string[]>>();
      same<Equal<typeof now, Date>>();
      control.push(inbox.length);
    },
    // @ts-expect-error not a duration
    soon: () => undefined,
  },
});
// @ts-expect-error for is required
void simulate(tested, {});

// sensors of runs
const onFailure = defineRunFailureSensor({
  name: 'onFailure',
  monitor: { jobs: [file] },
  job: file,
  resources: { bucket },
  *handle(ctx, run) {
    same<Equal<typeof run, FailedRun>>();
    same<Equal<typeof run.failure, RunFailure>>();
    same<Equal<Awaited<ReturnType<typeof ctx.resources.bucket.list>>, string[]>>();
    yield ctx.run({ config: { path: run.workflowId } });
    // @ts-expect-error config is required
    yield ctx.run({ runKey: run.eventId });
    // @ts-expect-error wrong config
    yield ctx.run({ config: { path: 1 } });
    // @ts-expect-error a position is the framework's own
    ctx.setCursor(1);
  },
});
const onEnd = defineRunStatusSensor({
  name: 'onEnd',
  status: ['completed', 'failed'],
  jobs: [file, plain],
  async handle(ctx, run) {
    same<Equal<typeof run.failure, RunFailure | undefined>>();
    // @ts-expect-error a completed run has no failure
    void run.failure.message;
    // @ts-expect-error job is required with several
    ctx.run({ config: { path: 'x' } });
    // @ts-expect-error the config of another job
    ctx.run({ job: file, config: {} });
    return [ctx.run({ job: file, config: { path: 'x' } }), ctx.run({ job: plain }), null];
  },
});
const nothing = defineRunStatusSensor({
  name: 'nothing',
  status: 'started',
  handle(ctx) {
    // @ts-expect-error without a job there is no ctx.run
    ctx.run();
  },
});
// every shape a handler may have
defineRunStatusSensor({ name: 'value', status: 'completed', job: plain, handle: (ctx) => ctx.run() });
defineRunStatusSensor({ name: 'async', status: 'completed', job: plain, handle: async (ctx) => ctx.run() });
defineRunStatusSensor({
  name: 'asyncGenerator',
  status: 'completed',
  job: plain,
  async *handle(ctx, run) {
    if ((await run.input()).length === 0) return;
    yield [ctx.run(), null];
  },
});
// @ts-expect-error not a status
defineRunStatusSensor({ name: 'status', status: 'success', handle: () => undefined });
// @ts-expect-error status is required
defineRunStatusSensor({ name: 'noStatus', handle: () => undefined });
// @ts-expect-error a completed run is no failure
defineRunFailureSensor({ name: 'noFailure', status: 'completed', handle: () => undefined });
// @ts-expect-error a text is not an answer
defineRunFailureSensor({ name: 'answer', handle: (_, run) => run.failure.message });
// @ts-expect-error the cursor is the framework's own
defineRunFailureSensor({ name: 'cursor', cursor: z.number(), handle: () => undefined });

// tests call handle with what buildRunStatusSensorContext gives
const testedRun = buildRunStatusSensorContext({ run: { failure: new Error('disk full'), input: [{ path: 'a' }] } });
same<Equal<typeof testedRun.run, StatusRun>>();
same<Equal<ReturnType<typeof testedRun.forRunFailure>['run'], FailedRun>>();
same<Equal<Awaited<ReturnType<typeof onEnd.handle>>, (RunRequest | null)[]>>();
same<Equal<ReturnType<typeof nothing.handle>, void>>();
function requested() {
  const { ctx, run } = testedRun.forRunFailure();
  return [...onFailure.handle(ctx, run)].map(({ runKey }) => runKey);
}
same<Equal<ReturnType<typeof requested>, (string | undefined)[]>>();
// @ts-expect-error it may not have failed
onFailure.handle(testedRun.ctx, testedRun.run);
// @ts-expect-error the context of an evaluation
void onEnd.handle(buildSensorContext(), testedRun.run);
// @ts-expect-error not a status
buildRunStatusSensorContext({ run: { status: 'success' } });
// @ts-expect-error an unknown fact
buildRunStatusSensorContext({ run: { workflowID: 'a' } });
export const ofRuns: readonly SensorDefinition[] = [onFailure, onEnd, nothing];

export async function executed(env: SensorTestEnvironment): Promise<void> {
  const { run } = await executeJob(env, file, { path: 'a.csv' }, { timeout: '10s' });
  buildRunStatusSensorContext({ run, sensor: onEnd });
  await executeJob(env, plain);
  // @ts-expect-error config is required
  await executeJob(env, file);
  // @ts-expect-error wrong config
  await executeJob(env, file, { path: 1 });
}
