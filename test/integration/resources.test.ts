import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineJob, defineResource, defineSensor, env, withResources } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const greeting = defineJob({ name: 'greeting', config: z.object({ name: z.string() }) });

test('two sensors and an activity of a job share one instance, which ends with its worker', async () => {
  const lines: string[] = [];
  const account = defineResource({
    create: () => `account ${lines.push('account made')}`,
    dispose: (value) => void lines.push(`${value} disposed of`),
  });
  const mail = defineResource({
    config: z.object({ from: z.string() }),
    dependsOn: { account },
    create: ({ config, resources }) => ({ sender: `${config.from} on ${resources.account}`, made: lines.push('made') }),
    dispose: ({ made }) => {
      lines.push(`${made} disposed of`);
      throw new Error('this must not break the shutdown');
    },
  });
  const scratch = defineResource({
    scope: 'tick',
    create: () => `scratch ${lines.push('scratch made')}`,
    dispose: (value) => void lines.push(`${value} disposed of`),
  });
  const seen: unknown[] = [];
  const sensor = (name: string) =>
    defineSensor({
      name,
      job: greeting,
      interval: '1h',
      defaultStatus: 'running',
      resources: { mail },
      evaluate: (ctx) => {
        seen.push(ctx.resources.mail);
        return ctx.run({ runKey: 'one', config: { name } });
      },
    });
  const [a, b] = [sensor('a'), sensor('b')];
  const activities = withResources(
    { mail, scratch },
    {
      greet({ mail, scratch }, name: string) {
        seen.push(mail);
        lines.push(`used ${scratch.slice(0, 7)}`);
        return `hello ${name} from ${mail.sender}`;
      },
    }
  );
  const h = await Harness.create();
  const worker = await h.work(
    [a, b],
    { activities },
    { resourceConfig: { mail: { from: env('NO_SUCH_NAME', 'me') } } }
  );
  for (const each of [a, b]) {
    await h.tickWhere(each, ({ runs }) => runs.count === 1, 'the run');
    const result = await h.client.workflow.getHandle(`${h.name(each)}:greeting:one`).result();
    expect(result).toBe(`hello ${each.name} from me on account 1`);
  }
  expect(new Set(seen).size).toBe(1);
  expect(seen).toHaveLength(4);
  expect(lines.slice(0, 2)).toEqual(['account made', 'made']);
  for (const each of ['scratch made', 'used scratch']) expect(lines.filter((line) => line === each)).toHaveLength(2);
  expect(lines.filter((line) => /^scratch \d+ disposed of$/.test(line))).toHaveLength(2);
  expect(lines).not.toContain('account 1 disposed of');
  const logged: string[] = [];
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => logged.push(String(text)) > 0);
  await worker.stop().finally(() => stderr.mockRestore());
  expect(logged.join('')).toContain(`resource 'mail' could not be disposed of`);
  await expect(worker.done).resolves.toBeUndefined();
  expect(lines.slice(-2)).toEqual(['2 disposed of', 'account 1 disposed of']);
});

test('a resource that fails is a failed tick that names it, and the sensor recovers by itself', async () => {
  let server: 'down' | 'hanging' | 'up' = 'down';
  const evaluated: string[] = [];
  const database = defineResource({
    config: z.object({ url: z.url(), password: z.string() }),
    create: async ({ config, signal }) => {
      if (server === 'down') throw new Error('connection refused');
      if (server === 'hanging') await delay(60_000, undefined, { signal });
      return config.url;
    },
  });
  const sensor = defineSensor({
    name: 'orders',
    interval: 100,
    timeout: 300,
    defaultStatus: 'running',
    resources: { database },
    evaluate: (ctx) => void evaluated.push(ctx.resources.database),
  });
  const h = await Harness.create();
  const name = h.name(sensor);
  const reported = (text: string) =>
    waitFor(async () => (await h.sensors.describe(name)).evaluation?.lastOutcome?.includes(text), text);
  process.env['DATABASE_URL'] = 'no URL: HIDDEN';
  try {
    await h.work([sensor], {}, { resourceConfig: { database: { url: env('DATABASE_URL'), password: 'HIDDEN' } } });
    const first = await h.tickWhere(sensor, ({ status }) => status === 'failure', 'the failure');
    expect(first.error).toBe(
      `resource 'database' could not be created: its config does not fit its schema (config.url: Invalid URL)`
    );
    process.env['DATABASE_URL'] = 'db://orders';
    await reported(`resource 'database' could not be created: Error: connection refused`);
    server = 'hanging';
    await reported(`resource 'database' could not be created: the evaluation did not end within its timeout of 300 ms`);
    expect(evaluated).toEqual([]);
    server = 'up';
    await h.tickWhere(sensor, ({ status }) => status === 'skipped', 'the recovery');
    expect(new Set(evaluated)).toEqual(new Set(['db://orders']));
  } finally {
    delete process.env['DATABASE_URL'];
  }
});
