/** What sensors say of assets, and runs for stale assets only, without a server. */
import type { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { z } from 'zod';
import {
  dailyPartitions,
  defineAsset,
  defineJob,
  defineRunStatusSensor,
  defineSensor,
  dynamicPartitions,
  type AssetReference,
  type MetadataInput,
  type SensorDefinition,
} from '../../src/index.js';
import type { AssetEvent } from '../../src/sensors/asset-event.js';
import { eventRequest } from '../../src/sensors/call-handler.js';
import { describeTick } from '../../src/sensors/describe-tick.js';
import { feedOf } from '../../src/sensors/feed-host.js';
import { failureFolds } from '../../src/sensors/attempt-end.js';
import type { CheckedOutcome } from '../../src/sensors/check-outcome.js';
import { evaluateInput } from '../../src/sensors/evaluate-input.js';
import { LogBook } from '../../src/sensors/log-book.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import { latestOf, NO_ASSETS } from '../../src/sensors/narrow-stale.js';
import type { EvaluationInput } from '../../src/sensors/protocol.js';
import { buildRunStatusSensorContext, buildSensorContext, evaluateTick, simulate } from '../../src/testing/index.js';
import { NEW_LOG, record, stateOf } from '../../src/workflows/asset-log-state.js';
import { beginEvaluation, newState } from '../../src/workflows/rules.js';

const customers = dynamicPartitions('customers');
const orders = defineAsset({ key: ['sales', 'orders'], partitions: customers });
const days = defineAsset({ key: 'days', partitions: dailyPartitions({ start: '2026-01-01' }) });
const source = defineAsset({ key: 'source' });
const report = defineAsset({ key: 'report', upstream: [source] });
const extra = defineAsset({ key: 'extra' });
const make = defineJob({ name: 'make', assets: [report, extra] });

test('a tick records what evaluate said of assets, in order, and a context of a test shows it', async () => {
  const sensor = defineSensor({
    name: 's',
    evaluate(ctx) {
      ctx.materialize(orders, { partition: 'acme', metadata: { rows: 3 } });
      ctx.observe('sales/orders');
      return { partitionRequests: [customers.add(['acme'])] };
    },
  });
  const said = [
    {
      asset: 'sales/orders',
      kind: 'materialization',
      partitionKey: 'acme',
      metadata: { rows: { type: 'number', value: 3 } },
    },
    { asset: 'sales/orders', kind: 'observation', metadata: {} },
  ];
  const outcome = await evaluateTick(sensor);
  expect(outcome).toMatchObject({ status: 'success', assetEvents: said, record: { assetEvents: 2 } });
  expect(outcome.skipReason).toBeUndefined();
  const context = buildSensorContext();
  sensor.evaluate(context);
  expect(context.assetEvents).toEqual(said);
  const onRun = defineRunStatusSensor({
    name: 'onRun',
    status: 'completed',
    handle: (ctx) => ctx.observe(orders, { metadata: { rows: 1 } }),
  });
  const { ctx, run } = buildRunStatusSensorContext({ sensor: onRun });
  onRun.handle(ctx, run);
  expect(ctx.assetEvents).toMatchObject([{ asset: 'sales/orders', kind: 'observation' }]);
});

test.each<[AssetReference, string | undefined, MetadataInput, string]>([
  ['sales orders', undefined, {}, "the asset is 'sales orders'; accepted: what defineAsset returned"],
  [source, 'a', {}, "asset 'source': partition is given, but the asset has no partitions"],
  [days, '2025-12-31', {}, "asset 'days': partition is not in its daily partitions at this time"],
  [orders, 'gone', {}, "asset 'sales/orders': partition is not in partition set 'customers'; add it first"],
  [orders.name, 'gone', {}, "asset 'sales/orders': partition is not in partition set 'customers'; add it first"],
  [days, undefined, {}, "asset 'days': partition is missing; the asset has daily partitions"],
  [source, '', {}, "asset 'source': partition is a text of 0 bytes"],
  [source, undefined, { rows: Number.NaN }, "asset 'source': metadata 'rows' is NaN; accepted: a finite number"],
  [source, undefined, { text: 'x'.repeat(9_000) }, 'at most 8192 (8 KB)'],
])('what cannot be recorded fails the tick, and nothing of it is: %#', async (asset, partition, metadata, message) => {
  const sensor = defineSensor({
    name: 's',
    cursor: z.number(),
    watches: [orders],
    evaluate(ctx) {
      ctx.setCursor(1);
      ctx.materialize(extra);
      ctx.materialize(asset, { ...(partition === undefined ? {} : { partition }), metadata });
      return { partitionRequests: [customers.delete(['gone'])] };
    },
  });
  const outcome = await evaluateTick(sensor, buildSensorContext(), { partitions: { customers: ['gone'] } });
  expect(outcome.error).toContain(message);
  expect(outcome).toMatchObject({ status: 'failure', assetEvents: [], cursor: undefined });
});

test('more events than a tick can record fail it, and say how to go on', async () => {
  const sensor = (count: number, text: string) =>
    defineSensor({
      name: 's',
      evaluate(ctx) {
        for (let n = 0; n < count; n++) ctx.observe('a', { metadata: { text } });
      },
    });
  expect((await evaluateTick(sensor(1_000, ''))).assetEvents).toHaveLength(1_000);
  expect((await evaluateTick(sensor(1_001, ''))).error).toMatch(
    /records 1001 asset events of .* split them over ticks/
  );
  expect((await evaluateTick(sensor(20, 'x'.repeat(7_000)))).error).toContain('(128 KB) in one tick');
});

test('whatever crashes, each event is recorded once', async () => {
  const sensor = defineSensor({
    name: 's',
    interval: '1m',
    cursor: z.number().default(0),
    evaluate(ctx) {
      if (ctx.cursor === 20) return;
      ctx.materialize(source, { metadata: { n: ctx.cursor } });
      ctx.setCursor(ctx.cursor + 1);
    },
  });
  for (let seed = 1; seed <= 10; seed++) {
    const { assetEvents } = await simulate(sensor, { for: '2h', crashes: { seed, share: 0.3 } });
    expect(assetEvents.map(({ metadata }) => metadata['n'])).toEqual(
      Array.from({ length: 20 }, (_, value) => ({ type: 'number', value }))
    );
  }
});

test('staleOnly asks for what is out of date, and for nothing when nothing is', async () => {
  const sensor = defineSensor({ name: 's', job: make, evaluate: (ctx) => ctx.run({ runKey: 'k', staleOnly: true }) });
  const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute));
  const assetsOf = async (made: Record<string, Date>): Promise<unknown> => {
    const { requests, record } = await evaluateTick(sensor, buildSensorContext(), { assets: made });
    return requests[0]?.assets ?? (requests.length > 0 ? 'all' : record.skipReason);
  };
  expect(await assetsOf({})).toBe('all');
  expect(await assetsOf({ report: at(1) })).toEqual(['extra']);
  expect(await assetsOf({ report: at(1), source: at(2), extra: at(1) })).toEqual(['report']);
  expect(await assetsOf({ report: at(2), source: at(1), extra: at(1) })).toBe(
    "job 'make' is not asked for: report, extra are up to date"
  );
  const { runs, quiet } = await simulate(sensor, {
    for: '1h',
    assets: { report: at(2), source: at(1), extra: at(1) },
  });
  expect([runs.length, quiet.length]).toEqual([0, 1]);
});

