/** Sensors that record events of assets with their ticks, and that ask for stale assets only. */
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { assetState, readAsset, subscribeAsset } from '../../src/client/index.js';
import {
  defineAsset,
  defineJob,
  defineSensor,
  dynamicPartitions,
  materialize,
  staticPartitions,
  type AssetDefinition,
} from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

test('what a tick says of assets is recorded once, with the tick, and only if it is committed', async () => {
  const h = await Harness.create();
  const customers = dynamicPartitions('customers');
  const orders = defineAsset({ key: [h.prefix, 'orders'], partitions: customers });
  let mode: 'throws' | 'nowhere' | 'records' | 'calls the activity' = 'throws';
  const sensor = defineSensor({
    name: 'reporter',
    interval: '1h',
    watches: [orders],
    async evaluate(ctx) {
      if (mode === 'calls the activity') await materialize(orders);
      ctx.materialize(orders, { partition: mode === 'nowhere' ? 'nowhere' : 'acme', metadata: { rows: ctx.tick } });
      ctx.observe(orders.key);
      if (mode === 'throws') throw new Error('after it was said');
      return { partitionRequests: [customers.add(['acme'])] };
    },
  });
  const worker = await h.work([sensor]);
  const name = h.name(sensor);
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'failure' });
  mode = 'nowhere';
  expect((await h.sensors.tick(name)).error).toBe(
    `asset '${orders.name}': partition is not in partition set 'customers'; add it first`
  );
  mode = 'calls the activity';
  expect((await h.sensors.tick(name)).error).toContain('in a sensor, ctx.materialize records with the tick');
  mode = 'records';
  const preview = await h.sensors.preview(name);
  expect(preview).toMatchObject({
    status: 'success',
    assetEvents: { count: 2, sample: [{ partitionKey: 'acme' }, {}] },
  });
  expect(await readAsset(h.client, orders)).toEqual([]);

  const applied = await h.sensors.apply(name, preview.id ?? '');
  const ticked = await h.sensors.tick(name);
  for (const record of [applied, ticked]) expect(record).toMatchObject({ status: 'success', assetEvents: 2 });
  await worker.stop();
  await h.loop(sensor).terminate('by mistake');
  await h.work([sensor]);
  const again = await h.sensors.tick(name);
  await h.sensors.prune(name);
  const events = await waitFor(async () => {
    const all = await readAsset(h.client, orders);
    return all.length >= 6 ? all : undefined;
  }, 'the events');
  expect(events.map(({ kind, partitionKey, producer }) => [kind, partitionKey, producer])).toEqual(
    [applied, ticked, again].flatMap(({ tick }) => [
      ['materialization', 'acme', { sensor: name, tick }],
      ['observation', undefined, { sensor: name, tick }],
    ])
  );
  expect((await assetState(h.client, orders))?.duplicates).toBe(0);
});

test('while the log of one asset takes nothing, the events of another are recorded once, not at each attempt', async () => {
  const h = await Harness.create();
  const free = defineAsset({ key: [h.prefix, 'free'] });
  const busy = defineAsset({ key: [h.prefix, 'busy'] });
  const sensor = defineSensor({
    name: 'reporter',
    interval: '1h',
    watches: [free, busy],
    evaluate(ctx) {
      for (const asset of [free, busy, free]) ctx.observe(asset);
    },
  });
  let refusals = 2;
  const sends = new WeakSet<object>();
  const refuseSome: ActivityInterceptorsFactory = ({ client: { workflow } }) => {
    const send = workflow.signalWithStart.bind(workflow);
    if (!sends.has(workflow))
      workflow.signalWithStart = async (type, options) => {
        if (options.workflowId === `asset/${busy.name}` && refusals-- > 0) throw new Error('no room');
        return await send(type, options);
      };
    sends.add(workflow);
    return {};
  };
  await h.work([sensor], { interceptors: { activity: [refuseSome] } });
  expect(await h.sensors.tick(h.name(sensor))).toMatchObject({ status: 'success', assetEvents: 3 });
  expect(refusals).toBeLessThan(0);
  const ids = async ({ name }: AssetDefinition) => (await readAsset(h.client, name)).map(({ eventId }) => eventId);
  const all = [...(await ids(free)), ...(await ids(busy))];
  expect(all.map((id) => id.slice(-2))).toEqual(['/0', '/2', '/1']);
  expect((await assetState(h.client, free))?.duplicates).toBe(0);
});

