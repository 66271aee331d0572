/** Ticks that ask for more than one payload holds: their requests wait in pages, and start exactly once each, in order. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../src/index.js';
import { PAGE_TYPE } from '../../src/sensors/protocol.js';
import { Harness, waitFor } from '../support/harness.js';

const config = z.object({ n: z.number(), text: z.string().optional() });
const sized = defineJob({ name: 'noop', config });
/** Nobody polls its task queue: runs are started and stay so, which is all that a test of many starts needs. */
const unworked = defineJob({ name: 'noop', config, taskQueue: 'big-tick-without-worker' });

/** One tick of `count` requests, keyed and keyless in turn. */
function bigTick(name: string, count: number, bytes: number, job = sized) {
  return defineSensor({
    name,
    job,
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.boolean().default(false),
    *evaluate(ctx) {
      if (ctx.cursor) {
        yield ctx.skip('done');
        return;
      }
      const text = 'x'.repeat(bytes);
      for (let n = 0; n < count; n++)
        yield ctx.run({ ...(n % 2 === 0 ? { runKey: `k${n}` } : {}), config: { n, text }, tags: { n: `${n}` } });
      ctx.setCursor(true);
    },
  });
}

/** Sensor's pages that are still open. */
async function openPages(h: Harness, sensor: string): Promise<string[]> {
  const query = `WorkflowType = '${PAGE_TYPE}' AND ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH 'page/${sensor}/'`;
  const ids: string[] = [];
  for await (const { workflowId } of h.client.workflow.list({ query })) ids.push(workflowId);
  return ids;
}

/** The starts that the loop asked for, in order, over all its runs. */
async function initiated(h: Harness, sensor: string): Promise<string[]> {
  const runs: { readonly runId: string; readonly startTime: Date }[] = [];
  for await (const run of h.client.workflow.list({ query: `WorkflowId = 'sensor/${h.name(sensor)}'` })) runs.push(run);
  const ids: string[] = [];
  for (const { runId } of runs.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime())) {
    const { events } = await h.client.workflow.getHandle(`sensor/${h.name(sensor)}`, runId).fetchHistory();
    for (const { startChildWorkflowExecutionInitiatedEventAttributes: child } of events ?? [])
      if (child?.workflowId != null) ids.push(child.workflowId);
  }
  return ids;
}

function numbers(runs: readonly { readonly tags: Readonly<Record<string, string>> }[]): number[] {
  return runs.map(({ tags }) => Number(tags['n']));
}

test('1,000 requests of one tick start once each, in order, and leave no page behind', async () => {
  const h = await Harness.create();
  const sensor = bigTick('big', 1000, 600, unworked);
  await h.work([sensor]);
  await waitFor(
    async () => (await h.sensors.describe(h.name(sensor))).evaluation?.phase === 'waiting',
    'its end',
    120_000
  );
  const runs = await h.settledRuns(sensor, 1000);
  expect(numbers(runs).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, n) => n));
  const numberOf = new Map(runs.map(({ workflowId, tags }) => [workflowId, Number(tags['n'])]));
  expect((await initiated(h, sensor.name)).map((id) => numberOf.get(id))).toEqual(
    Array.from({ length: 1000 }, (_, n) => n)
  );
  await waitFor(async () => (await openPages(h, h.name(sensor))).length === 0, 'released pages');
  expect(await h.sensors.tick(h.name(sensor))).toMatchObject({ status: 'skipped', skipReason: 'done' });
}, 200_000);

test('a stop in the middle holds the rest; terminated and started again, all of it runs once', async () => {
  const h = await Harness.create();
  // 20 KB each: a page holds twelve
  const sensor = bigTick('held', 90, 20_000);
  const name = h.name(sensor);
  await h.work([sensor]);
  await waitFor(async () => (await h.sensors.state(name)).counters.runs > 0, 'the first runs');
  await h.sensors.stop(name);
  const { pending, counters } = await waitFor(async () => {
    const state = await h.sensors.state(name);
    return state.pending.count > 0 ? state : undefined;
  }, 'pending requests');
  expect(pending.count + counters.runs).toBe(90);
  // held requests wait for as long as it takes, not for as long as staged ones are kept
  const pages = await waitFor(async () => {
    const ids = await openPages(h, name);
    return ids.length > 0 && ids.every((id) => id.startsWith(`page/${name}/pending/`)) ? ids : undefined;
  }, 'pages that do not expire');
  const { raw } = await h.client.workflow.getHandle(pages[0] ?? '').describe();
  expect(Number(raw.executionConfig?.workflowExecutionTimeout?.seconds ?? 0)).toBe(0);

  await h.loop(sensor).terminate();
  await h.sensors.start(name);
  await waitFor(async () => (await h.sensors.state(name)).counters.runs === 90, '90 runs');
  const runs = await h.settledRuns(sensor, 90);
  expect(new Set(numbers(runs)).size).toBe(90);
  expect(runs).toHaveLength(90);
}, 150_000);

test('requests whose page somebody deleted are counted and named, and the others run', async () => {
  const h = await Harness.create();
  const sensor = bigTick('robbed', 90, 20_000);
  const name = h.name(sensor);
  const first = await h.work([sensor]);
  await waitFor(async () => (await h.sensors.state(name)).counters.runs > 0, 'the first runs');
  await first.stop();
  const pages = await openPages(h, name);
  expect(pages.length).toBeGreaterThan(0);
  for (const workflowId of pages)
    await h.client.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution: { workflowId } });
  await h.work([sensor]);
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.counters.ticks === 1 ? now : undefined;
  }, 'the end of the tick');
  expect(state.counters.runs + state.counters.rejected).toBe(90);
  expect(state.deadLetters.map(({ error }) => error).join()).toMatch(
    /\d+ accepted requests cannot be started: page '.*' is not on the server/
  );
}, 120_000);
