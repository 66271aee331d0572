/** The toolkit for sensors of runs, without a server. */
import { ActivityFailure, ApplicationFailure, RetryState } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  defineJob,
  defineResource,
  defineRunFailureSensor,
  defineRunStatusSensor,
  type RunRequest,
  type SensorDefinition,
} from '../../src/index.js';
import {
  buildRunStatusSensorContext,
  buildSensorContext,
  evaluateTick,
  simulate,
  type RunFacts,
} from '../../src/testing/index.js';

const importFile = defineJob({ name: 'importFile', config: z.object({ path: z.string() }) });
const cleanUp = defineJob({ name: 'cleanUp', config: z.object({ path: z.string() }) });
const tell = defineJob({ name: 'tell' });

interface Pager {
  page(text: string): Promise<void>;
}
const pager = defineResource({ create: (): Pager => ({ page: async () => undefined }) });

const onFailure = defineRunFailureSensor({
  name: 'onFailure',
  monitor: { jobs: [importFile] },
  jobs: [cleanUp, tell],
  resources: { pager },
  async *handle(ctx, run) {
    await ctx.resources.pager.page(`${run.type} ${run.status}: ${run.failure.message}`);
    ctx.log.info('told', { tick: ctx.tick });
    const [config] = (await run.input()) as readonly [{ readonly path: string }];
    yield ctx.run({ job: cleanUp, config: { path: config.path } });
    yield ctx.run({ job: tell, runKey: run.workflowId });
  },
});
const onEnd = defineRunStatusSensor({
  name: 'onEnd',
  status: ['completed', 'failed'],
  monitor: 'all',
  job: tell,
  handle: (ctx, run) => ctx.run({ tags: { sensor: ctx.sensor, ended: String(run.closeTime?.getTime()) } }),
});

test('a handler is called with a run made by hand: its requests have the keys and jobs that production gives them', async () => {
  const pages: string[] = [];
  const { ctx, run } = buildRunStatusSensorContext({
    run: { type: 'importFile', workflowId: 'import-7', failure: 'disk full', input: [{ path: 'a.csv' }] },
    resources: { pager: { page: async (text: string) => void pages.push(text) } },
    tick: 4,
  }).forRunFailure();
  const requests = [];
  for await (const request of onFailure.handle(ctx, run)) requests.push(request);
  expect(pages).toEqual(['importFile failed: disk full']);
  expect(requests).toMatchObject([
    { job: 'cleanUp', runKey: `import-7/${run.runId}/failed`, config: { path: 'a.csv' }, via: ['onFailure'] },
    { job: 'tell', runKey: 'import-7' },
  ]);
  expect(ctx.requests).toEqual(requests);
  expect(ctx.logs.map(({ message }) => message)).toEqual(['told tick=4']);
});

test('the key of a request is that of the run that the handler is called for', () => {
  const { ctx, run } = buildRunStatusSensorContext();
  const other = { ...run, eventId: 'other' };
  expect([onEnd.handle(ctx, run), onEnd.handle(ctx, other)].map(({ runKey }) => runKey)).toEqual([
    run.eventId,
    'other',
  ]);
});

test('a run by default is one that the sensor reacts to', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  expect(buildRunStatusSensorContext({ sensor: onFailure, now }).forRunFailure().run).toMatchObject({
    eventId: expect.stringMatching(/^importFile-1\/.*\/failed$/) as string,
    status: 'failed',
    type: 'importFile',
    closeTime: now,
    durationMs: 60_000,
    failure: { message: 'this run failed' },
  });
  const started = defineRunStatusSensor({ name: 'begun', status: 'started', monitor: 'all', handle: () => undefined });
  const { run } = buildRunStatusSensorContext({ sensor: started, now });
  expect(run).toMatchObject({ status: 'started', at: now, startTime: now });
  expect(run.closeTime).toBeUndefined();
  expect(buildRunStatusSensorContext().run.status).toBe('completed');
  expect(buildRunStatusSensorContext({ run: { failure: 'x' } }).run.status).toBe('failed');
  const facts: RunFacts = { status: 'timedOut', durationMs: 90_000, startedBy: { sensor: 'inbox', runKey: 'a.csv' } };
  expect(buildRunStatusSensorContext({ run: facts }).run).toMatchObject({
    failure: { message: 'timed out after 1.5 min', causes: [] },
    startedBy: { sensor: 'inbox', runKey: 'a.csv', job: 'job', tick: 1 },
  });
});

