/** What must compile and what must not, of assets. Checked by `tsc` in `npm run check`; never run. */
import { z } from 'zod';
import {
  allOf,
  anyOf,
  defineAsset,
  defineJob,
  defineMultiAssetSensor,
  defineSensor,
  type AssetCondition,
  type AssetDefinition,
  type AssetMatch,
  type AssetSensorEvent,
  type JobDefinition,
} from '../../src/index.js';

const orders = defineAsset({ key: ['sales', 'orders'] });
const report = defineAsset({ key: 'report', upstream: [orders, { asset: orders, mapping: 'all' }] });
const unmade = defineAsset({ key: 'unmade' });

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>(): void {}

// keys and names stay literals
same<Equal<typeof orders.key, readonly ['sales', 'orders']>>();
same<Equal<typeof orders.name, 'sales/orders'>>();
same<Equal<typeof report.name, 'report'>>();
const asset: AssetDefinition = orders;
same<Equal<typeof asset.name, string>>();

// @ts-expect-error no such mapping
defineAsset({ key: 'a', upstream: [{ asset: orders, mapping: 'identity' }] });
// @ts-expect-error a name is not an asset
defineAsset({ key: 'a', upstream: ['report'] });
// @ts-expect-error no such policy
defineAsset({ key: 'a', backfillPolicy: 'all' });
// @ts-expect-error not a metadata value
defineAsset({ key: 'a', metadata: { ok: true } });

const make = defineJob({ name: 'make', config: z.object({ full: z.boolean() }), assets: [orders, report] });
const plain = defineJob({ name: 'plain' });
const any: JobDefinition = make;

defineSensor({
  name: 'one',
  job: make,
  watches: [unmade],
  *evaluate(ctx) {
    yield ctx.run({ config: { full: true } });
    yield ctx.run({ config: { full: true }, assets: [orders, 'report', 'sales/orders'] });
    // @ts-expect-error not an asset of the job
    yield ctx.run({ config: { full: true }, assets: [unmade] });
    // @ts-expect-error nor is this
    yield ctx.run({ config: { full: true }, assets: ['orders'] });
  },
});

defineSensor({
  name: 'several',
  jobs: [make, plain],
  *evaluate(ctx) {
    yield ctx.run({ job: make, config: { full: true }, assets: ['report'] });
    // @ts-expect-error a job without assets makes none
    yield ctx.run({ job: plain, assets: ['report'] });
    yield ctx.run({ job: make, config: { full: true }, staleOnly: true });
    // @ts-expect-error none of them can be stale
    yield ctx.run({ job: plain, staleOnly: true });
  },
});

defineSensor({ name: 'any', job: any, evaluate: (ctx) => ctx.run({ config: {}, assets: ['whatever'] }) });
// @ts-expect-error a job is not an asset
defineSensor({ name: 'watcher', watches: [make], evaluate: () => null });

const day = defineJob({ name: 'day', config: z.object({ day: z.string() }) });
const both = { orders, report };
type AssetMap = Readonly<Record<string, AssetDefinition>>;

const matching = defineMultiAssetSensor({
  name: 'matching',
  assets: both,
  when: allOf('orders', 'report', { within: '1h' }),
  job: day,
  handle(ctx, match) {
    same<Equal<typeof match, AssetMatch<'orders' | 'report', 'allOf'>>>();
    same<Equal<typeof match.events.orders, AssetSensorEvent>>();
    // @ts-expect-error not part of the match
    void match.events.unmade;
    // @ts-expect-error a match is consumed by being handled
    ctx.advanceAll();
    // @ts-expect-error the job needs its config
    void ctx.run({});
    return ctx.run({ config: { day: match.partitionKey ?? '' } });
  },
});
same<Equal<Parameters<typeof matching.handle>[1], AssetMatch<'orders' | 'report', 'allOf'>>>();

defineMultiAssetSensor({
  name: 'any',
  assets: { orders },
  when: anyOf('orders'),
  handle: (_, { events }) => same<Equal<typeof events, { readonly orders?: AssetSensorEvent }>>(),
});

const looking = defineMultiAssetSensor({
  name: 'looking',
  assets: both,
  jobs: [day, plain],
  handle: async function* (ctx) {
    const latest = ctx.assets.orders.latest();
    if (latest !== undefined) ctx.assets.report.advance(latest);
    // @ts-expect-error not in the map
    void ctx.assets.unmade;
    yield ctx.run({ job: plain });
    return ctx.skip('none');
  },
});
same<Equal<Parameters<typeof looking.handle>['length'], 1>>();

// @ts-expect-error not in the map
defineMultiAssetSensor({ name: 'typo', assets: both, when: allOf('orders', 'reports'), handle: () => null });
// @ts-expect-error nothing would consume the events of report
defineMultiAssetSensor({ name: 'unnamed', assets: both, when: anyOf('orders'), handle: () => null });
const wide: AssetMap = both;
const someCondition: AssetCondition = allOf('orders', 'report');
// what is known only when it runs is checked then
defineMultiAssetSensor({ name: 'wide', assets: wide, when: someCondition, handle: () => null });
// @ts-expect-error the only key
allOf('orders', 'customers', { by: 'day' });
// @ts-expect-error a job is not an asset
defineMultiAssetSensor({ name: 'no', assets: { make }, handle: () => null });

// backfills: as runs, for partitions instead of one
defineSensor({
  name: 'backfills',
  job: make,
  *evaluate(ctx) {
    yield ctx.backfill({ partitions: 'all', config: { full: true }, assets: ['report'], policy: 'latestOnly' });
    yield ctx.backfill({ partitions: { from: 'a' }, config: { full: true }, concurrency: 2, runKey: 'k' });
    // @ts-expect-error no partitions
    yield ctx.backfill({ config: { full: true } });
    // @ts-expect-error the config is the job's
    yield ctx.backfill({ partitions: ['a'], config: {} });
    // @ts-expect-error it is not for one partition
    yield ctx.backfill({ partitions: ['a'], config: { full: true }, partitionKey: 'a' });
  },
});
// @ts-expect-error several jobs: which one?
defineSensor({ name: 'which', jobs: [make, plain], evaluate: (ctx) => ctx.backfill({ partitions: 'all' }) });
