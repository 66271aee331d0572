/** Two workers with different code for one sensor: the newest code wins, nothing fails, nothing flaps. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function oldWorker(h: Harness): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('../support/old-worker.ts', import.meta.url));
  const args = [inject('temporalAddress'), h.taskQueue, h.prefix, inject('bundlePath')];
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

test('a worker of the old code goes on beside the new one without failing a tick or changing anything back', async () => {
  const h = await Harness.create();
  const old = await oldWorker(h);
  await waitFor(async () => (await h.runs('changed')).length >= 2, 'runs of the old code');

  // the cursor's new shape does not fit the old schema
  const changed = defineSensor({
    name: 'changed',
    job: defineJob({ name: 'noop' }),
    interval: 300,
    defaultStatus: 'running',
    cursor: z.union([z.number(), z.object({ n: z.number() })]).default(0),
    *evaluate(ctx) {
      const n = typeof ctx.cursor === 'number' ? 0 : ctx.cursor.n;
      yield ctx.run({ runKey: `new-${n}`, tags: { code: 'new' } });
      ctx.setCursor({ n: n + 1 });
    },
  });
  await h.work([changed]);
  const name = h.name(changed);
  await waitFor(
    async () => (await h.runs(changed)).filter(({ tags }) => tags['code'] === 'new').length >= 10,
    '10 runs'
  );
  const ticks = await h.sensors.ticks(name);
  expect(ticks.filter(({ status }) => status === 'failure')).toEqual([]);
  expect(await h.sensors.describe(name)).toMatchObject({ intervalMs: 300, health: 'ok' });
  expect((await h.sensors.state(name)).cursor?.value).toMatchObject({ n: expect.any(Number) });
  const runs = await h.runs(changed);
  const firstNew = Math.min(...runs.filter(({ tags }) => tags['code'] === 'new').map(({ tick = 0 }) => tick));
  expect(runs.filter(({ tags, tick = 0 }) => tags['code'] === 'old' && tick > firstNew)).toEqual([]);

  // what the new code no longer has goes on with the old worker, and waits and says so without it
  const removed = h.name('removed');
  await waitFor(
    async () => (await h.sensors.describe(removed)).evaluation?.lastOutcome === 'the old code still looks',
    'an evaluation of the old code'
  );
  old.kill('SIGKILL');
  await waitFor(async () => (await h.sensors.describe(removed)).health === 'notLoaded', 'not loaded');
  expect((await h.sensors.ticks(removed)).filter(({ status }) => status === 'failure')).toEqual([]);
}, 120_000);
