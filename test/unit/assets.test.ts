import { expect, test } from 'vitest';
import {
  dailyPartitions,
  defineAsset,
  defineJob,
  defineSensor,
  DefinitionError,
  dynamicPartitions,
  type AssetDefinition,
} from '../../src/index.js';
import { createRegistry } from '../../src/sensors/registry.js';
import { buildSensorContext, evaluateTick } from '../../src/testing/index.js';

const days = dailyPartitions({ start: '2026-01-01' });
const orders = defineAsset({ key: ['sales', 'orders'], partitions: days });
const customers = defineAsset({ key: 'customers' });
const report = defineAsset({ key: 'report', upstream: [orders, { asset: customers, mapping: 'all' }] });
const job = defineJob({ name: 'job', assets: [orders, report] });

test('an asset is frozen, and its name is its path', () => {
  expect(orders).toMatchObject({ kind: 'asset', key: ['sales', 'orders'], name: 'sales/orders', partitions: days });
  expect(report).toMatchObject({ key: ['report'], name: 'report', backfillPolicy: 'perPartition', metadata: {} });
  expect(report.upstream).toEqual([
    { asset: orders, mapping: 'all' },
    { asset: customers, mapping: 'all' },
  ]);
  expect([report, report.key, report.upstream, report.upstream[0], report.metadata].every(Object.isFrozen)).toBe(true);
  const columns = ['a'];
  const table = { type: 'table', columns, rows: [[1]] } as const;
  const made = defineAsset({ key: 'a', metadata: { table } });
  columns.push('mine');
  expect(made.metadata['table']).toEqual({ type: 'table', columns: ['a'], rows: [[1]] });
  const metadata = { rows: 3, by: 'Ada', docs: { type: 'url', value: 'https://example.com' } } as const;
  expect(defineAsset({ key: 'a', metadata }).metadata).toEqual({
    rows: { type: 'number', value: 3 },
    by: { type: 'text', value: 'Ada' },
    docs: { type: 'url', value: 'https://example.com' },
  });
});

test.each([
  [
    { key: 'sales/orders' },
    `the key of an asset is 'sales/orders'; accepted: a text such as 'orders' or a path such as`,
  ],
  [{ key: '' }, `the key of an asset is ''`],
  [{ key: [] }, `the key of an asset is []`],
  [{ key: ['a', ''] }, `the key of an asset is ["a",""]`],
  [{ key: Array.from({ length: 11 }, () => 'a') }, 'up to 10 parts'],
  [{ key: 'x'.repeat(101) }, 'each 1 to 100 characters'],
  [{ key: Array.from({ length: 6 }, () => 'x'.repeat(90)) }, 'together up to 300'],
  // oxlint-disable-next-line no-sparse-arrays -- a hole is no part
  [{ key: [, 'a'] }, 'the key of an asset is [null,"a"]'],
  [{ upstreams: [] }, `asset 'a' has an unknown option 'upstreams'; accepted: key, partitions, upstream`],
  [{ partitions: 'daily' }, `asset 'a': partitions is 'daily'; accepted: what staticPartitions, hourlyPartitions,`],
  [{ upstream: orders }, `asset 'a': upstream is {`],
  [
    { upstream: ['orders'] },
    `asset 'a': upstream[0] is 'orders'; accepted: what defineAsset returned, or { asset, mapping }`,
  ],
  [{ upstream: [orders, orders] }, `asset 'a': upstream has 'sales/orders' twice`],
  [{ upstream: [defineAsset({ key: 'a' })] }, `asset 'a': upstream[0] is the asset itself`],
  [{ upstream: [{ asset: orders, map: 'all' }] }, `asset 'a': upstream[0] has an unknown option 'map'`],
  [{ description: 7 }, `asset 'a': description is 7; accepted: a text`],
  [
    { backfillPolicy: 'latest' },
    `asset 'a': backfillPolicy is 'latest'; accepted: 'perPartition', 'single', 'latestOnly'`,
  ],
  [{ metadata: [] }, `asset 'a': metadata is an array; accepted: an object of named values`],
  [{ metadata: { at: new Date(0) } }, `asset 'a': metadata 'at' is an object; accepted: a finite number`],
  [{ metadata: { ok: true } }, `asset 'a': metadata 'ok' is a boolean; accepted: a finite number, a text,`],
  [{ metadata: { t: { type: 'table', columns: ['a'], rows: [[1, 2]] } } }, 'boolean or null for each column of a row'],
  [{ metadata: { text: 'x'.repeat(20_000) } }, 'at most 8192 (8 KB)'],
])('defineAsset refuses %o', (options, message) => {
  const define = (): unknown => defineAsset({ key: 'a', ...options } as never);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
});

