/** A worker that dies at any step of a tick: another one takes over within seconds, and nothing is lost or runs twice. */
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, inject, test } from 'vitest';
import { CRASH_STEPS, crashSensor, requestsOf, type CrashStep } from '../support/crash-steps.js';
import { Harness, waitFor } from '../support/harness.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function supportPath(name: string): string {
  return fileURLToPath(new URL(`../support/${name}`, import.meta.url));
}

function spawnWorker(script: string, h: Harness, bundlePath: string, ...args: readonly string[]) {
  const all = [supportPath(script), inject('temporalAddress'), h.taskQueue, h.prefix, bundlePath, ...args];
  const child = spawn(process.execPath, ['--import', 'tsx', ...all], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function evaluatingWorker(h: Harness, slowMs: number, how: 'waits' | 'blocks' = 'waits'): Promise<ChildProcess> {
  const child = spawnWorker('worker-process.ts', h, inject('bundlePath'), String(slowMs), how);
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

/** What is there when a worker died at one step and a healthy one has taken over. */
interface Outcome {
  readonly diedOf: string | null;
  readonly runs: number;
  /** Different requests among the runs. */
  readonly requests: number;
  readonly counted: number;
  readonly ticks: number;
}

async function crashAt(step: CrashStep, bundlePath: string): Promise<Outcome> {
  const h = await Harness.create();
  const dying = spawnWorker('crash-process.ts', h, bundlePath, step);
  const [, diedOf] = (await once(dying, 'exit')) as [number | null, string | null];
  const sensor = crashSensor(step);
  await h.work([sensor]);
  await waitFor(() => hasContinued(h), `the loop to continue as new after '${step}'`);
  const runs = await h.settledRuns(sensor, requestsOf(step));
  const { counters } = await h.sensors.state(h.name(sensor));
  const requests = new Set(runs.map(({ tags }) => tags['item'])).size;
  return { diedOf, runs: runs.length, requests, counted: counters.runs, ticks: counters.ticks };
}

/** Whether the loop has continued as new after its first tick and waits for the next one. */
async function hasContinued(h: Harness): Promise<boolean> {
  const { raw } = await h.loop('crashed').describe();
  const { firstRunId, execution } = raw.workflowExecutionInfo ?? {};
  return firstRunId !== execution?.runId && (raw.pendingActivities ?? []).length > 0;
}

test('SIGKILL at each step of a tick: every request has exactly one run', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-'));
  try {
    const bundlePath = join(folder, 'workflows.js');
    const { code } = await bundleWorkflowCode({
      workflowsPath: supportPath('workflows.ts'),
      workflowInterceptorModules: [supportPath('crash-interceptor.ts')],
      logger: new DefaultLogger('ERROR'),
    });
    await writeFile(bundlePath, code);
    // at the same time: each takes over after a timeout of Temporal's
    const outcomes = await Promise.all(
      CRASH_STEPS.map(async (step) => [step, await crashAt(step, bundlePath)] as const)
    );
    const wanted = (step: CrashStep): Outcome => {
      const requests = requestsOf(step);
      return { diedOf: 'SIGKILL', runs: requests, requests, counted: requests, ticks: 1 };
    };
    expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(CRASH_STEPS.map((step) => [step, wanted(step)])));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
