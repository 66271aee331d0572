import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const echo = defineJob({ name: 'echo', config: z.object({ n: z.number() }) });

test('starts each run key once and then folds', async () => {
  const h = await Harness.create();
  let calls = 0;
  const s = defineSensor({
    name: 'first',
    job: echo,
    interval: 100,
    defaultStatus: 'running',
    *evaluate(ctx) {
      calls++;
      for (const n of [1, 2, 3]) yield ctx.run({ runKey: `k${n}`, config: { n } });
    },
  });
  await h.work([s]);
  await waitFor(() => calls > 12, 'calls');
  const ticks = await h.sensors.ticks(h.name(s));
  console.log(JSON.stringify(ticks, null, 1));
  const d = await h.sensors.describe(h.name(s));
  console.log(d);
  expect((await h.settledRuns(s, 3)).length).toBe(3);
  expect(d.historyLength).toBe(5);
  expect(d.evaluation?.lastOutcome).toBe('3 requests, all already run');
  const t = await h.sensors.tick(h.name(s));
  console.log(t);
  console.log(await h.sensors.list());
});