test('a job has the partitions that its assets share, unless it says which', () => {
  const plain = defineAsset({ key: 'plain' });
  const other = defineAsset({ key: 'other', partitions: dynamicPartitions('other') });
  expect(job.partitions).toBe(days);
  expect(defineJob({ name: 'j', assets: [plain] }).partitions).toBeUndefined();
  expect(defineJob({ name: 'j', assets: [orders, other] }).partitions).toBeUndefined();
  expect(defineJob({ name: 'j', assets: [orders, other], partitions: days }).partitions).toBe(days);
  expect(() => defineJob({ name: 'j', assets: ['orders'] as never })).toThrow(
    `job 'j': assets contains 'orders'; accepted: what defineAsset returned`
  );
  expect(() => defineJob({ name: 'j', assets: [plain, plain] })).toThrow(`job 'j': assets has 'plain' twice`);
  expect(() => defineSensor({ name: 's', watches: orders as never, evaluate: () => null })).toThrow(
    `sensor 's': watches is {`
  );
});

test('a registry has each asset once, with one owner, and no circles', () => {
  const sensorOf = (name: string, assets: readonly AssetDefinition[], watches: readonly AssetDefinition[] = []) =>
    defineSensor({ name, job: defineJob({ name, assets }), watches, evaluate: () => null });
  const registry = createRegistry([sensorOf('a', [report]), sensorOf('b', [orders], [customers])]);
  expect([...registry.assets.keys()].sort()).toEqual(['customers', 'report', 'sales/orders']);
  expect([...registry.owners]).toEqual([
    ['report', 'a'],
    ['sales/orders', 'b'],
  ]);
  expect(() => createRegistry([sensorOf('a', [orders]), sensorOf('b', [report, orders])])).toThrow(
    `SensorsPlugin: jobs 'a' and 'b' both make asset 'sales/orders'; accepted: one job for each asset`
  );
  const again = defineAsset({ key: 'customers' });
  expect(() => createRegistry([sensorOf('a', [report], [again])])).toThrow(
    `SensorsPlugin: two assets have the key 'customers' (report from customers); define each asset once`
  );
  const circle = defineAsset({ key: 'customers', upstream: [report] });
  expect(() => createRegistry([sensorOf('a', [circle])])).toThrow(
    `SensorsPlugin: asset 'customers' is made from itself: customers from report from customers`
  );
});

test('a run is asked for some of the assets of its job, by definition or name; others are refused', async () => {
  const context = () => buildSensorContext({ now: new Date('2026-03-01T12:00:00Z') });
  const of = (assets: unknown, config?: unknown) =>
    defineSensor({
      name: 's',
      job,
      evaluate: (ctx) => ctx.run({ partitionKey: '2026-01-01', runKey: 'k', assets, config } as never),
    });
  const asked = async (assets: unknown) => (await evaluateTick(of(assets), context())).requests[0]?.assets;
  expect(await asked(undefined)).toBeUndefined();
  expect(await asked([orders])).toEqual(['sales/orders']);
  expect(await asked(['report', report, orders])).toEqual(['sales/orders', 'report']);
  for (const [assets, error] of [
    [[orders, customers], `assets[1] is not an asset of job 'job'; accepted: 'sales/orders', 'report'`],
    [['orders'], 'assets[0] is not an asset'],
    [[], 'assets is not an array of one or more assets; leave it out for all of them'],
    ['report', 'assets is not an array'],
  ] as const)
    expect((await evaluateTick(of(assets), context())).rejected.sample[0]?.error).toContain(error);
  // what an operator tries again asks for the same assets
  const bad = await evaluateTick(of([orders], { strange: true }), context());
  expect(bad.rejected.sample[0]).toMatchObject({ assets: ['sales/orders'], error: expect.stringContaining('config') });
  const none = defineSensor({
    name: 'none',
    job: defineJob({ name: 'none' }),
    evaluate: (ctx) => ctx.run({ assets: [orders] } as never),
  });
  expect((await evaluateTick(none, context())).rejected.sample[0]?.error).toBe(
    `assets are given, but job 'none' makes none`
  );
});
