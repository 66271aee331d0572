import { createReadStream } from 'node:fs';
import { readOrders } from '../../orders/read-orders.js';

/** Checks a file of orders, and counts what is in it. */
export async function countOrders(path: string): Promise<{ readonly orders: number; readonly cents: number }> {
  const { orders, totalCents } = await readOrders(createReadStream(path), path);
  return { orders, cents: totalCents };
}
