/** The commands that look, on one set of sensors: what they find of ticks, logs, runs and keys in each state. */
import { once } from 'node:events';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { firstOf } from '../../src/cli/newest-ticks.js';
import { startLoop } from '../../src/client/loops.js';
import { defineJob, defineSensor } from '../../src/index.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import { PROTOCOL } from '../../src/sensors/protocol.js';
import { rememberKey } from '../../src/sensors/key-ledger.js';
import { requestHash, runKeyHash } from '../../src/sensors/run-key.js';
import { newState } from '../../src/workflows/state.js';
import { json, SECRET, sensors, spawnCli, text, unread } from '../support/cli.js';
import { Harness, waitFor } from '../support/harness.js';

const ISO = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/) as string;
const job = defineJob({ name: 'echo', config: z.object({ n: z.number() }) });
const broken = defineJob({ name: 'failing' });

/** Its first tick asks for most, the others ask again for one key. */
const keys = defineSensor({
  name: 'keys',
  jobs: [job, broken],
  interval: '1 hour',
  defaultStatus: 'running',
  tags: { team: 'sales' },
  cursor: z.object({ secret: z.string() }).optional(),
  *evaluate(ctx) {
    yield ctx.run({ job, runKey: 'again', config: { n: 1 } });
    if (ctx.cursor !== undefined) return;
    yield ctx.run({ job, runKey: 'gone', config: { n: 2 } });
    yield ctx.run({ job: broken, runKey: 'broken' });
    yield ctx.run({ job, runKey: 'bad', config: { n: 'x' as unknown as number } });
    ctx.setCursor({ secret: SECRET });
  },
});

const burst = defineSensor({
  name: 'burst',
  job,
  interval: '1 hour',
  defaultStatus: 'running',
  maxRunsPerTick: 1,
  evaluate: (ctx) => [1, 2, 3].map((n) => ctx.run({ runKey: `b${n}`, config: { n } })),
});

/** What its ticks say fills the ring long before there are 50 of them. */
const TICKS = 24;
const chatty = defineSensor({
  name: 'chatty',
  job,
  interval: '1 hour',
  defaultStatus: 'running',
  cursor: z.object({ n: z.number(), text: z.string() }).default({ n: 0, text: '' }),
  evaluate(ctx) {
    const n = ctx.cursor.n + 1;
    ctx.log.info(`line ${n} ${'l'.repeat(3_000)}`);
    ctx.setCursor({ n, text: 'c'.repeat(900) });
    if (n < TICKS) ctx.more();
    if (n === 2) return ctx.run({ runKey: 'early', config: { n: 'x' as unknown as number } });
    return ctx.skip(`nothing ${n} ${'s'.repeat(1_900)}`);
  },
});

const idle = defineSensor({
  name: 'idle',
  job,
  interval: 200,
  defaultStatus: 'running',
  evaluate: (ctx) => ctx.skip('nothing new'),
});

let h: Harness;
/** Until the end of the test; one that does without shows that its commands need none. */
const work = async (): Promise<unknown> => await h.work([keys, burst, chatty, idle]);
const name = (sensor: Parameters<Harness['name']>[0]): string => h.name(sensor);

beforeAll(async () => {
  h = await Harness.create();
  const worker = await h.work([keys, burst, chatty, idle]);
  await h.tickWhere(keys, ({ status }) => status === 'success', 'the first tick');
  await h.sensors.tick(name(keys));
  await waitFor(async () => (await h.sensors.state(name(chatty))).tick === TICKS, 'all ticks of chatty');
  await h.sensors.discardDeadLetters(name(chatty));
  // what a worker with a newer loop says: the loop continues as new, so that its history is closed
  const { runId } = await h.sensors.describe(name(chatty));
  await h.loop(chatty).signal('configure', { options: loopOptions(chatty), protocol: PROTOCOL + 1 });
  await waitFor(async () => (await h.sensors.describe(name(chatty))).runId !== runId, 'the next run of the loop');
  await h.folded(idle);
  await h.settledRuns(keys, 3);
  await waitFor(async () => (await h.runs(keys)).every(({ status }) => status !== 'RUNNING'), 'the ends of the runs');
  const workflowExecution = { workflowId: `${name(keys)}:echo:gone` };
  await h.client.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution });
  await waitFor(
    async () => (await h.runs(keys)).every(({ runKey }) => runKey !== 'gone'),
    'the end of what Temporal knew of a run'
  );
  await h.sensors.stop(name(burst), { by: 'ann', reason: 'moving' });
  await waitFor(async () => (await h.sensors.describe(name(burst))).status === 'stopped', 'the stop');
  await worker.stop();
});

