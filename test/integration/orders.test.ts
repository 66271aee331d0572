/**
 * The demo: its sensor and job on the shared server, and `worker.ts` as people run it, as a process in a folder.
 */
import { WorkflowFailedError } from '@temporalio/client';
import { rootCause } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import * as activities from '../../examples/orders/activities.js';
import { orderAlerts } from '../../examples/alerts/sensors.js';
import { ordersSensor } from '../../examples/orders/sensors.js';
import { startDevServer } from '../../src/cli/dev-server.js';
import type { SensorDefinition } from '../../src/index.js';
import { startMailServer, startReceiver } from '../support/alerts.js';
import { Harness, waitFor } from '../support/harness.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const valid = ['orders-berlin.csv', 'orders-lisbon.csv', 'orders-toronto.csv'];
const malformed = 'orders-malformed.csv';
const HEADER = 'order_id,customer,product,quantity,unit_price';

let folders: string;
let folder: string;
beforeAll(async () => {
  folders = await mkdtemp(join(tmpdir(), 'orders-'));
});
beforeEach(async () => {
  folder = await mkdtemp(join(folders, 'test-'));
});
// not after each test: workers are stopped after that
afterAll(async () => {
  await rm(folders, { recursive: true, force: true });
});

function exampleOf(name: string): string {
  return join(root, 'examples', name === malformed ? 'malformed' : 'orders', name);
}

/** The whole ones: a report that is being written has another name. */
async function reports(): Promise<string[]> {
  const names = await readdir(join(folder, 'outbox')).catch((): string[] => []);
  return names.filter((name) => name.endsWith('.json')).sort();
}

async function reportOf(name: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(folder, 'outbox', `${name}.json`), 'utf8')) as Record<string, unknown>;
}

