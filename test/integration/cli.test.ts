/** The commands that look, start and stop; test/support/cli.ts runs them. */
import { ApplicationFailure } from '@temporalio/common';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { accepts, answers, freePort } from '../../src/cli/dev-server.js';
import { assetState } from '../../src/client/index.js';
import { startLoop } from '../../src/client/loops.js';
import { defineAsset, defineAssetSensor, defineJob, defineSensor, staticPartitions } from '../../src/index.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import { home, json, SECRET, sensors, spawnCli, text, unread } from '../support/cli.js';
import { Harness, waitFor } from '../support/harness.js';
import { sealingCodec } from '../support/sealing-codec.js';

const ISO = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/) as string;

const order = defineJob({ name: 'echo', config: z.object({ n: z.number(), secret: z.string() }) });

/** Two good requests and a bad one at the first tick, then nothing. */
function ordersSensor() {
  let calls = 0;
  return defineSensor({
    name: 'orders',
    job: order,
    interval: '1 hour',
    defaultStatus: 'running',
    description: 'new orders',
    tags: { team: 'sales' },
    owners: ['ann'],
    cursor: z.object({ secret: z.string() }).optional(),
    *evaluate(ctx) {
      if (++calls > 1) {
        yield ctx.skip('no new orders');
        return;
      }
      yield ctx.run({ runKey: 'k1', config: { n: 1, secret: SECRET }, tags: { source: 'inbox' } });
      yield ctx.run({ runKey: 'k2', config: { n: 2, secret: SECRET } });
      yield ctx.run({ runKey: 'bad', config: { n: SECRET as unknown as number, secret: SECRET } });
      ctx.setCursor({ secret: SECRET });
    },
  });
}

const idle = defineSensor({
  name: 'idle',
  job: order,
  interval: 500,
  defaultStatus: 'running',
  evaluate: (ctx) => ctx.skip('nothing \u001b[31mred\u001b[0m\nhere'),
});

const failing = defineSensor({
  name: 'failing',
  job: order,
  interval: 500,
  defaultStatus: 'running',
  evaluate() {
    throw new Error('the API says no');
  },
});

