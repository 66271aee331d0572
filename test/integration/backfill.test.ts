/** Backfills: many partitions of a job, each run once, so many at a time, whatever happens in between. */
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import {
  BackfillClient,
  BackfillNotFoundError,
  BackfillRejectedError,
  type Backfill,
  type BackfillProgress,
  type Explanation,
} from '../../src/client/index.js';
import { defineAsset, defineJob, defineSensor, dailyPartitions, dynamicPartitions } from '../../src/index.js';
import { RUN_MEMO } from '../../src/sensors/protocol.js';
import { Harness, waitFor, type RunningWorker } from '../support/harness.js';

type InterceptingCall = ReturnType<NonNullable<ConnectionOptions['interceptors']>[number]>;

const days = dailyPartitions({ start: '2026-01-01', end: '2026-03-31' });
const names = z.array(z.string()).default([]);
const config = z.object({ wait: names, fail: names });
const orders = defineAsset({ key: ['sales', 'orders'], partitions: days });
const totals = defineAsset({ key: ['sales', 'totals'], partitions: days, backfillPolicy: 'single' });
const job = defineJob({ name: 'partitioned', config, assets: [orders, totals], tags: { team: 'sales' } });
const plain = defineJob({ name: 'noop' });
const customers = dynamicPartitions('customers');
const perCustomer = defineJob({ name: 'echo', partitions: customers });

/** Asks for what it is pushed. */
const asking = defineSensor({
  name: 'asking',
  jobs: [job, plain, perCustomer],
  interval: '1h',
  defaultStatus: 'running',
  events: z.object({ key: z.string(), from: z.string(), to: z.string(), add: z.array(z.string()).optional() }),
  evaluate(ctx) {
    const add = ctx.events.flatMap(({ add: keys = [] }) => keys);
    return {
      partitionRequests: [customers.add(add)],
      runRequests: ctx.events.map(({ key, from, to }) =>
        ctx.backfill({ job, runKey: key, partitions: { from, to }, policy: 'perPartition', tags: { asked: key } })
      ),
    };
  },
});

let h: Harness;
beforeAll(async () => {
  h = await Harness.create();
});

async function work(): Promise<RunningWorker> {
  return await h.work([asking]);
}

/** IDs of a backfill's runs, without what they share. */
async function partitionsRun({ workflowId }: { readonly workflowId: string }, count: number): Promise<string[]> {
  const prefix = `${workflowId}:`;
  return await waitFor(async () => {
    const all: string[] = [];
    for await (const run of h.client.workflow.list({ query: `WorkflowId STARTS_WITH '${prefix}'` }))
      all.push(run.workflowId.slice(prefix.length).replace('partitioned:', ''));
    return all.length >= count ? all.sort() : undefined;
  }, `${count} runs of ${workflowId}`);
}

function runOf({ workflowId }: { readonly workflowId: string }, partition: string) {
  return h.client.workflow.getHandle(`${workflowId}:partitioned:${partition}`);
}

async function finish(started: Backfill, partition: string): Promise<void> {
  await waitFor(async () => {
    await runOf(started, partition).signal('finish');
    return true;
  }, `the run of ${partition}`);
}

/** A new run of the same chain. */
async function resetToFirstTask({ workflowId, runId }: Backfill): Promise<{ readonly runId: string }> {
  const { namespace } = h.client.options;
  const execution = { workflowId, runId };
  const history = await h.client.workflow.getHandle(workflowId, runId).fetchHistory();
  const finished = history.events?.find(({ workflowTaskCompletedEventAttributes: done }) => done != null);
  const { runId: next } = await h.client.workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: execution,
    workflowTaskFinishEventId: finished?.eventId ?? null,
    requestId: runId,
    reason: 'on purpose',
  });
  return { runId: next };
}

/** As retention does. */
async function forget({ workflowId, runId }: Backfill): Promise<void> {
  const { namespace } = h.client.options;
  await h.client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } });
  const read = (): Promise<unknown> => h.client.workflow.getHandle(workflowId, runId).describe();
  await waitFor(async () => ((await read().catch(() => undefined)) === undefined ? true : undefined), 'the deletion');
}

