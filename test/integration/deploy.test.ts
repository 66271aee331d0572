/** Workers that come and go: changed options, two versions at once, Worker Versioning. */
import { once } from 'node:events';
import { Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';
import { defineSensor } from '../../src/index.js';
import { SensorsPlugin } from '../../src/worker/index.js';
import { Harness, waitFor } from '../support/harness.js';

test('a deploy changes options without a tick, the newest worker start wins, and an interrupted evaluation begins again', async () => {
  const h = await Harness.create();
  let evaluations = 0;
  const version = (interval: '1h' | '2h', description: string) =>
    defineSensor({
      name: 'deployed',
      interval,
      description,
      defaultStatus: 'running',
      evaluate: () => void evaluations++,
    });
  let slowEvaluations = 0;
  const slow = defineSensor({
    name: 'slow',
    interval: 100,
    defaultStatus: 'running',
    async evaluate(ctx) {
      if (++slowEvaluations === 2) await once(ctx.signal, 'abort');
      return ctx.skip(`evaluation ${slowEvaluations}`);
    },
  });
  const name = h.name('deployed');
  const old = await h.work([version('1h', 'old'), slow]);
  await h.tickWhere('deployed', ({ tick }) => tick === 1, 'the first tick');
  await waitFor(() => slowEvaluations === 2, 'the slow evaluation');
  await old.stop();
  expect(await h.sensors.describe(h.name(slow))).toMatchObject({
    health: 'ok',
    lastTick: { tick: 1 },
    evaluation: { lastOutcome: 'its worker was shut down during the evaluation, which another one begins again' },
  });
  const fresh = await h.work([version('2h', 'new'), slow]);
  await waitFor(() => slowEvaluations > 2, 'the evaluation that begins again');
  expect((await h.sensors.ticks(h.name(slow))).map(({ status }) => status)).toEqual(['skipped']);
  await waitFor(async () => (await h.sensors.describe(name)).description === 'new', 'the new description');
  const { evaluation, intervalMs } = await waitFor(async () => {
    const description = await h.sensors.describe(name);
    return description.evaluation?.phase === 'waiting' ? description : undefined;
  }, 'the wait for the interval');
  expect(intervalMs).toBe(7_200_000);
  expect((evaluation?.nextAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(3_500_000);
  expect(evaluations).toBe(1);
  const { historyLength } = await h.sensors.describe(name);
  await fresh.stop();
  await h.work([version('2h', 'new')]);
  // the same options again: nothing to tell
  expect((await h.sensors.describe(name)).historyLength).toBe(historyLength);
});

test('with Worker Versioning sensors move on to the current version, also where the default is PINNED', async () => {
  const h = await Harness.create();
  const deploymentName = `deployment-${h.taskQueue}`;
  let evaluatedBy = '';
  const versioned = async (buildId: string, useWorkerVersioning: boolean): Promise<Worker> => {
    const version = { deploymentName, buildId };
    const evaluate = (): void => void (evaluatedBy = buildId);
    const sensors = [defineSensor({ name: 'versioned', interval: 100, defaultStatus: 'running', evaluate })];
    return await Worker.create({
      connection: h.native,
      taskQueue: h.taskQueue,
      workflowBundle: { codePath: inject('bundlePath') },
      workerDeploymentOptions: useWorkerVersioning
        ? { useWorkerVersioning: true, version, defaultVersioningBehavior: 'PINNED' }
        : { useWorkerVersioning: false, version },
      plugins: [new SensorsPlugin({ prefix: h.prefix, sensors })],
      shutdownGraceTime: '100ms',
    });
  };
  for (const buildId of ['one', 'two']) {
    const worker = await versioned(buildId, true);
    await worker.runUntil(async () => {
      await makeCurrent(h, deploymentName, buildId);
      await waitFor(() => evaluatedBy === buildId, `an evaluation by ${buildId}`);
    });
  }
  // in workflow code this cannot be told from versioning, and the server would refuse every task of a sensor
  await expect(versioned('three', false)).rejects.toThrow('has a version but useWorkerVersioning: false');
});

async function makeCurrent(h: Harness, deploymentName: string, buildId: string): Promise<void> {
  await waitFor(async () => {
    await h.client.workflowService.setWorkerDeploymentCurrentVersion({
      namespace: 'default',
      deploymentName,
      buildId,
      ignoreMissingTaskQueues: true,
    });
    return true;
  }, 'the deployment version');
}