describe('a sensor with a worker', () => {
  test('is shown by list, describe, ticks and runs', async () => {
    const h = await Harness.create();
    const orders = ordersSensor();
    await h.work([orders, idle, failing]);
    const name = h.name(orders);
    await h.tickWhere(orders, ({ status }) => status === 'success', 'the first tick');
    await h.settledRuns(orders, 2);
    await Promise.all([h.folded(idle), h.folded(failing)]);
    await waitFor(
      async () => (await h.sensors.list()).filter(({ sensor }) => sensor.startsWith(h.prefix)).length === 3,
      'the list'
    );
    // stands in for Temporal Web, which the test server does not have
    const webPort = Number(inject('temporalAddress').split(':')[1]) + 1000;
    const web = createServer().listen(webPort, '127.0.0.1');
    web.on('error', () => {});
    try {
      const [listed, table, described, page, tickList, tickTable, runList, runTable] = await Promise.all([
        json<Record<string, unknown>[]>('list'),
        text('list'),
        json('describe', name),
        text('describe', name),
        json<Record<string, unknown>[]>('ticks', name),
        text('ticks', name),
        json<Record<string, unknown>[]>('runs', name),
        text('runs', name, '--limit', '1'),
      ]);

      const summary = {
        sensor: name,
        status: 'running',
        statusFrom: 'code',
        health: 'ok',
        intervalMs: 3_600_000,
        jobs: ['echo'],
        pending: 0,
        deadLetters: 1,
        description: 'new orders',
        tags: { team: 'sales' },
        owners: ['ann'],
        workflowId: `sensor/${name}`,
        runId: expect.any(String) as string,
      };
      expect(listed.find(({ sensor }) => sensor === name)).toMatchObject(summary);
      expect(table).toMatch(new RegExp(`^${name} +running +ok .* tick 1: success: 2 runs started, 1 rejected$`, 'm'));
      expect(table).toMatch(new RegExp(`^${h.name(failing)} +running +failing .* Error: the API says no$`, 'm'));

      const letter = { kind: 'request', job: 'echo', runKey: 'bad', tick: 1, count: 1, firstAt: ISO, lastAt: ISO };
      expect(described).toMatchObject({
        ...summary,
        taskQueue: h.taskQueue,
        timeoutMs: 60_000,
        evaluation: { phase: 'waiting', nextAt: ISO, notLoaded: false },
        workers: [{ lastSeen: ISO }],
        lastTick: { tick: 1, status: 'success' },
        state: { tick: 1, lastTickAt: ISO, deadLetters: [letter], counters: { runs: 2, rejected: 1 } },
        webUrl: expect.stringContaining(`/namespaces/default/workflows/sensor%2F${name}/`) as string,
      });
      expect(described).toMatchObject({
        evaluation: { lastTickOutcome: 'tick 1: success: 2 runs started, 1 rejected' },
      });
      expect(page).toContain(
        `${name}: running: tick 1: success: 2 runs started, 1 rejected; next evaluation in 59 min.`
      );
      expect(page).not.toContain('Last skip reason');
      expect(page).toMatch(/Last tick +1, .*: success: 2 runs started, 1 rejected/);
      expect(page).toContain("key 'bad' of echo, tick 1, 1 time");
      expect(page).toMatch(/Next evaluation +in 59 min \(/);

      const recorded = { tick: 1, status: 'success', trigger: 'start', startedAt: ISO, endedAt: ISO };
      const sample = expect.arrayContaining([`${name}:echo:k1`, `${name}:echo:k2`]) as string[];
      expect(tickList).toEqual([expect.objectContaining({ ...recorded, runs: { count: 2, sample } })]);
      expect(tickList[0]).not.toHaveProperty('cursorAfter');
      expect(tickTable).toMatch(
        /^TICK +STATUS +STARTED +TOOK +TRIGGER +WHAT\n1 +success .* 2 runs started, 1 rejected$/m
      );

      expect(runList).toHaveLength(2);
      expect(runList.find(({ runKey }) => runKey === 'k1')).toEqual({
        workflowId: `${name}:echo:k1`,
        runId: expect.any(String) as string,
        job: 'echo',
        status: expect.stringMatching(/RUNNING|COMPLETED/) as string,
        tick: 1,
        runKey: 'k1',
        tags: { source: 'inbox' },
        startTime: ISO,
        closeTime: ISO,
        webUrl: expect.stringMatching(
          new RegExp(
            `^http://localhost:${webPort}/namespaces/default/workflows/${name}%3Aecho%3Ak1/[0-9a-f-]+/history$`
          )
        ) as string,
      });
      expect(runTable).toMatch(new RegExp(`echo +1 +k[12] +${name}:echo:k[12] +http://localhost:${webPort}/`));
      expect(runTable.trim().split('\n')).toHaveLength(2);

      const [quiet, quietPage, badPage] = await Promise.all([
        json('describe', h.name(idle)),
        text('describe', h.name(idle)),
        text('describe', h.name(failing)),
      ]);
      // JSON says it as it is; a terminal must not obey it
      expect(quiet).toMatchObject({ evaluation: { lastOutcome: 'nothing \u001b[31mred\u001b[0m\nhere' } });
      expect(quietPage).toContain('nothing \\u001b[31mred\\u001b[0m here');
      expect(badPage).toMatch(/Health +failing since .*: Error: the API says no/);
    } finally {
      web.close();
    }
  });

  test('shows why its runs failed', async () => {
    const h = await Harness.create();
    const greeting = defineJob({ name: 'greeting', config: z.object({ name: z.string() }) });
    const waiting = defineJob({ name: 'waiting' });
    const fragile = defineSensor({
      name: 'fragile',
      jobs: [greeting, waiting],
      interval: '1 hour',
      defaultStatus: 'running',
      evaluate: (ctx) => [
        ctx.run({ job: greeting, runKey: 'nobody', config: { name: 'nobody' } }),
        ctx.run({ job: greeting, runKey: 'ann', config: { name: 'ann' } }),
        ctx.run({ job: waiting, runKey: 'ended' }),
      ],
    });
    const greet = async (name: string): Promise<string> => {
      if (name === 'nobody') throw ApplicationFailure.nonRetryable('there is nobody\nto greet');
      return name;
    };
    await h.work([fragile], { activities: { greet } });
    const name = h.name(fragile);
    await h.settledRuns(fragile, 3);
    await h.client.workflow.getHandle(`${name}:waiting:ended`).terminate('no longer wanted');
    const ended = await waitFor(async () => {
      const runs = await json<Record<string, unknown>[]>('runs', name);
      return runs.every(({ status }) => status !== 'RUNNING') ? runs : undefined;
    }, 'the ends of the runs');
    expect(Object.fromEntries(ended.map(({ runKey, status, error }) => [runKey, [status, error]]))).toEqual({
      ann: ['COMPLETED', undefined],
      // of the activity, not that one failed
      nobody: ['FAILED', 'there is nobody\nto greet'],
      ended: ['TERMINATED', expect.stringMatching(/^terminated by .+: no longer wanted$/)],
    });
    const table = await text('runs', name);
    expect(table).toMatch(/ WORKFLOW ID +ERROR/);
    expect(table).toMatch(new RegExp(`FAILED +greeting +1 +nobody +${name}:greeting:nobody +there is nobody to greet`));
    expect(table).toMatch(new RegExp(`COMPLETED +greeting +1 +ann +${name}:greeting:ann$`, 'm'));
  });

  test('is started, stopped and ticked', async () => {
    const h = await Harness.create();
    const orders = ordersSensor();
    await h.work([orders, failing]);
    const name = h.name(orders);
    await h.tickWhere(orders, ({ status }) => status === 'success', 'the first tick');
    const by = expect.stringMatching(/^.+@.+$/) as string;

    const until = new Date(Date.now() + 3_600_000).toISOString();
    const stopped = await json('stop', name, '--reason', 'a reason', '--until', until);
    expect(stopped).toMatchObject({
      sensor: name,
      status: 'stopped',
      statusFrom: 'operator',
      statusBy: by,
      statusReason: 'a reason',
      statusUntil: until,
      applied: true,
    });
    expect(await text('describe', name)).toContain(`(a reason) until ${until}`);

    expect(await text('tick', name, '--reason', 'to see')).toBe(`Tick 2 of ${name}: skipped: no new orders\n`);
    expect(await json('tick', name)).toMatchObject({
      tick: 3,
      status: 'skipped',
      trigger: 'tick',
      skipReason: 'no new orders',
      startedAt: ISO,
      endedAt: ISO,
    });
    const { audit } = await h.sensors.state(name);
    expect(audit.map(({ what }) => what)).toEqual([`stop until ${until}`, 'tick', 'tick']);
    expect(audit[1]).toMatchObject({ by, reason: 'to see' });

    expect(await json('start', name)).toMatchObject({ status: 'running', statusFrom: 'operator', applied: true });
    expect(await text('stop', name)).toMatch(
      new RegExp(`^${name} is stopped by .+@.+\\. Start it with: sensors start`)
    );

    const failed = await sensors('tick', h.name(failing));
    expect(failed).toMatchObject({ code: 7, stderr: '' });
    expect(failed.stdout).toContain('failure: Error: the API says no');
  });

  test('is previewed, and does exactly what was shown', async () => {
    const h = await Harness.create();
    const sensor = defineSensor({
      name: 'previewed',
      job: order,
      interval: '1h',
      cursor: z.number().default(0),
      *evaluate(ctx) {
        if (ctx.cursor === 13) throw new Error('unlucky');
        yield ctx.run({ runKey: `k${ctx.cursor}`, config: { n: ctx.cursor, secret: 'none' } });
        ctx.setCursor(ctx.cursor + 1);
      },
    });
    await h.work([sensor]);
    const name = h.name(sensor);
    const shown = await sensors('preview', name);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toBe(
      `Tick 1 of ${name} would be: success: 1 run would start\n` +
        `  would start ${name}:echo:k0 [{"n":0,"secret":"none"}]\n` +
        `  cursor: none → 1\n`
    );
    expect(shown.stderr).toBe('Nothing was started. With --apply, what is shown is committed.\n');
    expect((await h.sensors.state(name)).counters.runs).toBe(0);
    expect(await json('preview', name, '--cursor', '5')).toMatchObject({
      status: 'success',
      requests: { count: 1, sample: [{ runKey: 'k5' }] },
      cursor: { kind: 'set', value: 6 },
    });
    expect(await sensors('preview', name, '--cursor', '13')).toMatchObject({ code: 7 });
    expect(await sensors('preview', name, '--cursor', 'thirteen')).toMatchObject({ code: 2 });
    expect(await text('preview', name, '--apply')).toContain(`Tick 1 of ${name}: success: 1 run started\n`);
    expect(await h.sensors.state(name)).toMatchObject({ cursor: { value: 1 }, counters: { runs: 1 } });
  });

  test('that no worker knows any more, or whose loop is closed, says so', async () => {
    const h = await Harness.create();
    const first = await h.work([idle, failing]);
    await h.folded(idle);
    await first.stop();
    await h.work([failing]);
    const name = h.name(idle);
    await waitFor(async () => (await h.sensors.describe(name)).health === 'notLoaded', 'notLoaded');
    const [page, ticked] = await Promise.all([text('describe', name), sensors('tick', name, '--json')]);
    expect(page).toContain(`${name}: running, but not evaluated`);
    expect(page).toContain(`SensorsPlugin on task queue '${h.taskQueue}'`);
    expect(page).toContain(`gone for good: sensors prune ${name}`);
    expect(ticked).toMatchObject({ code: 5, stdout: '' });
    expect(JSON.parse(ticked.stderr)).toMatchObject({ error: { code: 'no-worker', exitCode: 5 } });

    await h.loop(failing).terminate();
    const [closed, refused] = await Promise.all([
      text('describe', h.name(failing)),
      sensors('stop', h.name(failing), '--json'),
    ]);
    expect(closed).toContain(`${h.name(failing)}: closed`);
    expect(refused.code).toBe(5);
    expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: 'refused' } });
    expect(await text('start', h.name(failing))).toMatch(new RegExp(`^${h.name(failing)} is running`));
  });
});

