/** Every example, tick by tick, without Temporal: against folders, a bucket in memory and a local HTTP server. */
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildResources, env, RetryAfterError, type SensorDefinition } from 'temporal-sensors';
import { buildSensorContext, evaluateTick, mockS3, simulate, type TickOutcome } from 'temporal-sensors/testing';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { rawTables } from '../../examples/from-dagster/assets.js';
import { backlog } from '../../examples/from-dagster/backlog.js';
import { customerData, everyObject } from '../../examples/from-dagster/bucket.js';
import { conditional } from '../../examples/from-dagster/conditional.js';
import { changedFiles, newFiles, newFilesOrWhyNot } from '../../examples/from-dagster/directory.js';
import { configurable, externalSystem, ExternalSystem } from '../../examples/from-dagster/external-system.js';
import { updatedOrders } from '../../examples/from-dagster/late-items.js';
import { observable } from '../../examples/from-dagster/observable.js';
import { outages } from '../../examples/from-dagster/outage.js';
import { finishedDays, newCustomers } from '../../examples/from-dagster/partitions.js';
import { newRecords } from '../../examples/from-dagster/records.js';
import { every30Seconds, every45Seconds } from '../../examples/from-dagster/rhythm.js';
import { robust } from '../../examples/from-dagster/robust.js';
import { newUsers, session } from '../../examples/from-dagster/session.js';
import { threeStreams } from '../../examples/from-dagster/streams.js';
import { changedTables } from '../../examples/from-dagster/tables.js';
import { startExternalSystem, type ExternalSystemServer } from '../support/external-system.js';

function keysOf({ requests }: Pick<TickOutcome, 'requests'>): readonly (string | undefined)[] {
  return requests.map(({ runKey }) => runKey);
}

describe('a folder', () => {
  let inbox = '';
  beforeEach(async () => {
    inbox = await mkdtemp(join(tmpdir(), 'examples-'));
    await mkdir(join(inbox, 'folder'));
  });
  afterEach(() => rm(inbox, { recursive: true, force: true }));
  const context = () => buildSensorContext({ resources: { inbox } });

  test('newFiles: one run for each file', async () => {
    for (const name of ['a.csv', 'b.csv']) await writeFile(join(inbox, name), name);
    expect(await evaluateTick(newFiles, context(), { knownKeys: ['a.csv'] })).toMatchObject({
      requests: [{ job: 'logFile', runKey: 'b.csv', config: { filename: 'b.csv' } }],
      duplicates: { count: 1 },
    });
  });

  test('newFilesOrWhyNot: says that there are none', async () => {
    expect(await evaluateTick(newFilesOrWhyNot, context())).toMatchObject({ skipReason: `no files in ${inbox}` });
    await writeFile(join(inbox, 'a.csv'), 'a');
    expect(keysOf(await evaluateTick(newFilesOrWhyNot, context()))).toEqual(['a.csv']);
  });

  test('changedFiles: a file that has changed runs again, the others do not', async () => {
    for (const [name, seconds] of Object.entries({ 'a.csv': 10, 'b.csv': 20 })) {
      await writeFile(join(inbox, name), name);
      await utimes(join(inbox, name), seconds, seconds);
    }
    const { runs, cursor } = await simulate(changedFiles, {
      for: '10m',
      resources: { inbox },
      at: { '5m': async () => await utimes(join(inbox, 'a.csv'), 30, 30) },
    });
    expect(runs.map(({ runKey }) => runKey)).toEqual(['a.csv:10000', 'b.csv:20000', 'a.csv:30000']);
    expect(cursor).toEqual({ mtimeMs: 30_000 });
  });
});

test('every30Seconds and every45Seconds: one run at each tick, in their own rhythms', async () => {
  const started = async (sensor: SensorDefinition) =>
    (await simulate(sensor, { for: '3m', stopped: true })).runs.length;
  expect(await started(every45Seconds)).toBe(4);
  // nobody has started it
  expect(await started(every30Seconds)).toBe(0);
  expect((await simulate(every30Seconds, { for: '3m' })).runs).toHaveLength(6);
});

