/** One call of a handler: with a signal of its own, a copy of the memory, and requests that count only if it ends well. */
import { assetRecorder, type AssetRequest } from './asset-requests.js';
import { EvaluationError, InvalidRequestError } from './errors.js';
import { collect } from './evaluation.js';
import type { EventContextBase, Memory } from './event-handlers.js';
import type { FeedHost } from './feed-host.js';
import { jsonBytes, toJson, type Json } from './json.js';
import { backfillOf, requestOf, type GivenBackfillRequest, type GivenRequest, type RunRequest } from './run-request.js';

/** A handler that ignores its signal has so long to settle. */
const SETTLE_MS = 1_000;
const MAX_MEMORY_BYTES = 8 * 1024;
/** Sensors that led to a run; more are the sign of a circle. */
const MAX_VIA = 20;

/** An event that handlers get. */
export interface FeedEvent {
  readonly eventId: string;
  /** The sensors whose handling of events led to this one. */
  readonly via?: readonly string[];
}

/**
 * Calls a handler.
 *
 * @returns what it gave, its memory afterwards, and what it said of assets
 * @throws whatever it throws; {@link EvaluationError} when it takes too long
 */
export async function callHandler<T>(
  ctx: EventContextBase,
  timeoutMs: number,
  memory: Json | undefined,
  call: (ctx: EventContextBase, memory: Memory) => Promise<T>
): Promise<{ readonly given: T; readonly memory: Json | undefined; readonly assetEvents: readonly AssetRequest[] }> {
  const controller = new AbortController();
  const { signal } = controller;
  const outer = ctx.signal;
  const timers: NodeJS.Timeout[] = [];
  const late = new EvaluationError(`the handler did not end within ${timeoutMs} ms`);
  const assetEvents: AssetRequest[] = [];
  const copy: Memory = { value: structuredClone(memory) };
  let end: () => void = () => undefined;
  const overdue = new Promise<never>((_, reject) => {
    const abort = (reason: unknown): void => {
      controller.abort(reason);
      timers.push(setTimeout(() => reject(reason), SETTLE_MS));
    };
    end = () => abort(outer.reason);
    timers.push(setTimeout(() => abort(late), timeoutMs));
  });
  overdue.catch(() => undefined);
  outer.addEventListener('abort', end, { once: true });
  if (outer.aborted) end();
  try {
    const given = await Promise.race([call(handlerContext(ctx, signal, assetEvents), copy), overdue]);
    if (copy.value !== undefined && jsonBytes(copy.value) > MAX_MEMORY_BYTES)
      throw new EvaluationError(`the handlers keep more than ${MAX_MEMORY_BYTES / 1024} KB`);
    return { given, memory: copy.value === undefined ? undefined : toJson(copy.value, 'memory'), assetEvents };
  } catch (error) {
    throw signal.reason === late ? late : error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    outer.removeEventListener('abort', end);
  }
}

/**
 * Calls a handler for an event, and gives the requests it made.
 *
 * @throws {@link InvalidRequestError} for requests that cannot be started
 */
export async function requestsOf(
  ctx: EventContextBase,
  feed: FeedHost,
  event: FeedEvent,
  handle: (ctx: EventContextBase) => unknown
): Promise<readonly RunRequest[]> {
  const made = new Set<RunRequest>();
  const unnamed = new Set<string>();
  const remember = (run: RunRequest, named: boolean): RunRequest => {
    if (!named && unnamed.has(run.job))
      throw new InvalidRequestError(
        `two run requests of job '${run.job}' for one event have no run key; give each a runKey of its own`
      );
    if (!named) unnamed.add(run.job);
    made.add(run);
    return run;
  };
  const context = {
    ...ctx,
    run: (request?: GivenRequest) => remember(eventRequest(ctx, feed, event, request), request?.runKey !== undefined),
    backfill: (request: GivenBackfillRequest) =>
      remember(eventBackfill(ctx, feed, event, request), request.runKey !== undefined),
  };
  const given = (await collect(handle(context), ctx.signal)).filter((each) => each !== null && each !== undefined);
  for (const each of given) {
    if (made.delete(each as RunRequest)) continue;
    throw new EvaluationError('the handler gave something that ctx.run did not make in this call, or gave it twice');
  }
  const [forgotten] = made;
  if (forgotten !== undefined)
    throw new EvaluationError(
      `a run request of job '${forgotten.job}' was made with ctx.run but neither yielded nor returned; it would be a lost run`
    );
  for (const request of given as RunRequest[]) {
    const problem = feed.problemOf(request);
    if (problem !== undefined) throw new InvalidRequestError(`a run request of job '${request.job}': ${problem}`);
  }
  return given as RunRequest[];
}

/** The request that a handler of this sensor makes for an event. */
export function eventRequest(
  { sensor }: Pick<EventContextBase, 'sensor'>,
  feed: Pick<FeedHost, 'resolveJob'>,
  event: FeedEvent,
  request: GivenRequest = {}
): RunRequest {
  return Object.freeze({
    ...requestOf(feed.resolveJob(request.job), { ...request, runKey: request.runKey ?? event.eventId }),
    via: [...(event.via ?? []), sensor].slice(-MAX_VIA),
  });
}

/** The same for a backfill. */
export function eventBackfill(
  ctx: Pick<EventContextBase, 'sensor'>,
  feed: Pick<FeedHost, 'resolveJob'>,
  event: FeedEvent,
  request: GivenBackfillRequest
): RunRequest {
  return Object.freeze({ ...eventRequest(ctx, feed, event, request), ...backfillOf(request) });
}

/** What handlers see of the sensor's context; what they say of assets is added to `events`. */
export function handlerContext(ctx: EventContextBase, signal: AbortSignal, events: AssetRequest[]): EventContextBase {
  const { sensor, log, resources, now, client, heartbeat, tick, isFirstTickSinceStart, sensorStartedAt } = ctx;
  const seen = { sensor, log, resources, now, client, heartbeat, tick, isFirstTickSinceStart, sensorStartedAt };
  return { ...seen, signal, ...assetRecorder(events) };
}
