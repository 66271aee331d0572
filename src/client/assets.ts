/**
 * Assets' logs from outside: recording, reading, subscribing. Events that come together travel together, and pages are
 * read once per process, since they never change.
 */
import { QueryRejectedError, ServiceError, WorkflowClient, type Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AssetEvent,
  AssetRead,
  AssetRetention,
  AssetState,
  NewAssetEvent,
  StoredAssetEvent,
} from '../sensors/asset-event.js';
import { assetNameOf, type AssetReference } from '../sensors/asset-name.js';
import { describeError } from '../sensors/describe-error.js';
import { rejected } from '../sensors/failures.js';
import { jsonBytes, splitByBytes } from '../sensors/json.js';
import { MAX_ASSET_BATCH_BYTES, MAX_ASSET_EVENT_BYTES } from '../sensors/limits.js';
import {
  ASSET_LOG_ID_PREFIX,
  ASSET_LOG_RECOVERING,
  ASSET_LOG_TYPE,
  ASSET_QUERIES,
  ASSET_SIGNALS,
} from '../sensors/protocol.js';
import { lookUpExecution } from './executions.js';
import { isNotFound } from './not-found.js';
import { Outbox } from './outbox.js';
import { PageCache } from './page-cache.js';
import { isSignalLimit } from './signal-limit.js';

const QUERY_TIMEOUT_MS = 10_000;
/** How long a log that has just been started, and reads what it knew before, is left alone. */
const RECOVERY_PAUSE_MS = 50;
/** So many bytes are sent before the log is looked at again. */
const CHECK_AFTER_BYTES = 2 * 1024 * 1024;
/** History of the log's run at which senders wait. Sealing what waits doubles it, and the server ends a run at 50 MB. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const ROOM_PAUSE_MS = 250;
/**
 * Less than the activities that record may take (`src/job/assets.ts`: 20 s), so that they say what they waited for. It is
 * all that one waits, however many there are: see {@link Outbox}.
 */
const ROOM_TIMEOUT_MS = 12_000;
const DEFAULT_LIMIT = 1_000;
const GRPC_CANCELLED = 1;
const GRPC_DEADLINE_EXCEEDED = 4;

/** Where a log runs that does not exist yet. */
export interface AssetLogOptions {
  /** Task queue of a worker with `SensorsPlugin`. A log that exists stays where it is. */
  readonly taskQueue: string;
}

/** The log has more to record than it has worked off: sent again later, the events are recorded once all the same, if they are among its newest 5,000. */
export class AssetLogBusyError extends Error {
  override readonly name = 'AssetLogBusyError';
  constructor(
    readonly asset: string,
    taskQueue: string,
    options?: ErrorOptions
  ) {
    super(
      `the log of asset '${asset}' takes no more events until it has worked off those that wait: is a worker with ` +
        `SensorsPlugin running on task queue '${taskQueue}'? Send them again then: none of the newest 5,000 is recorded twice`,
      options
    );
  }
}

/** The log does not answer: no worker runs it, or it is being recovered. */
export class AssetLogUnavailableError extends Error {
  override readonly name = 'AssetLogUnavailableError';
  constructor(
    readonly asset: string,
    readonly taskQueue: string | undefined,
    reason: string,
    options?: ErrorOptions
  ) {
    const where = taskQueue === undefined ? '' : ` on task queue '${taskQueue}'`;
    super(
      `the log of asset '${asset}' does not answer; is a worker with SensorsPlugin running${where}? ${reason}`,
      options
    );
  }
}

/** Batches on their way, by task queue and asset. */
const outboxes = new WeakMap<Client, Map<string, Outbox<NewAssetEvent>>>();
const pages = new PageCache();
/** Clients whose queries a closed workflow does not answer. */
const openOnly = new WeakMap<Client, WorkflowClient>();

/**
 * Records events, in the order given for each asset; those that a log knows by their ID are not recorded twice: it
 * knows at least the newest 5,000.
 * Resolves when the server has taken them: from then on they are not lost.
 *
 * @throws `ApplicationFailure`, not retryable, for an event of more than 16 KB
 * @throws {@link AssetLogBusyError} when the log does not keep up, as without a worker
 */
export async function recordAssetEvents(
  client: Client,
  events: readonly NewAssetEvent[],
  { taskQueue }: AssetLogOptions
): Promise<void> {
  const byAsset = new Map<string, NewAssetEvent[]>();
  for (const event of events) {
    const bytes = jsonBytes(event);
    if (bytes > MAX_ASSET_EVENT_BYTES) {
      throw rejected(
        `an event of asset '${event.asset}' is ${bytes} bytes; at most ${MAX_ASSET_EVENT_BYTES} (16 KB) with its metadata and producer`
      );
    }
    const ofAsset = byAsset.get(event.asset);
    if (ofAsset === undefined) byAsset.set(event.asset, [event]);
    else ofAsset.push(event);
  }
  await Promise.all([...byAsset].map(([asset, all]) => outboxOf(client, asset, taskQueue).push(all)));
}

