/** Records after a position that the source itself gave at first. */
import { defineJob, defineSensor } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const Record = z.object({ id: z.int() });
export const processRecords = defineJob({
  name: 'processRecords',
  config: z.object({ newRecordIds: z.array(z.int()) }),
});

export const newRecords = defineSensor({
  name: 'newRecords',
  job: processRecords,
  resources: { externalSystem },
  cursor: z.int(),
  initialCursor: async ({ resources, signal }) => (await resources.externalSystem.get('/newest', Record, signal)).id,
  async evaluate(ctx) {
    const path = `/records?after=${ctx.cursor}`;
    const ids = (await ctx.resources.externalSystem.get(path, z.array(Record), ctx.signal)).map(({ id }) => id);
    const last = ids.at(-1);
    if (last === undefined) return ctx.skip('no new records');
    ctx.setCursor(last);
    return ctx.run({ runKey: `${last}`, config: { newRecordIds: ids } });
  },
});
