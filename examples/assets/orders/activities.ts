import { ApplicationFailure } from '@temporalio/activity';
import { createReadStream } from 'node:fs';
import { MalformedFileError, readOrders } from '../../orders/read-orders.js';

/** Checks a file of orders, and counts what is in it. */
export async function countOrders(path: string): Promise<{ readonly orders: number; readonly cents: number }> {
  try {
    const { orders, totalCents } = await readOrders(createReadStream(path), path);
    return { orders, cents: totalCents };
  } catch (error) {
    // read again it would be no better
    if (error instanceof MalformedFileError) throw ApplicationFailure.nonRetryable(error.message, 'MalformedFile');
    throw error;
  }
}
