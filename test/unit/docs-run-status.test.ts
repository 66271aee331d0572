/** Every snippet of docs/run-status.md, as it is there. */
import { readFile } from 'node:fs/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { ApplicationFailure } from '@temporalio/common';
import { defineJob, defineRunFailureSensor, defineRunStatusSensor, RetryAfterError } from 'temporal-sensors';
import { z } from 'zod';
import { buildRunStatusSensorContext } from 'temporal-sensors/testing';
import { startExternalSystem } from '../support/external-system.js';

export const onFailure = defineRunFailureSensor({
  name: 'onFailure',
  defaultStatus: 'running',
  async handle(ctx, run) {
    const response = await fetch(process.env['ALERTS_URL'] ?? '', {
      method: 'POST',
      headers: { 'idempotency-key': run.eventId },
      body: `${run.type} ${run.workflowId}: ${run.failure.message}`,
      signal: ctx.signal,
    });
    await response.body?.cancel();
    // an answer of 429 asks for a pause, 400 will be the same next time, and anything else may get better
    if (response.status === 429) throw new RetryAfterError('30s', 'the receiver wants a rest');
    if (response.status === 400) throw ApplicationFailure.nonRetryable('the receiver refused the message');
    if (!response.ok) throw new Error(`the receiver answered ${response.status}`);
  },
});

export const processOrders = defineJob({ name: 'processOrders', config: z.object({ path: z.string() }) });
export const sendInvoice = defineJob({ name: 'sendInvoice', config: z.object({ path: z.string() }) });

export const invoices = defineRunStatusSensor({
  name: 'invoices',
  defaultStatus: 'running',
  status: 'completed',
  monitor: { jobs: [processOrders] },
  job: sendInvoice,
  async handle(ctx, run) {
    const [config] = await run.input();
    return ctx.run({ config: processOrders.config.parse(config) });
  },
});

afterEach(() => void vi.unstubAllEnvs());

test('the first sensor tells each failure, and what the receiver answers decides', async () => {
  let status = 200;
  const system = await startExternalSystem({ '/': () => new Response('', { status }) });
  vi.stubEnv('ALERTS_URL', system.url);
  const { ctx, run } = buildRunStatusSensorContext({ run: { failure: 'disk full' } }).forRunFailure();
  const thrown: unknown[] = [];
  for (status of [200, 429, 400, 500])
    thrown.push(await onFailure.handle(ctx, run).catch((error: unknown) => (error as Error).name));
  await system.close();
  expect(system.requests).toEqual(Array(4).fill('POST /'));
  expect(thrown).toEqual([undefined, 'RetryAfterError', 'ApplicationFailure', 'Error']);
});

test('an order that was processed gets one invoice', async () => {
  const { ctx, run } = buildRunStatusSensorContext({ sensor: invoices, run: { input: [{ path: 'a.csv' }] } });
  expect(run).toMatchObject({ status: 'completed', type: 'processOrders' });
  expect(await invoices.handle(ctx, run)).toMatchObject({ runKey: run.eventId, config: { path: 'a.csv' } });
});

test('every snippet is in this file', async () => {
  const read = (path: string): Promise<string> => readFile(new URL(path, import.meta.url), 'utf8');
  const tests = await read('./docs-run-status.test.ts');
  const snippets = [...(await read('../../docs/run-status.md')).matchAll(/^```ts\n(.*?)^```/gms)];
  expect(snippets).toHaveLength(2);
  for (const [, code = ''] of snippets) expect(tests).toContain(code.replace(/^import .*\n/gm, '').trim());
});
