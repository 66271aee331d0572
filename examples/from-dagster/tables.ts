/** Two tables, each with a job of its own: all requests returned at once. */
import { defineJob, defineSensor } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const Versions = z.object({ orders: z.string(), customers: z.string() });
export const refreshOrders = defineJob({ name: 'refreshOrders' });
export const refreshCustomers = defineJob({ name: 'refreshCustomers' });

export const changedTables = defineSensor({
  name: 'changedTables',
  jobs: [refreshOrders, refreshCustomers],
  resources: { externalSystem },
  async evaluate(ctx) {
    const { orders, customers } = await ctx.resources.externalSystem.get('/versions', Versions, ctx.signal);
    return [ctx.run({ job: refreshOrders, runKey: orders }), ctx.run({ job: refreshCustomers, runKey: customers })];
  },
});
