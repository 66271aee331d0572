import { expect, test } from 'vitest';
import { dailyPartitions, defineAsset, defineJob, defineSensor, weeklyPartitions } from '../../src/index.js';
import { MAX_OPTIONS_BYTES } from '../../src/sensors/limits.js';
import { allDownstream, allUpstream, circular, lineageOf, parseSensorAssets } from '../../src/sensors/lineage.js';
import { createRegistry } from '../../src/sensors/registry.js';
import { registeredOptions } from '../../src/sensors/run-interest.js';
import { staleAssets, type AssetLatest } from '../../src/sensors/stale-assets.js';

const days = dailyPartitions({ start: '2026-01-05', end: '2026-01-18' });
const orders = defineAsset({
  key: ['sales', 'orders'],
  partitions: days,
  description: 'one row an order',
  metadata: { owner: 'ops' },
});
const rates = defineAsset({ key: 'rates' });
const totals = defineAsset({ key: 'totals', partitions: days, upstream: [orders, rates] });
const weekly = defineAsset({
  key: 'weekly',
  partitions: weeklyPartitions({ start: '2026-01-05' }),
  upstream: [{ asset: totals, mapping: 'dayToWeek' }],
});

const evaluate = () => null;
const loader = defineSensor({
  name: 'loader',
  job: defineJob({ name: 'load', assets: [orders, totals] }),
  watches: [rates],
  evaluate,
});
const reporter = defineSensor({ name: 'reporter', job: defineJob({ name: 'sum', assets: [weekly] }), evaluate });
const registry = createRegistry([loader, reporter], 'my-');

test('the memos of loops say of each asset what it is made from and by whom, what is made from it, and who watches it', () => {
  const lineage = lineageOf(
    [...registry.sensors].map(([sensor, definition]) => {
      const text = JSON.stringify(registeredOptions(registry, definition));
      return { sensor, assets: parseSensorAssets(text) ?? { assets: {} } };
    })
  );
  expect([...lineage.keys()]).toEqual(['rates', 'sales/orders', 'totals', 'weekly']);
  expect(lineage.get('rates')).toMatchObject({ owners: [], watchers: ['my-loader'], downstream: ['totals'] });
  expect(lineage.get('sales/orders')).toMatchObject({
    partitions: 'daily',
    description: 'one row an order',
    metadata: { owner: { type: 'text', value: 'ops' } },
  });
  expect(lineage.get('rates')).not.toHaveProperty('metadata');
  expect(lineage.get('totals')).toMatchObject({
    owners: ['load'],
    upstream: new Map([
      ['rates', 'all'],
      ['sales/orders', 'same'],
    ]),
    downstream: ['weekly'],
  });
  expect(allUpstream(lineage, 'weekly')).toEqual(['totals', 'rates', 'sales/orders']);
  expect(allDownstream(lineage, 'rates')).toEqual(['totals', 'weekly']);
  expect(circular(lineage)).toEqual([]);
});

test('whatever else is in a memo tells nothing', () => {
  for (const text of [7, '', 'null', '{', '[]', '{"lineage":7}', '{"lineage":{"assets":[]}}'])
    expect(parseSensorAssets(text)).toBeUndefined();
  const strange = {
    'a b': {},
    ok: { job: 7, watched: 'yes', upstream: { x: 'twice', 'a//b': 'all' }, metadata: { at: [] } },
    bad: 7,
  };
  expect(parseSensorAssets(JSON.stringify({ lineage: { assets: strange } }))).toEqual({ assets: { ok: {} } });
});

test('what a loop is told of assets finds room in its options: metadata is left out first, then the farthest from the sensor', () => {
  const far = Array.from({ length: 100 }, (_, n) => defineAsset({ key: [`far-${n}`, 'x'.repeat(80), 'y'.repeat(90)] }));
  const near = defineAsset({ key: 'near', upstream: far.slice(0, 50) });
  const other = defineAsset({ key: 'other', upstream: far.slice(50, 60) });
  const sensor = defineSensor({ name: 's', job: defineJob({ name: 'j', assets: [other, near] }), evaluate });
  const options = registeredOptions(createRegistry([sensor]), sensor);
  expect(Buffer.byteLength(JSON.stringify(options))).toBeLessThanOrEqual(MAX_OPTIONS_BYTES);
  const told = parseSensorAssets(JSON.stringify(options));
  expect(told?.cut).toBe(true);
  expect(Object.keys(told?.assets ?? {}).slice(0, 3)).toEqual([
    'other',
    'near',
    'far-50/' + far[50]?.key.slice(1).join('/'),
  ]);
  const described = (n: number) =>
    defineSensor({
      name: 's',
      watches: far.slice(0, n).map(({ key }) => defineAsset({ key, metadata: { text: 'x'.repeat(5_000) } })),
      evaluate,
    });
  const tell = (n: number) =>
    parseSensorAssets(JSON.stringify(registeredOptions(createRegistry([described(n)]), described(n))));
  expect(Object.values(tell(2)?.assets ?? {}).map(({ metadata }) => metadata !== undefined)).toEqual([true, true]);
  expect(Object.values(tell(4)?.assets ?? {}).map(({ metadata }) => metadata)).toEqual(Array(4).fill(undefined));
  expect(tell(4)).not.toHaveProperty('cut');
});