test('list shows the last and the next tick, what it said and how many runs it started, without asking a loop', async () => {
  await waitFor(async () => (await h.sensors.list({ name: `${h.prefix}*` })).length === 4, 'the list');
  const [all, table, watched, sales] = await Promise.all([
    json<Record<string, unknown>[]>('list', `${h.prefix}*`),
    text('list', `${h.prefix}*`, '--health', 'OK', '--tag', 'team=sales', '--status', 'running'),
    sensors('list', '--watch'),
    h.sensors.list({ name: `${h.prefix}*`, status: 'stopped' }),
  ]);
  const of = (sensor: Parameters<typeof name>[0]) => all.find((each) => each['sensor'] === name(sensor));
  expect(of(keys)).toMatchObject({ lastTick: { tick: 2, status: 'skipped', at: ISO }, runsLastDay: 3, nextAt: ISO });
  expect(of(idle)).toMatchObject({ lastOutcome: 'nothing new', lastTick: { tick: 1 }, runsLastDay: 0 });
  expect(of(burst)).toMatchObject({ status: 'stopped', runsLastDay: 1, lastTick: { tick: 1 }, pending: 2 });
  const header = 'SENSOR +STATUS +HEALTH +LAST TICK +NEXT +RUNS 24 H +LAG +PENDING +DEAD LETTERS +LAST SAID';
  const row = `${name(keys)} +running +ok +(now|.* ago) skipped +in 59 min +3 .* 0 +1 +tick 2: skipped.*`;
  expect(table).toMatch(new RegExp(`^${header}\\n${row}\\n$`));
  expect(watched).toMatchObject({ code: 2, stdout: '' });
  expect(watched.stderr).toContain('sensors list --json');
  expect(sales.map(({ sensor }) => sensor)).toEqual([name(burst)]);
});

test('ticks and logs reach back beyond what the loop remembers, and are followed until the reader goes away', async () => {
  await work();
  expect((await h.sensors.ticks(name(chatty))).length).toBeLessThan(TICKS - 5);
  const histories: Date[] = [];
  const onHistory = (startTime: Date): void => void histories.push(startTime);
  expect(await h.sensors.cursorBefore(name(chatty), 2, { onHistory })).toMatchObject({ value: { n: 1 } });
  expect(histories).toHaveLength(2);
  const [all, page, first, last, none] = await Promise.all([
    json<{ readonly tick: number; readonly skipReason: string }[]>('ticks', name(chatty), '--limit', '50'),
    text('ticks', name(chatty), '--since', '1h', '--status', 'skipped', '--limit', '3'),
    text('logs', name(chatty), '--tick', '1'),
    json<{ readonly tick: number; readonly message: string }[]>('logs', name(chatty), '--limit', '22'),
    sensors('logs', name(chatty), '--tick', '99', '--json'),
  ]);
  expect(all.map(({ tick }) => tick)).toEqual(Array.from({ length: TICKS }, (_, n) => TICKS - n));
  expect(all.at(-1)?.skipReason).toMatch(/^nothing 1 s/);
  expect(page).toMatch(/^\.\.\. {3}# success {2}\. skipped {2}x failure\nTICK +STATUS/);
  expect(first).toMatch(/^\S+Z {2}1 {2}info {2}line 1 l+.*\n$/);
  expect(last.map(({ tick }) => tick)).toEqual(Array.from({ length: 22 }, (_, n) => n + 3));
  expect(none.code).toBe(4);
  expect(JSON.parse(none.stderr)).toMatchObject({ error: { code: 'tick-not-found' } });

  const args = ['ticks', name(keys), '--follow', '--json', '--limit', '1'];
  const child = spawnCli([...args, '--address', inject('temporalAddress')]);
  const ended = once(child, 'close');
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  const seen = (): number[] =>
    stdout.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { tick: number }).tick]));
  await waitFor(() => seen().length === 1, 'the last tick');
  const { tick } = await h.sensors.tick(name(keys));
  await waitFor(() => seen().includes(tick), 'the new tick');
  expect(seen()).toEqual([tick - 1, tick]);
  child.stdout.destroy();
  await h.sensors.tick(name(keys));
  expect(await ended).toEqual([0, null]);
  expect(await unread('logs', name(chatty))).toEqual({ code: 0, stderr: '' });
});

test('runs are filtered by status, time and key', async () => {
  const [failed, key] = await Promise.all([
    json<Record<string, unknown>[]>('runs', name(keys), '--status', 'failed'),
    json<Record<string, unknown>[]>('runs', name(keys), '--key', 'again', '--since', '1h'),
  ]);
  expect(failed).toEqual([expect.objectContaining({ runKey: 'broken', status: 'FAILED', error: 'this job fails' })]);
  expect(key.map(({ workflowId }) => workflowId)).toEqual([`${name(keys)}:echo:again`]);
});