describe('a sensor without a worker', () => {
  test('is listed, described and controlled; what needs a worker says so at once', async () => {
    const h = await Harness.create();
    const sensor = h.name('orphan');
    const ended = h.name('ended');
    for (const each of [sensor, ended])
      await startLoop(h.client, { sensor: each, taskQueue: h.taskQueue, options: loopOptions(idle) });
    // a page of its history is larger than gRPC's own limit
    for (let n = 0; n < 3; n++) await h.loop('ended').signal('push', 'x'.repeat(1_500_000));
    await h.loop('ended').terminate();
    const [page, runs, ticked, ticks, stopped, started, back] = await Promise.all([
      text('describe', sensor),
      text('runs', sensor),
      sensors('tick', sensor),
      sensors('ticks', sensor),
      text('stop', sensor),
      json('start', sensor),
      text('start', ended),
    ]);
    expect(page).toContain(`no worker polls task queue '${h.taskQueue}'`);
    expect(runs).toBe(`${sensor} has started no runs that Temporal still knows.\n`);
    expect(ticked).toMatchObject({ code: 5, stdout: '' });
    expect(ticked.stderr).toMatch(/^error: no worker polls task queue .* start one, and try again\n$/);
    // from its histories, in which there is none yet
    expect(ticks.stdout).toMatch(new RegExp(`^${sensor} has no tick yet`));
    expect(ticks.stderr).toMatch(/^No worker answers for/);
    expect(stopped).toMatch(/^The stop is delivered to .* takes effect when a worker runs\.\n$/);
    expect(started).toMatchObject({ applied: false, workers: [] });
    expect(back).toMatch(/^The start is delivered to .*; no worker polls .* takes effect when a worker runs\.\n$/);
    expect(await h.sensors.describe(ended)).toMatchObject({ status: 'running' });
    await Promise.all([h.loop('orphan').terminate(), h.loop('ended').terminate()]);
  });

  test('whose worker went away a moment ago does not hang', async () => {
    const h = await Harness.create();
    const worker = await h.work([idle]);
    await h.folded(idle);
    await worker.stop();
    const [ticked, ticks] = await Promise.all([
      sensors('tick', h.name(idle), '--timeout', '5'),
      sensors('ticks', h.name(idle), '--timeout', '5'),
    ]);
    // without a warning of Node's, too
    expect(ticked.stderr).toMatch(
      /^error: no worker has answered .* may still take place when one comes, or be lost\..*\n$/
    );
    expect(ticked.code).toBe(5);
    expect(ticks.stdout).toMatch(/^1 +skipped /m);
    expect(ticks.code).toBe(0);
    await h.loop(idle).terminate();
  });
});

