/** The examples as people run them: their worker as a process, on a server of its own. */
import { Client, Connection } from '@temporalio/client';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { startDevServer } from '../../src/cli/dev-server.js';
import { SensorClient, type SensorRun } from '../../src/client/index.js';
import { startExternalSystem } from '../support/external-system.js';
import { waitFor } from '../support/harness.js';

const WORKER = fileURLToPath(new URL('../../examples/from-dagster/worker.ts', import.meta.url));

/** Each sensor, and the run keys that its first ticks start. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  newFiles: ['a.csv'],
  newFilesOrWhyNot: ['a.csv'],
  changedFiles: [expect.stringMatching(/^a\.csv:\d/) as string],
  customerData: ['customer_data/1.csv'],
  everyObject: [expect.stringMatching(/^customer_data\/1\.csv@/) as string],
  newRecords: ['2'],
  robust: ['1.2'],
  configurable: ['1.2'],
  newUsers: ['ann'],
  changedTables: ['c1', 'o1'],
  conditional: ['b1'],
  rawTables: ['customers_c1', 'orders_o1'],
  onOrders: [expect.stringMatching(/^processed_orders@\w+\.1$/) as string],
  bothTables: [''],
  threeStreams: ['customers:1', 'orders:1', 'products:1'],
  observable: ['2'],
  newCustomers: ['acme'],
  outages: [expect.stringMatching(/Z$/) as string],
  updatedOrders: ['o1@2026-01-01T00:00:00Z'],
  backlog: ['1'],
  // three sensors logged the file
  loggedFiles: Array<string>(3).fill(expect.stringMatching(/\/completed$/) as string),
};

/** A bucket with one object, after which nothing comes. */
const listObjects = (query: URLSearchParams): Response => {
  const key = 'customer_data/1.csv';
  const known = query.get('start-after') === key;
  const object = `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>`;
  const body = `<IsTruncated>false</IsTruncated><KeyCount>${known ? 0 : 1}</KeyCount>${known ? '' : object}`;
  return new Response(`<?xml version="1.0"?><ListBucketResult>${body}</ListBucketResult>`, {
    headers: { 'content-type': 'application/xml' },
  });
};
const after = (query: URLSearchParams, ...ids: number[]) =>
  ids.filter((id) => id > Number(query.get('after'))).map((id) => ({ id }));

const ANSWERS: Readonly<Record<string, (query: URLSearchParams) => unknown>> = {
  '/my-data-bucket': listObjects,
  '/my-data-bucket/': listObjects,
  '/my-data-bucket/customer_data/1.csv': () => new Response('ann\nbob\n'),
  '/newest': () => ({ id: 1 }),
  '/records': (query) => after(query, 1, 2),
  '/changes': (query) => after(query, 1, 2),
  '/messages': (query) => after(query, 1),
  '/status': () => ({ version: '1.2', newData: true }),
  '/sessions': () => new Response('s1'),
  '/sessions/s1': () => new Response(''),
  '/sessions/s1/users': () => ['ann'],
  '/versions': () => ({ orders: 'o1', customers: 'c1' }),
  '/batch': () => ({ id: 'b1', type: 'full', rows: 1_000, quality: 1 }),
  '/streams/orders': () => ({ position: 1 }),
  '/streams/customers': () => ({ position: 1 }),
  '/streams/products': () => ({ position: 1 }),
  '/customers': () => ['acme'],
  '/chat': () => new Response(''),
  '/orders': () => [{ id: 'o1', updatedAt: '2026-01-01T00:00:00Z' }],
};

test('every example runs on one worker', { timeout: 200_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'examples-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'a.csv'), 'a');
  const [server, system] = await Promise.all([
    startDevServer({ binary: inject('temporalBinary'), fast: true, headless: true }),
    startExternalSystem(ANSWERS),
  ]);
  onTestFinished(server.stop);
  onTestFinished(system.close);
  const worker = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), WORKER], {
    cwd: folder,
    env: {
      ...process.env,
      TEMPORAL_ADDRESS: server.address,
      TEMPORAL_NAMESPACE: 'default',
      INBOX: folder,
      ENDPOINT: system.url,
      HEALTH_URL: `${system.url}/health`,
      API_KEY: 'key',
      API_PASSWORD: 'password',
      CHAT_URL: `${system.url}/chat`,
      CHAT_TOKEN: 'token',
      AWS_ENDPOINT_URL_S3: system.url,
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'secret',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void worker.kill('SIGKILL'));
  let output = '';
  worker.stderr.on('data', (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number | null>((resolve) => worker.once('exit', resolve));

  const connection = await Connection.connect({ address: server.address });
  onTestFinished(() => connection.close());
  const client = new Client({ connection });
  const sensors = new SensorClient(client);
  const telling = ['tellSuccess', 'tellFailure', 'everyFailure', 'slackAlerts', 'emailAlerts'];
  const all = [...Object.keys(EXPECTED), 'every30Seconds', 'every45Seconds', 'finishedDays'];
  await waitFor(async () => (await sensors.list()).length === all.length + telling.length, 'the sensors', 90_000).catch(
    (error: unknown) => {
      throw new Error(`the worker did not come up:\n${output}`, { cause: error });
    }
  );
  expect((await sensors.list()).map(({ sensor }) => sensor).toSorted()).toEqual([...all, ...telling].toSorted());

  // those of events first: what happened before their start is not theirs
  await Promise.all([...telling, 'loggedFiles', 'onOrders'].map((name) => sensors.start(name)));
  await Promise.all(all.map((name) => sensors.start(name)));
  const runsOf = async (name: string): Promise<SensorRun[]> => {
    const runs: SensorRun[] = [];
    for await (const run of sensors.runs(name)) runs.push(run);
    return runs;
  };
  for (const name of all) {
    const expected = EXPECTED[name];
    await waitFor(
      async () => {
        const runs = await runsOf(name);
        const keys = runs.map(({ runKey = '' }) => runKey).toSorted();
        if (expected !== undefined) expect(keys, name).toEqual(expected);
        expect(runs.length, name).toBeGreaterThan(0);
        for (const { status } of runs) expect(status, name).toBe('COMPLETED');
        return true;
      },
      `the runs of ${name}`,
      90_000
    );
  }
  const resultOf = async (workflowId: string): Promise<unknown> => await client.workflow.getHandle(workflowId).result();
  expect(await resultOf('customerData:processCustomers:customer_data/1.csv')).toBe(2);
  expect(await resultOf('newRecords:processRecords:2')).toBe(1);
  expect(await resultOf('newCustomers:reportCustomer:acme')).toBe('acme');
  expect(await runsOf('finishedDays')).toHaveLength(7);
  await waitFor(() => system.requests.includes('POST /chat'), 'a message');

  worker.kill('SIGTERM');
  expect(await ended, output).toBe(0);
  expect(system.requests.filter((request) => request.endsWith('/sessions'))).toEqual(['POST /sessions']);
  expect(system.requests.at(-1)).toBe('DELETE /sessions/s1');
});
