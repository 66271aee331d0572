/** Faults of what surrounds a sensor: clocks, codecs, permissions. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { afterEach, expect, inject, test } from 'vitest';
import { defineAsset, defineJob, defineMultiAssetSensor, defineSensor, type AssetDefinition } from '../../src/index.js';
import { createRegistry } from '../../src/sensors/registry.js';
import { reconcileAll } from '../../src/worker/reconcile.js';
import { Harness, waitFor } from '../support/harness.js';

type InterceptingCall = ReturnType<NonNullable<ConnectionOptions['interceptors']>[number]>;

const noop = defineJob({ name: 'noop' });
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

test.each([3_600_000, -3_600_000])(
  'a worker whose clock is %i ms off keeps the rhythm and starts each key once',
  async (shift) => {
    const h = await Harness.create();
    const preload = fileURLToPath(new URL('../support/shifted-clock.mjs', import.meta.url));
    const script = fileURLToPath(new URL('../support/old-worker.ts', import.meta.url));
    const args = [inject('temporalAddress'), h.taskQueue, h.prefix, inject('bundlePath')];
    const child = spawn(process.execPath, ['--import', preload, '--import', 'tsx', script, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, SHIFT_MS: String(shift) },
    });
    children.push(child);
    await once(child.stdout, 'data');
    await waitFor(async () => (await h.runs('changed')).length >= 5, 'five runs, one a tick');
    const ticks = await h.sensors.ticks(h.name('changed'));
    expect(ticks.filter(({ status }) => status === 'failure')).toEqual([]);
    for (const { startedAt } of ticks) expect(Math.abs(startedAt - Date.now())).toBeLessThan(60_000);
    const nextAt = await waitFor(async () => (await h.folded('removed')).evaluation?.nextAt, 'a wait');
    expect(Math.abs(nextAt.getTime() - Date.now())).toBeLessThan(60_000);
    const keys = (await h.runs('changed')).map(({ runKey }) => runKey);
    expect(new Set(keys).size).toBe(keys.length);
  }
);

test('half a character in an error, a skip reason or a run key ends no worker', async () => {
  const h = await Harness.create();
  const half = 'caf\udce9.csv';
  const noop = defineJob({ name: 'noop' });
  const sensor = defineSensor({
    name: 'halved',
    job: noop,
    interval: '1h',
    evaluate(ctx) {
      if (ctx.tick === 1) throw new Error(`cannot parse ${half}`);
      if (ctx.tick === 2) return ctx.skip(half);
      if (ctx.tick === 3) void ctx.run({ runKey: half });
      return ctx.run({ runKey: half });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'failure', error: 'Error: cannot parse caf\ufffd.csv' });
  expect(await h.sensors.tick(name)).toMatchObject({ skipReason: 'caf\ufffd.csv' });
  expect(await h.sensors.tick(name)).toMatchObject({ error: expect.stringContaining(`run key 'caf\ufffd.csv'`) });
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'success', runs: { count: 1 } });
  await expect(h.sensors.rerun(name, { runKey: `${half}2` })).rejects.toThrow('has not run');
});

test('a payload codec that fails once, and again, delays a sensor, and loses or doubles nothing', async () => {
  let calls = 0;
  let armed = false;
  const FAILING_CALLS = new Set([3, 11, 26, 47]);
  const flaky: PayloadCodec = {
    encode: (payloads) => unreliable(payloads),
    decode: (payloads) => unreliable(payloads),
  };
  async function unreliable(payloads: Payload[]): Promise<Payload[]> {
    if (armed && FAILING_CALLS.has(++calls)) throw new Error('the key server is busy');
    return payloads;
  }
  const h = await Harness.create();
  let n = 0;
  const sensor = defineSensor({
    name: 'flaky',
    job: noop,
    interval: 100,
    defaultStatus: 'running',
    *evaluate(ctx) {
      if (n < 10) n++;
      for (let key = 0; key < n; key++) yield ctx.run({ runKey: `k${key}` });
    },
  });
  // the loop's tasks fail and are tried again, by intention
  h.broken.add(sensor.name);
  await h.work([sensor], { dataConverter: { payloadCodecs: [flaky] } });
  armed = true;
  const runs = await waitFor(async () => {
    const found = await h.runs(sensor);
    return found.length >= 10 ? found : undefined;
  }, '10 runs');
  expect(calls).toBeGreaterThan(47);
  expect(runs.map(({ runKey = '' }) => runKey).toSorted()).toEqual(Array.from({ length: 10 }, (_, key) => `k${key}`));
});

test('without permission to list workflows a new sensor still starts', async () => {
  const h = await Harness.create();
  const connection = await Connection.connect({
    address: inject('temporalAddress'),
    interceptors: [
      (options, nextCall) => {
        if (options.method_definition.path.endsWith('/ListWorkflowExecutions'))
          throw Object.assign(new Error('7 PERMISSION_DENIED: not allowed to list'), { code: 7 });
        return nextCall(options) as InterceptingCall;
      },
    ],
  });
  const client = new Client({ connection });
  await expect(client.workflow.list()[Symbol.asyncIterator]().next()).rejects.toThrow();
  const sensor = defineSensor({ name: 'unlisted', job: noop, interval: '1h', evaluate: (ctx) => ctx.skip('nothing') });
  const worker = { client, options: { taskQueue: h.taskQueue, namespace: 'default' } } as unknown as Worker;
  await reconcileAll(worker, createRegistry([sensor], h.prefix));
  expect(await h.sensors.describe(h.name(sensor))).toMatchObject({ status: 'stopped' });
  await connection.close();
});

test('a worker that dies before it has told a sensor of a new asset leaves the sensor to the next worker', async () => {
  const h = await Harness.create();
  const orders = defineAsset({ key: [`${h.prefix}orders`] });
  const customers = defineAsset({ key: [`${h.prefix}customers`] });
  const watching = (assets: Readonly<Record<string, AssetDefinition>>) =>
    defineMultiAssetSensor({ name: 'watching', assets, interval: '1h', handle: () => null });
  let signals = 0;
  const connection = await Connection.connect({
    address: inject('temporalAddress'),
    interceptors: [
      (options, nextCall) => {
        if (options.method_definition.path.endsWith('/SignalWorkflowExecution') && ++signals === 2)
          throw Object.assign(new Error('the worker is gone'), { code: 7 });
        return nextCall(options) as InterceptingCall;
      },
    ],
  });
  const worker = {
    client: new Client({ connection }),
    options: { taskQueue: h.taskQueue, namespace: 'default' },
  } as unknown as Worker;
  const sensor = watching({ orders, customers });
  await reconcileAll(worker, createRegistry([watching({ orders })], h.prefix));
  await expect(reconcileAll(worker, createRegistry([sensor], h.prefix))).rejects.toThrow();
  await reconcileAll(worker, createRegistry([sensor], h.prefix));
  const { events = [] } = await h.loop(sensor).fetchHistory();
  const told = (events ?? []).map((event) => event.workflowExecutionSignaledEventAttributes?.signalName);
  expect(told.filter((name) => name != null)).toEqual(['push', 'push', 'configure']);
  await connection.close();
});
