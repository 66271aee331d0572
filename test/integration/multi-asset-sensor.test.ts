import { expect, test } from 'vitest';
import { z } from 'zod';
import type { AssetEvent, SensorDefinition } from '../../src/index.js';
import {
  allOf,
  defineAsset,
  defineJob,
  defineMultiAssetSensor,
  defineSensor,
  dynamicPartitions,
  staticPartitions,
  type AssetDefinition,
} from '../../src/index.js';
import { assetState, recordAssetEvents } from '../../src/client/assets.js';
import { Harness, waitFor } from '../support/harness.js';

const DAYS = ['mon', 'tue', 'wed', 'thu'];
const echo = defineJob({ name: 'echo', config: z.object({ day: z.string() }) });

/** Two assets, and the sensor after its first look at them. */
async function watching(make: (h: Harness, orders: AssetDefinition, customers: AssetDefinition) => SensorDefinition) {
  const h = await Harness.create();
  const days = staticPartitions(DAYS);
  const orders = defineAsset({ key: [`${h.prefix}orders`], partitions: days });
  const customers = defineAsset({ key: [`${h.prefix}customers`], partitions: days });
  const sensor = make(h, orders, customers);
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ skipReason }) => skipReason?.startsWith('no new events') ?? false, 'its first look');
  const record = async (asset: AssetDefinition, partition: string): Promise<void> =>
    await h.sensors.materialize(asset, { partition, taskQueue: h.taskQueue });
  return { h, orders, customers, sensor, record };
}

test('matches by partition are handled each on its own, wait visibly for what is missing, and are not asked for twice', async () => {
  const seen: string[] = [];
  const { h, orders, customers, sensor, record } = await watching((_, orders, customers) =>
    defineMultiAssetSensor({
      name: 'daily',
      assets: { orders, customers },
      when: allOf('orders', 'customers', { by: 'partition', within: '1h' }),
      job: echo,
      interval: '1h',
      defaultStatus: 'running',
      maxAttempts: 1,
      handle(ctx, { partitionKey = '', eventId, events }) {
        if (partitionKey === 'tue') throw new Error('not this one');
        seen.push(`${partitionKey} ${events.orders.position} ${events.customers.position}`);
        expect(eventId).toBe(`${events.customers.eventId}+${events.orders.eventId}`);
        return ctx.run({ config: { day: partitionKey } });
      },
    })
  );
  const name = h.name(sensor);
  for (const day of ['mon', 'tue', 'mon', 'wed', 'thu']) await record(orders, day);
  await waitFor(async () => {
    const { evaluation } = await h.sensors.describe(name);
    expect(evaluation?.lastOutcome).toMatch(
      /waiting for customers of (mon|tue) \(orders came .*, expires \d.*Z\); 3 more/
    );
    return true;
  }, 'four partial matches to be described');
  for (const day of ['wed', 'tue', 'mon']) await record(customers, day);
  await waitFor(() => seen.length === 2, 'two matches');
  expect(seen).toEqual(['wed 4 1', 'mon 3 3']);
  const runs = await h.settledRuns(sensor, 2);
  const logs = await Promise.all([customers, orders].map((asset) => assetState(h.client, asset)));
  const keyOf = (...positions: readonly [customers: number, orders: number]): string =>
    positions.map((position, index) => `${logs[index]?.asset}@${logs[index]?.id}.${position}`).join('+');
  expect(new Set(runs.map(({ runKey }) => runKey))).toEqual(new Set([keyOf(1, 4), keyOf(3, 3)]));
  const { deadLetters, cursor } = await h.sensors.state(name);
  expect(deadLetters.map(({ error }) => error)).toEqual([`${keyOf(2, 2)}: Error: not this one`]);
  expect(cursor?.value).toMatchObject({
    assets: { [orders.name]: { low: 4, above: '' }, [customers.name]: { low: 3, above: '' } },
  });

  const became = async (...[runKey]: readonly [string]): Promise<unknown> => {
    const explanation = await h.sensors.explain(name, { runKey });
    return explanation.about === 'key' ? (explanation.event ?? explanation.answers[0]) : undefined;
  };
  const [, ofOrders] = keyOf(1, 4).split('+');
  const run = { runKey: keyOf(1, 4) };
  expect(await became(keyOf(1, 4))).toMatchObject({ kind: 'started', run });
  expect(await became(ofOrders ?? '')).toMatchObject({ kind: 'read', run, partitionKey: 'wed' });
  const [ofCustomers = ''] = keyOf(2, 2).split('+');
  for (const key of [keyOf(2, 2), ofCustomers]) expect(await became(key)).toMatchObject({ kind: 'deadLetter' });
  const [, waits = ''] = keyOf(1, 5).split('+');
  expect(await became(waits)).toMatchObject({ kind: 'waiting', position: 5, partitionKey: 'thu' });
});