function outboxOf(client: Client, asset: string, taskQueue: string): Outbox<NewAssetEvent> {
  const ofClient = outboxes.get(client) ?? new Map<string, Outbox<NewAssetEvent>>();
  outboxes.set(client, ofClient);
  const key = `${taskQueue} ${asset}`;
  const isBusy = (error: unknown): boolean => error instanceof AssetLogBusyError;
  const outbox = ofClient.get(key) ?? new Outbox<NewAssetEvent>(createSender(client, asset, taskQueue), isBusy);
  ofClient.set(key, outbox);
  return outbox;
}

/**
 * Sends batches of events, and now and then looks whether the log keeps up: the server ends a workflow with too long a
 * history, so a flood has to wait.
 */
function createSender(client: Client, asset: string, taskQueue: string) {
  let unchecked = 0;
  return async (events: readonly NewAssetEvent[]): Promise<void> => {
    const told = events.map(({ asset: _, ...event }) => event);
    for (const batch of splitByBytes(told, MAX_ASSET_BATCH_BYTES)) {
      if (unchecked > CHECK_AFTER_BYTES) {
        await waitForRoom(client, asset);
        unchecked = 0;
      }
      unchecked += jsonBytes(batch);
      await signal(client, asset, ASSET_SIGNALS.record, batch, taskQueue);
    }
  };
}

async function waitForRoom(client: Client, asset: string): Promise<void> {
  const deadline = Date.now() + ROOM_TIMEOUT_MS;
  for (;;) {
    const log = await lookUpExecution(client, ASSET_LOG_ID_PREFIX + asset);
    // what waits in a log that was ended, the next run takes over: the signal starts it, with a history of its own
    if (log?.status.name !== 'RUNNING' || (log.historySize ?? 0) < MAX_WAITING_BYTES) return;
    if (Date.now() > deadline) throw new AssetLogBusyError(asset, log.taskQueue);
    await sleep(ROOM_PAUSE_MS);
  }
}

async function signal(client: Client, asset: string, name: string, arg: unknown, taskQueue: string): Promise<void> {
  try {
    await client.workflow.signalWithStart(ASSET_LOG_TYPE, {
      workflowId: ASSET_LOG_ID_PREFIX + asset,
      taskQueue,
      signal: name,
      signalArgs: [arg],
      staticSummary: `events of asset ${asset}`,
    });
  } catch (error) {
    throw isSignalLimit(error) ? new AssetLogBusyError(asset, taskQueue, { cause: error }) : error;
  }
}

/**
 * Events after a position, oldest first; none when there are no newer ones, or nothing was recorded yet. Positions
 * that the retention has let go of are passed over. Asks a worker.
 *
 * @throws {@link AssetLogUnavailableError}
 * @param after position of the last event that is known. @default 0
 * @param limit at most so many events. @default 1,000
 * @param log identity of the log: none of another log's events. @default whichever there is
 */
export async function readAsset(
  client: Client,
  asset: AssetReference,
  options: AssetReadOptions = {}
): Promise<readonly AssetEvent[]> {
  return (await readAssetLog(client, asset, options)).events;
}

interface AssetReadOptions {
  readonly after?: number;
  readonly limit?: number;
  readonly log?: string;
}

/** {@link readAsset}, and the identity of the log that they are of; empty when there is none. */
export async function readAssetLog(
  client: Client,
  asset: AssetReference,
  { after = 0, limit = DEFAULT_LIMIT, log }: AssetReadOptions = {}
): Promise<{ readonly log: string; readonly events: readonly AssetEvent[] }> {
  const name = assetNameOf(asset);
  const events: AssetEvent[] = [];
  let position = after;
  let found = log;
  while (events.length < limit) {
    const left = limit - events.length;
    const read = await query<AssetRead>(client, name, ASSET_QUERIES.read, { after: position, limit: left });
    if (read === undefined || (found !== undefined && read.id !== found)) break;
    found = read.id;
    const stretch: AssetEvent[] = [];
    for (const { id } of read.pages) stretch.push(...(await readEventPage(client, name, id)));
    stretch.push(...read.events);
    const next = stretch.filter((event) => event.position > position).slice(0, left);
    events.push(...next);
    position = next.at(-1)?.position ?? position;
    if (next.length === 0 || position >= read.last) break;
  }
  return { log: found ?? '', events };
}

/**
 * What the log says to a sensor that is going to read it; `undefined` when none is running. One that somebody ended
 * would answer with what its last worker knew, and not with the events that the server took after that.
 */