test('workers that contradict each other are shown: two owners, circles', () => {
  const lineage = lineageOf([
    { sensor: 'a', assets: { assets: { x: { job: 'one', upstream: { y: 'all' } }, z: { upstream: { x: 'all' } } } } },
    { sensor: 'b', assets: { assets: { x: { job: 'two' }, y: { upstream: { x: 'all' } } } } },
  ]);
  expect(lineage.get('x')?.owners).toEqual(['one', 'two']);
  expect(circular(lineage)).toEqual(['x', 'y']);
});

function at(times: Readonly<Record<string, number>>, wholeAt?: number): AssetLatest {
  const known = [...Object.values(times), ...(wholeAt === undefined ? [] : [wholeAt])];
  return {
    at: Math.max(...known),
    partitions: new Map(Object.entries(times)),
    ...(wholeAt === undefined ? {} : { wholeAt }),
  };
}

const now = new Date('2026-01-19T12:00:00Z');

function stale(
  latest: Readonly<Record<string, AssetLatest>>,
  partitionKey: string | undefined,
  selected = [orders, totals, weekly]
): readonly string[] {
  const facts = {
    latest: new Map(Object.entries(latest)),
    partitionKeys: new Map(),
    now,
    ...(partitionKey === undefined ? {} : { partitionKey }),
  };
  return staleAssets(selected, facts).map(({ name }) => name);
}

test('an asset is stale when it was never made, when something upstream is newer, or made again with it', () => {
  const monday = '2026-01-05';
  const made = { 'sales/orders': at({ [monday]: 10 }), rates: at({}, 5), totals: at({ [monday]: 20 }) };
  expect(stale(made, monday, [totals])).toEqual([]);
  expect(stale({ ...made, rates: at({}, 21) }, monday, [totals])).toEqual(['totals']);
  expect(stale({ ...made, 'sales/orders': at({ [monday]: 10, '2026-01-06': 30 }) }, monday, [totals])).toEqual([]);
  expect(stale({ ...made, 'sales/orders': at({ [monday]: 30 }) }, monday, [totals])).toEqual(['totals']);
  // made at once without a partition
  expect(stale({ ...made, totals: at({}, 20) }, monday, [totals])).toEqual([]);
  expect(stale(made, '2026-01-06', [totals])).toEqual(['totals']);
  expect(stale(made, monday, [orders, totals])).toEqual([]);
  expect(stale({ ...made, 'sales/orders': at({ '2026-01-06': 1 }) }, monday, [orders, totals])).toEqual([
    'sales/orders',
    'totals',
  ]);
});

test('a week is older than any of its days, and without a key every partition counts', () => {
  const weeks = { weekly: at({ '2026-01-05': 50, '2026-01-12': 50 }) };
  expect(stale({ ...weeks, totals: at({ '2026-01-11': 51 }) }, '2026-01-05', [weekly])).toEqual(['weekly']);
  expect(stale({ ...weeks, totals: at({ '2026-01-11': 51 }) }, '2026-01-12', [weekly])).toEqual([]);
  expect(stale({ ...weeks, totals: at({ '2026-01-11': 51 }) }, undefined, [weekly])).toEqual(['weekly']);
  expect(stale({ ...weeks, totals: at({ '2026-01-11': 49 }) }, undefined, [weekly])).toEqual([]);
});

test('what a log has forgotten loses no run: a partition that may be stale is, and all together cannot be told', () => {
  const [monday, tuesday] = ['2026-01-05', '2026-01-06'];
  const made = { 'sales/orders': { ...at({ [tuesday]: 10 }), forgottenUntil: 10 }, rates: at({}, 5) };
  // the upstream may have been made after it, or cannot have been
  expect(stale({ ...made, totals: at({ [monday]: 9 }) }, monday, [totals])).toEqual(['totals']);
  expect(stale({ ...made, totals: at({ [monday]: 10 }) }, monday, [totals])).toEqual([]);
  const forgotten = { ...at({ [tuesday]: 20 }), forgottenUntil: 20 };
  expect(stale({ ...made, totals: forgotten }, monday, [totals])).toEqual(['totals']);
  expect(stale({ ...made, totals: forgotten }, tuesday, [totals])).toEqual([]);
  expect(() => stale({ ...made, totals: forgotten }, undefined, [totals])).toThrow(
    `staleOnly cannot tell whether asset 'totals' is out of date`
  );
});
