import { test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../../src/index.js';
import { Harness } from '../../support/harness.js';
const noop = defineJob({ name: 'noop' });
test('dbg', async () => {
  const h = await Harness.create();
  const sensor = defineSensor({
    name: 'many', job: noop, interval: 100, defaultStatus: 'running', cursor: z.number().default(0),
    *evaluate(ctx) {
      if (ctx.cursor >= 600) return ctx.skip('done');
      for (let n = ctx.cursor; n < ctx.cursor + 300; n++) yield ctx.run({ runKey: `n${n}` });
      ctx.setCursor(ctx.cursor + 300);
      return ctx.more();
    },
  });
  await h.work([sensor]);
  await new Promise((r) => setTimeout(r, 10000));
  const hist = await h.loop(sensor).fetchHistory();
  console.log(hist.events?.length, JSON.stringify(hist.events?.slice(-6), null, 1).slice(0, 6000));
  console.log(await h.sensors.describe(h.name(sensor)));
}, 90_000);