test('sensors that a payload codec encodes hide no other, and are told to stop and start', async () => {
  const dataConverter = { payloadCodecs: [sealingCodec] };
  const [h, plain] = await Promise.all([Harness.create({ dataConverter }), Harness.create()]);
  const asset = defineAsset({ key: ['sealed', h.prefix] });
  const watcher = defineSensor({ name: 'watcher', defaultStatus: 'running', watches: [asset], evaluate: () => null });
  await h.work([idle, failing], { dataConverter });
  await h.sensors.materialize(asset, { taskQueue: h.taskQueue });
  const options = { ...loopOptions(watcher), lineage: { assets: { [asset.name]: { watched: true as const } } } };
  await startLoop(plain.client, { sensor: plain.name(watcher), taskQueue: plain.taskQueue, options });
  await Promise.all([h.folded(idle), h.folded(failing)]);
  const names = [h.name(idle), h.name(failing), plain.name(watcher)];
  await waitFor(
    async () => (await h.sensors.list()).filter(({ sensor }) => names.includes(sensor)).length === 3,
    'the list'
  );
  const [listed, table, described, page, watching, checked] = await Promise.all([
    json<Record<string, unknown>[]>('list'),
    text('list', `${h.prefix}*`),
    json('describe', names[0] ?? ''),
    text('describe', names[1] ?? ''),
    json('describe', names[2] ?? ''),
    sensors('doctor', '--json'),
  ]);
  const byName = new Map(listed.map((each) => [each['sensor'], each]));
  expect(byName.get(names[0])).toMatchObject({
    unreadable: true,
    lastOutcome: expect.stringMatching(/^nothing /) as string,
  });
  expect(byName.get(names[2])).toMatchObject({ intervalMs: 30_000 });
  expect(byName.get(names[2])).not.toHaveProperty('unreadable');
  expect(table).toMatch(new RegExp(`^${names[1]} +encrypted .*Error: the API says no$`, 'm'));
  expect(described).toMatchObject({
    unreadable: true,
    taskQueue: h.taskQueue,
    evaluation: { folded: true, notLoaded: false, lastOutcome: expect.stringMatching(/^nothing /) as string },
    stateError: expect.stringContaining('encoded by a payload codec') as string,
  });
  expect(page).toContain(`${names[1]}: encrypted`);
  expect(page).not.toMatch(/^ +(Status|Health|Interval|Pending|Dead letters) /m);
  expect(watching).toMatchObject({ watches: [{ asset: asset.name }] });
  const { checks } = JSON.parse(checked.stdout) as { checks: { check: string; sensors?: string[] }[] };
  expect(checks.find(({ check }) => check === 'unreadable')?.sensors).toEqual(
    expect.arrayContaining(names.slice(0, 2))
  );

  const [stopped, many] = await Promise.all([
    text('stop', names[0] ?? '', '--reason', 'moved'),
    text('stop', `${h.prefix}fail*`),
  ]);
  expect(stopped).toMatch(/^The stop is delivered to .*; whether it has taken effect cannot be seen, because its memo/);
  expect(many).toMatch(/the stop is delivered; whether/);
  await waitFor(async () => (await h.sensors.describe(names[0] ?? '')).statusReason === 'moved', 'the stop');
  await waitFor(async () => (await h.sensors.describe(names[1] ?? '')).status === 'stopped', 'the stop of the other');
  await text('start', names[0] ?? '');
  await waitFor(async () => (await h.sensors.describe(names[0] ?? '')).status === 'running', 'the start');

  await h.loop(idle).terminate();
  const refused = await sensors('start', names[0] ?? '', '--json');
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: 'encrypted' } });
  await plain.loop(watcher).terminate();
});