export async function lookAtAsset(
  client: Client,
  asset: AssetReference,
  { sensor, after, timeoutMs }: { readonly sensor: string; readonly after: number; readonly timeoutMs?: number }
): Promise<Pick<AssetRead, 'id' | 'last' | 'subscriber'> | undefined> {
  const workflow = openOnlyOf(client);
  return await query<AssetRead>(
    client,
    assetNameOf(asset),
    ASSET_QUERIES.read,
    { sensor, after, limit: 1 },
    { workflow, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
  );
}

function openOnlyOf(client: Client): WorkflowClient {
  const { connection, workflow } = client;
  const known =
    openOnly.get(client) ?? new WorkflowClient({ ...workflow.options, connection, queryRejectCondition: 'NOT_OPEN' });
  openOnly.set(client, known);
  return known;
}

async function readEventPage(client: Client, asset: string, id: string): Promise<readonly AssetEvent[]> {
  const { from, events } = (await pages.read(client, id)) as { from: number; events: readonly StoredAssetEvent[] };
  return events.map((event, index) => ({ position: from + index, asset, ...event }));
}

/**
 * What the log knows: newest events, last materialization of each partition, subscribers; `undefined` before the first
 * event. Asks a worker.
 *
 * @param timeoutMs how long to wait for the worker. @default 10,000
 * @throws {@link AssetLogUnavailableError}
 */
export async function assetState(
  client: Client,
  asset: AssetReference,
  { timeoutMs = QUERY_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}
): Promise<AssetState | undefined> {
  return await query<AssetState>(client, assetNameOf(asset), ASSET_QUERIES.state, undefined, { timeoutMs });
}

/**
 * Tells the log how far a sensor has read: nothing after that is trimmed, and new events wake the sensor. To be said
 * again at least once in 30 days, also when nothing was read.
 *
 * @param sensor its name with the plugin's prefix
 */
export async function subscribeAsset(
  client: Client,
  asset: AssetReference,
  { sensor, position, taskQueue }: AssetLogOptions & { readonly sensor: string; readonly position: number }
): Promise<void> {
  await signal(client, assetNameOf(asset), ASSET_SIGNALS.subscribe, { sensor, position }, taskQueue);
}

/** A sensor reads an asset no more. An asset without a log has no subscribers. */
export async function unsubscribeAsset(client: Client, asset: AssetReference, sensor: string): Promise<void> {
  try {
    await client.workflow
      .getHandle(ASSET_LOG_ID_PREFIX + assetNameOf(asset))
      .signal(ASSET_SIGNALS.unsubscribe, { sensor });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Sets how much of an asset's log is kept beyond what its subscribers have still to read. */
export async function retainAsset(
  client: Client,
  asset: AssetReference,
  { taskQueue, ...retention }: AssetLogOptions & AssetRetention
): Promise<void> {
  await signal(client, assetNameOf(asset), ASSET_SIGNALS.retain, retention, taskQueue);
}

async function query<T>(
  client: Client,
  asset: string,
  name: string,
  arg: unknown,
  {
    timeoutMs = QUERY_TIMEOUT_MS,
    workflow = client.workflow,
  }: { readonly timeoutMs?: number; readonly workflow?: WorkflowClient } = {}
): Promise<T | undefined> {
  const handle = workflow.getHandle(ASSET_LOG_ID_PREFIX + asset);
  const deadline = Date.now() + timeoutMs;
  try {
    return await client.withDeadline(deadline, async () => {
      for (;;) {
        try {
          return await handle.query<T, [unknown]>(name, arg);
        } catch (error) {
          // a new log looks first whether there was one before it
          const soon =
            describeError(error, name).includes(ASSET_LOG_RECOVERING) && Date.now() + RECOVERY_PAUSE_MS < deadline;
          if (!soon) throw error;
          await sleep(RECOVERY_PAUSE_MS);
        }
      }
    });
  } catch (error) {
    if (isNotFound(error) || error instanceof QueryRejectedError) return undefined;
    const log = await lookUpExecution(client, ASSET_LOG_ID_PREFIX + asset).catch(() => undefined);
    throw new AssetLogUnavailableError(asset, log?.taskQueue, whyUnanswered(error, name, timeoutMs), { cause: error });
  }
}

/** The server says that nobody polls, or says nothing until the time is up. */
function whyUnanswered(error: unknown, name: string, timeoutMs: number): string {
  if (!(error instanceof ServiceError)) return describeError(error, name);
  const { code, details = '' } = (error.cause ?? {}) as { readonly code?: number; readonly details?: string };
  // what a deadline looks like here, and from the server's side
  if (code === GRPC_DEADLINE_EXCEEDED || code === GRPC_CANCELLED) return `No answer came within ${timeoutMs / 1000} s`;
  return details === '' ? describeError(error, name) : `The server says: ${details}`;
}