test('without a partition, staleOnly asks for a partitioned asset until each key of its set is made', async () => {
  const made = new Date('2026-01-01T00:00:00Z');
  const sensor = defineSensor({
    name: 's',
    job: defineJob({ name: 'makeAll', assets: [orders, days] }),
    evaluate: (ctx) => ctx.run({ assets: [orders], staleOnly: true }),
  });
  const asks = async (keys: readonly string[], times: Record<string, Date>): Promise<boolean> => {
    const options = { partitions: { customers: keys }, assets: { [orders.name]: times } };
    return (await evaluateTick(sensor, buildSensorContext(), options)).requests.length > 0;
  };
  expect(await asks([], {})).toBe(true);
  expect(await asks(['acme'], {})).toBe(true);
  expect(await asks(['acme'], { acme: made })).toBe(false);
  expect(await asks(['acme', 'new'], { acme: made })).toBe(true);
  // what was deleted from the set needs nothing
  expect(await asks(['acme'], { acme: made, gone: made })).toBe(false);
});

test('a request without the partition that its job needs is rejected, whatever is up to date', async () => {
  const job = defineJob({ name: 'makeDay', assets: [days] });
  const sensor = defineSensor({
    name: 's',
    job,
    *evaluate(ctx) {
      yield ctx.run({ staleOnly: true });
      yield ctx.run({ partitionKey: 7 as never, staleOnly: true });
      yield ctx.run({ partitionKey: '2026-01-01', staleOnly: true });
    },
  });
  const { requests, rejected } = await evaluateTick(
    sensor,
    buildSensorContext({ now: new Date('2026-01-02T12:00:00Z') }),
    {
      assets: { days: new Date('2026-01-02T00:00:00Z') },
    }
  );
  expect(requests).toEqual([]);
  expect(rejected.sample.map(({ error }) => error)).toEqual([
    "partitionKey is missing; job 'makeDay' is partitioned, and each run is for one of them",
    'partitionKey is a number; accepted: a text',
  ]);
});

