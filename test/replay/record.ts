/**
 * `npm run replay:record`: records histories of the present protocol version into `test/replay/histories/v<n>`.
 *
 * Run it once when a protocol version is new; the files of older versions are kept as they are. They show that a
 * worker with new code can go on with loops that older code began.
 */
import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { z } from 'zod';
import { startDevServer } from '../../src/cli/dev-server.js';
import { findTemporalBinary } from '../../src/cli/temporal-binary.js';
import { SensorClient } from '../../src/client/index.js';
import { startLoop } from '../../src/client/loops.js';
import {
  dailyPartitions,
  defineAsset,
  defineJob,
  defineSensor,
  dynamicPartitions,
  RetryAfterError,
} from '../../src/index.js';
import { EMPTY_LEDGER, rememberKey } from '../../src/sensors/key-ledger.js';
import { MAX_RECENT_KEYS } from '../../src/sensors/limits.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import { ASSET_LOG_TYPE, BACKFILL_TYPE, LOOP_TYPE, PARTITIONS_TYPE, PROTOCOL } from '../../src/sensors/protocol.js';
import { runKeyHash } from '../../src/sensors/run-key.js';
import { SensorsPlugin } from '../../src/worker/index.js';
import { newState } from '../../src/workflows/state.js';

const folder = fileURLToPath(new URL(`./histories/v${PROTOCOL}`, import.meta.url));
const noop = defineJob({ name: 'noop' });
const sized = defineJob({ name: 'failing', config: z.object({ text: z.string() }) });
const parts = dynamicPartitions('parts');
const report = defineJob({
  name: 'waiting',
  partitions: parts,
  tags: { a: 'b' },
  retry: { maximumAttempts: 2 },
  workflowRunTimeout: '1h',
});
const echo = defineJob({ name: 'echo', config: z.object({ n: z.number() }) });
const days = dailyPartitions({ start: '2025-01-01', end: '2025-01-06' });
const orders = defineAsset({ key: ['sales', 'orders'], partitions: days });
const names = z.array(z.string()).default([]);
const make = defineJob({ name: 'partitioned', config: z.object({ wait: names, fail: names }), assets: [orders] });

let down = true;
const sensors = [
  defineSensor({
    name: 'keys',
    job: echo,
    interval: 200,
    defaultStatus: 'running',
    *evaluate(ctx) {
      for (let n = 0; n < 3 + ctx.events.length; n++)
        yield ctx.run({ runKey: `k${n}`, config: { n }, tags: { a: 'b' } });
    },
  }),
  defineSensor({
    name: 'draining',
    jobs: [noop, echo],
    interval: 200,
    defaultStatus: 'running',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      if (ctx.cursor >= 600) return ctx.skip('drained');
      for (let n = 0; n < 300; n++) yield ctx.run({ job: noop, runKey: `${ctx.cursor + n}` });
      yield ctx.run({ job: echo, config: { n: 'wrong' as never } });
      ctx.setCursor(ctx.cursor + 300);
      return ctx.more();
    },
  }),
  defineSensor({
    name: 'failing',
    interval: 200,
    defaultStatus: 'running',
    maxEventAttempts: 2,
    onFailure: () => undefined,
    onRecovered: () => undefined,
    evaluate(ctx) {
      if (down || ctx.events.includes('poison')) throw new Error('down');
      return ctx.skip('up');
    },
  }),
  defineSensor({
    name: 'operated',
    job: noop,
    interval: '1h',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      for (let n = 0; n < 100; n++) yield ctx.run({ runKey: `${ctx.cursor}/${n}` });
      yield ctx.run();
    },
  }),
  // pages of requests and of run keys, and what operators do about single keys
  defineSensor({
    name: 'staged',
    job: sized,
    interval: '1h',
    defaultStatus: 'running',
    maxRunsPerTick: 50,
    cursor: z.number().default(0),
    *evaluate(ctx) {
      for (let n = 0; n < 80; n++) yield ctx.run({ runKey: `${ctx.cursor}/${n}`, config: { text: 'x'.repeat(6_000) } });
      yield ctx.run({ runKey: 'bad', config: { text: 1 as never } });
      ctx.setCursor(ctx.cursor + 1);
    },
  }),
  // partitions, previews, a first cursor, and a stop of its own
  defineSensor({
    name: 'authored',
    job: report,
    interval: 200,
    idleBackoff: { max: '1s' },
    failureBackoff: { max: '1s' },
    stopAfterFailures: 3,
    cursor: z.number(),
    initialCursor: () => 1,
    *evaluate(ctx) {
      if (ctx.events.includes('fail')) throw new RetryAfterError('300ms', 'later');
      const at = ctx.cursor ?? 0;
      if (at > 3) return ctx.skip('done');
      yield ctx.run({ runKey: `k${at}`, partitionKey: `p${at}` });
      yield ctx.run({ runKey: `no${at}`, partitionKey: 'nowhere' });
      ctx.setCursor(at + 1);
      return { partitionRequests: [parts.add([`p${at}`]), parts.delete([`p${at - 2}`])] };
    },
  }),
  // events of an asset, more than its log keeps outside of pages, and a backfill of it
  defineSensor({
    name: 'assets',
    job: make,
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.number().default(0),
    evaluate(ctx) {
      for (const partition of days.keys(ctx.now))
        for (let n = 0; n < 4; n++) ctx.materialize(orders, { partition, metadata: { text: 'x'.repeat(3_000) } });
      ctx.observe(orders);
      ctx.setCursor(ctx.cursor + 1);
      const from = { from: '2025-01-01', to: '2025-01-03' };
      return ctx.cursor < 5 ? ctx.more() : ctx.backfill({ runKey: 'all', partitions: from, policy: 'perPartition' });
    },
  }),
];

