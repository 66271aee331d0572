/** Runs that start or close on a worker wake the sensors that watch them, long before their interval. */
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import { Worker } from '@temporalio/worker';
import { readFile } from 'node:fs/promises';
import { expect, inject, test } from 'vitest';
import { defineSensor } from '../../src/index.js';
import type { SensorDefinition } from '../../src/sensors/define-sensor.js';
import type { RunStatus } from '../../src/sensors/status-run.js';
import { Harness, waitFor } from '../support/harness.js';

/** A sensor that nothing but a nudge wakes in the time of a test. */
function watcher(status: RunStatus): SensorDefinition {
  const sensor = defineSensor({ name: status, interval: '1h', defaultStatus: 'running', evaluate: () => null });
  return { ...sensor, watchesRuns: { statuses: [status], types: ['ends'] } };
}

/** Waits until the sensor has nothing to do for an hour. */
async function waits(h: Harness, sensor: SensorDefinition): Promise<void> {
  await waitFor(async () => {
    const { evaluation } = await h.sensors.describe(h.name(sensor));
    return evaluation?.phase === 'waiting' && evaluation.lastTickOutcome !== undefined;
  }, `sensor ${sensor.name} to wait`);
}

async function start(h: Harness, how: string, id: string = how) {
  return await h.client.workflow.start('ends', { taskQueue: h.taskQueue, workflowId: h.prefix + id, args: [how] });
}

/** The nudges in the history of a sensor's loop, and what the evaluations were told of their cause. */
async function nudges(h: Harness, sensor: SensorDefinition) {
  const { events } = await h.loop(sensor).fetchHistory();
  const signals = (events ?? []).filter(({ workflowExecutionSignaledEventAttributes: signal }) => signal != null);
  const triggers = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: activity }) => {
    const [payload] = activity?.input?.payloads ?? [];
    return payload?.data == null
      ? []
      : [(JSON.parse(Buffer.from(payload.data).toString()) as { trigger?: string }).trigger];
  });
  return { count: signals.length, triggers, lastAt: optionalTsToMs(signals.at(-1)?.eventTime) ?? 0 };
}

/** Everything in a run's history that is not about its workflow tasks. */
async function commandEvents(h: Harness, workflowId: string): Promise<readonly unknown[]> {
  const { events } = await h.client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? [])
    .filter((event) => !Object.keys(event).some((key) => key.startsWith('workflowTask')))
    .map(({ eventType }) => eventType);
}

test('each status wakes the sensors that watch it, and no others', async () => {
  const h = await Harness.create();
  const [started, completed, failed, canceled, continued] = (
    ['started', 'completed', 'failed', 'canceled', 'continuedAsNew'] as const
  ).map(watcher) as [SensorDefinition, SensorDefinition, SensorDefinition, SensorDefinition, SensorDefinition];
  const sensors = [started, completed, failed, canceled, continued];
  await h.work(sensors);
  await Promise.all(sensors.map((sensor) => waits(h, sensor)));
  const woken = async (sensor: SensorDefinition) =>
    await waitFor(async () => (await nudges(h, sensor)).count > 0, `a nudge of ${sensor.name}`);

  await start(h, 'fail');
  await woken(failed);
  await (await start(h, 'wait')).cancel();
  await woken(canceled);
  await start(h, 'continue');
  await Promise.all([woken(continued), woken(completed), woken(started)]);
  for (const sensor of [failed, canceled, continued, completed]) {
    expect(await nudges(h, sensor)).toMatchObject({ count: 1 });
    await waitFor(async () => (await nudges(h, sensor)).triggers.at(-1) === 'push', 'the evaluation that it caused');
  }
});

test('a run that a worker without nudges began replays on one with them, has the same history, and nudges', async () => {
  const h = await Harness.create();
  const sensor = watcher('completed');
  const code = await readFile(inject('bundlePath'), 'utf8');
  const without = code.replace(/function importInterceptors\(\) \{/, '$& return [];');
  expect(without).not.toBe(code);
  const old = await h.work([sensor], { workflowBundle: { code: without } });
  await waits(h, sensor);
  const [throughout, across] = [await start(h, 'wait', 'throughout'), await start(h, 'wait', 'across')];
  await throughout.signal('finish');
  await throughout.result();
  await waitFor(
    async () => (await across.fetchHistory()).events?.some((event) => event.workflowTaskCompletedEventAttributes),
    'its first task'
  );
  await old.stop();
  expect(await nudges(h, sensor)).toMatchObject({ count: 0 });

  await h.work([sensor]);
  await across.signal('finish');
  await across.result();
  await waitFor(async () => (await nudges(h, sensor)).count === 1, 'the nudge');
  expect(await commandEvents(h, across.workflowId)).toEqual(await commandEvents(h, throughout.workflowId));
  await Worker.runReplayHistory(
    { workflowBundle: { codePath: inject('bundlePath') } },
    await throughout.fetchHistory()
  );
});

test('a burst of runs wakes a sensor on the task queue of another worker a few times, and again after the last', async () => {
  const [watching, working] = [await Harness.create(), await Harness.create()];
  const sensor = watcher('completed');
  await watching.work([sensor]);
  await waits(watching, sensor);
  const visible = async () => (await watching.sensors.list()).some((each) => each.sensor === watching.name(sensor));
  await waitFor(visible, 'the sensor in the list');
  const idle = defineSensor({ name: 'idle', interval: '1h', evaluate: () => null });
  await working.work([idle]);

  await Promise.all(Array.from({ length: 60 }, (_, n) => start(working, 'complete', `run-${n}`)));
  const query = `WorkflowType = 'ends' AND TaskQueue = '${working.taskQueue}' AND ExecutionStatus = 'Completed'`;
  await waitFor(async () => (await working.client.workflow.count(query)).count === 60, 'the end of all runs');
  let lastClosed = 0;
  for await (const { closeTime } of working.client.workflow.list({ query })) {
    lastClosed = Math.max(lastClosed, closeTime?.getTime() ?? 0);
  }
  await waitFor(async () => (await nudges(watching, sensor)).lastAt >= lastClosed, 'a nudge after the last run');
  expect((await nudges(watching, sensor)).count).toBeLessThan(20);
});
