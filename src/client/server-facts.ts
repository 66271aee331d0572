/** What Temporal says of itself: version, retention, and its clock. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';

/** Nobody puts tasks on it. */
const CLOCK_QUEUE = 'sensors-doctor';
/** `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const ACTIVITY_TASKS = 2;
/** The server refuses polls that could not wait for 2 s. */
const CLOCK_TIMEOUT_MS = 5_000;
const LOOK_EVERY_MS = 50;

export async function serverVersion(client: Client): Promise<string> {
  return (await client.workflowService.getSystemInfo({})).serverVersion ?? '';
}

/** How long the namespace keeps closed workflows, in milliseconds. */
export async function retentionMs(client: Client): Promise<number | undefined> {
  const { namespace } = client.options;
  const { config } = await client.workflowService.describeNamespace({ namespace });
  return optionalTsToMs(config?.workflowExecutionRetentionTtl);
}

/**
 * By how many milliseconds the server's clock is ahead of this machine's; negative when it is behind. Temporal has no
 * call for its time, but notes when a task queue was polled: so an empty queue of our own is polled for a moment.
 *
 * @returns undefined when the poll was not noted in time
 */
export async function clockSkewMs(client: Client): Promise<number | undefined> {
  const { namespace } = client.options;
  const identity = `${CLOCK_QUEUE}-${randomUUID()}`;
  const ended = new AbortController();
  const asked = Date.now();
  const poll = client.withAbortSignal(ended.signal, () =>
    client.withDeadline(asked + CLOCK_TIMEOUT_MS, () =>
      client.workflowService.pollActivityTaskQueue({ namespace, taskQueue: { name: CLOCK_QUEUE }, identity })
    )
  );
  const noted = async (): Promise<number | undefined> => {
    while (!ended.signal.aborted) {
      const { pollers } = await client.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: CLOCK_QUEUE },
        taskQueueType: ACTIVITY_TASKS,
      });
      const seen = optionalTsToMs(pollers?.find((each) => each.identity === identity)?.lastAccessTime);
      if (seen !== undefined) return differenceMs(asked, Date.now(), seen);
      await sleep(LOOK_EVERY_MS);
    }
    return undefined;
  };
  try {
    return await Promise.race([noted(), poll.then(() => undefined)]);
  } finally {
    ended.abort();
    await poll.catch(() => undefined);
  }
}

/** How far `seen` is outside of the time in which it was, by a clock that is right. */
function differenceMs(from: number, to: number, seen: number): number {
  return seen < from ? seen - from : Math.max(0, seen - to);
}