test('each partition runs once, no more at a time than asked for; a failed one does not keep the others', async () => {
  await work();
  const { backfills } = h.sensors;
  const started = await backfills.start({
    job: 'partitioned',
    id: `${h.prefix}january`,
    taskQueue: h.taskQueue,
    partitions: { from: '2026-01-01', to: '2026-01-05' },
    policy: 'perPartition',
    concurrency: 2,
    config: { wait: ['*'], fail: ['2026-01-02'] },
    tags: { asked: 'by ann' },
    assets: ['sales/orders'],
    by: 'ann',
  });
  expect(await backfills.planned(started.id)).toMatchObject({ policy: 'perPartition', partitions: 5, runs: 5 });
  const most: number[] = [];
  const names: string[] = [];
  for (let ended = 0; ended < 5; ended++) {
    const { running, runningRuns = [] } = await waitFor(async () => {
      const progress = await backfills.progress(started.id);
      const { done, failed } = progress;
      return progress.running === Math.min(2, 5 - ended) && done + failed === ended ? progress : undefined;
    }, 'the next runs');
    most.push(running);
    names.push(runningRuns.map(({ partition }) => partition.slice(-1)).join());
    await finish(started, `2026-01-0${ended + 1}`);
  }
  const result = await backfills.result(started.id);
  expect(result).toMatchObject({
    status: 'failed',
    done: 4,
    failed: 1,
    waiting: 0,
    running: 0,
    failures: [{ partition: '2026-01-02', error: 'this partition fails' }],
    failedPartitions: ['2026-01-02'],
  });
  expect(Math.max(...most)).toBe(2);
  expect(names).toEqual(['1,2', '2,3', '3,4', '4,5', '5']);
  // a worker is not asked for each run
  const { events } = await h.client.workflow.getHandle(started.workflowId).fetchHistory();
  const asked = events?.map((event) => event.activityTaskScheduledEventAttributes?.activityType?.name) ?? [];
  expect(asked.filter((activity) => activity === 'prepareBackfill')).toHaveLength(3);
  expect(await backfills.describe(started.id)).toMatchObject({ status: 'failed', done: 4, failed: 1, by: 'ann' });
  expect(await partitionsRun(started, 5)).toEqual([1, 2, 3, 4, 5].map((day) => `2026-01-0${day}`));
  expect(await runOf(started, '2026-01-01').result()).toEqual({
    job: 'partitioned',
    backfill: started.id,
    partitionKey: '2026-01-01',
    assets: ['sales/orders'],
    tags: { team: 'sales', asked: 'by ann', partition: '2026-01-01' },
    by: 'ann',
  });

  const again = await backfills.retry(started.id, { by: 'bob' });
  expect(again.id).toBe(`${started.id}.retry1`);
  await finish(again, '2026-01-02');
  expect(await backfills.result(again.id)).toMatchObject({ runs: 1, failed: 1, retryOf: started.id });

  // of a chain of runs, the server may have forgotten the first
  const { runId } = await resetToFirstTask(again);
  await backfills.result(again.id);
  await forget(again);
  expect(await backfills.retry(again.id)).toMatchObject({ id: `${started.id}.retry2`, retryOf: again.id });
  expect(await backfills.describe(again.id)).toMatchObject({ runId });
});

