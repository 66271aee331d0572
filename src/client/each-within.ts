import type { Client } from '@temporalio/client';

/**
 * The items of a list that is read page by page, with a deadline for the request of each page. What is done between two
 * requests (decoding, or what the caller does with an item) counts for none of them.
 *
 * @param signal ends the list between two items, with its reason as error
 */
export async function* eachWithin<T>(
  client: Pick<Client, 'withDeadline'>,
  timeoutMs: number,
  items: AsyncIterable<T>,
  signal: AbortSignal
): AsyncIterable<T> {
  const iterator = items[Symbol.asyncIterator]();
  for (;;) {
    signal.throwIfAborted();
    const next = await client.withDeadline(Date.now() + timeoutMs, async () => await iterator.next());
    if (next.done === true) return;
    yield next.value;
  }
}
