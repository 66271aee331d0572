import { Context } from '@temporalio/activity';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import Long from 'long';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineAsset, defineJob, defineSensor, dynamicPartitions, type Json } from '../../../src/index.js';
import { Harness, waitFor } from '../../support/harness.js';

const noop = defineJob({ name: 'noop' });

/** Waits for `signal`, as an evaluation that passes it on would. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });
}

test('the code decides until an operator does; reset gives it back', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({ name: 'status', interval: 100, evaluate: () => null });
  const name = h.name(sensor);
  await h.work([sensor]);
  expect(await h.sensors.describe(name)).toMatchObject({ status: 'stopped', statusFrom: 'code' });
  await h.sensors.start(name, { by: 'ann', reason: 'go' });
  const { choice, audit } = await waitFor(async () => {
    const state = await h.sensors.state(name);
    return state.status === 'running' ? state : undefined;
  }, 'running');
  expect(choice).toMatchObject({ status: 'running', by: 'ann', reason: 'go' });
  expect(audit).toMatchObject([{ what: 'start', by: 'ann', reason: 'go' }]);
  await h.folded(sensor);
  expect(await h.sensors.describe(name)).toMatchObject({ status: 'running', statusFrom: 'operator', statusBy: 'ann' });
  await h.sensors.stop(name);
  await waitFor(async () => (await h.sensors.describe(name)).evaluation === undefined, 'no evaluation');
  expect(await h.sensors.reset(name)).toMatchObject({ status: 'stopped' });
  expect((await h.sensors.describe(name)).statusFrom).toBe('code');
});

test('a stop with until ends by itself', async () => {
  const h = await Harness.create();
  let evaluations = 0;
  const sensor = defineSensor({
    name: 'until',
    interval: 100,
    defaultStatus: 'running',
    evaluate: () => void evaluations++,
  });
  await h.work([sensor]);
  await h.folded(sensor);
  await h.sensors.stop(h.name(sensor), { until: new Date(Date.now() + 1500).toISOString() });
  await waitFor(async () => (await h.sensors.describe(h.name(sensor))).status === 'stopped', 'stopped');
  const seen = evaluations;
  await waitFor(() => evaluations > seen, 'an evaluation after the stop has ended');
});

test('the first start ticks at once; stop and start inside an interval waits the rest of it', async () => {
  const h = await Harness.create();
  let evaluations = 0;
  const sensor = defineSensor({
    name: 'rest',
    interval: '1h',
    defaultStatus: 'running',
    evaluate: () => void evaluations++,
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await waitFor(() => evaluations === 1, 'the first tick');
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'its record');
  await h.sensors.stop(name);
  await h.sensors.start(name);
  const waiting = await waitFor(async () => {
    const { evaluation } = await h.sensors.describe(name);
    return evaluation?.phase === 'waiting' ? evaluation : undefined;
  }, 'the wait for the interval');
  expect((waiting.nextAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(3_500_000);
  expect(evaluations).toBe(1);
  expect(await h.sensors.tick(name)).toMatchObject({ tick: 2, trigger: 'tick' });
});

test('tick works on a stopped sensor without starting it, and never folds', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'manual',
    job: noop,
    interval: 100,
    evaluate: (ctx) => (ctx.tick === 1 ? ctx.run({ runKey: 'once' }) : ctx.skip('nothing')),
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  expect(await h.sensors.tick(name, { by: 'bob' })).toMatchObject({ tick: 1, status: 'success', runs: { count: 1 } });
  expect(await h.sensors.tick(name)).toMatchObject({ tick: 2, status: 'skipped', skipReason: 'nothing' });
  const many = await Promise.all(Array.from({ length: 8 }, () => h.sensors.tick(name)));
  expect(many.every(({ status }) => status === 'skipped')).toBe(true);
  await h.loop(sensor).signal('tick');
  await waitFor(async () => (await h.sensors.state(name)).tick >= 4, 'the signalled tick');
  expect(await h.sensors.describe(name)).toMatchObject({ status: 'stopped' });
});

test('a stop aborts a running evaluation, and start repeats it', async () => {
  const h = await Harness.create();
  let begun = 0;
  let stoppedAfterMs = Number.NaN;
  const sensor = defineSensor({
    name: 'stopping',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    async *evaluate(ctx) {
      begun++;
      const at = Date.now();
      if (begun === 1) await aborted(ctx.signal).finally(() => (stoppedAfterMs = Date.now() - at));
      yield ctx.run({ runKey: 'after' });
    },
  });
  await h.work([sensor]);
  await waitFor(() => begun === 1, 'the evaluation');
  await h.sensors.stop(h.name(sensor));
  await waitFor(() => Number.isFinite(stoppedAfterMs), 'the abort');
  await waitFor(async () => (await h.sensors.describe(h.name(sensor))).evaluation === undefined, 'no evaluation');
  expect((await h.sensors.state(h.name(sensor))).tick).toBe(0);
  await h.sensors.start(h.name(sensor));
  await h.tickWhere(sensor, ({ runs }) => runs.count === 1, 'the run');
  expect(begun).toBe(2);
});

test('a stop while launching holds the rest as pending; start runs them, each once', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'holding',
    job: noop,
    interval: '1h',
    *evaluate(ctx) {
      for (let n = 0; n < 120; n++) yield ctx.run({ runKey: `n${n}` });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.sensors.start(name);
  await waitFor(async () => (await h.sensors.state(name)).counters.runs > 0, 'the first starts', 20_000);
  await h.sensors.stop(name);
  const stopped = await waitFor(async () => {
    const state = await h.sensors.state(name);
    return state.pending.count > 0 ? state : undefined;
  }, 'pending requests');
  expect(stopped.counters.runs + stopped.pending.count).toBe(120);
  expect(stopped.counters.runs).toBeGreaterThan(0);
  await expect(h.sensors.tick(name)).rejects.toThrow('holds back pending requests');
  expect((await h.sensors.state(name)).audit.at(-1)?.what).toBe('tick (refused: pending requests come first)');
  await h.sensors.start(name);
  await waitFor(async () => (await h.sensors.state(name)).counters.runs === 120, '120 runs');
  expect((await h.sensors.state(name)).pending.count).toBe(0);
  expect(await h.settledRuns(sensor, 120)).toHaveLength(120);
});

test('what is pushed and told while a tick changes partition sets, or records asset events, counts', async () => {
  const h = await Harness.create();
  const parts = dynamicPartitions(`${h.prefix}parts`);
  const orders = defineAsset({ key: [`${h.prefix}sales`, 'orders'] });
  const got: Json[] = [];
  const sensor = defineSensor({
    name: 'changes',
    job: noop,
    interval: '1h',
    cursor: z.number().default(0),
    evaluate(ctx) {
      got.push(...ctx.events);
      ctx.setCursor(ctx.cursor + 1);
      ctx.materialize(orders);
      return { partitionRequests: [parts.add([`p${ctx.cursor}`])] };
    },
  });
  const name = h.name(sensor);
  const held: (() => void)[] = [];
  const hold: ActivityInboundCallsInterceptor = {
    async execute(input, next) {
      const { activityType } = Context.current().info;
      if (activityType === 'changePartitions' || activityType === 'recordTickEvents')
        await new Promise<void>((resolve) => held.push(resolve));
      return await next(input);
    },
  };
  await h.work([sensor], { interceptors: { activity: [() => ({ inbound: hold })] } });
  const tick = h.sensors.tick(name);
  await waitFor(() => held.length === 1, 'the change of the set');
  await h.sensors.push(name, 'while the set changes');
  await h.sensors.start(name, { by: 'ann' });
  held[0]?.();
  await waitFor(() => held.length === 2, 'the events of the asset');
  await h.sensors.push(name, 'while events are recorded');
  await h.sensors.stop(name, { by: 'bob' });
  held[1]?.();
  await tick;
  expect(await h.sensors.state(name)).toMatchObject({
    status: 'stopped',
    choice: { by: 'bob' },
    eventsWaiting: 2,
    audit: [{ what: 'tick' }, { what: 'start', by: 'ann' }, { what: 'stop', by: 'bob' }],
  });
  held.push = (resolve) => (resolve(), 0);
  await h.sensors.tick(name);
  expect(got).toEqual(['while the set changes', 'while events are recorded']);
});

test('a cursor edit is checked, and drops the result of the evaluation it overtakes', async () => {
  const h = await Harness.create();
  const seen: number[] = [];
  let release = (): void => undefined;
  const sensor = defineSensor({
    name: 'fence',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.number().default(0),
    async *evaluate(ctx) {
      seen.push(ctx.cursor);
      // ignores its signal, so that its result arrives after the edit
      if (ctx.cursor === 0) await new Promise<void>((resolve) => (release = resolve));
      yield ctx.run({ runKey: `from ${ctx.cursor}` });
      ctx.setCursor(ctx.cursor + 1);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await waitFor(() => seen.length === 1, 'the evaluation');
  await expect(h.sensors.setCursor(name, 'text')).rejects.toThrow(
    `the cursor does not fit the sensor's schema (cursor: Invalid input: expected number, received string)`
  );
  await expect(h.loop(sensor).executeUpdate('setCursor', { args: [{ nonsense: 1 }] })).rejects.toMatchObject({
    cause: { message: expect.stringContaining('setCursor needs') },
  });
  await h.sensors.setCursor(name, 10, { by: 'ann' });
  release();
  await waitFor(async () => (await h.sensors.state(name)).cursor?.value === 11, 'the cursor after the edit');
  expect(seen).toEqual([0, 10]);
  const runs = await h.settledRuns(sensor, 1);
  expect(runs.map(({ runKey }) => runKey)).toEqual(['from 10']);
  expect((await h.sensors.state(name)).audit.at(-1)).toMatchObject({ what: 'set cursor', by: 'ann' });
  await h.sensors.stop(name);
  expect((await h.sensors.clearCursor(name)).cursor).toBeUndefined();
});

test('pushes every 400 ms do not starve an evaluation of 1.5 s', async () => {
  const h = await Harness.create();
  let completed = 0;
  let begun = 0;
  const got: unknown[] = [];
  const sensor = defineSensor({
    name: 'starving',
    interval: 200,
    defaultStatus: 'running',
    async evaluate(ctx) {
      begun++;
      await Promise.race([aborted(ctx.signal), new Promise((resolve) => setTimeout(resolve, 1500))]);
      completed++;
      got.push(...ctx.events);
    },
  });
  await h.work([sensor]);
  for (let n = 0; n < 15; n++) {
    await h.sensors.push(h.name(sensor), n);
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  await waitFor(() => got.length >= 15, 'all events');
  expect(got).toEqual(Array.from({ length: 15 }, (_, n) => n));
  expect(begun - completed).toBeLessThanOrEqual(1);
});

test('1,000 pushes of 1 KB at once: what exceeds the inbox is counted, the sensor lives on', async () => {
  const h = await Harness.create();
  let got = 0;
  const sensor = defineSensor({
    name: 'flood',
    interval: '1h',
    defaultStatus: 'running',
    evaluate(ctx) {
      got += ctx.events.length;
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  const event = 'x'.repeat(1000);
  for (let batch = 0; batch < 10; batch++) {
    await Promise.all(Array.from({ length: 100 }, () => h.sensors.push(name, event)));
  }
  const state = await waitFor(
    async () => {
      const now = await h.sensors.state(name);
      return now.eventsWaiting === 0 && now.counters.events + now.counters.eventsDropped >= 1000 ? now : undefined;
    },
    'every event delivered or counted',
    50_000
  );
  expect(state.counters.events + state.counters.eventsDropped).toBe(1000);
  expect(got).toBe(state.counters.events);
}, 90_000);

test('signals with no input, wrong input or an unknown name are survived and recorded', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({ name: 'odd', interval: '1h', defaultStatus: 'running', evaluate: () => null });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  const loop = h.loop(sensor);
  await loop.signal('stop');
  await loop.signal('start', 42);
  await loop.signal('stop', { by: 7, reason: ['x'], until: 'not a time' });
  await loop.signal('start', null, 'more', 'arguments');
  await loop.signal('configure');
  await loop.signal('configure', { options: { intervalMs: 'x' } });
  await loop.signal('push');
  await loop.signal('push', null, undefined);
  await loop.signal('tick', 'now');
  await loop.signal('unheardOf', { any: 'thing' });
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.audit.some(({ what }) => what.startsWith('unknown signal')) && now.tick >= 2 ? now : undefined;
  }, 'the record of the unknown signal');
  expect(state.status).toBe('running');
  expect(state.audit.map(({ what }) => what)).toEqual([
    'stop',
    'start',
    'stop',
    'start',
    'tick',
    `unknown signal 'unheardOf' ignored`,
  ]);
  await expect(loop.executeUpdate('unheardOf')).rejects.toThrow();
});

test('signals that come before the first task of a run are taken in their order', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({ name: 'early', interval: '1h', evaluate: () => null });
  const first = await h.work([sensor]);
  await h.loop(sensor).terminate();
  await first.stop();
  // the loop that comes back has had no task yet
  await h.sensors.start(h.name(sensor), { by: '1' });
  await h.sensors.stop(h.name(sensor), { by: '2' });
  await h.sensors.start(h.name(sensor), { by: '3' });
  await h.sensors.stop(h.name(sensor), { by: '4' });
  await h.work([sensor]);
  const { audit, status } = await h.sensors.state(h.name(sensor));
  expect(audit.map(({ what, by }) => [what, by])).toEqual([
    ['closed (terminated)', expect.any(String)],
    ['recovered', undefined],
    ['start', '1'],
    ['stop', '2'],
    ['start', '3'],
    ['stop', '4'],
  ]);
  expect(status).toBe('stopped');
});

test('cancelled or terminated in Temporal Web: the jobs go on, and the sensor comes back with its cursor, keys and status', async () => {
  const h = await Harness.create();
  const long = defineJob({ name: 'waiting' });
  const sensor = defineSensor({
    name: 'back',
    job: long,
    interval: '1h',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      yield ctx.run({ runKey: `k${ctx.cursor}` });
      ctx.setCursor(ctx.cursor + 1);
    },
  });
  const name = h.name(sensor);
  const first = await h.work([sensor]);
  await h.sensors.start(name, { by: 'ann' });
  await h.tickWhere(sensor, ({ runs }) => runs.count === 1, 'the first run');
  await h.loop(sensor).cancel();
  await waitFor(async () => (await h.loop(sensor).describe()).status.name === 'CANCELLED', 'cancelled');
  expect((await h.sensors.describe(name)).status).toBe('closed');
  await expect(h.sensors.tick(name)).rejects.toThrow(`is closed (CANCELLED)`);
  const job = h.client.workflow.getHandle(`${name}:waiting:k0`);
  expect((await job.describe()).status.name).toBe('RUNNING');
  await first.stop();
  await h.work([sensor]);
  await waitFor(async () => (await h.loop(sensor).describe()).status.name === 'RUNNING', 'the loop is back');
  expect(await h.sensors.state(name)).toMatchObject({ status: 'running', choice: { by: 'ann' }, cursor: { value: 1 } });
  await h.sensors.tick(name);
  const before = await h.sensors.state(name);
  await h.loop(sensor).terminate('by hand');
  await h.sensors.start(name);
  // folded from history, it is what it was
  const after = await h.sensors.state(name);
  expect(after).toMatchObject({ tick: before.tick, cursor: { value: 2 }, counters: before.counters, lastRunKey: 'k1' });
  expect(await h.sensors.tick(name)).toMatchObject({ runs: { count: 1 } });
  const runs = await h.settledRuns(sensor, 3);
  expect(new Set(runs.map(({ runKey }) => runKey))).toEqual(new Set(['k0', 'k1', 'k2']));
  expect(runs).toHaveLength(3);
  for (const { workflowId } of runs) await h.client.workflow.getHandle(workflowId).terminate();
});

test('a signal that nobody can decode stops the loop, until it is terminated and comes back without that signal', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'undecodable',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      for (const event of ctx.events) yield ctx.run({ runKey: JSON.stringify(event) });
      ctx.setCursor(ctx.cursor + 1);
    },
  });
  h.broken.add(sensor.name);
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  await h.client.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: `sensor/${name}` },
    signalName: 'push',
    input: { payloads: [{ metadata: { encoding: Buffer.from('binary/foreign') }, data: Buffer.from('?') }] },
  });
  await h.sensors.push(name, 'after');
  await waitFor(async () => (await h.sensors.describe(name)).failedTaskAttempts !== undefined, 'describe says so');
  await h.loop(sensor).terminate();
  await h.sensors.start(name);
  await h.tickWhere(sensor, ({ runs }) => runs.count === 1, 'the event after it');
  const { cursor, audit } = await h.sensors.state(name);
  expect(cursor).toEqual({ value: 2 });
  expect(audit.map(({ what }) => what)).toContain(`signal 'push' left out: its input cannot be decoded`);
});

test('a loop that is terminated while it starts runs comes back and starts the rest, each once', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'cutoff',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      if (ctx.tick > 1) return ctx.skip('done');
      for (let n = 0; n < 100; n++) yield n % 2 === 0 ? ctx.run({ runKey: `n${n}` }) : ctx.run();
      return null;
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await waitFor(async () => (await h.sensors.state(name)).counters.runs > 0, 'the first starts');
  await h.loop(sensor).terminate();
  await h.sensors.start(name);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the end of the launch');
  const runs = await h.settledRuns(sensor, 100);
  expect(runs).toHaveLength(100);
  expect(new Set(runs.map(({ workflowId }) => workflowId)).size).toBe(100);
});

test('a reset in Temporal Web starts nothing twice', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'resetting',
    job: noop,
    interval: '1h',
    *evaluate(ctx) {
      yield ctx.run({ runKey: 'a' });
      yield ctx.run({ runKey: 'b' });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.sensors.tick(name);
  await h.settledRuns(sensor, 2);
  const { runId } = await h.loop(sensor).describe();
  await h.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: `sensor/${name}`, runId },
    workflowTaskFinishEventId: Long.fromNumber(4),
    requestId: `reset-${name}`,
    reason: 'test',
  });
  const tick = await h.sensors.tick(name);
  expect(tick).toMatchObject({ status: 'skipped', runs: { count: 0 } });
  expect(await h.settledRuns(sensor, 2)).toHaveLength(2);
});