test('why nothing is asked for is one line for all partitions, also where handlers ask', async () => {
  const now = new Date('2026-02-01T12:00:00Z');
  const keys = dailyPartitions({ start: '2026-01-01' }).keys(now);
  const job = defineJob({ name: 'makeDay', assets: [days] });
  const assets = { days: new Date('2026-02-01T00:00:00Z') };
  const all = defineSensor({
    name: 'all',
    job,
    evaluate: (ctx) => keys.map((partitionKey) => ctx.run({ partitionKey, staleOnly: true })),
  });
  const reason = "job 'makeDay' is not asked for: days is up to date for";
  const evaluated = await evaluateTick(all, buildSensorContext({ now }), { assets });
  const line = `${reason} partitions 2026-01-01, 2026-01-02, 2026-01-03 and ${keys.length - 3} more`;
  expect(evaluated).toMatchObject({ status: 'skipped', skipReason: line });
  expect(evaluated.logs.map(({ message }) => message)).toEqual([line]);
  // as sensors do that are fed by events, one after the other
  const fed = defineSensor({
    name: 'fed',
    job,
    async evaluate(ctx) {
      const feed = feedOf(ctx);
      for (const partitionKey of keys.slice(0, 2))
        await feed.narrow([eventRequest(ctx, feed, { eventId: partitionKey }, { partitionKey, staleOnly: true })]);
      feed.report({ handled: 2 });
    },
  });
  const handled = await evaluateTick(fed, buildSensorContext({ now }), { assets });
  const both = `${reason} partitions 2026-01-01, 2026-01-02`;
  expect(handled).toMatchObject({ status: 'success', skipReason: both, record: { handled: 2 } });
  expect(handled.logs.map(({ message }) => message)).toEqual([both]);
  expect(describeTick(handled.record)).toBe(`2 events handled, ${both}`);
});

test('a request that says staleOnly wrongly is rejected by itself', async () => {
  const plain = defineJob({ name: 'plain' });
  const sensor = defineSensor({
    name: 's',
    jobs: [make, plain],
    *evaluate(ctx) {
      yield ctx.run({ job: make, staleOnly: 'yes' as never });
      const without = { job: plain, staleOnly: true };
      yield ctx.run(without);
      yield ctx.run({ job: make, assets: ['orders' as never], staleOnly: true });
      yield ctx.run({ job: make, assets: [extra], staleOnly: true });
    },
  });
  const { requests, rejected } = await evaluateTick(sensor);
  expect(requests.map(({ assets }) => assets)).toEqual([['extra']]);
  expect(rejected.sample.map(({ error }) => error)).toEqual([
    'staleOnly is a string; accepted: true or false',
    "staleOnly is given, but job 'plain' makes no assets",
    "assets[0] is not an asset of job 'make'; accepted: 'report', 'extra'",
  ]);
});

