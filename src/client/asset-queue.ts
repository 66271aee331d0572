/**
 * On which task queue the log of an asset runs, or is to start: one without a worker that runs it would keep its events
 * and give none of them to anybody.
 */
import type { Client } from '@temporalio/client';
import { rejected } from '../sensors/failures.js';
import { ASSET_LOG_ID_PREFIX, LOOP_TYPE } from '../sensors/protocol.js';
import { describeExecution, listExecutions } from './executions.js';
import { quoted } from './query.js';

/** Where logs are; one that was ended comes back where it was. */
const known = new WeakMap<Client, Map<string, string>>();

/** @throws `ApplicationFailure`, not retryable, when the asset has no log yet */
export async function logQueueOf(client: Client, asset: string): Promise<string> {
  const queue = await findLogQueue(client, asset);
  if (queue !== undefined) return queue;
  throw rejected(
    `asset '${asset}' has no log yet: give taskQueue, that of a worker with SensorsPlugin, so that the log can be started there`
  );
}

/**
 * Where the log is; if there is none yet, the first of these queues on which sensors run, and so logs can; the last of
 * them when none is known.
 */
export async function chooseLogQueue(client: Client, asset: string, queues: readonly string[]): Promise<string> {
  const queue = await findLogQueue(client, asset);
  if (queue !== undefined) return queue;
  const candidates = [...new Set(queues)];
  for (const candidate of candidates.length > 1 ? candidates : []) {
    if (await hasSensors(client, candidate)) return candidate;
  }
  return candidates.at(-1) ?? '';
}

async function findLogQueue(client: Client, asset: string): Promise<string | undefined> {
  const queues = known.get(client) ?? new Map<string, string>();
  known.set(client, queues);
  const queue = queues.get(asset) ?? (await describeExecution(client, ASSET_LOG_ID_PREFIX + asset))?.taskQueue;
  if (queue !== undefined) queues.set(asset, queue);
  return queue;
}

async function hasSensors(client: Client, taskQueue: string): Promise<boolean> {
  const query = `WorkflowType = '${LOOP_TYPE}' AND ExecutionStatus = 'Running' AND TaskQueue = ${quoted(taskQueue)}`;
  for await (const _ of listExecutions(client, query, 1)) return true;
  return false;
}
