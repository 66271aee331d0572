/** Signals under load: every pushed event is delivered once and in order, or counted; and no stream of them wears a loop out. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startDevServer, type DevServer } from '../../src/cli/dev-server.js';
import { SensorRejectedError } from '../../src/client/index.js';
import { loopId } from '../../src/client/loops.js';
import { defineSensor, type Json } from '../../src/index.js';
import { MAX_HISTORY_EVENTS } from '../../src/sensors/limits.js';
import { Harness, waitFor } from '../support/harness.js';
import { laneEvent, Lanes, type LaneEvent } from '../support/lanes.js';

/** Temporal takes 10,000 signals a run; with fewer, but enough for a loop to continue as new, what happens then is seen sooner. */
const SIGNALS_PER_RUN = MAX_HISTORY_EVENTS + 100;
let limited: DevServer;
beforeAll(async () => {
  const dynamicConfig = [`history.maximumSignalsPerExecution=${SIGNALS_PER_RUN}`];
  limited = await startDevServer({ binary: inject('temporalBinary'), fast: true, headless: true, dynamicConfig });
});
afterAll(() => limited.stop());

type Push = (h: Harness, name: string, event: LaneEvent) => Promise<void>;
const viaClient: Push = (h, name, event) => h.sensors.push(name, event);
// each costs the SDK up to a millisecond and more in the workflow, so thousands of them are for a benchmark
const viaSignal: Push = (h, name, event) => h.client.workflow.getHandle(loopId(name)).signal('push', event);

test.each([
  ['9,000 pushes', 9_000, viaClient],
  ['600 signals', 600, viaSignal],
] as const)('%s as fast as a client can send them are each delivered once and in order', async (_, count, push) => {
  const h = await Harness.create();
  const lanes = new Lanes(50);
  const sensor = defineSensor({
    name: 'flooded',
    interval: '1h',
    defaultStatus: 'running',
    events: laneEvent,
    evaluate: (ctx) => lanes.take(ctx.events),
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await lanes.send(count, (event) => push(h, name, event));
  await waitFor(() => lanes.delivered >= count, 'all events');
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.eventsWaiting === 0 ? now : undefined;
  }, 'an empty inbox');
  expect(lanes).toMatchObject({ delivered: count, doubled: 0, outOfOrder: 0 });
  expect(state.counters).toMatchObject({ events: count, eventsDropped: 0, eventsTooLarge: 0, failures: 0 });
});

/** Pushes one after the other until the loop continues as new, as it must long before it has 10,000 signals. */
async function pushUntilNewRun(h: Harness, name: string, event: (n: number) => Json): Promise<number> {
  const { runId } = await h.sensors.describe(name);
  const isNew = async (): Promise<boolean> => (await h.sensors.describe(name)).runId !== runId;
  let sent = 0;
  while (sent < MAX_HISTORY_EVENTS && !(await isNew()))
    for (let n = 0; n < 50; n++) await h.sensors.push(name, event(sent++));
  await waitFor(isNew, 'a new run of the loop');
  return sent;
}

test('a stopped sensor under a stream of pushes keeps the first 256 KB, counts the rest, and keeps its history short', async () => {
  const h = await Harness.create();
  const got: Json[] = [];
  const sensor = defineSensor({
    name: 'deaf',
    interval: '1h',
    evaluate(ctx) {
      got.push(...ctx.events);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  const event = (n: number): string => String(n).padEnd(1000, '.');
  const sent = await pushUntilNewRun(h, name, event);
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.eventsWaiting + now.counters.eventsDropped === sent ? now : undefined;
  }, 'all pushes');
  expect(state.eventsWaiting).toBe(Math.floor((256 * 1024) / 1003));
  expect(state.counters.eventsDropped).toBeGreaterThan(0);
  await h.sensors.start(name);
  await waitFor(() => got.length >= state.eventsWaiting, 'what was kept');
  expect(got).toEqual(Array.from({ length: state.eventsWaiting }, (_, n) => event(n)));
});

test('when Temporal takes no more signals for a run, the sender is told, a stop gets through, and the sensor goes on', async () => {
  const h = await Harness.create({}, limited.address);
  const lanes = new Lanes(20);
  let release = (): void => undefined;
  let evaluating = false;
  const sensor = defineSensor({
    name: 'busy',
    interval: '1h',
    defaultStatus: 'running',
    events: laneEvent,
    async evaluate(ctx) {
      if (ctx.events.length === 0) return;
      evaluating = true;
      await new Promise<void>((resolve, reject) => {
        release = resolve;
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
      });
      lanes.take(ctx.events);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await h.sensors.push(name, { lane: 20, n: 0 });
  await waitFor(() => evaluating, 'the evaluation');
  const refusals: unknown[] = [];
  const sent = SIGNALS_PER_RUN + 100;
  await lanes.send(sent, (event) =>
    h
      .loop(sensor)
      .signal('push', event)
      .catch((error: unknown) => void refusals.push(error))
  );
  expect(refusals.length).toBeGreaterThanOrEqual(100);
  const refused = await h.sensors.push(name, { lane: 0, n: sent }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(SensorRejectedError);
  expect(String(refused)).toContain(`sensor '${name}' takes no more messages until its evaluation has ended`);
  // an operator is not locked out by those who push
  await h.sensors.stop(name, { by: 'ann' });
  await waitFor(async () => (await h.sensors.describe(name)).evaluation === undefined, 'stopped');
  // it continues as new, and takes messages again
  await waitFor(() => h.sensors.push(name, { lane: 20, n: 1 }).then(() => true), 'a push that is taken');
  await h.sensors.start(name);
  const accepted = 1 + sent - refusals.length + 1;
  await waitFor(() => {
    release();
    return lanes.delivered >= accepted;
  }, 'all that was accepted');
  expect(lanes).toMatchObject({ delivered: accepted, doubled: 0, outOfOrder: 0 });
});

test('pushes to a sensor that no worker has do not fill the history of its loop', async () => {
  const h = await Harness.create();
  const got: Json[] = [];
  const define = (name: string) =>
    defineSensor({
      name,
      interval: '1h',
      defaultStatus: 'running',
      evaluate(ctx) {
        got.push(...ctx.events);
      },
    });
  const sensor = define('absent');
  const name = h.name(sensor);
  const worker = await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await worker.stop();
  const other = await h.work([define('present')]);
  const sent = await pushUntilNewRun(h, name, (n) => n);
  expect(got).toEqual([]);
  await other.stop();
  await h.work([sensor]);
  await waitFor(() => got.length >= sent, 'all events');
  expect(got).toEqual(Array.from({ length: sent }, (_, n) => n));
});
