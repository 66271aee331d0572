/** Whenever the orders of a city were made, its report is made anew. */
import { defineAssetSensor, defineJob } from 'temporal-sensors';
import { z } from 'zod';
import { orders, report } from '../assets.js';

export const makeReport = defineJob({
  name: 'makeReport',
  config: z.object({ orders: z.int(), cents: z.int() }),
  assets: [report],
});

const count = z.object({ value: z.int() }).transform(({ value }) => value);
const Counts = z.object({ orders: count, cents: count });

export const onOrders = defineAssetSensor({
  name: 'onOrders',
  asset: orders,
  job: makeReport,
  defaultStatus: 'running',
  // an event without the counts is tried again, and then waits in the dead letters; the others go on
  handle: (ctx, { partitionKey, metadata }) => ctx.run({ partitionKey, config: Counts.parse(metadata) }),
});