test('what waits longer than it may expires, which the tick says', async () => {
  const { h, orders, sensor, record } = await watching((_, orders, customers) =>
    defineMultiAssetSensor({
      name: 'impatient',
      assets: { orders, customers },
      when: allOf('orders', 'customers', { within: '100ms' }),
      interval: '100ms',
      defaultStatus: 'running',
      handle: () => undefined,
    })
  );
  await record(orders, 'mon');
  const { logs, skipReason } = await h.tickWhere(
    sensor,
    (tick) => tick.skipReason?.includes('expired') ?? false,
    'the event to expire'
  );
  expect(skipReason).toBe('orders of mon (position 1) expired: no customers within 100 ms');
  expect(logs?.map(({ message }) => message)).toContain(skipReason);
});

test('what is consumed stays so whatever the handler gives, hundreds of partitions can be passed over, an added asset loses nothing', async () => {
  const h = await Harness.create();
  const orders = defineAsset({ key: [`${h.prefix}orders`], partitions: dynamicPartitions('regions') });
  const customers = defineAsset({ key: [`${h.prefix}customers`] });
  const calls: string[] = [];
  const options = { name: 'byHand', job: echo, interval: '200ms', defaultStatus: 'running' } as const;
  const sensor = defineMultiAssetSensor({
    ...options,
    assets: { orders, customers },
    startFrom: new Date(0),
    handle(ctx) {
      const { orders, customers } = ctx.assets;
      calls.push(`${orders.position} ${orders.unconsumed().length} ${orders.eventsSince().length}`);
      const customer = customers.latest();
      if (customer !== undefined) {
        ctx.advanceAll();
        return ctx.run({ config: { day: `${customer.position}` } });
      }
      const odd = [...orders.latestByPartition().values()].filter(({ position }) => position % 2 === 1);
      if (orders.position === 0) {
        for (const event of odd.slice(0, 200)) orders.advance(event);
        return null;
      }
      if (orders.position === 399) {
        for (const event of odd) orders.advance(event);
        return ctx.skip('only odd ones');
      }
      return undefined;
    },
  });
  const producer = defineSensor({ name: 'producer', interval: '1h', evaluate: () => null });
  await h.work([producer]);
  const event = (asset: AssetDefinition, index: number): Omit<AssetEvent, 'position' | 'at'> => ({
    asset: asset.name,
    kind: 'materialization',
    eventId: `${index}`,
    partitionKey: `region ${index}`,
    metadata: {},
    producer: {},
  });
  const events = Array.from({ length: 600 }, (_, index) => event(orders, index));
  await recordAssetEvents(h.client, events, { taskQueue: h.taskQueue });
  const worker = await h.work([sensor], { taskQueue: `${h.taskQueue}-other` });
  await h.tickWhere(
    sensor,
    ({ skipReason }) => skipReason === 'not consumed: 400 events of orders',
    'the first advance'
  );
  await h.tickWhere(sensor, ({ skipReason }) => skipReason === 'only odd ones', 'the second advance');
  await waitFor(() => calls.length >= 3, 'a third call');
  expect(calls.slice(0, 3)).toEqual(['0 0 600', '399 199 201', '599 299 1']);
  await recordAssetEvents(h.client, [event(customers, 0)], { taskQueue: h.taskQueue });
  const [run] = await h.settledRuns(sensor, 1);
  expect(run?.job).toBe('echo');

  await worker.stop();
  const prices = defineAsset({ key: [`${h.prefix}prices`] });
  await recordAssetEvents(h.client, [event(prices, 0)], { taskQueue: h.taskQueue });
  const seen: number[] = [];
  let isDown = true;
  const changed = defineMultiAssetSensor({
    ...options,
    assets: { orders, customers, prices },
    handle(ctx) {
      if (isDown) throw new Error('down');
      seen.push(...ctx.assets.prices.eventsSince().map(({ position }) => position));
      ctx.advanceAll();
      return null;
    },
  });
  await h.work([changed], { taskQueue: `${h.taskQueue}-other` });
  const began = `begins with '${prices.name}': events from `;
  await h.tickWhere(changed, ({ skipReason }) => skipReason?.startsWith(began) ?? false, 'the added asset');
  await recordAssetEvents(h.client, [event(prices, 1)], { taskQueue: h.taskQueue });
  await h.tickWhere(changed, ({ error }) => error === 'Error: down', 'the handler to fail');
  isDown = false;
  await waitFor(() => seen.length > 0, 'the event of the added asset');
  expect(seen).toEqual([2]);
  // else it would ask a log whose worker ends with its own
  await h.sensors.stop(h.name(sensor));
  const { cursor } = await h.sensors.state(h.name(sensor));
  expect(cursor?.value).toMatchObject({
    assets: { [orders.name]: { low: 600, above: '' }, [customers.name]: { low: 1, above: '' } },
  });
});
