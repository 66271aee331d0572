/** The log of an asset: recorded once by runs, activities and clients, in order, and kept whatever happens to it. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { assetState, readAsset, recordAssetEvents, retainAsset, subscribeAsset } from '../../src/client/index.js';
import {
  defineAsset,
  defineAssetSensor,
  defineJob,
  defineSensor,
  dynamicPartitions,
  materialize,
  observe,
  staticPartitions,
  type AssetEvent,
  type NewAssetEvent,
} from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

function newEvent(asset: string, n: number, text = ''): NewAssetEvent {
  return {
    asset,
    kind: 'materialization',
    eventId: `event-${n}`,
    partitionKey: `part-${n % 10}`,
    metadata: { n: { type: 'number', value: n }, text: { type: 'text', value: text } },
    producer: {},
  };
}

async function readAll(h: Harness, asset: string, limit = 1_000): Promise<AssetEvent[]> {
  const all: AssetEvent[] = [];
  for (;;) {
    const events = await readAsset(h.client, asset, { after: all.at(-1)?.position ?? 0, limit });
    if (events.length === 0) return all;
    all.push(...events);
  }
}

test('a run, its activity and a client record events of one asset, each once, with who produced them', async () => {
  const h = await Harness.create();
  const asset = `${h.prefix}sales/orders`;
  const job = defineJob({ name: 'makes', config: z.string(), args: (name) => [name] });
  const sensor = defineSensor({
    name: 'orders',
    job,
    interval: '1h',
    defaultStatus: 'running',
    evaluate: (ctx) => ctx.run({ runKey: 'first', config: asset }),
  });
  await h.work([sensor], {
    activities: {
      async make(name: string) {
        await materialize(name, { partition: 'a' });
        await materialize(name, { partition: 'b' });
        await observe(name);
        // the attempt that repeats it records nothing twice
        if (Context.current().info.attempt === 1) throw ApplicationFailure.retryable('after recording');
        await materialize(name, { partition: 'b', metadata: { again: 1 } });
      },
    },
  });
  await waitFor(async () => (await readAsset(h.client, asset)).length === 6, 'the events of the run');
  await h.sensors.materialize(asset.split('/'), { metadata: { report: { type: 'url', value: 'https://x.test/' } } });
  await h.sensors.observe(asset, { eventId: 'mine' });
  await h.sensors.observe(asset, { eventId: 'mine' });

  const events = await waitFor(async () => {
    const all = await readAsset(h.client, asset);
    return (await assetState(h.client, asset))?.duplicates === 4 ? all : undefined;
  }, 'all events');
  expect(events.map(({ position, kind, partitionKey }) => [position, kind, partitionKey])).toEqual([
    [1, 'materialization', '2026-01-01'],
    [2, 'observation', undefined],
    [3, 'materialization', 'a'],
    [4, 'materialization', 'b'],
    [5, 'observation', undefined],
    [6, 'materialization', 'b'],
    [7, 'materialization', undefined],
    [8, 'observation', undefined],
  ]);
  expect(events[0]).toMatchObject({ asset, metadata: { rows: { type: 'number', value: 3 } } });
  const run = {
    workflowId: `${h.name(sensor)}:makes:first`,
    job: 'makes',
    sensor: h.name(sensor),
    tick: 1,
    runKey: 'first',
  };
  for (const { producer } of events.slice(0, 6)) expect(producer).toMatchObject(run);
  expect(events[6]?.producer).toEqual({});
  expect(await assetState(h.client, asset)).toMatchObject({
    last: 8,
    materializations: 5,
    observations: 3,
    latestMaterialization: { position: 7 },
    latestObservation: { position: 8 },
    partitions: [
      { partitionKey: '2026-01-01', position: 1 },
      { partitionKey: 'a' },
      { partitionKey: 'b', position: 6 },
    ],
  });
  expect(await readAsset(h.client, asset, { after: 5, limit: 2 })).toEqual(events.slice(5, 7));
});

test('the first event that a worker with activities alone records starts a log that sensors can read', async () => {
  const h = await Harness.create();
  await h.work([defineSensor({ name: 'idle', interval: '1h', evaluate: () => null })]);
  const elsewhere = `${h.taskQueue}-activities`;
  const activities = { make: async (name: string) => await materialize(name, { partition: 'a' }) };
  const worker = await Worker.create({ connection: h.native, taskQueue: elsewhere, activities });
  const asset = `${h.prefix}orders`;
  await waitFor(async () => {
    const query = `WorkflowType = 'sensorLoop' AND TaskQueue = '${h.taskQueue}'`;
    return (await h.client.workflow.count(query)).count > 0;
  }, 'the loop to be listed');
  await worker.runUntil(
    h.client.workflow.execute('makesElsewhere', {
      taskQueue: h.taskQueue,
      workflowId: `${h.prefix}makes`,
      args: [asset, elsewhere],
    })
  );
  expect(await readAsset(h.client, asset)).toMatchObject([{ position: 1, partitionKey: 'a' }]);
});

test('what cannot be recorded is refused where it is said, by name of the limit', async () => {
  const h = await Harness.create();
  await h.work([defineSensor({ name: 'idle', interval: '1h', evaluate: () => null })]);
  const asset = `${h.prefix}orders`;
  const { sensors, taskQueue } = h;
  const regions = { kind: 'asset', name: asset, partitions: staticPartitions(['eu', 'us']) } as const;
  const customers = { kind: 'asset', name: asset, partitions: dynamicPartitions('customers') } as const;
  await expect(sensors.materialize(asset)).rejects.toThrow('has no log yet: give taskQueue');
  await expect(sensors.materialize('sales orders')).rejects.toThrow("the asset is 'sales orders'; accepted:");
  await expect(sensors.materialize(regions, { partition: 'asia', taskQueue })).rejects.toThrow(
    `asset '${asset}': partition 'asia' is not in its static partitions`
  );
  await expect(sensors.materialize(customers, { partition: 'acme', taskQueue })).rejects.toThrow(
    "partition 'acme' is not in partition set 'customers'; add it first"
  );
  await expect(sensors.materialize(customers, { taskQueue })).rejects.toThrow(
    'partition is missing; the asset has dynamic partitions, and a materialization is of one of them'
  );
  for (const eventId of ['', 7 as never])
    await expect(sensors.observe(asset, { eventId, taskQueue })).rejects.toThrow('eventId is ');
  const large = { text: 'x'.repeat(8 * 1024) };
  await expect(sensors.observe(asset, { metadata: large, taskQueue })).rejects.toThrow('at most 8192 (8 KB)');
  const misnamed = { ['n'.repeat(101)]: 1 };
  await expect(sensors.observe(asset, { metadata: misnamed, taskQueue })).rejects.toThrow('accepted: 1 to 100');
  const run = await h.client.workflow.start('misnames', { taskQueue, workflowId: `${h.prefix}misnames` });
  await expect(run.result()).rejects.toMatchObject({
    cause: {
      message: expect.stringContaining("asset 'sales/orders': metadata 'rows' is NaN; accepted: a finite number"),
    },
  });
  expect(await readAsset(h.client, asset)).toEqual([]);
});

test('events beyond the state are read from pages, in order, also when the log has continued as new', async () => {
  const h = await Harness.create();
  const { taskQueue } = h;
  await h.work([defineSensor({ name: 'idle', interval: '1h', evaluate: () => null })]);
  const asset = `${h.prefix}orders`;
  const events = Array.from({ length: 700 }, (_, n) => newEvent(asset, n, 'x'.repeat(4_000)));
  await recordAssetEvents(h.client, events, { taskQueue });
  // a log that has just been started first looks for what it knew before: who asks meanwhile waits
  expect(await assetState(h.client, asset)).toMatchObject({ asset });
  await waitFor(async () => (await assetState(h.client, asset))?.last === 700, 'all events');
  // the last of them once more, as a sender does that heard no answer
  await recordAssetEvents(h.client, events.slice(-300), { taskQueue });
  const log = h.client.workflow.getHandle(`asset/${asset}`);
  await waitFor(async () => (await assetState(h.client, asset))?.duplicates === 300, 'the repeated events');
  const memo = await waitFor(async () => {
    const { runId, raw, memo } = await log.describe();
    return runId !== raw.workflowExecutionInfo?.firstRunId && memo;
  }, 'a new run of the log');
  expect(memo).toMatchObject({ asset: { last: expect.any(Number), partitions: 10 } });
  const all = await readAll(h, asset);
  expect(all.map(({ position }) => position)).toEqual(events.map((_, n) => n + 1));
  expect(all.map(({ eventId }) => eventId)).toEqual(events.map(({ eventId }) => eventId));

  // a reader that is behind keeps what it has not read
  await subscribeAsset(h.client, asset, { sensor: 'reader', position: 400, taskQueue });
  await retainAsset(h.client, asset, { events: 100, taskQueue });
  const first = await waitFor(async () => {
    const state = await assetState(h.client, asset);
    return state !== undefined && state.first > 1 ? state.first : undefined;
  }, 'the retention');
  expect(first).toBeLessThanOrEqual(401);
  expect((await readAll(h, asset)).map(({ position }) => position)).toEqual(
    Array.from({ length: 701 - first }, (_, n) => first + n)
  );
});

test('a log that somebody ended comes back with its events, and with what came before its last word', async () => {
  const h = await Harness.create();
  const { taskQueue } = h;
  const worker = await h.work([defineSensor({ name: 'idle', interval: '1h', evaluate: () => null })]);
  const asset = `${h.prefix}orders`;
  const send = async (from: number, count: number): Promise<void> =>
    await recordAssetEvents(
      h.client,
      Array.from({ length: count }, (_, n) => newEvent(asset, from + n, 'x'.repeat(4_000))),
      { taskQueue }
    );
  await send(0, 80);
  await subscribeAsset(h.client, asset, { sensor: h.name('idle'), position: 3, taskQueue });
  await waitFor(async () => (await assetState(h.client, asset))?.subscribers.length === 1, 'the subscriber');
  const before = await readAll(h, asset);
  await worker.stop();
  await send(80, 10);
  await h.client.workflow.getHandle(`asset/${asset}`).terminate('by mistake');
  // the last ten once more: they are known although no worker saw them
  await send(80, 11);
  await h.work([defineSensor({ name: 'idle', interval: '1h', evaluate: () => null })]);

  const after = await waitFor(async () => {
    const all = await readAll(h, asset);
    return all.length > 90 ? all : undefined;
  }, 'the log');
  expect(after.map(({ position, eventId }) => [position, eventId])).toEqual(
    Array.from({ length: 91 }, (_, n) => [n + 1, `event-${n}`])
  );
  expect(after.slice(0, 30)).toEqual(before.slice(0, 30));
  expect(await assetState(h.client, asset)).toMatchObject({
    duplicates: 10,
    subscribers: [{ sensor: h.name('idle'), position: 3 }],
  });
});

test('a log that was ended because nobody worked it off takes events again', async () => {
  const h = await Harness.create();
  const { taskQueue } = h;
  const asset = `${h.prefix}orders`;
  // a sender looks at the log every 2 MB: four of them fill it with the 8 MB that it may have waiting, and look next time
  const clients = Array.from({ length: 4 }, () => new Client({ connection: h.client.connection }));
  const flood = Array.from({ length: 144 }, (_, n) => newEvent(asset, n, 'x'.repeat(15 * 1024)));
  await Promise.all(clients.map(async (client) => await recordAssetEvents(client, flood, { taskQueue })));
  const log = h.client.workflow.getHandle(`asset/${asset}`);
  expect((await log.describe()).historySize).toBeGreaterThan(8 * 1024 * 1024);
  await log.terminate('to move it');
  for (const client of clients) await recordAssetEvents(client, [newEvent(asset, 1)], { taskQueue });
  expect((await log.describe()).status.name).toBe('RUNNING');
});

test('the next tick of its sensor brings a log back that somebody ended', async () => {
  const h = await Harness.create();
  const { taskQueue } = h;
  const asset = `${h.prefix}orders`;
  const handled: number[] = [];
  const sensor = defineAssetSensor({
    name: 'reader',
    asset: defineAsset({ key: asset }),
    interval: '1h',
    defaultStatus: 'running',
    startFrom: new Date(0),
    handle: (_, { position }) => void handled.push(position),
  });
  await recordAssetEvents(h.client, [newEvent(asset, 0)], { taskQueue });
  await h.work([sensor]);
  await waitFor(() => handled.length === 1, 'the event');
  // the log learns how far it was read
  await h.sensors.tick(h.name(sensor));
  const log = h.client.workflow.getHandle(`asset/${asset}`);
  await log.terminate('by mistake');
  await h.sensors.tick(h.name(sensor));
  expect((await log.describe()).status.name).toBe('RUNNING');
  // and it wakes the sensor again
  await recordAssetEvents(h.client, [newEvent(asset, 1)], { taskQueue });
  await waitFor(() => handled.length === 2, 'the next event');
  expect(handled).toEqual([1, 2]);
});

test('an event wakes the sensors that subscribe to the asset, long before their interval', async () => {
  const h = await Harness.create();
  const { taskQueue } = h;
  const asset = `${h.prefix}orders`;
  const reader = defineSensor({ name: 'reader', interval: '1h', defaultStatus: 'running', evaluate: () => null });
  await h.work([reader]);
  await waitFor(async () => {
    const { evaluation } = await h.sensors.describe(h.name(reader));
    return evaluation?.phase === 'waiting' && evaluation.lastTickOutcome !== undefined;
  }, 'the sensor to wait');
  await subscribeAsset(h.client, asset, { sensor: h.name(reader), position: 0, taskQueue });
  await subscribeAsset(h.client, asset, { sensor: h.name('gone'), position: 0, taskQueue });
  await h.sensors.materialize(asset);
  await waitFor(async () => {
    const { events } = await h.loop(reader).fetchHistory();
    return events?.some(({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName === 'push');
  }, 'the nudge');
});