describe('assets', () => {
  test('are listed, shown and followed: lineage, last materializations, and where each sensor stands', async () => {
    const h = await Harness.create();
    const folder = `${h.prefix}sales`;
    const raw = defineAsset({ key: [folder, 'raw'], description: 'files as they come' });
    const orders = defineAsset({
      key: [folder, 'orders'],
      upstream: [raw],
      partitions: staticPartitions(['a', 'b']),
      metadata: { owner: 'ops' },
    });
    const report = defineAsset({ key: [folder, 'report'], upstream: [orders] });
    const make = defineJob({ name: 'echo', assets: [orders, report] });
    const also = defineJob({ name: 'noop', assets: [orders] });
    const maker = defineSensor({ name: 'maker', job: make, interval: '1h', evaluate: () => null });
    const second = defineSensor({ name: 'second', job: also, interval: '1h', evaluate: () => null });
    const onOrders = defineAssetSensor({
      name: 'onOrders',
      asset: orders,
      interval: '1h',
      defaultStatus: 'running',
      observations: true,
      handle(_, { metadata }) {
        if (metadata['late'] !== undefined) throw new Error('too late');
      },
    });
    const { taskQueue } = h;
    await h.work([maker, onOrders]);
    await h.work([second], { taskQueue: `${taskQueue}-other` });
    await h.tickWhere(onOrders, ({ skipReason }) => skipReason?.startsWith('no new') ?? false, 'its first look');
    await h.sensors.materialize(orders, { partition: 'a', taskQueue, metadata: { rows: 3, text: 'x \u001b[31my' } });
    await h.sensors.materialize(orders, { partition: 'b' });
    await h.sensors.observe(orders);
    const name = h.name(onOrders);
    const cursor = async (): Promise<unknown> => (await h.sensors.state(name)).cursor?.value;
    await waitFor(async () => ((await cursor()) as { position?: number } | undefined)?.position === 3, 'all events');
    // nobody runs this log
    await h.sensors.materialize(`${folder}/lost`, { taskQueue: `${taskQueue}-nobody` });
    // also of a log that had told that there was nothing yet
    await waitFor(async () => {
      const assets = await h.sensors.assets({ name: `${folder}/*` });
      return assets.length === 4 && assets.some(({ recorded }) => recorded?.materializedAt !== undefined);
    }, 'the list');

    const [table, page, shown] = await Promise.all([
      text('assets', 'list', `${folder}/*`),
      text('assets', 'show', orders.name),
      json('assets', 'show', orders.name),
    ]);
    expect(table).toMatch(/^ASSET +MATERIALIZED +TIMES +OBSERVED +PARTITIONS +MADE BY +WATCHED BY\n/);
    expect(table).toMatch(new RegExp(`^${orders.name} .* static +echo, noop +${name} +1 problem$`, 'm'));
    expect(table).toMatch(new RegExp(`^${folder}/lost +unknown$`, 'm'));
    const listed = await h.sensors.assets({ name: `${folder}/*` });
    expect(listed.map(({ asset }) => asset)).toEqual(
      ['lost', 'orders', 'raw', 'report'].map((each) => `${folder}/${each}`)
    );
    expect(listed[2]).toEqual({
      asset: raw.name,
      owners: [],
      watchers: [],
      upstream: {},
      downstream: [orders.name],
      description: 'files as they come',
      log: 'none',
      problems: [],
    });

    expect(page).toMatch(new RegExp(`^${orders.name}: materialized (now|.* ago)\\.$`, 'm'));
    expect(page).toContain('warning: 2 jobs say that they make it (echo, noop)');
    expect(page).toMatch(/^ +Metadata +owner=ops$/m);
    expect(page).toMatch(/Events +2 materializations, 1 observation; 1 to 3 are kept/);
    expect(page).toContain(`Made from:\n  ${raw.name}  (all)\n`);
    expect(page).toContain(`Made into:\n  ${report.name}  (all, made by echo)\n`);
    expect(page).toMatch(/PARTITION +MATERIALIZED +BY\n +b .* event 2\n +a .* event 1\n/);
    expect(page).toMatch(new RegExp(`^ +${name} +running +3 +0 `, 'm'));
    expect(shown).toMatchObject({
      asset: orders.name,
      metadata: { owner: { type: 'text', value: 'ops' } },
      recorded: { last: expect.any(Number) as number },
      readers: [{ sensor: name, status: 'running', position: 3, lag: 0, at: ISO }],
      state: {
        last: 3,
        latestMaterialization: { position: 2, at: ISO },
        partitions: [
          { partitionKey: 'a', position: 1, at: ISO },
          { partitionKey: 'b', position: 2, at: ISO },
        ],
      },
    });
    const [eventTable, events, retained] = await Promise.all([
      text('assets', 'events', orders.name, '--limit', '2'),
      json<Record<string, unknown>[]>('assets', 'events', orders.name, '--after', '0', '--partition', 'a'),
      text('assets', 'retain', orders.name, '--events', '50', '--age', '30d', '--yes'),
    ]);
    const { stateError } = await h.sensors.describeAsset(`${folder}/lost`);
    expect(stateError).toContain(
      `does not answer; is a worker with SensorsPlugin running on task queue '${taskQueue}-nobody'?`
    );
    expect(stateError).toMatch(/\? (No answer came within 3 s|The server says: [^:]*poller[^:]*)$/);

    expect(eventTable).toMatch(/^EVENT +RECORDED +KIND +PARTITION.*\n2 .* materialization +b +a program +/);
    const key = (position: number): string =>
      `${orders.name}@${(shown as { state: { id: string } }).state.id}.${position}`;
    expect(eventTable).toMatch(new RegExp(` observation +a program +${key(3)}\n$`));
    expect(page).toMatch(new RegExp(`^ +Log .* identity ${key(0).slice(orders.name.length + 1, -2)}$`, 'm'));
    expect(events).toEqual([
      {
        position: 1,
        key: key(1),
        kind: 'materialization',
        at: ISO,
        partitionKey: 'a',
        metadata: { rows: { type: 'number', value: 3 }, text: { type: 'text', value: 'x \u001b[31my' } },
        producer: {},
        eventId: expect.any(String) as string,
      },
    ]);
    const [unasked, unpruned] = await Promise.all([
      sensors('assets', 'retain', orders.name, '--events', '1'),
      sensors('assets', 'prune', orders.name),
    ]);
    for (const { code, stdout } of [unasked, unpruned]) expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(unasked.stderr).toContain(`drop up to 2 events from the log of asset '${orders.name}' asks first`);
    expect(retained).toContain('keep the newest 50 events of the last 30 d');
    await waitFor(async () => (await assetState(h.client, orders))?.retention.events === 50, 'the retention');
    const following = spawnCli(
      ['assets', 'events', orders.name, '--limit', '1', '--follow', '--json'].concat([
        '--address',
        inject('temporalAddress'),
      ])
    );
    let followed = '';
    following.stdout.setEncoding('utf8').on('data', (chunk: string) => (followed += chunk));

    const [described, unknown] = await Promise.all([
      text('describe', name),
      sensors('assets', 'show', `${folder}/order`, '--json'),
    ]);
    expect(described).toMatch(new RegExp(`Watches +${orders.name}: at 3 of 3$`, 'm'));
    expect(unknown.code).toBe(4);
    expect(JSON.parse(unknown.stderr)).toMatchObject({
      error: { code: 'asset-not-found', message: expect.stringContaining(`is '${orders.name}' meant?`) as string },
    });

    await waitFor(() => followed.includes('\n'), 'the newest event');
    await h.sensors.observe(orders, { metadata: { late: 1 } });
    const lines = await waitFor(
      () => (followed.split('\n').length === 3 ? followed.trim().split('\n') : undefined),
      'a new event'
    );
    expect(lines.map((line) => (JSON.parse(line) as { position: number }).position)).toEqual([3, 4]);
    const late = await waitFor(
      async () => (await h.sensors.describeAsset(orders)).readers.find(({ retried }) => retried === 1),
      'the event that is tried again'
    );
    expect(late).toMatchObject({ position: 4, lag: 0 });
    expect(await h.sensors.lastPositions([orders])).toEqual(
      new Map([[orders.name, { id: (shown as { state: { id: string } }).state.id, last: 4 }]])
    );
    // only the sensor itself says what it tries again
    const unaskedReader = (await h.sensors.describeAsset(orders, { askReaders: false })).readers[0];
    expect(unaskedReader).toMatchObject({ sensor: name, status: 'running' });
    expect(unaskedReader).not.toHaveProperty('retried');
    // who reads no more ends the command with its next event
    following.stdout.destroy();
    const ended = once(following, 'close') as Promise<[number | null]>;
    await h.sensors.observe(orders);
    expect((await ended)[0]).toBe(0);
    await h.client.workflow.getHandle(`asset/${folder}/lost`).terminate();
    // its log has no worker
    const pruned = await json('assets', 'prune', `${folder}/lost`, '--yes');
    expect(pruned).toEqual({ asset: `${folder}/lost`, logRuns: 1, pages: 0 });
    // a loop that was ended still answers, with what was so then
    await h.loop(onOrders).terminate();
    const closed = await waitFor(
      async () => (await h.sensors.describeAsset(orders)).readers.find(({ status }) => status === 'closed'),
      'the sensor to be closed'
    );
    expect(closed).not.toHaveProperty('retried');
  });
});