test('customerData reads on after its cursor, everyObject finds what was overwritten', async () => {
  const keys = Array.from({ length: 1_001 }, (_, n) => `customer_data/${10_000 + n}.csv`);
  const s3 = mockS3({ 'my-data-bucket': Object.fromEntries(keys.map((key) => [key, 'a'])) });
  const resources = { s3 };
  const byKey = await simulate(customerData, { for: '1m', resources });
  expect(byKey.runs.map(({ runKey }) => runKey)).toEqual(keys);
  expect(byKey.cursor).toBe(keys.at(-1));

  s3.put('my-data-bucket', 'z', 'old', new Date('2026-01-01'));
  const overwritten = await simulate(everyObject, {
    for: '10m',
    resources,
    at: { '5m': () => s3.put('my-data-bucket', 'z', 'new', new Date('2026-01-02')) },
  });
  expect(overwritten.runs.filter(({ config }) => (config as { key: string }).key === 'z')).toHaveLength(2);
  expect(overwritten.runs).toHaveLength(1_003);
});

test('finishedDays: the last seven days that have ended, each once', async () => {
  const { runs } = await simulate(finishedDays, { for: '2 days', start: new Date('2026-11-20T12:00:00Z') });
  expect(runs.map(({ runKey }) => runKey)).toEqual(Array.from({ length: 9 }, (_, n) => `2026-11-${13 + n}`));
  expect(runs[0]?.tags).toMatchObject({ partition: '2026-11-13' });
});

