import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  defineJob,
  defineRunFailureSensor,
  defineRunStatusSensor,
  RetryAfterError,
  type RunStatus,
  type StatusRun,
} from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const echo = defineJob({ name: 'echo', config: z.object({ of: z.string() }) });

/** Starts a workflow of the tests' module on the harness's task queue. */
async function start(
  harness: Harness,
  type: string,
  args: readonly unknown[] = [],
  options: { readonly id?: string; readonly timeout?: string } = {}
) {
  return await harness.client.workflow.start(type, {
    workflowId: `${harness.prefix}${options.id ?? `${type}-${Math.random()}`}`,
    taskQueue: harness.taskQueue,
    args: [...args],
    ...(options.timeout === undefined ? {} : { workflowExecutionTimeout: options.timeout }),
  });
}

async function fail(harness: Harness, id: string) {
  const handle = await start(harness, 'ends', ['fail'], { id });
  await handle.result().catch(() => undefined);
  return handle;
}

/** IDs without the harness's prefix. */
function idsOf(harness: Harness, runs: readonly StatusRun[]): string[] {
  return runs.map(({ workflowId }) => workflowId.replace(harness.prefix, ''));
}

describe('a run status sensor', () => {
  test('handles each way to end once, in the order of closing, and nothing from before it was started', async () => {
    const harness = await Harness.create();
    const handled: StatusRun[] = [];
    const started: StatusRun[] = [];
    const monitor = { taskQueue: harness.taskQueue };
    const ended = defineRunStatusSensor({
      name: 'ended',
      status: ['completed', 'failed', 'timedOut', 'terminated', 'canceled', 'continuedAsNew'],
      monitor,
      interval: '200ms',
      handle: (_, run) => void handled.push(run),
    });
    const begun = defineRunStatusSensor({
      name: 'begun',
      status: 'started',
      monitor,
      interval: '200ms',
      handle: (_, run) => void started.push(run),
    });
    await harness.work([ended, begun]);
    await fail(harness, 'before');
    for (const sensor of [ended, begun]) await harness.sensors.start(harness.name(sensor));
    await harness.folded(ended);
    await harness.sensors.stop(harness.name(ended));

    await (await start(harness, 'ends', ['complete'], { id: 'complete' })).result();
    await fail(harness, 'fail');
    await (await start(harness, 'ends', ['continue'], { id: 'continue' })).result();
    const timedOut = await start(harness, 'ends', ['wait'], { id: 'timeOut', timeout: '1s' });
    await timedOut.result().catch(() => undefined);
    const terminated = await start(harness, 'ends', ['wait'], { id: 'terminate' });
    await terminated.terminate('enough');
    const canceled = await start(harness, 'ends', ['wait'], { id: 'cancel' });
    await canceled.cancel();
    await canceled.result().catch(() => undefined);

    await waitFor(() => started.length >= 7, 'all starts');
    // a preview only says what would be handled
    const preview = await harness.sensors.preview(harness.name(ended));
    expect(preview.skipReason).toMatch(/^7 events would be handled: .*complete/);
    expect(handled).toEqual([]);
    await harness.sensors.start(harness.name(ended));
    await waitFor(() => handled.length >= 7, 'all events');
    const ends = handled.map(({ status, workflowId }) => `${workflowId.replace(harness.prefix, '')} ${status}`);
    expect(ends).toEqual([
      'complete completed',
      'fail failed',
      'continue continuedAsNew',
      'continue completed',
      'timeOut timedOut',
      'terminate terminated',
      'cancel canceled',
    ]);
    const times = handled.map(({ at }) => at.getTime());
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(idsOf(harness, started)).toEqual([
      'complete',
      'fail',
      'continue',
      'continue',
      'timeOut',
      'terminate',
      'cancel',
    ]);
    expect(handled[1]?.failure).toMatchObject({ message: 'this workflow fails' });
    expect(handled[0]?.failure).toBeUndefined();
    expect(await handled[1]?.input()).toEqual(['fail']);
    // nothing again, and an idle tick costs no history
    const description = await harness.folded(ended);
    expect(description.evaluation?.lastOutcome).toBe(
      'no new completed, failed, timedOut, terminated, canceled, continuedAsNew runs of any type'
    );
    expect(handled).toHaveLength(7);
    expect(started).toHaveLength(7);
  });

  test('requests a run for each event, and does not react to what it started', async () => {
    const harness = await Harness.create();
    const failing = defineJob({ name: 'failing', config: z.object({}) });
    const sensor = defineRunFailureSensor({
      name: 'repair',
      monitor: { taskQueue: harness.taskQueue },
      jobs: [echo, failing],
      interval: '200ms',
      defaultStatus: 'running',
      *handle(ctx, run) {
        yield ctx.run({ job: echo, config: { of: run.workflowId } });
        yield ctx.run({ job: failing, tags: { why: run.failure.message } });
      },
    });
    await harness.work([sensor]);
    await harness.sensors.tick(harness.name(sensor));
    const first = await fail(harness, 'first');
    const runs = await waitFor(async () => {
      const listed = await harness.runs(sensor);
      return listed.length >= 2 && listed.every(({ closeTime }) => closeTime !== undefined) ? listed : undefined;
    }, 'the runs');
    expect(runs.map(({ runKey }) => runKey)).toEqual(
      Array(2).fill(`${first.workflowId}/${first.firstExecutionRunId}/failed`)
    );
    // the failed run of this sensor's own is seen, and passed over
    await fail(harness, 'second');
    await waitFor(async () => (await harness.runs(sensor)).length >= 4, 'the runs of the second');
    const ticks = await harness.sensors.ticks(harness.name(sensor));
    expect(ticks.reduce((sum, { handled = 0 }) => sum + handled, 0)).toBe(2);
    expect(await harness.runs(sensor)).toHaveLength(4);
  });

  test('does not react to what the runs that it started have started themselves', async () => {
    const harness = await Harness.create();
    const family = defineJob({ name: 'parent', config: z.string(), args: (name) => [name] });
    const handled: string[] = [];
    const sensor = defineRunFailureSensor({
      name: 'repair',
      monitor: { taskQueue: harness.taskQueue },
      job: family,
      interval: '200ms',
      defaultStatus: 'running',
      handle(ctx, run) {
        handled.push(run.workflowId.replace(harness.prefix, ''));
        return run.workflowId.endsWith('first') ? ctx.run({ config: 'nobody' }) : undefined;
      },
    });
    const greet = (): never => {
      throw ApplicationFailure.nonRetryable('nobody is there');
    };
    await harness.work([sensor], { activities: { greet } });
    await harness.sensors.tick(harness.name(sensor));
    await fail(harness, 'first');
    const { workflowId } = await waitFor(async () => {
      const [run] = await harness.runs(sensor);
      return run?.closeTime === undefined ? undefined : run;
    }, 'the run');
    const child = await harness.client.workflow.getHandle(`${workflowId}/child`).describe();
    expect(child.status.name).toBe('FAILED');
    // after both of them, so they have been seen
    await fail(harness, 'second');
    await waitFor(() => handled.includes('second'), 'the next event');
    expect(handled).toEqual(['first', 'second']);
  });

  test('tries an event again whose handler throws, parks it in the end, and goes on with the others', async () => {
    const harness = await Harness.create();
    const handled: string[] = [];
    const tried: string[] = [];
    let repaired = false;
    const sensor = defineRunFailureSensor({
      name: 'alerts',
      monitor: { taskQueue: harness.taskQueue },
      interval: '200ms',
      defaultStatus: 'running',
      maxAttempts: 2,
      handleTimeout: '300ms',
      timeout: '20s',
      async handle(ctx, run) {
        const id = run.workflowId.replace(harness.prefix, '');
        tried.push(id);
        if (id === 'bad' && !repaired) throw new Error('the receiver does not like it');
        if (id === 'hopeless') throw ApplicationFailure.nonRetryable('no such channel');
        if (id === 'slow' && tried.filter((each) => each === id).length === 1)
          await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(new Error('stopped'))));
        handled.push(id);
      },
    });
    const name = harness.name(sensor);
    await harness.work([sensor]);
    await harness.sensors.tick(name);
    for (const id of ['a', 'bad', 'b', 'hopeless', 'slow', 'c']) await fail(harness, id);
    await waitFor(async () => {
      const { deadLetters } = await harness.sensors.state(name);
      return deadLetters.length === 2 && handled.includes('c') && handled.includes('slow');
    }, 'the end of all');
    expect(handled.filter((id) => id !== 'slow')).toEqual(['a', 'b', 'c']);
    expect(tried.filter((id) => id === 'bad')).toHaveLength(2);
    expect(tried.filter((id) => id === 'hopeless')).toHaveLength(1);
    const { deadLetters } = await harness.sensors.state(name);
    expect(deadLetters.map(({ error }) => error.replace(/.*?\/failed/, '')).sort()).toEqual([
      ' (2 tries): Error: the receiver does not like it',
      ': ApplicationFailure: no such channel',
    ]);
    const failures = (await harness.sensors.ticks(name)).filter(({ status }) => status === 'failure');
    expect(failures.map(({ error }) => error).join()).toContain('the handler did not end within 300 ms');
    await waitFor(async () => (await harness.sensors.describe(name)).health === 'ok', 'good health');

    repaired = true;
    const bad = deadLetters.filter(({ error }) => error.includes('does not like')).map(({ id }) => id);
    await harness.sensors.retryDeadLetters(name, { ids: bad });
    await waitFor(() => handled.includes('bad'), 'the event that was handed back');
    expect((await harness.sensors.state(name)).deadLetters).toHaveLength(1);
  });

  test('pauses as long as the receiver asks, and catches up after that and after a time without workers', async () => {
    const harness = await Harness.create();
    const handled: string[] = [];
    let busyUntil = 0;
    const sensor = defineRunFailureSensor({
      name: 'alerts',
      monitor: { taskQueue: harness.taskQueue },
      interval: '200ms',
      defaultStatus: 'running',
      handle(_, run) {
        if (Date.now() < busyUntil) throw new RetryAfterError(busyUntil - Date.now() + 100, 'too many messages');
        handled.push(run.workflowId.replace(harness.prefix, ''));
      },
    });
    const name = harness.name(sensor);
    const first = await harness.work([sensor]);
    await harness.sensors.tick(name);
    busyUntil = Date.now() + 2_000;
    for (const id of ['a', 'b']) await fail(harness, id);
    const paused = await waitFor(async () => {
      const { evaluation } = await harness.sensors.describe(name);
      return evaluation?.lastOutcome?.startsWith('paused') === true ? evaluation.lastOutcome : undefined;
    }, 'the pause');
    expect(paused).toContain('too many messages');
    expect((await harness.sensors.describe(name)).health).toBe('ok');
    await waitFor(() => handled.length === 2, 'the end of the pause');

    await first.stop();
    const running = await Promise.all(['c', 'd', 'e'].map((id) => start(harness, 'ends', ['wait'], { id })));
    for (const handle of running) await handle.terminate();
    await harness.work([sensor]);
    await waitFor(() => handled.length >= 5, 'what happened meanwhile');
    expect(handled).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('refuses a query that Temporal does not understand when its worker starts, with its words', async () => {
    const harness = await Harness.create();
    const sensorOf = (query: string) =>
      defineRunFailureSensor({ name: 'alerts', monitor: { query }, handle: () => undefined });
    const refused = async (query: string): Promise<string> =>
      await harness.work([sensorOf(query)]).then(
        () => 'accepted',
        (error: unknown) => (error as Error).message
      );
    expect(await refused('NoSuchAttribute = 1')).toMatch(/monitor\.query is 'NoSuchAttribute = 1'.*NoSuchAttribute/);
    expect(await refused("WorkflowId = 'a') OR (WorkflowId = 'b'")).toMatch(/which Temporal does not understand/);
    const none = defineRunFailureSensor({ name: 'none', handle: () => undefined });
    await expect(harness.work([none])).rejects.toThrow('they have none; say what to monitor');
  });

  test('takes names with quotes as data', async () => {
    const harness = await Harness.create();
    const handled: string[] = [];
    const sensor = defineRunStatusSensor({
      name: 'quotes',
      status: 'terminated' satisfies RunStatus,
      monitor: { taskQueue: harness.taskQueue, workflowTypes: [`it's') OR ('1'='1`] },
      interval: '200ms',
      defaultStatus: 'running',
      handle: (_, run) => void handled.push(run.type),
    });
    await harness.work([sensor]);
    await harness.sensors.tick(harness.name(sensor));
    for (const type of ['plain', `it's') OR ('1'='1`]) {
      const handle = await start(harness, type, [], { id: `t${type.length}` });
      await handle.terminate();
    }
    await waitFor(() => handled.length > 0, 'the event');
    expect(handled).toEqual([`it's') OR ('1'='1`]);
    const odd = { name: 'odd', monitor: { workflowTypes: ['a"b'] }, handle: () => undefined };
    expect(() => defineRunFailureSensor(odd)).toThrow('cannot find names with double quotes');
  });
});
