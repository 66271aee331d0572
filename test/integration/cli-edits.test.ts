/** The commands that change something, `setup` and `doctor`, on one set of sensors. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../src/index.js';
import { json, SECRET, sensors, text, unread } from '../support/cli.js';
import { Harness, waitFor } from '../support/harness.js';

const order = defineJob({ name: 'echo', config: z.object({ n: z.number(), secret: z.string() }) });

/** The least cursor that fits: a later version of the code may have another one. */
const schema = { min: 0 };

const orders = defineSensor({
  name: 'orders',
  job: order,
  interval: '1 hour',
  defaultStatus: 'running',
  tags: { team: 'sales' },
  cursor: z
    .number()
    .default(0)
    .refine((n) => n >= schema.min, 'it is too old'),
  *evaluate(ctx) {
    yield ctx.run({ runKey: `k${ctx.cursor}`, config: { n: ctx.cursor, secret: SECRET } });
    yield ctx.run({ runKey: 'bad', config: { n: SECRET as unknown as number, secret: SECRET } });
    ctx.setCursor(ctx.cursor + 1);
  },
});

const burst = defineSensor({
  name: 'orders-burst',
  job: order,
  interval: '1 hour',
  defaultStatus: 'running',
  tags: { team: 'sales' },
  maxRunsPerTick: 1,
  evaluate: (ctx) => [1, 2, 3].map((n) => ctx.run({ runKey: `b${n}`, config: { n, secret: SECRET } })),
});

const ended = defineSensor({
  name: 'orders-ended',
  job: order,
  tags: { team: 'sales' },
  evaluate: (ctx) => ctx.skip('nothing'),
});

const other = defineSensor({ name: 'other', job: order, evaluate: (ctx) => ctx.skip('nothing') });

/** Runs a `sensors … --json` that must fail. */
async function refused(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await sensors(...args, '--json');
  expect(stdout).toBe('');
  const { error } = JSON.parse(stderr) as { error: { code: string; exitCode: number; message: string } };
  expect(error.exitCode).toBe(code);
  return { code: error.code, exitCode: code, message: error.message };
}

const UNCONFIRMED = { code: 'unconfirmed', exitCode: 2, message: expect.stringContaining('add --yes') as string };