describe('an external system', () => {
  let system: ExternalSystemServer;
  let resources: { readonly externalSystem: ExternalSystem };
  beforeEach(async () => {
    system = await startExternalSystem();
    resources = { externalSystem: new ExternalSystem({ endpoint: system.url, apiKey: 'key' }) };
  });
  afterEach(() => system.close());
  const tick = (sensor: SensorDefinition, cursor?: unknown): Promise<TickOutcome> =>
    evaluateTick(sensor, buildSensorContext({ resources, ...(cursor === undefined ? {} : { cursor }) }));

  test('configurable: address, key and interval come from the environment', async () => {
    system.answers.set('/status', () => ({ version: '1.2', newData: true }));
    const config = { externalSystem: { endpoint: system.url, apiKey: env('API_KEY') } };
    await expect(buildResources({ externalSystem }, { config, env: {} })).rejects.toThrow(`'API_KEY' is not set`);
    const built = await buildResources({ externalSystem }, { config, env: { API_KEY: 'secret' } });
    const outcome = await evaluateTick(configurable, buildSensorContext({ resources: built.resources }));
    expect(outcome.requests).toMatchObject([{ runKey: '1.2', config: { version: '1.2' } }]);
    expect([...system.authorizations]).toEqual(['Bearer secret']);

    expect(configurable.intervalMs).toBe(300_000);
    vi.stubEnv('SENSOR_INTERVAL', '5s');
    vi.resetModules();
    onTestFinished(() => void vi.unstubAllEnvs());
    const again = await import('../../examples/from-dagster/external-system.js');
    expect(again.configurable.intervalMs).toBe(5_000);
  });

  test('robust: no connection is a skip reason with a log line; anything else fails the tick', async () => {
    system.answers.set('/status', () => ({ version: '1.2', newData: false }));
    expect(await tick(robust)).toMatchObject({ status: 'skipped', skipReason: 'no new data' });
    system.answers.set('/status', () => ({ version: '1.2', newData: true }));
    expect(keysOf(await tick(robust))).toEqual(['1.2']);
    system.answers.set('/status', () => new Response('', { status: 500 }));
    expect(await tick(robust)).toMatchObject({ status: 'failure', error: 'Error: /status answered 500' });
    system.answers.set('/status', () => ({ version: 7 }));
    expect((await tick(robust)).error).toMatch(/^ZodError/);
    await system.close();
    const outcome = await tick(robust);
    expect(outcome).toMatchObject({ status: 'skipped', skipReason: 'connection error' });
    expect(outcome.logs).toMatchObject([{ level: 'error', message: expect.stringContaining('no connection') }]);
  });

  test('robust: a system that says when to ask again is asked then', async () => {
    const times: number[] = [];
    system.answers.set('/status', () => new Response('', { status: 429, headers: { 'retry-after': '120' } }));
    expect((await tick(robust)).cause).toBeInstanceOf(RetryAfterError);
    const { failures } = await simulate(robust, { for: '10m', resources, at: (now) => void times.push(now.getTime()) });
    expect(failures.map(({ error }) => error)).toContain('RetryAfterError: /status wants 120 s of rest');
    expect(times.slice(1).map((time, index) => time - (times[index] ?? 0))).toEqual([
      120_000, 120_000, 120_000, 120_000,
    ]);
  });

  test('changedTables: the table that has changed runs its job', async () => {
    system.answers.set('/versions', () => ({ orders: 'o2', customers: 'c1' }));
    const { requests } = await evaluateTick(changedTables, buildSensorContext({ resources }), {
      knownKeys: [{ job: 'refreshCustomers', runKey: 'c1' }],
    });
    expect(requests).toMatchObject([{ job: 'refreshOrders', runKey: 'o2' }]);
  });

  test('rawTables: the table that has changed is processed, the other is left out', async () => {
    system.answers.set('/versions', () => ({ orders: 'o2', customers: 'c1' }));
    const context = buildSensorContext({ resources });
    const { requests } = await evaluateTick(rawTables, context, { knownKeys: ['customers_c1'] });
    expect(requests).toMatchObject([{ runKey: 'orders_o2', assets: ['processed_orders'] }]);
  });

  test.each([
    [{ type: 'incremental', rows: 500, quality: 1 }, { requests: [{ job: 'incrementalLoad', runKey: 'b7' }] }],
    [{ type: 'full', rows: 500, quality: 0.9 }, { requests: [{ job: 'fullLoad', config: { batch: 'b7' } }] }],
    [{ type: 'full', rows: 5, quality: 1 }, { skipReason: 'batch b7: 5 rows of quality 1' }],
  ])('conditional: %o', async (batch, expected) => {
    system.answers.set('/batch', () => ({ id: 'b7', ...batch }));
    expect(await tick(conditional)).toMatchObject(expected);
  });

  test('newRecords: begins where the source is, and then asks for what comes after its cursor', async () => {
    system.answers.set('/newest', () => ({ id: 40 }));
    system.answers.set('/records', (query) =>
      [41, 42].map((id) => ({ id })).filter(({ id }) => id > Number(query.get('after')))
    );
    expect(await tick(newRecords)).toMatchObject({
      requests: [{ runKey: '42', config: { newRecordIds: [41, 42] } }],
      cursor: 42,
    });
    expect(await tick(newRecords, 42)).toMatchObject({ skipReason: 'no new records', cursor: 42 });
  });

  test('threeStreams: each stream goes on from its own position', async () => {
    for (const [table, position] of Object.entries({ orders: 7, customers: 3, products: 9 }))
      system.answers.set(`/streams/${table}`, () => ({ position }));
    const outcome = await tick(threeStreams, { orders: 5, customers: 3, products: 8 });
    expect(keysOf(outcome)).toEqual(['orders:7', 'products:9']);
    expect(outcome.cursor).toEqual({ orders: 7, customers: 3, products: 9 });
  });

  test('observable: its lines have what it saw, and a failed tick keeps those it got to', async () => {
    system.answers.set('/changes', () => [{ id: 4 }, { id: 5 }]);
    const outcome = await tick(observable, 3);
    expect(outcome).toMatchObject({ requests: [{ config: { changeIds: [4, 5] } }], cursor: 5 });
    expect(outcome.logs.map(({ message }) => message)).toEqual([
      'check begins cursor=3 lastRunKey=undefined',
      'check ends changes=2 next=5',
    ]);
    system.answers.set('/changes', () => new Response('', { status: 503 }));
    const failed = await tick(observable, 5);
    expect(failed).toMatchObject({ status: 'failure', error: 'Error: /changes?after=5 answered 503', cursor: 5 });
    expect(failed.logs[0]?.message).toBe('check begins cursor=5 lastRunKey=undefined');
  });

  test('newCustomers: a customer that shows up is a partition and has its run in the same tick', async () => {
    system.answers.set('/customers', () => ['acme', 'umbrella']);
    const outcome = await tick(newCustomers);
    expect(outcome).toMatchObject({ status: 'success', rejected: { count: 0 } });
    expect(outcome.requests.map(({ tags }) => tags['partition'])).toEqual(['acme', 'umbrella']);
  });

  test('updatedOrders: an order that shows up late runs, and none runs twice', async () => {
    const orders = [{ id: 'a', updatedAt: '2026-01-01T00:00:00Z' }];
    system.answers.set('/orders', (query) =>
      orders.filter(({ updatedAt }) => Date.parse(updatedAt) >= Date.parse(query.get('since') || '1970-01-01'))
    );
    const { runs } = await simulate(updatedOrders, {
      for: '10m',
      resources,
      at: {
        '5m': () => void orders.push({ id: 'b', updatedAt: '2026-01-01T00:05:00Z' }),
        '6m': () => void orders.push({ id: 'late', updatedAt: '2026-01-01T00:04:00Z' }),
      },
    });
    expect(runs.map(({ runKey }) => runKey?.split('@')[0])).toEqual(['a', 'b', 'late']);
  });

  test('backlog: is drained at once, part by part', async () => {
    const ids = Array.from({ length: 250 }, (_, n) => n + 1);
    system.answers.set('/messages', (query) =>
      ids
        .filter((id) => id > Number(query.get('after')))
        .slice(0, Number(query.get('limit')))
        .map((id) => ({ id }))
    );
    const { runs, ticks } = await simulate(backlog, { for: '10s', resources });
    expect(runs.map(({ config }) => config)).toEqual(ids.map((id) => ({ id })));
    expect(ticks.map(({ runs }) => runs.count).filter((count) => count > 0)).toEqual([100, 100, 50]);
  });

  test('newUsers: one session for all ticks, opened with the credentials and closed in the end', async () => {
    system.answers.set('/sessions', () => new Response('s1'));
    system.answers.set('/sessions/s1', () => new Response(''));
    system.answers.set('/sessions/s1/users', () => ['ann', 'bob']);
    const config = { session: { url: system.url }, credentials: { user: 'me', password: env('PASSWORD') } };
    const built = await buildResources({ session }, { config, env: { PASSWORD: 'secret' } });
    const { runs } = await simulate(newUsers, { for: '1m', resources: built.resources });
    await built.dispose();
    expect(runs.map(({ runKey }) => runKey)).toEqual(['ann', 'bob']);
    expect(system.requests).toEqual([
      'POST /sessions',
      'GET /sessions/s1/users',
      'GET /sessions/s1/users',
      'DELETE /sessions/s1',
    ]);
  });
});

