/**
 * On which task queue the log of an asset runs, or is to start: one without a worker that runs it would keep its events
 * and give none of them to anybody.
 */
import type { Client } from '@temporalio/client';
import { rejected } from '../sensors/failures.js';
import { ASSET_LOG_ID_PREFIX, LOOP_TYPE } from '../sensors/protocol.js';
import { listExecutions, lookUpExecution } from './executions.js';
import { quoted } from './query.js';

/** A log that was ended to move it is noticed after this time. */
const KNOWN_MS = 60_000;

/** Where logs run, and until when that is believed. */
const known = new WeakMap<Client, Map<string, { readonly taskQueue: string; readonly until: number }>>();

/** @throws `ApplicationFailure`, not retryable, when the asset has no log yet */
export async function logQueueOf(client: Client, asset: string): Promise<string> {
  const log = await lookUpExecution(client, ASSET_LOG_ID_PREFIX + asset);
  if (log !== undefined) return log.taskQueue;
  throw rejected(
    `asset '${asset}' has no log yet: give taskQueue, that of a worker with SensorsPlugin, so that the log can be started there`
  );
}

/**
 * Where the log runs; if it does not, the first of these queues on which sensors run, and so logs can; the last of them
 * when none is known.
 */
export async function chooseLogQueue(client: Client, asset: string, queues: readonly string[]): Promise<string> {
  const ofClient = known.get(client) ?? new Map<string, { taskQueue: string; until: number }>();
  known.set(client, ofClient);
  const place = ofClient.get(asset);
  if (place !== undefined && place.until > Date.now()) return place.taskQueue;
  const log = await lookUpExecution(client, ASSET_LOG_ID_PREFIX + asset);
  if (log?.status.name === 'RUNNING') {
    ofClient.set(asset, { taskQueue: log.taskQueue, until: Date.now() + KNOWN_MS });
    return log.taskQueue;
  }
  const candidates = [...new Set(queues)];
  for (const candidate of candidates.length > 1 ? candidates : []) {
    if (await hasSensors(client, candidate)) return candidate;
  }
  return candidates.at(-1) ?? '';
}

async function hasSensors(client: Client, taskQueue: string): Promise<boolean> {
  const query = `WorkflowType = '${LOOP_TYPE}' AND ExecutionStatus = 'Running' AND TaskQueue = ${quoted(taskQueue)}`;
  for await (const _ of listExecutions(client, query, 1)) return true;
  return false;
}