test('pausing holds the rest back; a backfill that was terminated goes on, whatever its job has become, and runs nothing twice', async () => {
  const first = await work();
  const { backfills } = h.sensors;
  const request = {
    job: 'partitioned',
    id: `${h.prefix}february`,
    taskQueue: h.taskQueue,
    partitions: { from: '2026-03-28' },
    assets: ['sales/orders'],
    concurrency: 2,
    config: { wait: ['*'] },
  } as const;
  const started = await backfills.start(request);
  const where = async (expected: Partial<BackfillProgress>): Promise<void> =>
    void (await waitFor(async () => {
      expect(await backfills.progress(started.id)).toMatchObject(expected);
      return true;
    }, JSON.stringify(expected)));
  await where({ running: 2, waiting: 2 });
  await backfills.pause(started.id, { by: 'ann', reason: 'night' });
  await finish(started, '2026-03-28');
  await where({ status: 'paused', running: 1, done: 1, waiting: 2 });
  expect(await backfills.describe(started.id)).toMatchObject({
    status: 'paused',
    note: { what: 'paused', by: 'ann', reason: 'night' },
  });
  await backfills.resume(started.id);
  await where({ status: 'running', running: 2, done: 1, waiting: 1 });

  await h.client.workflow.getHandle(started.workflowId).terminate('on purpose');
  await first.stop();
  const april = dailyPartitions({ start: '2026-01-01', end: '2026-04-30' });
  const grown = defineAsset({ key: ['sales', 'orders'], partitions: april, backfillPolicy: 'latestOnly' });
  const changed = defineJob({ name: 'partitioned', config, assets: [grown] });
  await h.work([defineSensor({ name: 'grown', job: changed, evaluate: () => null })]);
  expect(await backfills.describe(started.id)).toMatchObject({ status: 'terminated' });
  await expect(backfills.start({ ...request, concurrency: 3 })).rejects.toThrow('give this one another ID');
  expect((await backfills.start({ ...request, by: 'bob' })).runId).not.toBe(started.runId);
  for (const day of [29, 30, 31]) await finish(started, `2026-03-${day}`);
  expect(await backfills.result(started.id)).toMatchObject({ status: 'done', runs: 4, done: 4, failed: 0 });
  expect((await backfills.start(request)).status).toBe('done');
  expect(await partitionsRun(started, 4)).toEqual(['2026-03-28', '2026-03-29', '2026-03-30', '2026-03-31']);
});

test('one run for all, or the last one only, as the assets or the command say; cancelling may end what runs', async () => {
  await work();
  const { backfills } = h.sensors;
  const march = { job: 'partitioned', taskQueue: h.taskQueue, partitions: { from: '2026-03-28' } } as const;
  expect(await backfills.preview({ ...march, assets: ['sales/totals'] })).toEqual({
    job: 'partitioned',
    policy: 'single',
    first: '2026-03-28',
    last: '2026-03-31',
    partitions: 4,
    runs: 1,
    concurrency: 10,
    sample: ['2026-03-28', '2026-03-29', '2026-03-30', '2026-03-31'],
  });
  const [single, latest] = await Promise.all([
    backfills.start({ ...march, assets: ['sales/totals'] }),
    backfills.start({ ...march, partitions: 'all', policy: 'latestOnly', config: { wait: ['*'] } }),
  ]);
  expect(await backfills.result(single.id)).toMatchObject({ status: 'done', partitions: 4, runs: 1, done: 1 });
  expect(await runOf(single, '2026-03-28..2026-03-31').result()).toMatchObject({
    partitionKeys: ['2026-03-28', '2026-03-29', '2026-03-30', '2026-03-31'],
    tags: { partition: '2026-03-28..2026-03-31' },
  });
  await waitFor(async () => (await backfills.progress(latest.id)).running === 1, 'the run of the last day');
  await backfills.cancel(latest.id, { by: 'ann', runs: true });
  expect(await backfills.result(latest.id)).toMatchObject({
    status: 'cancelled',
    partitions: 90,
    runs: 1,
    failures: [{ partition: '2026-03-31' }],
  });
  await expect(backfills.pause(latest.id)).rejects.toThrow('is over (cancelled)');
});

test('a backfill that cannot go on waits for its runs, says why, and can be started again', async () => {
  const first = await work();
  const { backfills } = h.sensors;
  const request = {
    job: 'partitioned',
    id: `${h.prefix}halted`,
    taskQueue: h.taskQueue,
    partitions: { from: '2026-01-01', to: '2026-01-03' },
    policy: 'perPartition',
    concurrency: 2,
    config: { wait: ['*'] },
  } as const;
  const started = await backfills.start(request);
  await waitFor(async () => (await backfills.progress(started.id)).running === 2, 'the first runs');
  await backfills.pause(started.id);
  await first.stop();
  const changed = defineJob({ name: 'partitioned', config });
  await h.work([defineSensor({ name: 'changed', job: changed, evaluate: () => null })]);
  await backfills.resume(started.id);
  await finish(started, '2026-01-01');
  const error = "job 'partitioned' has no partitions";
  await waitFor(async () => (await backfills.progress(started.id)).error?.startsWith(error), 'the reason');
  expect(await backfills.progress(started.id)).toMatchObject({ status: 'running', running: 1 });
  await finish(started, '2026-01-02');
  const failed = { status: 'failed', done: 2, waiting: 1, error: expect.stringContaining(error) as string };
  expect(await backfills.result(started.id)).toMatchObject(failed);
  expect(await backfills.describe(started.id)).toMatchObject(failed);
  await expect(backfills.retry(started.id)).rejects.toThrow('start it again with the same ID and request');
  await expect(backfills.start({ ...request, concurrency: 3 })).rejects.toThrow('give this one another ID');

  expect((await backfills.start(request)).runId).not.toBe(started.runId);
});