test('sensors are changed by commands, which ask first and leave a record', { timeout: 240_000 }, async () => {
  const h = await Harness.create();
  await h.work([orders, burst, ended, other]);
  const name = h.name(orders);
  await h.tickWhere(orders, ({ status }) => status === 'success', 'the first tick');
  await h.tickWhere(burst, ({ pending }) => pending === 2, 'a tick that leaves requests over');
  await h.loop(ended).terminate();
  const closed = async (): Promise<boolean> =>
    (await h.sensors.list()).filter(({ sensor, status }) => sensor === h.name(ended) && status === 'closed').length ===
    1;
  await waitFor(closed, 'the closed sensor in the list');

  // many at once: one question, and one that refuses stops no other
  const glob = `${h.prefix}orders*`;
  const many = ['--tag', 'team=sales', '--reason', 'moving'];
  const [unasked, plan] = await Promise.all([
    refused('stop', glob, ...many),
    json('stop', `${h.prefix}*`, ...many, '--dry-run'),
  ]);
  expect(unasked).toEqual(UNCONFIRMED);
  expect(plan).toEqual(
    [orders, burst, ended].map((each) => ({
      sensor: h.name(each),
      status: each === ended ? 'closed' : 'running',
      would: 'stop',
    }))
  );
  expect((await h.sensors.describe(name)).status).toBe('running');

  const before = Date.now();
  const stopped = await sensors('stop', glob, ...many, '--for', '2h', '--yes', '--json');
  expect(stopped).toMatchObject({ code: 9, stderr: '' });
  const [first, second, third] = JSON.parse(stopped.stdout) as Record<string, unknown>[];
  for (const each of [first, second])
    expect(each).toMatchObject({ status: 'stopped', statusReason: 'moving', applied: true });
  expect(third).toEqual({
    sensor: h.name(ended),
    error: { code: 'refused', message: expect.stringContaining('is closed') as string },
  });
  const until = new Date(String(first?.['statusUntil'])).getTime();
  expect(until).toBeGreaterThanOrEqual(before + 7_200_000);
  expect(until).toBeLessThan(Date.now() + 7_200_000);
  expect((await h.sensors.describe(h.name(other))).statusFrom).toBe('code');

  // what looks, and what is refused
  const [cursor, letters, waiting, ...unconfirmed] = await Promise.all([
    json('cursor', 'get', name),
    json<{ id: string }[]>('dead-letters', 'list', name),
    json('pending', 'list', h.name(burst)),
    refused('cursor', 'set', name, '5'),
    refused('prune', h.name(other)),
  ]);
  expect(cursor).toEqual({ sensor: name, value: 1 });
  expect(letters).toEqual([expect.objectContaining({ kind: 'request', runKey: 'bad', tick: 1, count: 1 })]);
  expect(letters[0]).not.toHaveProperty('payload');
  expect(waiting).toMatchObject({ count: 2, sample: [{ runKey: 'b2' }, { runKey: 'b3' }] });
  expect(unconfirmed).toEqual([UNCONFIRMED, UNCONFIRMED]);
  expect(
    await Promise.all([
      refused('cursor', 'rewind', name, '99', '--yes'),
      refused('dead-letters', 'discard', name, 'no-such-id', '--yes'),
      refused('prune', h.name(other), '--yes', '--read-only'),
    ])
  ).toEqual([
    { code: 'refused', exitCode: 5, message: expect.stringContaining('tick 99 is not among') as string },
    { code: 'usage', exitCode: 2, message: expect.stringContaining("no dead letter 'no-such-id'") as string },
    { code: 'read-only', exitCode: 2, message: expect.stringContaining('nothing was sent') as string },
  ]);

  // the cursor: a stopped sensor is not evaluated by it
  expect(await text('cursor', 'set', name, '5', '--yes', '--reason', 'skip')).toMatch(/ {2}old: 1\n {2}new: 5\n$/);
  const { tick } = await h.sensors.tick(name);
  expect((await h.sensors.state(name)).cursor).toEqual({ value: 6 });
  schema.min = 6;
  expect(await refused('cursor', 'rewind', name, String(tick), '--yes')).toEqual({
    code: 'refused',
    exitCode: 5,
    message:
      `the cursor as it was before tick ${tick} does not fit the schema that sensor '${name}' has today (cursor: it is too old); ` +
      `set one that does, from where it should go on: sensors cursor set ${name} <json>`,
  });
  schema.min = 0;
  expect(await json('cursor', 'rewind', name, String(tick), '--yes')).toEqual({
    sensor: name,
    before: { value: 6 },
    after: { value: 5 },
  });

  // keys, dead letters, pending requests
  await waitFor(async () => (await h.runs(orders)).every(({ status }) => status === 'COMPLETED'), 'the runs');
  const [rerun, rearmed, retried] = await Promise.all([
    json('rerun', name, 'k0', '--reason', 'again'),
    json('rearm', name, 'k5'),
    sensors('dead-letters', 'retry', name),
  ]);
  expect(rerun).toMatchObject({ workflowId: `${name}:echo@2:k0`, epoch: 2 });
  expect(rearmed).toEqual({ sensor: name, runKey: 'k5', rearmed: true });
  expect(retried).toMatchObject({ code: 9, stderr: '' });
  expect(retried.stdout).toContain(`0 dead letters of ${name} done (0 runs started), 1 stay.`);
  const id = letters[0]?.id ?? '';
  const [discarded, cleared, dropped] = await Promise.all([
    json('dead-letters', 'discard', name, id, '--yes'),
    json('cursor', 'clear', name, '--yes'),
    text('pending', 'discard', h.name(burst), '--yes'),
  ]);
  expect(discarded).toEqual({ sensor: name, discarded: [id] });
  expect(cleared).toEqual({ sensor: name, before: { value: 5 }, after: {} });
  expect(dropped).toBe(`2 pending requests of ${h.name(burst)} discarded.\n`);

  // what a prune that failed half-way leaves: the next one goes on
  await h.loop(other).terminate('pruned');
  const gone = 'any more: it was pruned, and begins anew when a worker that has it starts';
  await expect(h.sensors.describe(h.name(other))).rejects.toThrow(gone);
  const [audit, quiet, reset, pruned] = await Promise.all([
    json<Record<string, string>[]>('audit', name),
    unread('audit', name),
    json('reset', h.name(burst), '--reason', 'done'),
    json('prune', h.name(other), '--yes'),
  ]);
  const oldestFirst = audit.map(({ what, reason }) => (reason === undefined ? what : `${what}: ${reason}`)).reverse();
  expect(oldestFirst.slice(0, 4)).toEqual([
    `stop until ${new Date(until).toISOString()}: moving`,
    'set cursor: skip',
    'tick',
    `rewind cursor to before tick ${tick}`,
  ]);
  expect(new Set(oldestFirst.slice(4))).toEqual(
    new Set([
      'rerun k0 as epoch 2: again',
      'rearm k5',
      'retry 0 dead letters',
      'discard 1 dead letters',
      'clear cursor',
    ])
  );
  expect(audit[0]).toMatchObject({
    at: expect.stringMatching(/Z$/) as string,
    by: expect.stringMatching(/^.+@.+$/) as string,
  });
  expect(quiet).toEqual({ code: 0, stderr: '' });
  expect(reset).toEqual({ sensor: h.name(burst), status: 'running', statusFrom: 'code' });
  expect(pruned).toMatchObject({ sensor: h.name(other), loopRuns: 1, pages: 0 });
  await expect(h.sensors.describe(h.name(other))).rejects.toThrow('there is no sensor');

  // the doctor sees the sensors of other tests, too
  const { code, stdout } = await sensors('doctor', '--json');
  const { checks } = JSON.parse(stdout) as { checks: { check: string; status: string; sensors?: string[] }[] };
  expect(code).toBe(checks.some(({ status }) => status === 'fail') ? 9 : 0);
  for (const check of ['server', 'namespace', 'retention', 'clock'])
    expect(checks).toContainEqual(expect.objectContaining({ check, status: 'ok' }));
  expect(checks).toContainEqual({
    check: 'workers',
    status: 'ok',
    message: expect.stringContaining(`'${h.taskQueue}' (2 sensors) is polled by 1 worker`) as string,
  });
  expect(checks.find(({ check }) => check === 'closed')?.sensors).toContain(h.name(ended));
});

