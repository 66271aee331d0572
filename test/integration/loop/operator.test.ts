/** What operators do about single keys and requests: run again, re-arm, retry, discard. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../../src/index.js';
import { Harness, waitFor } from '../../support/harness.js';

const echo = defineJob({ name: 'echo', config: z.object({ n: z.number() }) });
const waiting = defineJob({ name: 'waiting' });

test('rerun starts a key again under an ID of its own, linked to its first run; the key itself stays known', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'again',
    job: echo,
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      yield ctx.run({ runKey: 'a', config: { n: 7 }, tags: { source: 'test' } });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.settledRuns(sensor, 1);
  const first = h.client.workflow.getHandle(`${name}:echo:a`);
  await first.result();
  const { workflowId, epoch } = await h.sensors.rerun(name, { runKey: 'a', by: 'ann', reason: 'fixed the parser' });
  expect({ workflowId, epoch }).toEqual({ workflowId: `${name}:echo@2:a`, epoch: 2 });
  expect(await h.client.workflow.getHandle(workflowId).result()).toMatchObject({
    config: { n: 7 },
    info: { runKey: 'a', tags: { source: 'test' }, epoch: 2, rerunOf: `${name}:echo:a`, by: 'ann' },
  });
  expect((await h.sensors.rerun(name, { runKey: 'a' })).workflowId).toBe(`${name}:echo@3:a`);
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'skipped', duplicates: { count: 1 } });
  const reason = 'fixed the parser';
  expect(await h.sensors.explain(name, { run: workflowId })).toMatchObject({
    answer: { kind: 'started', repeats: { how: 'rerun', by: 'ann', reason, first: { tick: 1 } } },
  });
  const { audit, counters } = await h.sensors.state(name);
  expect(audit.map(({ what, by }) => [what, by])).toContainEqual(['rerun a as epoch 2', 'ann']);
  expect(counters.runs).toBe(3);
  expect(await h.settledRuns(sensor, 3)).toHaveLength(3);
});

test('rerun refuses what has no run or still runs; rearm lets the next request run, once', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'rearmed',
    jobs: [waiting, echo],
    interval: '1h',
    defaultStatus: 'running',
    *evaluate(ctx) {
      yield ctx.run({ job: waiting, runKey: 'a' });
      yield ctx.run({ job: echo, runKey: 'a', config: { n: 1 } });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.settledRuns(sensor, 2);
  await expect(h.sensors.rerun(name, { runKey: 'a' })).rejects.toThrow(
    `has 2 jobs, so name the key's job (--job, or 'job'); accepted: 'waiting', 'echo'`
  );
  await expect(h.sensors.rerun(name, { runKey: 'a', job: 'waiting' })).rejects.toThrow('still runs');
  await expect(h.sensors.rerun(name, { runKey: 'b', job: 'echo' })).rejects.toThrow(
    `key 'b' of job 'echo' has not run, as far as the sensor and Temporal know, so there is nothing to run again`
  );
  await expect(h.sensors.rearm(name, { runKey: 'b', job: 'echo' })).rejects.toThrow(
    `key 'b' of job 'echo' has not run, as far as the sensor and Temporal know, so there is nothing to re-arm`
  );
  await expect(h.sensors.rerun(name, {} as never)).rejects.toThrow('rerun needs { "runKey"');

  await h.sensors.rearm(name, { runKey: 'a', job: 'echo', by: 'ann' });
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'success', runs: { sample: [`${name}:echo@2:a`] } });
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'skipped', duplicates: { count: 2 } });
  expect(await h.sensors.explain(name, { runKey: 'a', job: 'echo' })).toMatchObject({
    answers: [{ kind: 'duplicate', repeats: { how: 'rearm', by: 'ann', first: { tick: 1 } }, again: { tick: 3 } }],
  });
  await h.sensors.rearm(name, { runKey: 'a', job: 'echo' });
  // it survives a restart of the loop
  await h.loop(sensor).terminate();
  await h.sensors.start(name);
  await h.sensors.tick(name);
  await h.settledRuns(sensor, 4);
  expect((await h.runs(sensor)).map(({ workflowId }) => workflowId).toSorted()).toEqual([
    `${name}:echo:a`,
    `${name}:echo@2:a`,
    `${name}:echo@3:a`,
    `${name}:waiting:a`,
  ]);
  await h.client.workflow.getHandle(`${name}:waiting:a`).signal('finish');
});

test('dead letters: a retry checks against what the code says now, a discard drops, the others stay', async () => {
  const h = await Harness.create();
  const accepted = { min: 10 };
  const strict = defineJob({
    name: 'echo',
    config: z.object({ n: z.number() }).refine(({ n }) => n >= accepted.min, `n is below ${accepted.min}`),
  });
  const sensor = defineSensor({
    name: 'letters',
    job: strict,
    interval: '1h',
    defaultStatus: 'running',
    events: z.string().refine((event) => event !== 'bad' || accepted.min === 0),
    cursor: z.array(z.string()).default([]),
    *evaluate(ctx) {
      if (ctx.events.length > 0) ctx.setCursor([...ctx.cursor, ...ctx.events]);
      if (ctx.isFirstTickSinceStart)
        for (const n of [1, 2, 30]) yield ctx.run({ runKey: `k${n}`, config: { n }, tags: { n: `${n}` } });
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.settledRuns(sensor, 1);
  await h.sensors.push(name, 'bad');
  const letters = await waitFor(async () => {
    const { deadLetters } = await h.sensors.state(name);
    return deadLetters.length === 3 ? deadLetters : undefined;
  }, 'three dead letters');
  const [first, second] = letters;

  const refused = await h.sensors.retryDeadLetters(name, { ids: [first?.id ?? ''] });
  expect(refused).toMatchObject({
    done: [],
    failed: [{ id: first?.id, error: expect.stringContaining('n is below 10') }],
  });
  await h.sensors.discardDeadLetters(name, { ids: [second?.id ?? ''], by: 'ann' });
  expect(await h.sensors.explain(name, { runKey: second?.runKey ?? '' })).toMatchObject({
    answers: [{ kind: 'rejected', discarded: { by: 'ann' } }],
  });
  expect(await h.sensors.explain(name, { runKey: second?.id ?? '' })).toMatchObject({
    event: { kind: 'discarded', id: second?.id, by: 'ann' },
  });
  accepted.min = 0;
  expect(await h.sensors.retryDeadLetters(name)).toMatchObject({ failed: [], started: 1 });
  const runs = await h.settledRuns(sensor, 2);
  expect(runs.map(({ runKey, tags }) => [runKey, tags])).toContainEqual(['k1', { n: '1' }]);
  await waitFor(async () => Array.isArray((await h.sensors.state(name)).cursor?.value), 'the event');
  const state = await h.sensors.state(name);
  expect(state).toMatchObject({ deadLetters: [], cursor: { value: ['bad'] } });
  expect(state.audit.map(({ what }) => what)).toEqual([
    'retry 0 dead letters',
    'discard 1 dead letters',
    'retry 2 dead letters',
  ]);
  expect(await h.runs(sensor)).toHaveLength(2);
});

test(`onInvalid: 'fail' fails the whole tick, names what is wrong, and keeps the cursor`, async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'strict',
    job: echo,
    interval: '1h',
    defaultStatus: 'running',
    onInvalid: 'fail',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      yield ctx.run({ runKey: 'good', config: { n: 1 } });
      yield ctx.run({ runKey: 'bad', config: { n: 'x' as never } });
      ctx.setCursor(1);
    },
  });
  await h.work([sensor]);
  const tick = await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the tick');
  expect(tick).toMatchObject({ status: 'failure', runs: { count: 0 } });
  expect(tick.error).toContain(
    `1 run requests are invalid, and onInvalid is 'fail': nothing was started. 'bad': config`
  );
  expect((await h.sensors.state(h.name(sensor))).cursor).toBeUndefined();
  expect(await h.runs(sensor)).toHaveLength(0);
});

test('maxRunsPerTick leaves the rest pending; the next ticks start it in order, and a discard drops it', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'few',
    job: echo,
    interval: '1h',
    defaultStatus: 'running',
    maxRunsPerTick: 2,
    cursor: z.number().default(0),
    *evaluate(ctx) {
      for (let n = ctx.cursor; n < ctx.cursor + 7; n++) yield ctx.run({ runKey: `k${n}`, config: { n } });
      ctx.setCursor(ctx.cursor + 7);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  expect(await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick')).toMatchObject({
    status: 'success',
    runs: { count: 2 },
    pending: 5,
  });
  expect(await h.sensors.tick(name)).toMatchObject({
    trigger: 'pending',
    runs: { count: 2 },
    pending: 3,
  });
  expect((await h.sensors.state(name)).pending).toMatchObject({ count: 3, sample: [{ runKey: 'k4' }, {}, {}] });
  const ticks = new Map((await h.sensors.ticks(name)).map((tick) => [tick.tick, tick]));
  const asked = { run: { tick: 2 }, requestedAtTick: 1, requestedAt: new Date(ticks.get(1)?.startedAt ?? 0) };
  expect(await h.sensors.explain(name, { runKey: 'k2' })).toMatchObject({ answers: [asked] });
  const [, k3 = ''] = ticks.get(2)?.runs.sample ?? [];
  expect(await h.sensors.explain(name, { run: k3 })).toMatchObject({ answer: asked });
  // nothing is evaluated, and the list tells of its ticks all the same
  expect(await h.sensors.describe(name)).toMatchObject({ lastTick: { tick: 2 }, runsLastDay: 4, pending: 3 });
  await expect(h.sensors.rerun(name, { runKey: 'k5' })).rejects.toThrow(
    '(or is one of the 3 requests that are pending)'
  );
  await expect(h.sensors.rearm(name, { runKey: 'k9' })).rejects.toThrow('there is nothing to re-arm');
  expect(Object.values((await h.sensors.rearm(name, { runKey: 'k5' })).rearmed)).toEqual([2]);
  await h.sensors.discardPending(name, { by: 'ann' });
  expect((await h.sensors.state(name)).pending.count).toBe(0);
  const gone = { kind: 'discarded', tick: 1, requestedAt: expect.any(Date) as Date, by: 'ann' };
  expect(await h.sensors.explain(name, { runKey: 'k4' })).toMatchObject({ answers: [gone] });
  const waits = await waitFor(
    async () => (await h.sensors.describe(name)).evaluation?.lastTickOutcome,
    'an evaluation that waits'
  );
  expect(waits).toBe('tick 2: success: 2 runs started, 3 pending (discarded since)');
  // dropped on purpose is dropped, also for a loop that comes back from its history
  await h.loop(sensor).terminate();
  await h.sensors.start(name);
  expect((await h.sensors.state(name)).pending.count).toBe(0);
  expect(await h.sensors.tick(name)).toMatchObject({ runs: { count: 2 }, pending: 5 });
  expect(await h.sensors.explain(name, { runKey: 'k6' })).toMatchObject({ answers: [gone] });
  const runs = await h.settledRuns(sensor, 6);
  expect(runs.map(({ runKey = '' }) => runKey).toSorted()).toEqual(['k0', 'k1', 'k2', 'k3', 'k7', 'k8']);
});