test('cancelling needs no worker that has the job', async () => {
  await work();
  const { backfills } = h.sensors;
  const { taskQueue } = h;
  const { id } = await backfills.start({ job: 'removed', partitions: 'all', taskQueue });
  expect(await backfills.progress(id)).toMatchObject({ status: 'planning' });
  await backfills.cancel(id, { by: 'ann' });
  expect(await backfills.result(id)).toMatchObject({ status: 'cancelled', note: { by: 'ann' } });
});

test('a sensor asks for a backfill, once for a key; its runs say which sensor it was', async () => {
  await work();
  const { backfills } = h.sensors;
  const name = h.name(asking);
  const event = { key: 'k1', from: '2026-01-30', to: '2026-01-31' };
  await h.sensors.push(name, event, { ...event, key: 'late', to: '2026-04-01' });
  const tick = await h.tickWhere(asking, ({ runs }) => runs.count === 1, 'the backfill');
  expect(tick.rejected.sample[0]?.error).toBe(
    "partitions.to is not in the daily partitions of job 'partitioned', which at this time go from 2026-01-01 to 2026-03-31 (one is there when it has ended)"
  );
  const id = tick.runs.sample[0]?.slice('backfill/'.length) ?? '';
  expect(await backfills.result(id)).toMatchObject({ status: 'done', done: 2 });
  expect(await backfills.describe(id)).toMatchObject({ sensor: name });
  expect(await runOf({ workflowId: `backfill/${id}` }, '2026-01-31').result()).toMatchObject({
    sensor: name,
    tick: tick.tick,
    backfill: id,
    tags: { asked: 'k1', team: 'sales', partition: '2026-01-31' },
  });
  await h.sensors.push(name, event);
  await h.tickWhere(asking, ({ duplicates }) => duplicates.sample[0]?.id === `backfill/${id}`, 'the duplicate');
  const key = { runKey: 'k1', job: 'partitioned' };
  await expect(h.sensors.rearm(name, key)).rejects.toThrow(`sensors backfills retry ${id}`);
  await expect(h.sensors.rerun(name, key)).rejects.toThrow(`sensors backfills retry ${id}`);
  const { answers } = (await h.sensors.explain(name, { runKey: 'k1' })) as Extract<Explanation, { about: 'key' }>;
  expect(answers).toEqual([
    expect.objectContaining({
      kind: 'duplicate',
      job: 'partitioned',
      backfill: id,
      requestedAt: expect.any(Date) as Date,
    }),
  ]);
  expect(answers[0]).toMatchObject({ run: { workflowId: `backfill/${id}`, status: 'COMPLETED', tick: tick.tick } });
  const cameFrom = async (run: string): Promise<unknown> => {
    const explanation = await h.sensors.explain(name, { run });
    return explanation.about === 'run' ? explanation.answer : undefined;
  };
  const known = { id, status: 'done' };
  const { workflowId } = runOf({ workflowId: `backfill/${id}` }, '2026-01-31');
  const run = { workflowId, tick: tick.tick };
  expect(await cameFrom(workflowId)).toMatchObject({ kind: 'started', run, backfill: { ...known, isIt: false } });
  expect(await cameFrom(`backfill/${id}`)).toMatchObject({ kind: 'started', backfill: { ...known, isIt: true } });
});

