/** A list that is read page by page, with a deadline for each page. */
import { Client, Connection } from '@temporalio/client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { eachWithin } from '../../src/client/each-within.js';

const DECODING_MS = 60_000;

test('each request has its own deadline, whatever decoding took before it; an abort ends the list', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
  onTestFinished(() => void vi.useRealTimers());
  const connection = Connection.lazy();
  const client = new Client({ connection });
  /** The deadline that the SDK would send with a request here. */
  async function* pages(): AsyncIterable<unknown> {
    for (;;) {
      yield connection.callContextStorage.getStore()?.deadline;
      vi.setSystemTime(Date.now() + DECODING_MS);
    }
  }
  const abort = new AbortController();
  const deadlines: unknown[] = [];
  const read = async (): Promise<void> => {
    for await (const deadline of eachWithin(client, 10_000, pages(), abort.signal)) {
      if (deadlines.push(deadline) === 3) abort.abort(new Error('the worker ends'));
      vi.setSystemTime(Date.now() + DECODING_MS);
    }
  };
  await expect(read()).rejects.toThrow('the worker ends');
  expect(deadlines).toEqual([10_000, 10_000 + DECODING_MS, 10_000 + 3 * DECODING_MS]);
});
