/** Getting things done with a server that is killed now and then. */
import type { Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';

const PAUSE_MS = 100;
/** A call that was on its way when the server died may never be answered. */
const CALL_MS = 10_000;

export async function sleepUntil(at: number): Promise<void> {
  await sleep(Math.max(0, at - Date.now()));
}

/**
 * Repeats calls of this client until they succeed. One that was given up has ended: it does nothing later.
 *
 * @throws after `patienceMs`, with the last failure as its cause
 */
export async function persist<T>(client: Client, what: string, act: () => Promise<T>, patienceMs: number): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await client.withDeadline(Math.min(Date.now() + CALL_MS, deadline), act);
    } catch (error) {
      if (Date.now() + PAUSE_MS >= deadline)
        throw new Error(`${what}: no success in ${patienceMs} ms`, { cause: error });
      await sleep(PAUSE_MS);
    }
  }
}
