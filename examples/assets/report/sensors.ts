/** Whenever the orders of a city were made, its report is made anew. */
import { defineAssetSensor, defineJob } from 'temporal-sensors';
import { z } from 'zod';
import { orders, report } from '../assets.js';

export const makeReport = defineJob({
  name: 'makeReport',
  // a backfill has one config for all cities, so without the counts the job looks them up
  config: z.object({ counts: z.object({ orders: z.int(), cents: z.int() }).optional() }),
  assets: [report],
});

const count = z.object({ value: z.int() }).transform(({ value }) => value);
/** What the metadata of orders say. */
export const Counts = z.object({ orders: count, cents: count });

export const onOrders = defineAssetSensor({
  name: 'onOrders',
  asset: orders,
  job: makeReport,
  defaultStatus: 'running',
  // an event without the counts is tried again, and then waits in the dead letters; the others go on
  handle: (ctx, { partitionKey, metadata }) => ctx.run({ partitionKey, config: { counts: Counts.parse(metadata) } }),
});