Runtime.install({ logger: new DefaultLogger('ERROR') });
const server = await startDevServer({ binary: await findTemporalBinary(), fast: true, headless: true });
const connection = await Connection.connect({ address: server.address });
const native = await NativeConnection.connect({ address: server.address });
const client = new Client({ connection });
const control = new SensorClient(client);
try {
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../support/workflows.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  const worker = await Worker.create({
    connection: native,
    taskQueue: 'record',
    workflowBundle,
    plugins: [new SensorsPlugin({ sensors })],
  });
  await startNearlyFull('staged');
  await worker.runUntil(operate());
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for await (const { workflowId, runId } of client.workflow.list({
    query: `WorkflowType IN (${[LOOP_TYPE, PARTITIONS_TYPE, ASSET_LOG_TYPE, BACKFILL_TYPE].map((type) => `'${type}'`).join(', ')})`,
  })) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    const events = history.events?.length ?? 0;
    const name = `${workflowId.replace('sensor/', '').replaceAll(/[^A-Za-z0-9.-]/g, '-')}-${events}-events-${runId.slice(0, 8)}.bin.gz`;
    await writeFile(`${folder}/${name}`, gzipSync(proto.temporal.api.history.v1.History.encode(history).finish()));
    console.log(name);
  }
} finally {
  await native.close();
  await connection.close();
  await server.stop();
}

/** Starts a loop that will soon have to seal its run keys. */
async function startNearlyFull(sensor: string): Promise<void> {
  const definition = sensors.find(({ name }) => name === sensor);
  if (definition === undefined) throw new Error(`no sensor '${sensor}'`);
  const options = loopOptions(definition);
  let ledger = EMPTY_LEDGER;
  for (let n = 0; n < MAX_RECENT_KEYS - 20; n++)
    ledger = rememberKey(ledger, runKeyHash('failing', `old ${n}`), Date.now(), undefined);
  await startLoop(client, {
    sensor,
    taskQueue: 'record',
    options,
    state: { ...newState(options, Date.now()), ledger },
  });
}

/** What happens to the sensors while they are recorded: everything that has a message. */
async function operate(): Promise<void> {
  await eventually(() => control.state('keys').then(({ tick }) => tick >= 1));
  await control.push('keys', 'one', 'two');
  await eventually(() => control.state('keys').then(({ counters }) => counters.runs >= 5));
  await client.workflow.getHandle('sensor/keys').signal('unheardOf', 1);
  await control.stop('keys', { by: 'ann', until: new Date(Date.now() + 1000).toISOString() });
  await eventually(() => control.state('draining').then(({ counters }) => counters.runs >= 600));
  await control.tick('draining', { by: 'ann' });
  await eventually(() => control.state('failing').then(({ health }) => health.status === 'failing'));
  down = false;
  await eventually(() => control.state('failing').then(({ health }) => health.status === 'ok'));
  await control.push('failing', 'poison', 'fine');
  await eventually(() => control.state('failing').then(({ deadLetters }) => deadLetters.length === 1));
  await control.discardDeadLetters('failing');
  await control.start('operated', { by: 'ann', reason: 'test' });
  await eventually(() => control.state('operated').then(({ counters }) => counters.runs > 10));
  await control.stop('operated');
  await eventually(() =>
    control.state('operated').then(({ pending, counters }) => pending.count > 0 || counters.runs === 101)
  );
  await control.start('operated');
  await eventually(() => control.state('operated').then(({ counters }) => counters.runs === 101));
  await control.setCursor('operated', 5, { by: 'ann' });
  await eventually(() => control.state('operated').then(({ counters }) => counters.runs >= 202));
  await control.reset('operated');
  await control.tick('operated');
  await control.clearCursor('operated');
  await eventually(() => control.state('staged').then(({ pending }) => pending.count > 0));
  await control.tick('staged', { by: 'ann' });
  await control.tick('staged');
  await control.discardPending('staged');
  await control.rerun('staged', { runKey: '0/3', by: 'ann', reason: 'recorded' });
  await control.rearm('staged', { runKey: '0/4' });
  await control.retryDeadLetters('staged');
  await control.discardDeadLetters('staged');
  const { id = '' } = await control.preview('authored', { cursor: 1 });
  await control.apply('authored', id, { by: 'ann' });
  await control.start('authored');
  await eventually(() => control.state('authored').then(({ cursor }) => cursor?.value === 4));
  await control.push('authored', 'fail');
  await eventually(() => control.state('authored').then(({ status }) => status === 'stopped'));
  await eventually(async () => {
    for await (const { status } of control.backfills.list()) if (status === 'done') return true;
    return false;
  });
  await eventually(() => control.describe('keys').then(({ evaluation }) => evaluation?.phase === 'waiting'));
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  let problem: unknown = 'it was never so';
  const holds = async (): Promise<boolean> => {
    try {
      return await condition();
    } catch (error) {
      problem = error;
      return false;
    }
  };
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not so after a minute: ${condition.toString()}`, { cause: problem });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
