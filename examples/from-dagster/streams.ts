/** Three streams, each with a position of its own in one cursor. */
import { defineJob, defineSensor } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const tables = ['orders', 'customers', 'products'] as const;
const Position = z.object({ position: z.int() });
export const refreshTable = defineJob({
  name: 'refreshTable',
  config: z.object({ table: z.enum(tables), position: z.int() }),
});

export const threeStreams = defineSensor({
  name: 'threeStreams',
  job: refreshTable,
  resources: { externalSystem },
  cursor: z.object({ orders: z.int(), customers: z.int(), products: z.int() }).default({
    orders: 0,
    customers: 0,
    products: 0,
  }),
  async *evaluate(ctx) {
    for (const table of tables) {
      const { position } = await ctx.resources.externalSystem.get(`/streams/${table}`, Position, ctx.signal);
      if (position <= ctx.cursor[table]) continue;
      yield ctx.run({ runKey: `${table}:${position}`, config: { table, position } });
      ctx.setCursor({ ...ctx.cursor, [table]: position });
    }
  },
});
