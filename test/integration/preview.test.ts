/** What a sensor would do, without doing it; and doing exactly that. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const echo = defineJob({ name: 'echo', config: z.object({ n: z.number() }) });

test('a preview shows what would happen and changes nothing; apply commits exactly that, once', async () => {
  const h = await Harness.create();
  const world = { from: 0, to: 2 };
  const sensor = defineSensor({
    name: 'shown',
    job: echo,
    interval: '1h',
    cursor: z.number().default(0),
    *evaluate(ctx) {
      ctx.log.info('looked');
      for (let n = world.from; n < world.to; n++) yield ctx.run({ runKey: `k${n}`, config: { n } });
      yield ctx.run({ config: { n: ctx.cursor } });
      yield ctx.run({ runKey: 'bad', config: { n: 'x' as never } });
      ctx.setCursor(world.to);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.sensors.tick(name);
  world.to = 4;
  const preview = await h.sensors.preview(name);
  expect(preview).toMatchObject({
    tick: 2,
    status: 'success',
    requests: {
      count: 3,
      sample: [
        { id: `${name}:echo:k2`, runKey: 'k2', args: [{ n: 2 }] },
        { id: `${name}:echo:k3` },
        { args: [{ n: 2 }] },
      ],
    },
    duplicates: { count: 2 },
    rejected: { count: 1, sample: [{ error: expect.stringContaining('config does not fit') }] },
    cursorBefore: { value: 2 },
    cursor: { kind: 'set', value: 4 },
    logs: [{ message: 'looked' }],
  });
  const before = await h.sensors.state(name);
  expect(before).toMatchObject({ tick: 1, cursor: { value: 2 }, counters: { runs: 3 } });

  // the world goes on: what was shown is committed, not what is there now. The sensor is stopped, and runs it all the same
  world.to = 50;
  const record = await h.sensors.apply(name, preview.id ?? '', { by: 'me' });
  expect(record).toMatchObject({ tick: 2, status: 'success', trigger: 'preview', cursorAfter: { value: 4 } });
  expect(new Set(record.runs.sample)).toEqual(new Set(preview.requests.sample.map(({ id }) => id)));
  expect(await h.sensors.state(name)).toMatchObject({
    status: 'stopped',
    cursor: { value: 4 },
    counters: { runs: 6 },
    audit: [{ what: expect.any(String) }, { what: 'apply preview of tick 2', by: 'me' }],
  });
  await expect(h.sensors.apply(name, preview.id ?? '')).rejects.toThrow(
    'the preview cannot be applied: the sensor has gone on since (tick 2); preview again'
  );
  await expect(h.sensors.apply(name, `page/${name}/preview/none`)).rejects.toThrow('the preview cannot be read');
  await expect(h.sensors.apply(name, `sensor/${name}`)).rejects.toThrow('is not a preview of sensor');

  // terminated and started again, it knows what was applied
  await h.loop(sensor).terminate();
  await h.sensors.start(name);
  expect(await h.sensors.state(name)).toMatchObject({ cursor: { value: 4 }, counters: { runs: 6 } });
});

test('a preview with another cursor, with none, and of an evaluation that fails', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'asked',
    job: echo,
    interval: '1h',
    cursor: z.object({ at: z.number() }),
    evaluate(ctx) {
      if (ctx.cursor?.at === 13) throw new Error('unlucky');
      return ctx.skip(`at ${ctx.cursor?.at ?? 'nothing'}`);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  expect(await h.sensors.preview(name, { cursor: { at: 7 } })).toMatchObject({ status: 'skipped', skipReason: 'at 7' });
  await h.sensors.setCursor(name, { at: 1 });
  expect(await h.sensors.preview(name, { clear: true })).toMatchObject({ skipReason: 'at nothing' });
  const failed = await h.sensors.preview(name, { cursor: { at: 13 } });
  expect(failed).toMatchObject({ status: 'failure', error: 'Error: unlucky' });
  expect(failed.id).toBeUndefined();
  expect(await h.sensors.preview(name, { cursor: 'x' })).toMatchObject({
    status: 'failure',
    error: expect.stringContaining('the stored cursor does not fit'),
  });
  expect((await h.sensors.state(name)).cursor).toEqual({ value: { at: 1 } });
  // what was shown is what is committed: the other cursor, too
  const moved = await h.sensors.preview(name, { cursor: { at: 7 } });
  expect(moved.cursor).toEqual({ kind: 'set', value: { at: 7 } });
  await h.sensors.apply(name, moved.id ?? '');
  expect((await h.sensors.state(name)).cursor).toEqual({ value: { at: 7 } });
  const large = 'x'.repeat(1_900_000);
  await expect(h.sensors.preview(name, { cursor: large })).rejects.toThrow('at most 65536 (64 KB)');
  await expect(h.sensors.setCursor(name, large)).rejects.toThrow('at most 65536 (64 KB)');
});

test('a preview that takes its time lets the ticks go on', async () => {
  const h = await Harness.create();
  let previews = 0;
  let release = (): void => undefined;
  const sensor = defineSensor({
    name: 'beside',
    interval: '100ms',
    defaultStatus: 'running',
    cursor: z.number().default(0),
    async evaluate(ctx) {
      if (ctx.cursor === 100) {
        previews++;
        await new Promise<void>((resolve) => (release = resolve));
        return;
      }
      ctx.setCursor(ctx.cursor + 1);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  const preview = h.sensors.preview(name, { cursor: 100 });
  await waitFor(() => previews === 1, 'the preview');
  const { tick } = await h.sensors.state(name);
  await h.tickWhere(sensor, (each) => each.tick > tick + 5, 'ticks beside it');
  release();
  expect(await preview).toMatchObject({ status: 'skipped' });
  expect((await h.sensors.state(name)).counters.failures).toBe(0);
});

test('what is applied overtakes an evaluation that runs, whose result is dropped', async () => {
  const h = await Harness.create();
  let hold = false;
  let release = (): void => undefined;
  const sensor = defineSensor({
    name: 'overtaken',
    job: echo,
    interval: '100ms',
    defaultStatus: 'running',
    cursor: z.number().default(0),
    async *evaluate(ctx) {
      if (ctx.cursor >= 2) return;
      if (hold) {
        hold = false;
        await new Promise<void>((resolve) => (release = resolve));
      }
      yield ctx.run({ runKey: `at${ctx.cursor}`, config: { n: ctx.cursor } });
      ctx.setCursor(ctx.cursor + 1);
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.folded(sensor);
  await h.sensors.stop(name);
  await h.sensors.setCursor(name, 1);
  const preview = await h.sensors.preview(name, { cursor: 1 });
  hold = true;
  await h.sensors.start(name);
  await waitFor(() => !hold, 'an evaluation that waits');
  const applied = h.sensors.apply(name, preview.id ?? '');
  setTimeout(() => release(), 500);
  expect(await applied).toMatchObject({ status: expect.any(String), trigger: 'preview', cursorAfter: { value: 2 } });
  await h.folded(sensor);
  const runs = await h.settledRuns(sensor, 2);
  expect(new Set(runs.map(({ runKey }) => runKey))).toEqual(new Set(['at0', 'at1']));
  expect(runs).toHaveLength(2);
  const numbers = (await h.sensors.ticks(name)).map(({ tick }) => tick);
  expect(new Set(numbers).size).toBe(numbers.length);
});