test('a namespace is set up once, after a question', async () => {
  const tag = 'cliSetup';
  expect(await refused('setup', tag)).toEqual(UNCONFIRMED);
  const added = { name: tag, state: 'added', type: 'Keyword' };
  expect(await json('setup', tag, '--yes')).toEqual({ namespace: 'default', attributes: [added] });
  const reserved = await sensors('setup', tag, 'WorkflowId', '--yes', '--json');
  expect(reserved.code).toBe(9);
  expect(JSON.parse(reserved.stdout)).toMatchObject({
    attributes: [
      { name: tag, state: 'registered' },
      { name: 'WorkflowId', state: 'failed', error: expect.stringContaining('reserved') as string },
    ],
  });
});

test.for([
  [['--address', '127.0.0.1:9'], 3, 'server'],
  [['--namespace', 'no-such-namespace'], 6, 'namespace'],
] as const)('the doctor says what is wrong with %j', async ([args, code, check]) => {
  const result = await sensors('doctor', '--json', ...args);
  expect(result).toMatchObject({ code, stderr: '' });
  const { status, checks } = JSON.parse(result.stdout) as { status: string; checks: { check: string }[] };
  expect(status).toBe('fail');
  expect(checks.at(-1)).toMatchObject({ check, status: 'fail' });
});
