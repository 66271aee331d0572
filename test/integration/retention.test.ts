/** Temporal forgets closed runs after the namespace's retention; the sensor does not forget their keys. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startDevServer, type DevServer } from '../../src/cli/dev-server.js';
import { describeRun, type Execution } from '../../src/client/executions.js';
import { statusRunOf } from '../../src/client/read-run.js';
import type { RunOfWorkflow } from '../../src/client/run-history.js';
import { defineJob, defineSensor } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const KEYS = 60;

/** Deleting waits for everything else that the server has to do, so these tests have one of their own. */
let server: DevServer;
beforeAll(async () => {
  server = await startDevServer({ binary: inject('temporalBinary'), fast: true, headless: true });
});
afterAll(() => server.stop());

/** Asks for the same runs at every tick. */
function repeatingSensor(keys: number) {
  return defineSensor({
    name: 'repeating',
    job: defineJob({ name: 'noop' }),
    // stopped and started, it ticks after the rest of it
    interval: '1s',
    defaultStatus: 'running',
    evaluate: (ctx) => Array.from({ length: keys }, (_, n) => ctx.run({ runKey: `key ${n}` })),
  });
}

/** What the end of retention does: the server has never heard of these runs. */
async function forget(h: Harness, runs: readonly RunOfWorkflow[]): Promise<void> {
  const { workflowService, options } = h.client;
  for (const { workflowId, runId } of runs) {
    await h.client.workflow
      .getHandle(workflowId, runId)
      .result()
      .catch(() => undefined);
    await workflowService.deleteWorkflowExecution({
      namespace: options.namespace,
      workflowExecution: { workflowId, runId },
    });
  }
  // the server deletes in the background, half a minute later; one after the other, to ask it gently
  for (const { workflowId } of runs)
    await waitFor(() => isForgotten(h, workflowId), `the server to forget '${workflowId}'`, 90_000);
}

async function isForgotten(h: Harness, workflowId: string): Promise<boolean> {
  try {
    await h.client.workflow.getHandle(workflowId).describe();
    return false;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
}

test.each([KEYS])('%i keys whose runs the server has forgotten start nothing', async (keys) => {
  const h = await Harness.create({}, server.address);
  const sensor = repeatingSensor(keys);
  const name = h.name(sensor);
  const first = await h.work([sensor]);
  const runs = await h.settledRuns(sensor, keys);
  const { workflowId: failing, firstExecutionRunId } = await h.client.workflow.start('failing', {
    workflowId: `${h.prefix}failing`,
    taskQueue: h.taskQueue,
  });
  const failed = { workflowId: failing, runId: firstExecutionRunId };
  await expect(h.client.workflow.getHandle(failing).result()).rejects.toThrow();
  await first.stop();
  const succeeded = { workflowId: runs[0]?.workflowId ?? '', runId: runs[0]?.runId ?? '' };
  const executions = [await describeRun(h.client, succeeded), await describeRun(h.client, failed)];
  await forget(h, [...runs, failed]);

  const gone = 'its history is no longer on the server (the retention ended, or somebody deleted it)';
  const [completed, broken] = await Promise.all(
    executions.map((execution, n) => statusRunOf(h.client, execution as Execution, n === 0 ? 'completed' : 'failed'))
  );
  await expect(completed?.input()).rejects.toThrow(`the input of workflow '${succeeded.workflowId}'`);
  await expect(completed?.result()).rejects.toThrow(gone);
  expect(broken).toMatchObject({ ...failed, status: 'failed', failure: { message: `failed; ${gone}`, causes: [] } });
  expect(await describeRun(h.client, failed)).toBeUndefined();

  await h.work([sensor]);
  const nothing = { status: 'skipped', runs: { count: 0 }, duplicates: { count: keys } };
  expect(await h.sensors.tick(name)).toMatchObject(nothing);

  // the first tick after a start ends with a continue-as-new
  const { runId } = await h.sensors.describe(name);
  await h.sensors.stop(name);
  await h.sensors.start(name);
  await waitFor(async () => (await h.sensors.describe(name)).runId !== runId, 'the loop to continue as new');
  expect(await h.sensors.tick(name)).toMatchObject(nothing);
  expect((await h.sensors.state(name)).counters.runs).toBe(keys);

  // it was the sensor that refused: the server would take the IDs again
  const workflowId = runs[0]?.workflowId ?? '';
  await h.client.workflow.start('noop', {
    workflowId,
    taskQueue: h.taskQueue,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
  });
});