test('outages: one run for each outage, whatever the system answers while it is down', async () => {
  let status: number | undefined = 200;
  const system = await startExternalSystem({ '/health': () => new Response('', { status: status ?? 500 }) });
  onTestFinished(system.close);
  const { runs, cursor, ticks, failures } = await simulate(outages, {
    for: '1h',
    resources: { health: `${system.url}/health` },
    at: {
      '10m': () => void (status = 503),
      '15m': () => void (status = 500),
      '20m': () => void (status = 200),
      '30m': () => void (status = 503),
      '40m': () => void (status = 200),
      '50m': () => system.close(),
    },
  });
  expect(runs.map(({ config }) => config)).toEqual([
    { downSince: '2026-01-01T00:10:00.000Z', problem: 'it answered 503' },
    { downSince: '2026-01-01T00:30:00.000Z', problem: 'it answered 503' },
    { downSince: '2026-01-01T00:50:00.000Z', problem: 'it cannot be reached' },
  ]);
  expect(cursor).toEqual({ downSince: '2026-01-01T00:50:00.000Z' });
  expect(failures).toEqual([]);
  // an hour at 10 s: the first tick, three outages, two recoveries
  expect(ticks).toHaveLength(6);
});

test('what docs/assets.md shows of a program that records an asset is the example', async () => {
  const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
  const snippets = [...(await read('docs/assets.md')).matchAll(/^```ts\n(await sensors\.materialize.*?)^```/gms)];
  expect(snippets).toHaveLength(1);
  for (const [, code = ''] of snippets) expect(await read('examples/assets/record.ts')).toContain(code);
});