test('one of a sensor that somebody starts again stays that of the sensor', async () => {
  const request = { job: 'partitioned', partitions: 'all' } as const;
  const id = `${h.prefix}asked`;
  // as a sensor starts it, on a task queue without a worker
  const taskQueue = `${h.prefix}nobody`;
  const asked = { sensor: 'asking', job: 'sensorBackfill', tick: 3, runKey: 'k' };
  const start = { workflowId: `backfill/${id}`, taskQueue, args: [{ request }], memo: { [RUN_MEMO]: asked } };
  const first = await h.client.workflow.start('sensorBackfill', start);
  await first.terminate();
  const again = await h.sensors.backfills.start({ ...request, id, by: 'ann' });
  expect(again).toMatchObject({ started: true, sensor: 'asking', by: 'ann', taskQueue });
  const { memo } = await h.client.workflow.getHandle(again.workflowId).describe();
  expect(memo?.[RUN_MEMO]).toEqual(asked);
  await h.client.workflow.getHandle(again.workflowId).terminate();
});

describe('what cannot be backfilled is refused where it is said', () => {
  test('by the client', async () => {
    const { backfills } = h.sensors;
    const refused = async (options: object, message: string): Promise<void> => {
      const made = backfills.start({ job: 'partitioned', partitions: 'all', ...options });
      await expect(made).rejects.toThrow(message);
      await expect(made).rejects.toBeInstanceOf(BackfillRejectedError);
    };
    await refused({ partitions: [] }, "partitions is something else than 'all', { from, to } with keys");
    await refused({ partitions: { since: 'x' } }, 'partitions.since is something else');
    await refused({ policy: 'each' }, "policy is not one of 'perPartition', 'single', 'latestOnly'");
    await refused({ concurrency: 101 }, 'concurrency is not a whole number from 1 to 100');
    await refused({ id: 'a/b' }, "the ID of a backfill is 'a/b'; accepted:");
    await refused({ job: `${h.prefix}nobody` }, `has a job '${h.prefix}nobody'`);
    await expect(backfills.describe('nobody')).rejects.toBeInstanceOf(BackfillNotFoundError);
  });

  test('by the worker that has the job', async () => {
    await work();
    const { backfills } = h.sensors;
    const { taskQueue } = h;
    const range = (from: string, to: string) => ({ partitions: { from, to } });
    const cases: readonly (readonly [object, string])[] = [
      [range('2026-02-30', '2026-03-01'), "partitions.from '2026-02-30' is not in the daily partitions"],
      [range('2026-02-02', '2026-02-01'), 'partitions.from (2026-02-02) comes after partitions.to (2026-02-01)'],
      [{ partitions: ['2026-01-01', 'never'] }, "partitions[1] 'never' is not in the daily partitions"],
      [{ job: 'noop' }, "job 'noop' has no partitions"],
      [{ job: 'echo' }, "the dynamic partitions of job 'echo' are none at this time"],
      [{}, "the assets of job 'partitioned' have different backfill policies"],
      [{ policy: 'single', config: { fail: 1 } }, "config does not fit job 'partitioned'"],
      [{ policy: 'single', assets: ['sales/none'] }, "assets[0] is not an asset of job 'partitioned'"],
    ];
    const ids = await Promise.all(
      cases.map(async ([options, message]) => {
        const { id } = await backfills.start({ job: 'partitioned', partitions: 'all', taskQueue, ...options });
        await expect(backfills.planned(id)).rejects.toThrow(message);
        expect(await backfills.describe(id)).toMatchObject({
          status: 'rejected',
          error: expect.stringContaining(message) as string,
        });
        return id;
      })
    );
    const failed = `WorkflowType = 'sensorBackfill' AND ExecutionStatus = 'Failed' AND TaskQueue = '${taskQueue}'`;
    await waitFor(async () => {
      const { count } = await h.client.workflow.count(failed);
      return count >= cases.length ? true : undefined;
    }, 'those that were rejected');
    for await (const { id } of backfills.list()) expect(ids).not.toContain(id);
    // which partition is not known without its history, what is wrong is
    const connection = await Connection.connect({
      address: inject('temporalAddress'),
      interceptors: [
        (options, nextCall) => {
          if (options.method_definition.path.endsWith('/GetWorkflowExecutionHistory')) throw new Error('not allowed');
          return nextCall(options) as InterceptingCall;
        },
      ],
    });
    const { error } = await new BackfillClient(new Client({ connection })).describe(ids[0] ?? '');
    expect(error).toContain('partitions.from is not in the daily partitions');
    await connection.close();
  });
});
