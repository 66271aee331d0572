/**
 * The demo: its sensor and job on the shared server, and `worker.ts` as people run it, as a process in a folder.
 */
import { WorkflowFailedError } from '@temporalio/client';
import { rootCause } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import * as activities from '../../examples/orders/activities.js';
import { ordersSensor } from '../../examples/orders/sensors.js';
import { startDevServer } from '../../src/cli/dev-server.js';
import type { TickRecord } from '../../src/client/index.js';
import { Harness, waitFor } from '../support/harness.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const valid = ['orders-berlin.csv', 'orders-lisbon.csv', 'orders-toronto.csv'];
const malformed = 'orders-malformed.csv';
const HEADER = 'order_id,customer,product,quantity,unit_price';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orders-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function copyExamples(names: readonly string[] = valid): Promise<void> {
  for (const name of names) {
    await copyFile(
      join(root, 'examples', name === malformed ? 'malformed' : 'orders', name),
      join(folder, 'inbox', name)
    );
  }
}

async function reports(): Promise<string[]> {
  return (await readdir(join(folder, 'outbox')).catch(() => [])).sort();
}

async function reportOf(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, 'outbox', `${name}.json`), 'utf8'));
}

describe('the sensor and its job', () => {
  let bundle: WorkflowBundleWithSourceMap;
  beforeAll(async () => {
    const workflowsPath = join(root, 'examples/orders/workflows.ts');
    bundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  });

  async function start(options: { readonly inbox?: false } = {}) {
    if (options.inbox !== false) await mkdir(join(folder, 'inbox'));
    const harness = await Harness.create();
    const sensor = ordersSensor({ inbox: join(folder, 'inbox'), outbox: join(folder, 'outbox') });
    await harness.work([sensor], { workflowBundle: bundle, activities: { ...activities } });
    return { harness, tick: async (): Promise<TickRecord> => await harness.sensors.tick(harness.name(sensor)) };
  }

  /** A file that is no longer being written. */
  async function put(name: string, content: string | undefined): Promise<void> {
    const path = join(folder, 'inbox', name);
    if (content !== undefined) await writeFile(path, content);
    await utimes(path, new Date(), new Date(Date.now() - 60_000));
  }

  test('report each content of each file once', async () => {
    const { harness, tick } = await start();
    await copyExamples();
    for (const name of valid) await put(name, undefined);
    expect((await tick()).runs.count).toBe(3);
    await waitFor(async () => (await reports()).length === 3, '3 reports');
    expect(await reportOf('orders-lisbon.csv')).toMatchObject({ orders: 4, totalCents: 46_457 });

    await copyExamples();
    for (const name of valid) await put(name, undefined);
    expect(await tick()).toMatchObject({ status: 'skipped', runs: { count: 0 } });
    expect((await tick()).skipReason).toBe(`no new files in ${folder}/inbox (3 known)`);

    const path = join(folder, 'inbox', 'orders-lisbon.csv');
    await appendFile(path, 'L-2005,Quiosque do Jardim,Napkins,1,0.43\n');
    await put('orders-lisbon.csv', undefined);
    expect((await tick()).runs.count).toBe(1);
    await waitFor(
      async () => ((await reportOf('orders-lisbon.csv')) as { orders: number }).orders === 5,
      'the new report'
    );
    expect(await reportOf('orders-lisbon.csv')).toMatchObject({ totalCents: 46_500 });

    const runs = await harness.settledRuns('orders', 4);
    expect(runs).toHaveLength(4);
    await waitFor(
      async () => (await harness.runs('orders')).every(({ status }) => status === 'COMPLETED'),
      'completed runs'
    );
    expect(await reports()).toEqual(valid.map((name) => `${name}.json`));
  });

  test('start a content again neither when the cursor is cleared nor when it comes back', async () => {
    const { harness, tick } = await start();
    const first = `${HEADER}\n1,A,Beans,1,1\n`;
    await put('a.csv', first);
    expect((await tick()).runs.count).toBe(1);
    await harness.sensors.clearCursor(harness.name('orders'));
    expect(await tick()).toMatchObject({ runs: { count: 0 }, duplicates: { count: 1 } });
    await put('a.csv', `${HEADER}\n1,A,Beans,2,1\n`);
    expect((await tick()).runs.count).toBe(1);
    await put('a.csv', first);
    expect(await tick()).toMatchObject({ runs: { count: 0 }, duplicates: { count: 1 } });
    expect(await harness.settledRuns('orders', 2)).toHaveLength(2);
  });

  test('fail the run of a malformed file with line and column, and go on', async () => {
    const { harness, tick } = await start();
    await copyExamples([malformed]);
    await put(malformed, undefined);
    await tick();
    const [failed] = await harness.settledRuns('orders', 1);
    const error: unknown = await harness.client.workflow
      .getHandle(failed?.workflowId ?? '')
      .result()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect(rootCause(error)).toBe(
      'orders-malformed.csv, line 4, column 4 (quantity): expected a whole number of 1 or more, found "twelve"'
    );
    await put('good.csv', `${HEADER}\n1,A,Beans,1,1\n`);
    expect((await tick()).runs.count).toBe(1);
    await waitFor(async () => (await reports()).length === 1, 'a report');
    expect((await harness.sensors.describe(harness.name('orders'))).health).toBe('ok');
  });

  test('leave alone what is still written, hidden, no CSV, no file or unreadable', async () => {
    const { tick } = await start();
    const inbox = join(folder, 'inbox');
    await writeFile(join(inbox, 'young.csv'), HEADER);
    await put('.hidden.csv', HEADER);
    await put('notes.txt', HEADER);
    await mkdir(join(inbox, 'folder.csv'));
    await symlink('loop.csv', join(inbox, 'loop.csv'));
    await symlink('nowhere', join(inbox, 'gone.csv'));
    await put('UPPER.CSV', HEADER);
    const record = await tick();
    expect(record.runs.count).toBe(1);
    expect(record.runs.sample[0]).toContain(':UPPER.CSV:');
    const { skipReason } = await tick();
    expect(skipReason).toMatch(/\(1 known, .*cannot read loop\.csv: ELOOP/);
    await waitFor(async () => (await tick()).runs.count === 1, 'the run of young.csv');
  });

  test('say that there is no folder, and use it once it is there', async () => {
    const { tick } = await start({ inbox: false });
    expect((await tick()).skipReason).toBe(`${folder}/inbox does not exist`);
    await mkdir(join(folder, 'inbox'));
    await put('a.csv', `${HEADER}\n`);
    expect((await tick()).runs.count).toBe(1);
  });

  test('report nothing of a file that was replaced or removed before its run', async () => {
    const { harness } = await start();
    const path = join(folder, 'inbox', 'a.csv');
    const run = async (): Promise<unknown> =>
      await harness.client.workflow
        .execute('processOrders', {
          taskQueue: harness.taskQueue,
          workflowId: `${harness.taskQueue}-${Math.random()}`,
          args: [{ path, sha256: '0'.repeat(64), outbox: join(folder, 'outbox') }],
        })
        .catch(rootCause);
    await writeFile(path, `${HEADER}\n1,A,Beans,1,1\n`);
    expect(await run()).toContain(`${path} was replaced before this run read it`);
    await writeFile(path, `${HEADER}\n1,A,Beans,`);
    expect(await run()).toContain(`${path} was replaced before this run read it`);
    await rm(path);
    expect(await run()).toContain(`${path} is gone`);
    expect(await reports()).toEqual([]);
  });
});

test('worker.ts reports what arrives, ends cleanly at Ctrl-C, and repeats nothing when it starts again', async () => {
  const server = await startDevServer({ binary: inject('temporalBinary'), fast: true, headless: true });
  onTestFinished(server.stop);
  const begin = async () => {
    const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), join(root, 'worker.ts')], {
      cwd: folder,
      env: { ...process.env, TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: 'default' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
    const exit = once(child, 'exit');
    await waitFor(() => output.includes('Ctrl-C ends it'), 'the worker').catch((error: unknown) => {
      throw new Error(`worker.ts did not come up:\n${output}`, { cause: error });
    });
    const end = async (signal: NodeJS.Signals): Promise<string> => {
      child.kill(signal);
      expect(await exit).toEqual([0, null]);
      return output;
    };
    return { end, saw: async (text: string) => await waitFor(() => output.includes(text), `'${text}' in:\n${output}`) };
  };

  const first = await begin();
  await copyExamples([...valid, malformed]);
  await waitFor(async () => (await reports()).length === 3, '3 reports');
  await first.saw('Workflow failed');
  const output = await first.end('SIGINT');
  expect(output).toContain('success: 4 runs started');
  expect(output).toContain('WARN Workflow failed: orders-malformed.csv, line 4, column 4 (quantity)');
  expect(output.split('\n').length).toBeLessThan(12);

  await rm(join(folder, 'outbox'), { recursive: true });
  await copyExamples();
  const second = await begin();
  await writeFile(join(folder, 'inbox', 'new.csv'), `${HEADER}\n1,A,Beans,1,1\n`);
  await waitFor(async () => (await reports()).length > 0, 'a report');
  expect(await second.end('SIGTERM')).toContain('success: 1 run started');
  expect(await reports()).toEqual(['new.csv.json']);
});