test('staleOnly asks for what is older than its upstream, and uses no run key up for what is not', async () => {
  const h = await Harness.create();
  const source = defineAsset({ key: [h.prefix, 'source'] });
  const daily = defineAsset({ key: [h.prefix, 'daily'], upstream: [source] });
  const other = defineAsset({ key: [h.prefix, 'other'] });
  const echo = defineJob({ name: 'echo', assets: [daily, other] });
  let key = 'first';
  const sensor = defineSensor({
    name: 'refresh',
    job: echo,
    interval: '1h',
    evaluate: (ctx) => ctx.run({ runKey: key, staleOnly: true }),
  });
  await h.work([sensor]);
  const name = h.name(sensor);
  const { taskQueue } = h;
  await h.sensors.observe(source, { taskQueue });
  await h.sensors.materialize(other, { taskQueue });
  expect((await h.sensors.tick(name)).runs.count).toBe(1);
  await h.sensors.materialize(daily, { taskQueue });
  key = 'second';
  expect(await h.sensors.tick(name)).toMatchObject({
    status: 'skipped',
    skipReason: `job 'echo' is not asked for: ${daily.name}, ${other.name} are up to date`,
  });
  await h.sensors.observe(source);
  expect((await h.sensors.tick(name)).runs.count).toBe(1);
  const runs = await h.settledRuns(sensor, 2);
  const asked = new Map(runs.map(({ runKey, assets }) => [runKey, assets]));
  expect(asked).toEqual(
    new Map([
      ['first', [daily.name]],
      ['second', [daily.name]],
    ])
  );
});

test('a job that names a partition its asset does not have fails, as this worker knows the asset', async () => {
  const h = await Harness.create();
  const { taskQueue } = h;
  const asset = defineAsset({ key: [h.prefix, 'orders'], partitions: staticPartitions(['eu', 'us']) });
  await h.work([defineSensor({ name: 'idle', interval: '1h', watches: [asset], evaluate: () => null })]);
  const run = await h.client.workflow.start('makes', {
    taskQueue,
    workflowId: `${h.prefix}makes`,
    args: [asset.name],
  });
  await expect(run.result()).rejects.toMatchObject({
    cause: { cause: { message: `asset '${asset.name}': partition is not in its static partitions` } },
  });
});

test('a log knows which of its subscribers are gone, and drops those that were pruned or watch it no more', async () => {
  const h = await Harness.create();
  const { taskQueue } = h;
  const asset = defineAsset({ key: [h.prefix, 'orders'] });
  const watcher = (name: string, watches: readonly (typeof asset)[]) =>
    defineSensor({ name, interval: '1h', watches, evaluate: () => null });
  const worker = await h.work([watcher('pruned', [asset]), watcher('changed', [asset])]);
  for (const name of ['pruned', 'changed', 'gone'])
    await subscribeAsset(h.client, asset, { sensor: h.name(name), position: 0, taskQueue });
  await h.sensors.materialize(asset);
  const goneOf = async (): Promise<readonly (readonly [string, boolean])[]> =>
    ((await assetState(h.client, asset))?.subscribers ?? []).map(
      ({ sensor, goneSince }) => [sensor, goneSince !== undefined] as const
    );
  await waitFor(async () => (await goneOf()).some(([, gone]) => gone), 'the nudges');
  expect(await goneOf()).toEqual([
    [h.name('pruned'), false],
    [h.name('changed'), false],
    [h.name('gone'), true],
  ]);
  await worker.stop();
  await h.work([watcher('changed', [])]);
  await h.sensors.prune(h.name('pruned'));
  await waitFor(async () => (await goneOf()).length === 1, 'the one that is gone');
  expect(await goneOf()).toEqual([[h.name('gone'), true]]);
  const before = await assetState(h.client, asset);
  expect(await h.sensors.pruneAsset(asset)).toMatchObject({ logRuns: expect.any(Number) as number, pages: 0 });
  // nobody tells of it any more
  await waitFor(async () => {
    const listed = await h.sensors.assets({ name: asset.name });
    return listed.length === 0;
  }, 'the end of what was recorded');
  await h.sensors.materialize(asset, { taskQueue });
  const after = await waitFor(async () => await assetState(h.client, asset), 'a log that begins anew');
  expect(after).toMatchObject({ last: 1, subscribers: [] });
  expect(after.id).not.toBe(before?.id);
  // what comes while it is pruned begins the next log, which stays
  const send = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) await h.sensors.observe(asset, { eventId: `while ${n}`, taskQueue });
  };
  await Promise.all([send(), h.sensors.pruneAsset(asset)]);
  const kept = await readAsset(h.client, asset);
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.map(({ eventId }) => eventId)).toEqual(kept.map((_, n) => `while ${100 - kept.length + n}`));
});
