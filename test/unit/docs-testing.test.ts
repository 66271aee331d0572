/** Every snippet of docs/testing.md, as it is there. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  allOf,
  defineAsset,
  defineJob,
  defineMultiAssetSensor,
  defineResource,
  defineRunFailureSensor,
  defineSensor,
  staticPartitions,
} from 'temporal-sensors';
import { z } from 'zod';
import {
  buildMultiAssetSensorContext,
  buildRunStatusSensorContext,
  buildSensorContext,
  evaluateTick,
  simulate,
} from 'temporal-sensors/testing';

interface Inbox {
  list(): readonly { readonly name: string; readonly mtimeMs: number }[];
}
const listFolder = (path: string): ReturnType<Inbox['list']> =>
  readdirSync(path).map((name) => ({ name, mtimeMs: statSync(join(path, name)).mtimeMs }));

export const processFile = defineJob({
  name: 'processFile',
  config: z.object({ path: z.string(), attempts: z.number().default(3) }),
});

export const folder = defineResource({ create: (): Inbox => ({ list: () => listFolder('inbox') }) });

export const newFiles = defineSensor({
  name: 'newFiles',
  job: processFile,
  resources: { inbox: folder },
  interval: '30s',
  cursor: z.object({ mtimeMs: z.number() }).default({ mtimeMs: 0 }),
  *evaluate(ctx) {
    const files = ctx.resources.inbox.list().filter(({ mtimeMs }) => mtimeMs > ctx.cursor.mtimeMs);
    if (files.length === 0) return ctx.skip('no new files');
    for (const { name, mtimeMs } of files) yield ctx.run({ runKey: `${name}:${mtimeMs}`, config: { path: name } });
    ctx.setCursor({ mtimeMs: Math.max(...files.map(({ mtimeMs }) => mtimeMs)) });
    return undefined;
  },
});

test('asks for the files that are newer than the cursor', () => {
  const inbox: Inbox = {
    list: () => [
      { name: 'a.csv', mtimeMs: 10 },
      { name: 'b.csv', mtimeMs: 20 },
    ],
  };
  const context = buildSensorContext({ cursor: { mtimeMs: 10 }, resources: { inbox } });
  const requests = [...newFiles.evaluate(context)];
  expect(requests.map(({ runKey }) => runKey)).toEqual(['b.csv:20']);
  expect(context.cursor).toEqual({ mtimeMs: 20 });
});

test('starts only what has not run, with the config that the job will get', async () => {
  const inbox: Inbox = {
    list: () => [
      { name: 'a.csv', mtimeMs: 10 },
      { name: 'b.csv', mtimeMs: 20 },
    ],
  };
  const context = buildSensorContext({ resources: { inbox } });
  const { status, requests, duplicates, cursor } = await evaluateTick(newFiles, context, { knownKeys: ['a.csv:10'] });
  expect(status).toBe('success');
  expect(requests).toMatchObject([
    { workflowId: 'newFiles:processFile:b.csv:20', runKey: 'b.csv:20', config: { path: 'b.csv', attempts: 3 } },
  ]);
  expect(duplicates.count).toBe(1);
  expect(cursor).toEqual({ mtimeMs: 20 });
});

test('a source that is down fails the tick and keeps the cursor', async () => {
  const inbox: Inbox = {
    list: () => {
      throw new Error('the share is not mounted');
    },
  };
  const context = buildSensorContext({ cursor: { mtimeMs: 10 }, resources: { inbox } });
  const outcome = await evaluateTick(newFiles, context);
  expect(outcome).toMatchObject({ status: 'failure', error: 'Error: the share is not mounted', requests: [] });
  expect(outcome.cursor).toEqual({ mtimeMs: 10 });
});

test('three days: each file runs once, and the rest is quiet', async () => {
  const files: { name: string; mtimeMs: number }[] = [];
  const inbox = { list: () => files };
  const { runs, ticks, quiet } = await simulate(newFiles, {
    for: '3 days',
    resources: { inbox },
    world: files,
    at: {
      '2h': (now, files) => void files.push({ name: 'a.csv', mtimeMs: now.getTime() }),
      '1 day': (now, files) => void files.push({ name: 'b.csv', mtimeMs: now.getTime() }),
    },
  });
  expect(runs.map(({ config }) => config)).toMatchObject([{ path: 'a.csv' }, { path: 'b.csv' }]);
  expect(ticks).toHaveLength(3);
  expect(quiet.every(({ reason }) => reason === 'no new files')).toBe(true);
});

test('whatever crashes, each file runs exactly once', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const files: { name: string; mtimeMs: number }[] = [];
    const arrive = (now: Date): void => void files.push({ name: `${files.length}.csv`, mtimeMs: now.getTime() });
    const { runs } = await simulate(newFiles, {
      for: '1h',
      resources: { inbox: { list: () => files } },
      at: { '10s': arrive, '1m': arrive, '61s': arrive, '20m': arrive },
      crashes: { seed, share: 0.2 },
    });
    expect(runs.map(({ config }) => config)).toMatchObject(files.map(({ name }) => ({ path: name })));
  }
});

test('a stopped sensor catches up when it is started', async () => {
  const files: { name: string; mtimeMs: number }[] = [];
  const { runs, state } = await simulate(newFiles, {
    for: '1 day',
    start: new Date('2026-03-01T00:00:00Z'),
    resources: { inbox: { list: () => files } },
    at: {
      '1h': (_, __, control) => control.stop({ by: 'ann', reason: 'maintenance' }),
      '2h': (now) => void files.push({ name: 'a.csv', mtimeMs: now.getTime() }),
      '3h': (_, __, control) => control.start(),
    },
  });
  expect(runs).toMatchObject([{ config: { path: 'a.csv' }, at: new Date('2026-03-01T03:00:00Z') }]);
  expect(state.audit.map(({ what }) => what)).toEqual(['start', 'stop', 'start']);
});

export const cleanUp = defineJob({ name: 'cleanUp', config: z.object({ path: z.string() }) });

export const onFailure = defineRunFailureSensor({
  name: 'onFailure',
  monitor: { jobs: [processFile] },
  job: cleanUp,
  async handle(ctx, run) {
    const { path } = processFile.config.parse((await run.input())[0]);
    return ctx.run({ config: { path }, tags: { why: run.failure.type ?? 'unknown' } });
  },
});

test('asks for a clean-up after the file that failed', async () => {
  const { ctx, run } = buildRunStatusSensorContext({
    run: { type: 'processFile', failure: new RangeError('line 3: no price'), input: [{ path: 'a.csv' }] },
  }).forRunFailure();
  const request = await onFailure.handle(ctx, run);
  expect(request).toMatchObject({ runKey: run.eventId, config: { path: 'a.csv' }, tags: { why: 'RangeError' } });
});

export const day = defineJob({ name: 'day', config: z.object({ day: z.string() }) });
const week = staticPartitions(['mon', 'tue']);
export const orders = defineAsset({ key: 'orders', partitions: week });
export const customers = defineAsset({ key: 'customers', partitions: week });
export const daily = defineMultiAssetSensor({
  name: 'daily',
  assets: { orders, customers },
  when: allOf('orders', 'customers', { by: 'partition' }),
  job: day,
  handle: (ctx, match) => ctx.run({ config: { day: match.partitionKey ?? '' } }),
});

test('asks for the day that has both', () => {
  const tick = buildMultiAssetSensorContext({
    sensor: daily,
    events: { orders: [{ partitionKey: 'mon' }, { partitionKey: 'tue' }], customers: [{ partitionKey: 'tue' }] },
  });
  for (const match of tick.matches) daily.handle(tick.ctx, match);
  expect(tick.ctx.requests).toMatchObject([{ runKey: 'customers@1+orders@2', config: { day: 'tue' } }]);
  expect(tick.waiting).toMatch('waiting for customers of mon (orders came ');
});

test('every snippet is run by a test', async () => {
  const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), 'utf8');
  const tests = `${await read('./docs-testing.test.ts')}${await read('../integration/toolkit.test.ts')}`;
  const snippets = [...(await read('../../docs/testing.md')).matchAll(/^```ts\n(.*?)^```/gms)].map(
    ([, code = '']) => code
  );
  expect(snippets.length).toBeGreaterThan(5);
  for (const snippet of snippets) expect(tests).toContain(snippet.replace(/^import .*\n/gm, '').trim());
});
