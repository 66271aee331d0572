/** Sensors of several assets, and the toolkit for sensors of assets, without a server. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  allOf,
  anyOf,
  dailyPartitions,
  defineAsset,
  defineAssetSensor,
  defineJob,
  defineMultiAssetSensor,
  dynamicPartitions,
  staticPartitions,
} from '../../src/index.js';
import { buildAssetSensorContext, buildMultiAssetSensorContext } from '../../src/testing/index.js';

const days = staticPartitions(['mon', 'tue', 'wed']);
const orders = defineAsset({ key: ['sales', 'orders'], partitions: days });
const customers = defineAsset({ key: 'customers', partitions: days });
const prices = defineAsset({ key: 'prices' });
const report = defineJob({ name: 'report', config: z.object({ day: z.string() }) });
const assets = { orders, customers };

const daily = defineMultiAssetSensor({
  name: 'daily',
  assets,
  when: allOf('orders', 'customers', { by: 'partition', within: '24h' }),
  job: report,
  handle: (ctx, match) => ctx.run({ config: { day: match.partitionKey ?? '' } }),
});
const byHand = defineMultiAssetSensor({
  name: 'byHand',
  assets,
  job: report,
  handle(ctx) {
    const partitions = [...ctx.assets.orders.latestByPartition().keys()];
    const ready = partitions.filter((day) => ctx.allMaterializedSince([day]));
    for (const day of ready)
      for (const asset of Object.values(ctx.assets)) {
        const event = asset.latestByPartition().get(day);
        if (event !== undefined) asset.advance(event);
      }
    return ready.length === 0 ? ctx.skip('none is ready') : ready.map((day) => ctx.run({ config: { day } }));
  },
});

describe('a definition', () => {
  const visits = defineAsset({ key: 'visits', partitions: dailyPartitions({ start: '2026-01-01' }) });
  const holidays = defineAsset({ key: 'holidays', partitions: staticPartitions(['sun']) });
  const regions = defineAsset({ key: 'regions', partitions: dynamicPartitions('regions') });
  const byPartition = <Key extends string>(...keys: readonly [Key, Key, ...(readonly Key[])]) =>
    allOf(...keys, { by: 'partition' });
  const base = { name: 's', assets, handle: () => null };
  test.each<readonly [string, () => unknown]>([
    ['assets has 0 assets; accepted: 1 to 20', () => defineMultiAssetSensor({ ...base, assets: {} })],
    [
      "assets.orders is 'orders'; accepted",
      () => defineMultiAssetSensor({ ...base, assets: { orders: 'orders' as never } }),
    ],
    [
      "assets.a and assets.b are both asset 'prices'",
      () => defineMultiAssetSensor({ ...base, assets: { a: prices, b: prices } }),
    ],
    [
      "when names 'order'; accepted: 'orders', 'customers'",
      () => defineMultiAssetSensor({ ...base, when: anyOf('order') as never }),
    ],
    [
      "when does not name 'prices', so nothing would consume its events",
      () =>
        defineMultiAssetSensor({ ...base, assets: { ...assets, prices }, when: allOf('orders', 'customers') as never }),
    ],
    [
      "'orders' and 'visits' have static and daily partitions",
      () => defineMultiAssetSensor({ ...base, assets: { orders, visits }, when: byPartition('orders', 'visits') }),
    ],
    [
      "'customers' and 'holidays' have no partition key in common",
      () =>
        defineMultiAssetSensor({
          ...base,
          assets: { regions, customers, holidays },
          when: byPartition('regions', 'customers', 'holidays'),
        }),
    ],
    ['when is', () => defineMultiAssetSensor({ ...base, when: 'orders' as never })],
    [
      "asset 'prices' (prices) has no partitions",
      () =>
        defineMultiAssetSensor({
          ...base,
          assets: { orders, prices },
          when: byPartition('orders', 'prices'),
        }),
    ],
    ['allOf got 1 names of assets', () => allOf(...(['orders'] as unknown as ['a', 'b']))],
    ["allOf has 'orders' twice", () => allOf('orders', 'orders')],
    ["allOf: by is 'day'", () => allOf('orders', 'customers', { by: 'day' as never })],
    ["allOf: within is 'soon'", () => allOf('orders', 'customers', { within: 'soon' as never })],
    ["an option 'cursor'", () => defineMultiAssetSensor({ ...base, cursor: z.number() } as never)],
  ])('is refused that says: %s', (message, define) => {
    expect(define).toThrow(message);
  });
});

test('a handler consumes what it wants; older events of the partition go with it, other partitions stay', () => {
  const events = {
    orders: [{ partitionKey: 'mon' }, { partitionKey: 'tue' }, { partitionKey: 'mon' }, { partitionKey: 'wed' }],
    customers: [{ partitionKey: 'mon' }],
  };
  const first = buildMultiAssetSensorContext({ sensor: byHand, events });
  expect(byHand.handle(first.ctx)).toMatchObject([{ config: { day: 'mon' } }]);
  const { orders: view } = first.ctx.assets;
  expect([view.position, view.latest()?.position]).toEqual([3, 4]);
  expect(view.unconsumed().map(({ position }) => position)).toEqual([2]);
  expect(view.eventsSince({ limit: 5 }).map(({ position }) => position)).toEqual([4]);
  expect(first.positions).toEqual({ orders: { low: 1, above: '1' }, customers: { low: 1, above: '' } });

  const later = { orders: events.orders, customers: [...events.customers, { partitionKey: 'tue' }] };
  const second = buildMultiAssetSensorContext({ sensor: byHand, events: later, positions: first.positions });
  byHand.handle(second.ctx);
  expect(second.ctx.requests).toMatchObject([{ config: { day: 'tue' } }]);
  expect(second.positions.orders).toEqual({ low: 3, above: '' });
  second.ctx.advanceAll();
  expect(second.positions.orders).toEqual({ low: 4, above: '' });
});

test('observations are passed over, also between events that are consumed', () => {
  const events = { orders: [{ kind: 'observation' }, { partitionKey: 'mon' }, { kind: 'observation' }] } as const;
  const test = buildMultiAssetSensorContext({ sensor: byHand, events });
  const { orders: view } = test.ctx.assets;
  expect(test.positions.orders).toEqual({ low: 1, above: '' });
  const [event] = view.eventsSince();
  if (event !== undefined) view.advance(event);
  expect(test.positions.orders).toEqual({ low: 3, above: '' });
});

test('allMaterializedSince means all partitions of the asset, unless it is told which', () => {
  const all = ['mon', 'tue', 'wed'].map((partitionKey) => ({ partitionKey }));
  const { ctx } = buildMultiAssetSensorContext({ sensor: byHand, events: { orders: all, customers: all.slice(1) } });
  expect([ctx.assets.orders.allMaterializedSince(), ctx.allMaterializedSince()]).toEqual([true, false]);
  expect(ctx.allMaterializedSince(['tue', 'wed'])).toBe(true);
  expect([ctx.allMaterializedSince([]), ctx.assets.orders.allMaterializedSince([])]).toEqual([false, false]);
});

test('requests without anything consumed are an error that says what to do, and events of other assets are refused', () => {
  const test = buildMultiAssetSensorContext({ sensor: byHand, events: { orders: [{}], customers: [{}] } });
  test.ctx.run({ config: { day: 'mon' } });
  expect(test.failure).toContain('call ctx.assets.….advance(event)');
  const event = test.ctx.assets.customers.latest();
  expect(() => test.ctx.assets.orders.advance(event as never)).toThrow(
    "advance of asset 'sales/orders' got an event of asset 'customers'"
  );
  test.ctx.assets.customers.advanceAll();
  expect(test.failure).toBeUndefined();
});

test('a context from the latest events has only those before it', () => {
  const events = { orders: [{ partitionKey: 'mon' }, { partitionKey: 'tue' }], customers: [{ partitionKey: 'tue' }] };
  const { matches, waiting } = buildMultiAssetSensorContext({ sensor: daily, events, positions: 'latest' });
  expect(matches.map(({ eventId }) => eventId)).toEqual(['customers@1+sales/orders@2']);
  expect(waiting).toBeUndefined();
});

test('matches are those of a tick: each request has the key of its match', () => {
  const now = new Date('2026-11-22T12:00:00Z');
  const recordedAt = new Date('2026-11-21T09:00:00Z');
  const test = buildMultiAssetSensorContext({
    sensor: daily,
    now,
    events: {
      orders: [{ partitionKey: 'mon', recordedAt }, { partitionKey: 'tue' }, { partitionKey: 'wed' }],
      customers: [{ partitionKey: 'wed' }, { partitionKey: 'tue' }],
    },
  });
  for (const match of test.matches) daily.handle(test.ctx, match);
  expect(test.ctx.requests).toMatchObject([
    { runKey: 'customers@1+sales/orders@3', config: { day: 'wed' }, via: ['daily'] },
    { runKey: 'customers@2+sales/orders@2', config: { day: 'tue' } },
  ]);
  expect(test.expired).toEqual(['orders of mon (position 1) expired: no customers within 1 d']);
  expect(test.positions.orders).toEqual({ low: 3, above: '' });
});

test('the handler of an asset sensor is called with an event made by hand', () => {
  const onOrders = defineAssetSensor({
    name: 'onOrders',
    asset: orders,
    job: report,
    handle: (ctx, event) => ctx.run({ config: { day: event.partitionKey ?? '' } }),
  });
  const facts = { partitionKey: 'mon', metadata: { rows: 3 }, position: 7 };
  const { ctx, event } = buildAssetSensorContext({ sensor: onOrders, event: facts });
  expect(event.metadata).toEqual({ rows: { type: 'number', value: 3 } });
  expect(onOrders.handle(ctx, event)).toMatchObject({ runKey: 'sales/orders@7', config: { day: 'mon' } });
  expect(ctx.requests).toHaveLength(1);
  expect(() => buildAssetSensorContext({ sensor: onOrders, event: { asset: 'prices' } })).toThrow(
    "reacts to asset 'sales/orders', so it never gets this event of asset 'prices'"
  );
});
