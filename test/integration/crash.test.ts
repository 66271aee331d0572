/** A worker that dies while it evaluates: another one takes over within seconds, and nothing runs twice. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, inject, test } from 'vitest';
import { Harness } from '../support/harness.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function evaluatingWorker(h: Harness, slowMs: number, how: 'waits' | 'blocks' = 'waits'): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('../support/worker-process.ts', import.meta.url));
  const args = [inject('temporalAddress'), h.taskQueue, h.prefix, inject('bundlePath'), String(slowMs), how];
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

test.each(['SIGKILL', 'SIGTERM'] as const)('%s while evaluating', async (signal) => {
  const h = await Harness.create();
  const first = await evaluatingWorker(h, 60_000);
  const killedAt = Date.now();
  first.kill(signal);
  await evaluatingWorker(h, 0);
  const tick = await h.tickWhere('killed', ({ tick: number }) => number === 1, 'the tick on the other worker');
  // an interval is an hour: it was a retry
  expect(Date.now() - killedAt).toBeLessThan(30_000);
  expect(tick).toMatchObject({ status: 'success', runs: { count: 2 } });
  const runs = await h.settledRuns('killed', 2);
  expect(runs.map(({ runKey }) => runKey ?? 'none').toSorted()).toEqual(['keyed', 'none']);
});

test('an evaluation that blocks its event loop is a failed tick that says so, not an endless retry', async () => {
  const h = await Harness.create();
  await evaluatingWorker(h, 11_500, 'blocks');
  const tick = await h.tickWhere('killed', ({ tick: number }) => number === 1, 'the failed tick');
  expect(tick).toMatchObject({ status: 'failure', runs: { count: 0 } });
  expect(tick.error).toContain(`blocked its worker's event loop for 1`);
});
