/** Conditions: a batch that is not worth it is skipped, and its kind decides which job it gets. */
import { defineJob, defineSensor } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const MIN_ROWS = 100;
const MIN_QUALITY = 0.9;
const Batch = z.object({
  id: z.string(),
  type: z.enum(['incremental', 'full']),
  rows: z.number(),
  quality: z.number(),
});

const config = z.object({ batch: z.string() });
export const incrementalLoad = defineJob({ name: 'incrementalLoad', config });
export const fullLoad = defineJob({ name: 'fullLoad', config });

export const conditional = defineSensor({
  name: 'conditional',
  jobs: [incrementalLoad, fullLoad],
  resources: { externalSystem },
  async evaluate(ctx) {
    const { id, type, rows, quality } = await ctx.resources.externalSystem.get('/batch', Batch, ctx.signal);
    if (rows < MIN_ROWS || quality < MIN_QUALITY) return ctx.skip(`batch ${id}: ${rows} rows of quality ${quality}`);
    const job = type === 'incremental' ? incrementalLoad : fullLoad;
    return ctx.run({ job, runKey: id, config: { batch: id } });
  },
});