describe('explain', () => {
  const answers = async (sensor: Parameters<typeof name>[0], runKey: string): Promise<unknown> => {
    const explanation = await h.sensors.explain(name(sensor), { runKey });
    return explanation.about === 'key' ? explanation.answers : undefined;
  };

  test('tells what became of a key, in each state', async () => {
    await work();
    const again = {
      job: 'echo',
      run: { workflowId: `${name(keys)}:echo:again`, tick: 1 },
      again: { tick: expect.any(Number) as number },
    };
    expect(await answers(keys, 'broken')).toMatchObject([
      { kind: 'started', job: 'failing', error: 'this job fails', run: { status: 'FAILED', tick: 1 } },
    ]);
    expect(await answers(keys, 'again')).toMatchObject([{ kind: 'duplicate', ...again }]);
    expect(await answers(keys, 'gone')).toMatchObject([{ kind: 'remembered', from: expect.any(Date) as Date }]);
    expect(await answers(keys, 'bad')).toMatchObject([{ kind: 'rejected', what: 'request', tick: 1, count: 1 }]);
    expect(await answers(burst, 'b3')).toMatchObject([{ kind: 'pending', ahead: 1, of: 2, waitsFor: 'start' }]);
    // from the history of a closed run of the loop
    expect(await answers(chatty, 'early')).toMatchObject([{ kind: 'rejected', tick: 2, count: 1 }]);
    expect(await answers(chatty, 'late')).toMatchObject([{ kind: 'notSeen', since: expect.any(Date) as Date }]);
    const unknown = { kind: 'notSeen', cursor: { value: { secret: SECRET } } };
    expect(await answers(keys, 'nope')).toMatchObject([
      { job: 'echo', ...unknown },
      { job: 'failing', ...unknown },
    ]);
    const show = spawnCli(['explain', name(keys), 'nope', '--show-cursor', '--address', inject('temporalAddress')]);
    let shown = '';
    show.stdout.setEncoding('utf8').on('data', (chunk: string) => (shown += chunk));
    const [page, nope] = await Promise.all([
      text('explain', name(keys), 'again'),
      json('explain', name(keys), 'nope'),
      once(show, 'close'),
    ]);
    const duplicate = `duplicate of run ${again.run.workflowId} \\(COMPLETED\\), first requested at tick 1, `;
    expect(page).toMatch(new RegExp(`^Key 'again' of ${name(keys)} \\(job echo\\): ${duplicate}`));
    const standing = { kind: 'running', nextAt: ISO };
    const unseen = { kind: 'notSeen', standing, cursorChanged: { tick: 1, at: ISO } };
    expect(nope).toMatchObject({ answers: [unseen, unseen] });
    expect(shown).toContain(`Cursor: {"secret":"${SECRET}"}`);
  });

  test('tells of a key that the sensor has forgotten, and of a stop, with no worker at all', async () => {
    const sensor = h.name('forgetful');
    const workflowId = `${sensor}:echo:old`;
    const memo = { sensorRun: { sensor, job: 'echo', tick: 1, runKey: 'old' } };
    await h.client.workflow.start('echo', { workflowId, taskQueue: h.taskQueue, args: [{ n: 1 }], memo });
    const options = { ...loopOptions(keys), dedupeMs: 1, defaultStatus: 'stopped' as const, jobs: ['echo'] };
    await startLoop(h.client, { sensor, taskQueue: `${h.taskQueue}-nobody`, options });
    expect(await answers('forgetful', 'old')).toMatchObject([{ kind: 'expired', expiredAt: expect.any(Date) as Date }]);
    expect(await answers('forgetful', 'new')).toMatchObject([
      { kind: 'notSeen', dedupeMs: 1, standing: { kind: 'stopped', from: 'code' } },
    ]);
    await h.loop('forgetful').terminate();

    // it was run again, and Temporal has forgotten that run
    const key = runKeyHash('echo', 'old');
    const again = { ...newState({ ...options, dedupeMs: 3_600_000 }, Date.now()), epochs: { [key]: 2 } };
    const state = { ...again, ledger: rememberKey(again.ledger, key, Date.now(), 3_600_000) };
    await startLoop(h.client, { sensor, taskQueue: `${h.taskQueue}-nobody`, options: state.options, state });
    expect(await answers('forgetful', 'old')).toMatchObject([{ kind: 'remembered', run: { workflowId } }]);
    await expect(h.sensors.explain(sensor, { runKey: 'new', job: 'ecko' })).rejects.toThrow(
      `sensor '${sensor}' has no job 'ecko'; accepted: 'echo'`
    );
    await h.loop('forgetful').terminate();

    // a backfill that was asked for when the job, or the sensor, had another name
    const earlier = { sensor: 'before', jobs: { echo: ['work'] } };
    await startLoop(h.client, { sensor, taskQueue: `${h.taskQueue}-nobody`, options: { ...options, earlier } });
    const hash = requestHash({ job: 'work', runKey: 'month', backfill: {} });
    const backfill = `before.${hash}`;
    const asked = { sensorRun: { sensor: 'before', job: 'work', tick: 1, runKey: 'month' } };
    const id = `backfill/${backfill}`;
    await h.client.workflow.start('echo', { workflowId: id, taskQueue: h.taskQueue, args: [{ n: 1 }], memo: asked });
    expect(await answers('forgetful', 'month')).toMatchObject([
      { kind: 'expired', job: 'echo', backfill, run: { workflowId: id, tick: 1 } },
    ]);
    await h.loop('forgetful').terminate();
  });

  test('tells what took place at a time, and where a run came from', async () => {
    const [tick] = await firstOf(h.sensors.tickHistory(name(keys)), 1, () => true);
    const run = (await h.runs(keys)).find(({ runKey }) => runKey === 'again');
    const { evaluation } = await h.folded(idle);
    // its first ticks are in closed runs of the loop, and the history of the present one is not searched
    const [first] = await firstOf(h.sensors.tickHistory(name(chatty)), 1, ({ tick }) => tick === 1);
    const histories: Date[] = [];
    const early = await h.sensors.explain(
      name(chatty),
      { at: new Date(first?.startedAt ?? 0) },
      { onHistory: (startTime) => void histories.push(startTime) }
    );
    expect(early).toMatchObject({ answer: { kind: 'tick' } });
    expect(histories.length).toBeGreaterThan(0);
    expect(histories).not.toContainEqual((await h.sensors.describe(name(chatty))).startTime);
    const [then, clock, hint, noTime, noRun, stopped, byRunId, stranger] = await Promise.all([
      json('explain', name(keys), new Date(tick?.startedAt ?? 0).toISOString()),
      json('explain', name(keys), '16:38', '--as', 'time'),
      text('explain', name(keys), '16:38'),
      text('explain', name(keys), '2026-13-01T00:00:00Z'),
      text('explain', name(keys), `${name(keys)}:echo@2:again`),
      text('explain', name(burst), new Date().toISOString()),
      text('explain', name(keys), run?.runId ?? ''),
      h.sensors.explain(name(idle), { run: run?.workflowId ?? '' }),
    ]);
    expect(then).toMatchObject({ about: 'time', answer: { kind: 'tick', tick: { tick: tick?.tick } } });
    expect(clock).toMatchObject({ about: 'time', at: expect.stringMatching(/:00\.000Z$/) as string });
    expect(hint).toContain(`\nTo ask for a time: sensors explain ${name(keys)} 16:38 --as time\n`);
    expect(noTime).toContain('\nIf a time is meant: an ISO time is such as 2026-01-31T08:00:00Z; ');
    expect(noRun).toContain('\nTemporal knows no run of this ID either (any more).\n');
    expect(stopped).toContain('The sensor was stopped by ann (moving) at ');
    expect(byRunId).toContain(`was requested by ${name(keys)} at tick 1, `);
    expect(stranger).toMatchObject({ answer: { kind: 'foreign', sensor: name(keys) } });
    const quiet = await h.sensors.explain(name(idle), { at: evaluation?.lastAttemptAt ?? new Date() });
    expect(quiet).toMatchObject({ answer: { kind: 'quiet', reason: 'nothing new' } });
    expect(await h.sensors.explain(name(keys), { run: 'nobody' })).toMatchObject({ answer: { kind: 'unknown' } });
  });
});

test.concurrent.for([
  [['explain', 'no-such-sensor', 'key'], 4, 'sensor-not-found'],
  [['explain', 'x', 'y', '--as', 'guess'], 2, 'usage'],
  [['explain', 'x', ''], 2, 'usage'],
  [['ticks', 'x', '--since', 'yesterday'], 2, 'usage'],
  [['explain', 'x', 'y', '--address', '127.0.0.1:9'], 3, 'server-unreachable'],
  [['logs', 'x', '--namespace', 'no-such-namespace'], 6, 'namespace-not-found'],
] as const)('sensors %j ends with %i', async ([args, code, kind]) => {
  const result = await sensors('--json', ...args);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(JSON.parse(result.stderr)).toMatchObject({ error: { code: kind, exitCode: code } });
});