describe.concurrent('mistakes', () => {
  test.for([
    [['describe', 'no-such-sensor'], 4, 'sensor-not-found'],
    [['stop', 'no-such-sensor'], 4, 'sensor-not-found'],
    [['ticks', 'no-such-sensor'], 4, 'sensor-not-found'],
    [['runs', "no-such-sensor' OR '1' = '1"], 4, 'sensor-not-found'],
    [['lst'], 2, 'usage'],
    [['list', '--nope'], 2, 'usage'],
    [['list', 'one', 'more'], 2, 'usage'],
    [['list', ''], 2, 'usage'],
    [['assets', 'list', ''], 2, 'usage'],
    [['describe'], 2, 'usage'],
    [['ticks', 'x', '--limit', '0'], 2, 'usage'],
    [['stop', 'x', '--until', 'tomorrow'], 2, 'usage'],
    [['stop', 'x', '--until', '2020-01-01T00:00:00Z'], 2, 'usage'],
    [['list', '--profile', 'no-such-profile'], 2, 'usage'],
    [['list', '--address', 'http://localhost'], 2, 'usage'],
    [['list', '--address', '127.0.0.1:9'], 3, 'server-unreachable'],
    [['list', '--namespace', 'no-such-namespace'], 6, 'namespace-not-found'],
    [['assets', 'events', 'no/such-asset', '--after', '3'], 4, 'asset-not-found'],
    [['assets', 'retain', 'x', '--age', 'long'], 2, 'usage'],
  ] as const)('sensors %j ends with %i', async ([args, code, kind]) => {
    const result = await sensors('--json', ...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(JSON.parse(result.stderr)).toEqual({
      error: { code: kind, exitCode: code, message: expect.any(String) as string },
    });
  });

  test('are told as a sentence with the remedy', async () => {
    const [unknown, unreachable] = await Promise.all([
      sensors('describe', 'no-such-sensor'),
      sensors('list', '--address', '127.0.0.1:9'),
    ]);
    expect(unknown.stderr).toMatch(
      /^error: there is no sensor 'no-such-sensor' .*'sensors list' shows those that exist/
    );
    expect(unreachable.stderr).toMatch(/^error: no Temporal server answers at 127.0.0.1:9: .*\nStart it \(sensors dev/);
  });

  test('a misspelt command is told the nearest one, and no command at all prints the help', async () => {
    const [misspelt, none, help] = await Promise.all([sensors('lits'), sensors(), sensors('--help')]);
    expect(misspelt.stderr).toContain('Did you mean list?');
    expect(none).toMatchObject({ code: 2, stdout: '', stderr: help.stdout });
    expect(help).toMatchObject({ code: 0, stderr: '' });
  });
});

test.concurrent('a reader that goes away ends the command quietly', async () => {
  expect(await unread('list')).toEqual({ code: 0, stderr: '' });
});

test.concurrent('dev runs a server until it is told to end, and leaves one alone that it did not start', async () => {
  const port = await freePort();
  const env = { TEMPORAL_CLI_PATH: inject('temporalBinary') };
  const start = async (...args: string[]) => {
    const child = spawnCli(['dev', '--port', String(port), '--json', ...args], env);
    const ended = once(child, 'close') as Promise<[number | null]>;
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    const printed = await waitFor(() => stdout.endsWith('}\n') && (JSON.parse(stdout) as unknown), 'the addresses');
    const stop = async (signal: NodeJS.Signals): Promise<number | null> => {
      child.kill(signal);
      return (await ended)[0];
    };
    return { printed, stop };
  };
  const address = `127.0.0.1:${port}`;
  const owner = await start('--db', join(home, 'folder', 'dev.db'));
  const guest = await start();
  try {
    expect(owner.printed).toEqual({
      address,
      namespace: 'default',
      webUrl: expect.stringMatching(/^http:\/\/localhost:\d+$/) as string,
      started: true,
    });
    expect(guest.printed).toMatchObject({ address, started: false });
    expect(await guest.stop('SIGINT')).toBe(0);
    expect(await answers({ address }, 1_000)).toBe(true);
  } finally {
    expect(await owner.stop('SIGTERM')).toBe(0);
  }
  expect(await accepts(port)).toBe(false);
});

test('a backfill is tried dry, started, followed, paused, and its failed runs are repeated', async () => {
  const h = await Harness.create();
  const partitions = staticPartitions(['a', 'b', 'c']);
  const names = z.array(z.string()).default([]);
  const config = z.object({ wait: names, fail: names, secret: z.string().optional() });
  const job = defineJob({ name: 'partitioned', partitions, config });
  await h.work([defineSensor({ name: 'reports', job, interval: '1h', evaluate: () => null })]);
  const id = `${h.prefix}abc`;
  const backfill = ['backfill', 'partitioned', '--task-queue', h.taskQueue];
  const all = [...backfill, '--partitions', 'all', '--id', id, '--config', `{"fail":["b"],"secret":"${SECRET}"}`];
  const [dry, failed, waiting, refused, unknown, misspelt] = await Promise.all([
    json(...backfill, '--partitions', 'a..b', '--policy', 'single', '--dry-run'),
    sensors(...all, '--wait'),
    json(...backfill, '--partitions', 'c,a', '--concurrency', '1', '--tag', 'x=y', '--config', '{"wait":["*"]}'),
    sensors(...backfill, '--partitions', 'b..a'),
    sensors('backfills', 'show', 'nobody'),
    sensors(...backfill, '--partitions', '..'),
  ]);
  expect(dry).toMatchObject({ policy: 'single', runs: 1, partitions: 2, sample: ['a', 'b'] });
  expect(failed).toMatchObject({ code: 7 });
  expect(failed.stdout).toContain(`${id}: backfill of partitioned, failed: 3 of 3 runs ended, 1 failed, 0 running`);
  expect(failed.stdout).toContain('  failed b: this partition fails\n  Repeat them with: sensors backfills retry');
  expect(waiting).toMatchObject({
    status: 'running',
    runs: 2,
    concurrency: 1,
    startTime: ISO,
    by: expect.any(String) as string,
  });
  expect(refused).toMatchObject({ code: 5 });
  expect(refused.stderr).toContain("partitions.from 'b' comes after partitions.to 'a' in the static partitions");
  expect(unknown).toMatchObject({ code: 4 });
  expect(misspelt).toMatchObject({ code: 2 });

  await waitFor(
    async () => (await h.sensors.backfills.progress(String(waiting['id']))).running === 1,
    'the first run of two'
  );
  const nobody = await h.sensors.backfills.start({ job: 'x', partitions: 'all', taskQueue: `${h.prefix}nobody` });
  const [paused, unasked, untold, again, listed, table] = await Promise.all([
    json('backfills', 'pause', String(waiting['id']), '--reason', 'night'),
    sensors('backfills', 'cancel', String(waiting['id']), '--runs'),
    sensors('backfills', 'cancel', nobody.id),
    json('backfills', 'retry', id),
    waitFor(async () => {
      const newest = await json<Record<string, unknown>[]>('backfills', '--limit', '50');
      return newest.some((each) => each['id'] === id) ? newest : undefined;
    }, 'the list'),
    text('backfills', 'list'),
  ]);
  expect(paused).toMatchObject({
    applied: true,
    note: { what: 'paused', reason: 'night', at: ISO },
    runningRuns: [{ partition: 'a', id: `backfill/${String(waiting['id'])}:partitioned:a` }],
  });
  expect(unasked).toMatchObject({ code: 2 });
  expect(unasked.stderr).toContain('and its runs that have not ended asks first');
  expect(untold).toMatchObject({ code: 0 });
  expect(untold.stdout).toMatch(/, planning\.\n {2}cancel waits for a worker, told .*\n/);
  expect((await h.sensors.backfills.describe(nobody.id)).untaken).toMatchObject([{ what: 'cancel' }]);
  expect(untold.stderr).toContain('The cancel is delivered; no worker of task queue');
  expect(again).toMatchObject({ id: `${id}.retry1`, retryOf: id, started: true });
  expect(listed).toContainEqual(expect.objectContaining({ id, status: 'failed', done: 2, failed: 1 }));
  expect(table).toMatch(/^STARTED\s+STATUS\s+JOB\s+PARTITIONS\s+RUNS/);
  await h.sensors.backfills.result(`${id}.retry1`);
  const [cancelled, retried, there] = await Promise.all([
    json('backfills', 'cancel', String(waiting['id']), '--runs', '--yes'),
    sensors('backfills', 'retry', id),
    sensors(...all),
  ]);
  expect(cancelled).toMatchObject({ id: waiting['id'], note: { what: 'cancelled' } });
  expect(retried).toMatchObject({ code: 5, stdout: expect.stringContaining('1 partition, b, policy') as string });
  expect(retried.stderr).toContain(`'${id}' was retried already, as '${id}.retry1'; nothing was started`);
  expect(retried.stderr).toContain(`run again with: sensors backfills retry ${id}.retry1`);
  expect(there).toMatchObject({ code: 0, stdout: failed.stdout });
  expect(there.stderr).toMatch(new RegExp(`'${id}' is there already, started .* ago; nothing was started`));
});
