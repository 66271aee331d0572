/** Log lines with metadata: in the worker's log, and kept with the tick, also with one that fails. */
import { defineJob, defineSensor } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const Changes = z.array(z.object({ id: z.int() }));
export const processChanges = defineJob({
  name: 'processChanges',
  config: z.object({ changeIds: z.array(z.int()) }),
});

export const observable = defineSensor({
  name: 'observable',
  job: processChanges,
  resources: { externalSystem },
  cursor: z.int().default(0),
  async evaluate(ctx) {
    ctx.log.info('check begins', { cursor: ctx.cursor, lastRunKey: ctx.lastRunKey });
    const path = `/changes?after=${ctx.cursor}`;
    const changes = await ctx.resources.externalSystem.get(path, Changes, ctx.signal);
    const next = changes.at(-1)?.id ?? ctx.cursor;
    ctx.log.info('check ends', { changes: changes.length, next });
    if (changes.length === 0) return ctx.skip('no changes');
    ctx.setCursor(next);
    return ctx.run({ runKey: `${next}`, config: { changeIds: changes.map(({ id }) => id) } });
  },
});