test('of an asset that nobody makes here, what was observed counts as made', () => {
  const said = (...events: readonly (readonly [at: number, kind: AssetEvent['kind'], partitionKey?: string])[]) =>
    stateOf(
      events.reduce((log, [at, kind, partitionKey]) => {
        const event = { kind, eventId: `${at}`, metadata: {}, producer: {} };
        return record(log, 'a', [partitionKey === undefined ? event : { ...event, partitionKey }], at);
      }, NEW_LOG),
      'a'
    );
  const both = said([5, 'materialization', 'p'], [7, 'observation', 'q'], [8, 'observation'], [9, 'observation', 'r']);
  expect(latestOf(both, true)).toEqual({ at: 5, partitions: new Map([['p', 5]]) });
  expect(latestOf(both, false)).toEqual({
    at: 9,
    wholeAt: 8,
    partitions: new Map(Object.entries({ p: 5, q: 7, r: 9 })),
  });
  const again = said([5, 'observation', 'p'], [6, 'materialization', 'p'], [7, 'observation', 'q']);
  expect(latestOf(again, false)?.partitions).toEqual(new Map(Object.entries({ p: 6, q: 7 })));
  expect(latestOf(said([9, 'observation', 'q']), true)).toBeUndefined();
  expect(latestOf({ ...both, partitionsForgotten: true }, true)).toMatchObject({ forgottenUntil: 5 });
  const forgot = { ...both, observed: { ...both.observed, partitionsForgotten: true } };
  expect(latestOf(forgot, true)).not.toHaveProperty('forgottenUntil');
  expect(latestOf(forgot, false)).toMatchObject({ forgottenUntil: 7 });
});

test('each partition that was observed counts, not the newest alone', async () => {
  const partitions = dailyPartitions({ start: '2026-01-01' });
  const raw = defineAsset({ key: 'raw', partitions });
  const rep = defineAsset({ key: 'rep', partitions, upstream: [raw] });
  const sensor = defineSensor({
    name: 's',
    interval: '1h',
    job: defineJob({ name: 'makeRep', assets: [rep] }),
    cursor: z.number().default(1),
    *evaluate(ctx) {
      if (ctx.cursor < 3) ctx.observe(raw, { partition: `2026-01-0${ctx.cursor}` });
      ctx.setCursor(ctx.cursor + 1);
      if (ctx.cursor > 3) yield ctx.run({ partitionKey: '2026-01-01', staleOnly: true, runKey: `${ctx.cursor}` });
    },
  });
  const at = new Date('2026-01-31T00:00:00Z');
  const { runs } = await simulate(sensor, {
    start: at,
    for: '5h',
    assets: { rep: { '2026-01-01': new Date(at.getTime() - 1000) } },
  });
  expect(runs.length).toBeGreaterThan(0);
});

test.each<[string, SensorDefinition]>([
  ['asset events', defineSensor({ name: 's', evaluate: (ctx) => ctx.materialize(extra) ?? null })],
  ['runs for some assets', defineSensor({ name: 's', job: make, evaluate: (ctx) => ctx.run({ assets: [extra] }) })],
])(
  '%s are not given to a loop of an older worker, which would lose them; its next tick may be another one',
  async (_, sensor) => {
    const state = newState(loopOptions(sensor), 0);
    const { input } = beginEvaluation(state, { sensor: 's', evaluation: 1, delayMs: 0, rest: false }, 0).evaluated;
    const evaluate = async (given: EvaluationInput): Promise<CheckedOutcome> =>
      await evaluateInput(given, sensor, {
        now: new Date(0),
        nonce: 'n',
        run: async (work) =>
          await work({
            signal: new AbortController().signal,
            heartbeat: () => undefined,
            client: {} as Client,
            book: new LogBook(() => undefined, Date.now),
            resources: {},
          }),
        knownKeys: async () => new Set<string>(),
        assets: NO_ASSETS,
        prefix: '',
        times: { scheduledAt: 0, waitedMs: 0 },
        jobs: ['make'],
        preview: false,
      });
    expect(await evaluate(input)).toMatchObject({ kind: 'evaluated' });
    const { protocol: __, ...older } = input;
    const error: unknown = await evaluate(older).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining('goes on when that worker has ended') });
    // else the server would try again with the same input
    expect(failureFolds({ ...older, fold: true, failing: true }, error)).toBe(false);
  }
);
