/** The example of two workers, as people run it: each in a process of its own, on its own task queue. */
import { Client, Connection } from '@temporalio/client';
import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { orders, report } from '../../examples/assets/assets.js';
import { startDevServer } from '../../src/cli/dev-server.js';
import { assetState, readAsset, SensorClient } from '../../src/client/index.js';
import { waitFor } from '../support/harness.js';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));

test('orders made by one worker process become reports made by another', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'examples-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const server = await startDevServer({ binary: inject('temporalBinary'), fast: true, headless: true });
  onTestFinished(server.stop);
  let output = '';
  for (const side of ['orders', 'report']) {
    const worker = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), join(examples, 'assets', side, 'worker.ts')],
      {
        cwd: folder,
        env: { ...process.env, TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: 'default' },
        stdio: ['ignore', 'ignore', 'pipe'],
      }
    );
    onTestFinished(() => void worker.kill('SIGKILL'));
    worker.stderr.on('data', (data: Buffer) => (output += data.toString()));
  }
  const connection = await Connection.connect({ address: server.address });
  onTestFinished(() => connection.close());
  const client = new Client({ connection });
  const sensors = new SensorClient(client);
  // what was recorded before the sensor was first started is not handled
  await waitFor(
    async () => (await assetState(client, orders))?.subscribers.some(({ sensor }) => sensor === 'onOrders'),
    'the sensor of the orders',
    90_000
  ).catch((error: unknown) => {
    throw new Error(`the workers did not come up:\n${output}`, { cause: error });
  });

  await mkdir(join(folder, 'inbox'), { recursive: true });
  for (const city of ['berlin', 'toronto'])
    await copyFile(join(examples, 'orders', `orders-${city}.csv`), join(folder, 'inbox', `orders-${city}.csv`));
  const made = await waitFor(async () => {
    const events = await readAsset(client, report);
    return events.length === 2 ? events : undefined;
  }, 'both reports');
  expect(new Set(made.map(({ partitionKey }) => partitionKey))).toEqual(new Set(['berlin', 'toronto']));
  for (const { producer } of made) expect(producer).toMatchObject({ sensor: 'onOrders', job: 'makeReport' });
  const { id } = (await assetState(client, orders)) ?? {};
  const runKeys = [1, 2].map((position) => `sales/orders@${id}.${position}`);
  expect(new Set(made.map(({ producer }) => producer.runKey))).toEqual(new Set(runKeys));
  expect(await readFile(join(folder, 'outbox', 'berlin.txt'), 'utf8')).toMatch(/^berlin: \d+ orders, \d+\.\d\d\n$/);
  // says nothing of how many there are
  await sensors.observe(orders, { partition: 'berlin' });
  // a backfill finds out itself what the sensor gives; lisbon has no orders
  const { id: backfill } = await sensors.backfills.start({ job: 'makeReport', partitions: 'all' });
  expect(await sensors.backfills.result(backfill)).toMatchObject({
    done: 2,
    failures: [{ partition: 'lisbon', error: 'no orders of lisbon are known' }],
  });
  const [first, ...others] = (await readAsset(client, report)).filter(({ partitionKey }) => partitionKey === 'berlin');
  expect(others).toMatchObject([{ metadata: first?.metadata, producer: { job: 'makeReport' } }]);
  // also not when it looked at a log that had only just been started
  expect((await sensors.state('onOrders')).counters.failures).toBe(0);
  const queues = await Promise.all(
    ['newOrders', 'onOrders'].map(
      async (name) => (await client.workflow.getHandle(`sensor/${name}`).describe()).taskQueue
    )
  );
  expect(queues).toEqual(['assets-orders', 'assets-report']);
  expect((await sensors.list()).map(({ sensor }) => sensor).toSorted()).toEqual(['newOrders', 'onOrders']);
});