test('what was thrown becomes the failure that a handler gets from a server', () => {
  const thrown = new ActivityFailure(
    'Activity task failed',
    'parse',
    '1',
    RetryState.NON_RETRYABLE_FAILURE,
    'worker',
    ApplicationFailure.nonRetryable('line 3: no price', 'BadOrder')
  );
  const { run } = buildRunStatusSensorContext({ run: { failure: thrown } }).forRunFailure();
  expect(run.failure).toMatchObject({
    message: 'line 3: no price',
    type: 'BadOrder',
    causes: [{ kind: 'ActivityFailure' }, { kind: 'ApplicationFailure', type: 'BadOrder' }],
    activity: { type: 'parse', id: '1' },
  });
  const plain = buildRunStatusSensorContext({ run: { failure: new TypeError('no such field') } }).forRunFailure();
  expect(plain.run.failure).toMatchObject({ message: 'no such field', type: 'TypeError' });
});

describe('is clear about', () => {
  const build = (run: object) => () => buildRunStatusSensorContext({ run });

  test('facts that cannot be', () => {
    expect(build({ workflowID: 'a' })).toThrow("unknown option 'workflowID'");
    expect(build({ status: 'success' })).toThrow("run.status is 'success'; accepted: 'started', 'completed'");
    expect(build({ status: 'completed', failure: 'x' })).toThrow("its status is 'completed'; accepted with a failure:");
    expect(() => buildRunStatusSensorContext({ cursor: 1 } as object)).toThrow("unknown option 'cursor'");
  });

  test('a run that did not end badly', () => {
    expect(() => buildRunStatusSensorContext().forRunFailure()).toThrow(
      "the run did not end badly, its status is 'completed'"
    );
  });

  test('a run that the sensor never gets, at once or when it is called', () => {
    const never = "sensor 'onEnd' reacts to completed, failed, so it never gets this run, whose status is 'terminated'";
    const run: RunFacts = { status: 'terminated' };
    expect(() => buildRunStatusSensorContext({ run, sensor: onEnd })).toThrow(never);
    const test = buildRunStatusSensorContext({ run });
    expect(() => onEnd.handle(test.ctx, test.run)).toThrow(never);
  });

  test('a job that the sensor does not have', () => {
    const wrong = defineRunStatusSensor({
      name: 'wrong',
      status: 'completed',
      monitor: 'all',
      job: tell,
      handle: (ctx) => (ctx.run as (request: object) => RunRequest)({ job: cleanUp }),
    });
    const { ctx, run } = buildRunStatusSensorContext();
    expect(() => wrong.handle(ctx, run)).toThrow("names job 'cleanUp', which sensor 'wrong' does not have");
    // a handler on its own belongs to no sensor
    expect(ctx.run({ job: cleanUp })).toMatchObject({ job: 'cleanUp', runKey: run.eventId });
  });

  test('input, result and client that were not given', async () => {
    const { ctx, run } = buildRunStatusSensorContext();
    await expect(run.input()).rejects.toThrow("this test's run has none: give it one (input: its arguments");
    await expect(run.result()).rejects.toThrow('give it one (result: what it returned)');
    expect(await buildRunStatusSensorContext({ run: { result: 7 } }).run.result()).toBe(7);
    await expect(buildRunStatusSensorContext({ run: { failure: 'x' } }).run.result()).rejects.toThrow(
      "no result: its status is 'failed'"
    );
    expect(() => ctx.client.workflow).toThrow('give one to buildRunStatusSensorContext ({ client })');
  });

  test('a sensor that is not one of runs', () => {
    const other = { ...onEnd, watchesRuns: undefined } satisfies SensorDefinition;
    expect(() => buildRunStatusSensorContext({ sensor: other })).toThrow('is tested with buildSensorContext');
  });

  test('ticks of a sensor of runs, which need a server', async () => {
    const says = /sensor 'onEnd' reads what became of runs from a Temporal server; call its handle with what/;
    await expect(evaluateTick(onEnd)).rejects.toThrow(says);
    await expect(evaluateTick(onEnd, buildSensorContext())).rejects.toThrow(says);
    await expect(simulate(onEnd, { for: '1h' })).rejects.toThrow(says);
  });
});
