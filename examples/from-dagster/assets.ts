/** Assets: tables that a sensor watches outside, those that a job makes of them, and sensors that react to that. */
import { defineAsset, defineAssetSensor, defineJob, defineSensor, readAsset } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const Versions = z.object({ orders: z.string(), customers: z.string() });

export const rawOrders = defineAsset({ key: 'raw_orders' });
export const rawCustomers = defineAsset({ key: 'raw_customers' });
export const processedOrders = defineAsset({ key: 'processed_orders', upstream: [rawOrders] });
export const processedCustomers = defineAsset({
  key: 'processed_customers',
  upstream: [rawCustomers],
  backfillPolicy: 'latestOnly',
});

export const processTables = defineJob({ name: 'processTables', assets: [processedOrders, processedCustomers] });

export const rawTables = defineSensor({
  name: 'rawTables',
  watches: [rawOrders, rawCustomers],
  job: processTables,
  resources: { externalSystem },
  async evaluate(ctx) {
    const { orders, customers } = await ctx.resources.externalSystem.get('/versions', Versions, ctx.signal);
    return [
      ctx.run({ runKey: `orders_${orders}`, assets: [processedOrders] }),
      ctx.run({ runKey: `customers_${customers}`, assets: [processedCustomers] }),
    ];
  },
});

export const readMaterialization = defineJob({
  name: 'readMaterialization',
  config: z.object({ assetKey: z.array(z.string()) }),
});

export const onOrders = defineAssetSensor({
  name: 'onOrders',
  asset: processedOrders,
  job: readMaterialization,
  handle: (ctx, event) => ctx.run({ config: { assetKey: event.asset.split('/') } }),
});

export const joinTables = defineJob({ name: 'joinTables' });

export const bothTables = defineSensor({
  name: 'bothTables',
  watches: [processedOrders, processedCustomers],
  job: joinTables,
  interval: '5s',
  cursor: z.object({ orders: z.int(), customers: z.int() }).default({ orders: 0, customers: 0 }),
  async evaluate(ctx) {
    const orders = await readAsset(ctx.client, processedOrders, { after: ctx.cursor.orders });
    const customers = await readAsset(ctx.client, processedCustomers, { after: ctx.cursor.customers });
    const [order, customer] = [orders.at(-1), customers.at(-1)];
    if (order === undefined || customer === undefined) return ctx.skip('not both of them since the last run');
    ctx.setCursor({ orders: order.position, customers: customer.position });
    return ctx.run();
  },
});
