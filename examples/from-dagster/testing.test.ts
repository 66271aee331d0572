/** Tests of sensors without a server: called directly, as a whole tick, and over days of virtual time. */
import { fileURLToPath } from 'node:url';
import { validateRunConfig, type RunRequest } from 'temporal-sensors';
import {
  buildRunStatusSensorContext,
  buildSensorContext,
  evaluateTick,
  mockS3,
  simulate,
} from 'temporal-sensors/testing';
import { expect, test } from 'vitest';
import { customerData } from './bucket.js';
import { changedFiles, logFile, newFiles } from './directory.js';
import { loggedFiles, tellFailure, tellSuccess } from './run-status.js';

const inbox = fileURLToPath(new URL('../orders', import.meta.url));

test('every request has a config that the job takes', async () => {
  const context = buildSensorContext({ resources: { inbox } });
  for await (const { config } of newFiles.evaluate(context)) expect(validateRunConfig(logFile, config)).toEqual([]);
});

test('the cursor becomes the newest time', async () => {
  const context = buildSensorContext({ cursor: { mtimeMs: 0 }, resources: { inbox } });
  for await (const { config } of changedFiles.evaluate(context)) expect(validateRunConfig(logFile, config)).toEqual([]);
  expect(context.cursor.mtimeMs).toBeGreaterThan(0);
});

test('only what comes after the cursor runs', async () => {
  const s3 = mockS3({ 'my-data-bucket': { 'customer_data/1.csv': 'a', 'customer_data/2.csv': 'b' } });
  const context = buildSensorContext({ cursor: 'customer_data/1.csv', resources: { s3 } });
  const requests: RunRequest[] = [];
  for await (const request of customerData.evaluate(context)) requests.push(request);
  expect(requests.map(({ runKey }) => runKey)).toEqual(['customer_data/2.csv']);
  expect(context.cursor).toBe('customer_data/2.csv');
});

test('a key that has run does not run again', async () => {
  const s3 = mockS3({ 'my-data-bucket': { 'customer_data/1.csv': 'a', 'customer_data/2.csv': 'b' } });
  const tick = await evaluateTick(customerData, buildSensorContext({ resources: { s3 } }), {
    knownKeys: ['customer_data/1.csv'],
  });
  expect(tick.requests.map(({ runKey }) => runKey)).toEqual(['customer_data/2.csv']);
  expect(tick).toMatchObject({ status: 'success', duplicates: { count: 1 }, cursor: 'customer_data/2.csv' });
});

test('three days with two uploads and two crashes are two runs', async () => {
  const { runs, quietTicks } = await simulate(customerData, {
    for: '3 days',
    resources: { s3: mockS3({ 'my-data-bucket': {} }) },
    at: {
      '2h': (_, { s3 }) => s3.put('my-data-bucket', 'customer_data/1.csv'),
      '1 day': (_, { s3 }) => s3.put('my-data-bucket', 'customer_data/2.csv'),
    },
    crashes: ['after evaluate', 'before start'],
  });
  expect(runs.map(({ runKey }) => runKey)).toEqual(['customer_data/1.csv', 'customer_data/2.csv']);
  expect(quietTicks).toBeGreaterThan(8_000);
});

const messages: string[] = [];
const chat = { post: async (text: string) => void messages.push(text) };

test('a run that has succeeded is told', async () => {
  const { ctx, run } = buildRunStatusSensorContext({ run: { type: 'logFile' }, resources: { chat } });
  await tellSuccess.handle(ctx, run);
  expect(messages.splice(0)).toEqual(['logFile succeeded']);
});

test('a run that has failed is told', async () => {
  const given = { type: 'logFile', failure: 'failure!' };
  const { ctx, run } = buildRunStatusSensorContext({ run: given, resources: { chat } }).forRunFailure();
  await tellFailure.handle(ctx, run);
  expect(messages.splice(0)).toEqual(['logFile failed: failure!']);
});

test('a file that was logged is archived', async () => {
  const { ctx, run } = buildRunStatusSensorContext({ sensor: loggedFiles, run: { input: [{ filename: 'a.csv' }] } });
  expect(await loggedFiles.handle(ctx, run)).toMatchObject({ runKey: run.eventId, config: { filename: 'a.csv' } });
});
