/** The run-key ledger beyond what fits in the loop's state: sealed pages, read back by a worker that knows nothing. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startDevServer, type DevServer } from '../../src/cli/dev-server.js';
import { defineJob, defineSensor } from '../../src/index.js';
import { startLoop } from '../../src/client/loops.js';
import { readPage, writePage } from '../../src/client/pages.js';
import { EMPTY_LEDGER, rememberKey, type Ledger } from '../../src/sensors/key-ledger.js';
import { MAX_RECENT_KEYS } from '../../src/sensors/limits.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import type { LoopState } from '../../src/sensors/protocol.js';
import { runKeyHash } from '../../src/sensors/run-key.js';
import { newState } from '../../src/workflows/state.js';
import { Harness, waitFor } from '../support/harness.js';

const noop = defineJob({ name: 'noop' });
const HOUR_MS = 60 * 60 * 1000;

/** Deleting waits for everything else that the server has to do, so these tests have one of their own. */
let server: DevServer;
beforeAll(async () => {
  server = await startDevServer({ binary: inject('temporalBinary'), fast: true, headless: true });
});
afterAll(() => server.stop());

/** A sensor that yields the keys from `from` to `to` at each tick. */
function keys(name: string, range: { from: number; to: number }, options: { dedupe?: '1h'; job?: typeof noop } = {}) {
  const { job = noop, ...others } = options;
  return defineSensor({
    name,
    job,
    interval: '1h',
    defaultStatus: 'running',
    ...others,
    *evaluate(ctx) {
      for (let n = range.from; n < range.to; n++) yield ctx.run({ runKey: `k${n}` });
    },
  });
}

/** A state in which these keys have run at some time. */
function withKeys(state: LoopState, count: number, at: number): LoopState {
  let ledger: Ledger = EMPTY_LEDGER;
  for (let n = 0; n < count; n++) ledger = rememberKey(ledger, runKeyHash('noop', `k${n}`), at, state.options.dedupeMs);
  return { ...state, ledger };
}

async function startWithKeys(h: Harness, sensor: ReturnType<typeof keys>, count: number, at: number): Promise<void> {
  const options = loopOptions(sensor);
  const state = withKeys(newState(options, Date.now()), count, at);
  await startLoop(h.client, { sensor: h.name(sensor), taskQueue: h.taskQueue, options, state });
}

test('keys beyond what the state holds are sealed, and a worker that starts from nothing still knows all of them', async () => {
  const h = await Harness.create({}, server.address);
  const range = { from: MAX_RECENT_KEYS - 5, to: MAX_RECENT_KEYS + 5 };
  const sensor = keys('sealed', range);
  const name = h.name(sensor);
  await startWithKeys(h, sensor, MAX_RECENT_KEYS, Date.now());
  const first = await h.work([sensor]);
  expect(await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick')).toMatchObject({
    runs: { count: 5 },
    duplicates: { count: 5 },
  });
  const { ledger } = await waitFor(async () => {
    const pages = await h.loop(sensor).query<{ pages: { id: string; keys: number }[]; recent: string }>('keys');
    return pages.pages.length === 1 ? { ledger: pages } : undefined;
  }, 'a sealed page');
  expect(ledger).toMatchObject({ recent: '', pages: [{ keys: MAX_RECENT_KEYS + 5 }] });
  await first.stop();

  const cold = await h.work([sensor]);
  range.from = 0;
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'skipped', duplicates: { count: MAX_RECENT_KEYS + 5 } });

  // the loop's own history is gone, as after retention: what is sealed is found by whoever starts the sensor anew
  await cold.stop();
  await h.loop(sensor).terminate();
  await h.sensors.state(name).catch(() => undefined);
  const { runId } = await h.loop(sensor).describe();
  const workflowExecution = { workflowId: `sensor/${name}`, runId };
  await h.client.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution });
  await waitFor(
    () =>
      h
        .loop(sensor)
        .describe()
        .then(
          () => false,
          () => true
        ),
    'the end of the loop'
  );
  const again = await h.work([sensor]);
  expect(await h.tickWhere(sensor, ({ tick }) => tick === 1, 'its first tick')).toMatchObject({
    status: 'skipped',
    duplicates: { count: MAX_RECENT_KEYS + 5 },
  });

  // pruned, it knows nothing; the server still refuses what it remembers
  await h.sensors.prune(name);
  await expect(h.sensors.start(name)).rejects.toThrow(/was pruned|there is no sensor/);
  await again.stop();
  range.from = MAX_RECENT_KEYS - 3;
  await h.work([sensor]);
  const tick = await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick of its new life');
  // the keys that were started here are refused by the server, the others it never knew
  expect(tick).toMatchObject({ runs: { count: 3 }, duplicates: { count: 5 } });
}, 120_000);