describe('the sensor and its job', () => {
  let bundle: WorkflowBundleWithSourceMap;
  beforeAll(async () => {
    const workflowsPath = join(root, 'examples/orders/workflows.ts');
    bundle = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  });

  /** A worker; its sensor also ticks by itself, so tests ask what was started in all. */
  async function start(options: { readonly inbox?: false; readonly alerts?: readonly SensorDefinition[] } = {}) {
    if (options.inbox !== false) await mkdir(join(folder, 'inbox'));
    const harness = await Harness.create();
    const name = harness.name('orders');
    const orders = ordersSensor({ inbox: join(folder, 'inbox'), outbox: join(folder, 'outbox') });
    await harness.work([orders, ...(options.alerts ?? [])], {
      workflowBundle: bundle,
      activities: { ...activities },
    });
    /** Ticks, and counts the runs started since the beginning. */
    const started = async (): Promise<number> => {
      await harness.sensors.tick(name);
      return (await harness.sensors.ticks(name)).reduce((sum, tick) => sum + tick.runs.count, 0);
    };
    const skipReason = async (): Promise<string | undefined> => (await harness.sensors.tick(name)).skipReason;
    return { harness, name, started, skipReason };
  }

  /** A whole file that was written a while ago. */
  async function put(name: string, content: string | Buffer): Promise<void> {
    const elsewhere = join(folder, 'being-written');
    await writeFile(elsewhere, content);
    await utimes(elsewhere, new Date(), new Date(Date.now() - 60_000));
    await rename(elsewhere, join(folder, 'inbox', name));
  }

  async function putExamples(names: readonly string[] = valid): Promise<void> {
    for (const name of names) await put(name, await readFile(exampleOf(name)));
  }

  test('report each content of each file once', async () => {
    const { harness, started, skipReason } = await start();
    await putExamples();
    expect(await started()).toBe(3);
    await waitFor(async () => (await reports()).length === 3, '3 reports');
    expect(await reportOf('orders-lisbon.csv')).toMatchObject({ orders: 4, totalCents: 46_457 });

    await putExamples();
    expect(await started()).toBe(3);
    expect(await skipReason()).toBe(`no new files in ${folder}/inbox (3 known)`);

    const more = `${await readFile(exampleOf('orders-lisbon.csv'), 'utf8')}L-2005,Quiosque do Jardim,Napkins,1,0.43\n`;
    await put('orders-lisbon.csv', more);
    expect(await started()).toBe(4);
    const updated = async (): Promise<boolean> => (await reportOf('orders-lisbon.csv')).orders === 5;
    await waitFor(updated, 'the new report');
    expect(await reportOf('orders-lisbon.csv')).toMatchObject({ totalCents: 46_500 });

    expect(await harness.settledRuns('orders', 4)).toHaveLength(4);
    const statuses = async (): Promise<Set<string>> => new Set((await harness.runs('orders')).map((run) => run.status));
    await waitFor(async () => (await statuses()).size === 1 && (await statuses()).has('COMPLETED'), 'completed runs');
    expect(await reports()).toEqual(valid.map((name) => `${name}.json`));
  });

  test('start a content again neither when the cursor is cleared nor when it comes back', async () => {
    const { harness, name, started } = await start();
    const content = `${HEADER}\n1,A,Beans,1,1\n`;
    await put('a.csv', content);
    expect(await started()).toBe(1);
    await harness.sensors.clearCursor(name);
    expect(await started()).toBe(1);
    await put('a.csv', `${HEADER}\n1,A,Beans,2,1\n`);
    expect(await started()).toBe(2);
    await put('a.csv', content);
    expect(await started()).toBe(2);
    expect(await harness.settledRuns('orders', 2)).toHaveLength(2);
  });

  test('fail the run of a malformed file with line and column, and go on', async () => {
    const { harness, name, started } = await start();
    await putExamples([malformed]);
    expect(await started()).toBe(1);
    const [run] = await harness.settledRuns('orders', 1);
    expect(await failureOf(harness.client.workflow.getHandle(run?.workflowId ?? '').result())).toBe(
      'orders-malformed.csv, line 4, column 4 (quantity): expected a whole number of 1 or more, found "twelve"'
    );
    await putExamples();
    expect(await started()).toBe(4);
    await waitFor(async () => (await reports()).length === 3, '3 reports');
    expect((await harness.sensors.describe(name)).health).toBe('ok');
  });

  test('mail and post what is wrong with a malformed file, once', async () => {
    const [mail, slack] = await Promise.all([startMailServer(), startReceiver()]);
    const transport = {
      host: '127.0.0.1',
      port: mail.port,
      auth: { user: 'ann', pass: 'secret-word' },
      tls: { rejectUnauthorized: false },
    };
    const { started } = await start({ alerts: orderAlerts({ transport, webhookUrl: `${slack.url}/services/1` }) });
    await putExamples([...valid, malformed]);
    expect(await started()).toBe(4);
    await waitFor(() => mail.mails.length > 0 && slack.received.length > 0, 'a mail and a post');
    const why =
      'orders-malformed.csv, line 4, column 4 (quantity): expected a whole number of 1 or more, found "twelve"';
    expect(mail.mails[0]?.text).toContain(why);
    expect(mail.mails[0]?.text).toMatch(/^Subject: \[orders\] processOrders failed\r$/m);
    expect(JSON.parse(slack.received[0]?.body ?? '')).toMatchObject({
      text: `processOrders failed: MalformedFile: ${why}`,
    });
    await waitFor(async () => (await reports()).length === 3, '3 reports');
    expect([mail.mails.length, slack.received.length]).toEqual([1, 1]);
  });

  test('leave alone what is being written, hidden, no CSV, no file or unreadable', async () => {
    const { harness, started, skipReason } = await start();
    const inbox = join(folder, 'inbox');
    await put('.hidden.csv', HEADER);
    await put('notes.txt', HEADER);
    await mkdir(join(inbox, 'folder.csv'));
    await symlink('nowhere', join(inbox, 'gone.csv'));
    await symlink('loop.csv', join(inbox, 'loop.csv'));
    await put('GOOD.CSV', HEADER);
    expect(await started()).toBe(1);
    const [run] = await harness.settledRuns('orders', 1);
    expect(run?.runKey).toMatch(/^GOOD\.CSV:[0-9a-f]{16}$/);
    await writeFile(join(inbox, 'young.csv'), HEADER);
    expect(await skipReason()).toMatch(/\(1 known, 1 being written, cannot read loop\.csv: ELOOP/);
    await waitFor(async () => (await started()) === 2, 'the run of young.csv');
  });

  test('say that there is no folder, and use it once it is there', async () => {
    const { started, skipReason } = await start({ inbox: false });
    expect(await skipReason()).toBe(`${folder}/inbox does not exist`);
    await mkdir(join(folder, 'inbox'));
    await putExamples();
    expect(await started()).toBe(3);
  });

  test('report nothing of a file that was replaced or removed before its run', async () => {
    const { harness } = await start();
    const path = join(folder, 'inbox', 'a.txt');
    const config = { path, sha256: '0'.repeat(64), outbox: join(folder, 'outbox') };
    const run = async (): Promise<string> => {
      const { taskQueue } = harness;
      const workflowId = randomUUID();
      return await failureOf(
        harness.client.workflow.execute('processOrders', { taskQueue, workflowId, args: [config] })
      );
    };
    await writeFile(path, `${HEADER}\n1,A,Beans,1,1\n`);
    expect(await run()).toContain(`${path} was replaced before this run read it`);
    await writeFile(path, `${HEADER}\n1,A,Beans,`);
    expect(await run()).toContain(`${path} was replaced before this run read it`);
    await rm(path);
    expect(await run()).toContain(`${path} is gone`);
    expect(await reports()).toEqual([]);
  });
});

async function failureOf(result: Promise<unknown>): Promise<string> {
  const error: unknown = await result.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return rootCause((error as WorkflowFailedError).cause) ?? '';
}

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
    return { end, saw: async (text: string) => await waitFor(() => output.includes(text), `'${text}' from worker.ts`) };
  };

  const copy = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await copyFile(exampleOf(name), join(folder, 'inbox', name));
  };

  const first = await begin();
  await copy([...valid, malformed]);
  await waitFor(async () => (await reports()).length === 3, '3 reports');
  await first.saw('Workflow failed');
  const output = await first.end('SIGINT');
  expect(output).toMatch(/success: \d runs? started/);
  expect(output).toContain('WARN Workflow failed: orders-malformed.csv, line 4, column 4 (quantity)');

  await rm(join(folder, 'outbox'), { recursive: true });
  await copy(valid);
  const second = await begin();
  await writeFile(join(folder, 'inbox', 'new.csv'), `${HEADER}\n1,A,Beans,1,1\n`);
  await waitFor(async () => (await reports()).length > 0, 'a report');
  expect(await second.end('SIGTERM')).toContain('success: 1 run started');
  expect(await reports()).toEqual(['new.csv.json']);
});
