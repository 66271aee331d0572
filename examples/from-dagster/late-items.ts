/** Items with a time, of which some show up late: each runs once all the same. */
import { defineJob, defineSensor, highWatermark } from 'temporal-sensors';
import { z } from 'zod';
import { externalSystem } from './external-system.js';

const Order = z.object({ id: z.string(), updatedAt: z.iso.datetime() });
export const processOrder = defineJob({ name: 'processOrder', config: Order });

const position = highWatermark<z.output<typeof Order>>({
  at: (order) => Date.parse(order.updatedAt),
  tieBreak: (order) => order.id,
  overlap: '2 minutes',
});

export const updatedOrders = defineSensor({
  name: 'updatedOrders',
  job: processOrder,
  resources: { externalSystem },
  cursor: position.schema,
  async evaluate(ctx) {
    const since = position.since(ctx.cursor)?.toISOString() ?? '';
    const orders = await ctx.resources.externalSystem.get(`/orders?since=${since}`, z.array(Order), ctx.signal);
    const { items, cursor } = position.take(ctx.cursor, orders, ctx);
    ctx.setCursor(cursor);
    return items.map((order) => ctx.run({ runKey: `${order.id}@${order.updatedAt}`, config: order }));
  },
});