test('a page that cannot be read makes the tick wait and say so; nothing is guessed', async () => {
  const h = await Harness.create({}, server.address);
  const range = { from: 0, to: 3 };
  const sensor = keys('unread', range);
  const name = h.name(sensor);
  const options = loopOptions(sensor);
  const content = [0, 1, 2].map((n) => runKeyHash('noop', `k${n}`)).join('');
  const page = { sensor: name, kind: 'keys', content, taskQueue: h.taskQueue, memo: { keys: 3, since: 0, until: 1 } };
  const id = await writePage(h.client, page);
  const ledger: Ledger = { ...EMPTY_LEDGER, pages: [{ id, keys: 3, since: 0, until: 1 }] };
  const execution = { namespace: 'default', workflowExecution: { workflowId: id } };
  await h.client.workflowService.deleteWorkflowExecution(execution);
  await waitFor(
    () =>
      readPage(h.client, id).then(
        () => false,
        () => true
      ),
    'the page to be gone'
  );
  await startLoop(h.client, {
    sensor: name,
    taskQueue: h.taskQueue,
    options,
    state: { ...newState(options, Date.now()), ledger },
  });
  await h.work([sensor]);
  const evaluation = await waitFor(async () => {
    const description = await h.sensors.describe(name);
    return description.evaluation?.lastOutcome?.startsWith('waiting: the run keys') === true
      ? description.evaluation
      : undefined;
  }, 'the reason');
  expect(evaluation.lastOutcome).toContain(`page '${id}' is not on the server`);
  expect(await h.runs(sensor)).toHaveLength(0);
  await writePage(h.client, page);
  expect(await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the tick')).toMatchObject({ duplicates: { count: 3 } });
}, 90_000);

test('a dedupe time lets old keys run again, and only those', async () => {
  const h = await Harness.create({}, server.address);
  const sensor = keys('forgetful', { from: 0, to: 3 }, { dedupe: '1h' });
  const options = loopOptions(sensor);
  const state = newState(options, Date.now());
  const old = withKeys(state, 2, Date.now() - 2 * HOUR_MS).ledger;
  const ledger = rememberKey(old, runKeyHash('noop', 'k2'), Date.now(), options.dedupeMs);
  await startLoop(h.client, {
    sensor: h.name(sensor),
    taskQueue: h.taskQueue,
    options,
    state: { ...state, ledger },
  });
  await h.work([sensor]);
  expect(await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the tick')).toMatchObject({
    runs: { count: 2 },
    duplicates: { count: 1, sample: [{ runKey: 'k2' }] },
  });
});

test('a renamed job and a renamed sensor keep their keys, cursor and status', async () => {
  const h = await Harness.create({}, server.address);
  const before = keys('before', { from: 1, to: 3 });
  // one of its keys is in a page
  const content = runKeyHash('noop', 'k0');
  const memo = { keys: 1, since: 0, until: 1 };
  const old = { sensor: h.name(before), kind: 'keys', content, taskQueue: h.taskQueue, memo };
  const ledger: Ledger = { ...EMPTY_LEDGER, pages: [{ id: await writePage(h.client, old), ...memo }] };
  const options = loopOptions(before);
  const state = { ...newState(options, Date.now()), ledger };
  await startLoop(h.client, { sensor: h.name(before), taskQueue: h.taskQueue, options, state });
  const first = await h.work([before]);
  await h.settledRuns(before, 2);
  await h.sensors.stop(h.name(before), { by: 'ann' });
  await waitFor(async () => (await h.sensors.describe(h.name(before))).status === 'stopped', 'the stop');
  await first.stop();

  const echo = defineJob({ name: 'echo', aliases: ['noop'] });
  const after = defineSensor({
    name: 'after',
    renamedFrom: 'before',
    job: echo,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      for (let n = 0; n < 4; n++) yield ctx.run({ runKey: `k${n}` });
    },
  });
  const second = await h.work([after]);
  const name = h.name(after);
  expect(await h.sensors.describe(name)).toMatchObject({ status: 'stopped', statusBy: 'ann' });
  expect(await h.sensors.tick(name)).toMatchObject({ runs: { sample: [`${name}:echo:k3`] }, duplicates: { count: 3 } });
  const run = { workflowId: `${h.name(before)}:noop:k1` };
  const told = [{ kind: 'duplicate', job: 'echo', run, again: { tick: 2 } }];
  expect(await h.sensors.explain(name, { runKey: 'k1' })).toMatchObject({ answers: told });
  const remembered = [{ kind: 'remembered', from: new Date(0), again: { tick: 2 } }];
  expect(await h.sensors.explain(name, { runKey: 'k0' })).toMatchObject({ answers: remembered });
  expect(await h.sensors.explain(name, { run: run.workflowId })).toMatchObject({ answer: { kind: 'started' } });
  await expect(h.sensors.start(h.name(before))).rejects.toThrow(`was renamed to '${name}'`);
  const { pages } = await h.loop(after).query<{ pages: { id: string }[] }>('keys');
  expect(pages.map(({ id }) => id.split('/')[1])).toEqual([name]);
  // it is not a sensor that somebody closed
  const listed = async (): Promise<readonly string[]> => (await h.sensors.list()).map(({ sensor }) => sensor);
  await waitFor(async () => !(await listed()).includes(h.name(before)), 'the old name to leave the list');
  await second.stop();
  // a worker of the old code does not bring the old sensor back
  await h.work([before]);
  expect(await h.sensors.describe(h.name(before))).toMatchObject({ status: 'closed' });
}, 90_000);
