/** Signals under load: every pushed event is delivered once and in order, or counted; and no stream of them wears a loop out. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startDevServer, type DevServer } from '../../src/cli/dev-server.js';
import { SensorRejectedError } from '../../src/client/index.js';
import { defineSensor } from '../../src/index.js';
import { MAX_HISTORY_EVENTS } from '../../src/sensors/limits.js';
import { Harness, waitFor } from '../support/harness.js';
import { laneEvent, Lanes } from '../support/lanes.js';

/** Temporal takes 10,000 signals a run. With little more than a loop needs to continue as new, one that does not is seen. */
const SIGNALS_PER_RUN = MAX_HISTORY_EVENTS + 500;
let limited: DevServer;
beforeAll(async () => {
  const dynamicConfig = [`history.maximumSignalsPerExecution=${SIGNALS_PER_RUN}`];
  limited = await startDevServer({ binary: inject('temporalBinary'), fast: true, headless: true, dynamicConfig });
});
afterAll(() => limited.stop());

test('9,000 pushes as fast as a client can send them are each delivered once and in order', async () => {
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
  await lanes.send(9_000, (event) => h.sensors.push(name, event));
  await waitFor(() => lanes.delivered >= 9_000, 'all events');
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.eventsWaiting === 0 ? now : undefined;
  }, 'an empty inbox');
  expect(lanes).toMatchObject({ delivered: 9_000, doubled: 0, outOfOrder: 0 });
  expect(state.counters).toMatchObject({ events: 9_000, eventsDropped: 0, eventsTooLarge: 0, failures: 0 });
});

test('a stopped sensor under a stream of pushes keeps the first 256 KB, counts the rest, and keeps its history short', async () => {
  const h = await Harness.create();
  const got: string[] = [];
  const sensor = defineSensor({
    name: 'deaf',
    interval: '1h',
    evaluate(ctx) {
      got.push(...(ctx.events as string[]));
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  const first = await h.sensors.describe(name);
  const event = (n: number): string => String(n).padEnd(300, '.');
  let sent = 0;
  const stream = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await h.sensors.push(name, event(sent++));
  };
  await stream(1_200);
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.eventsWaiting + now.counters.eventsDropped === 1_200 ? now : undefined;
  }, 'all pushes');
  expect(state.counters.eventsDropped).toBeGreaterThan(300);
  // a message wakes it, so it continues as new although it does nothing
  const later = await h.sensors.describe(name);
  expect(later.runId).not.toBe(first.runId);
  expect(later.historyLength).toBeLessThan(2 * MAX_HISTORY_EVENTS);
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
  const refusals: unknown[] = [];
  const sent = SIGNALS_PER_RUN + 500;
  await lanes.send(sent, (event) => h.sensors.push(name, event).catch((error: unknown) => void refusals.push(error)));
  expect(evaluating).toBe(true);
  expect(refusals.length).toBeGreaterThanOrEqual(500);
  for (const error of refusals) expect(error).toBeInstanceOf(SensorRejectedError);
  expect(String(refusals[0])).toContain(`sensor '${name}' takes no more messages until its evaluation has ended`);
  // an operator is not locked out by those who push
  await h.sensors.stop(name, { by: 'ann' });
  await waitFor(async () => (await h.sensors.describe(name)).evaluation === undefined, 'stopped');
  await h.sensors.push(name, { lane: 0, n: sent });
  await h.sensors.start(name);
  const accepted = sent - refusals.length + 1;
  await waitFor(() => {
    release();
    return lanes.delivered >= accepted;
  }, 'all that was accepted');
  expect(lanes).toMatchObject({ delivered: accepted, doubled: 0, outOfOrder: 0 });
});

test('pushes to a sensor that no worker has do not fill the history of its loop', async () => {
  const h = await Harness.create({}, limited.address);
  const lanes = new Lanes(20);
  const define = (name: string) =>
    defineSensor({
      name,
      interval: '1h',
      defaultStatus: 'running',
      events: laneEvent,
      evaluate: (ctx) => lanes.take(ctx.events),
    });
  const sensor = define('absent');
  const name = h.name(sensor);
  const worker = await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await worker.stop();
  await h.work([define('present')]);
  await lanes.send(SIGNALS_PER_RUN + 500, (event) => h.sensors.push(name, event));
  expect((await h.sensors.describe(name)).historyLength).toBeLessThan(2 * MAX_HISTORY_EVENTS);
  expect(lanes.delivered).toBe(0);
  await h.work([sensor]);
  await waitFor(() => lanes.delivered >= SIGNALS_PER_RUN + 500, 'all events');
  expect(lanes).toMatchObject({ delivered: SIGNALS_PER_RUN + 500, doubled: 0, outOfOrder: 0 });
});
