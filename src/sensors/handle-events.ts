/**
 * Handling events one by one, for every sensor that is fed by them: each event is its own outcome. A handler that
 * throws is called again later, with growing pauses, and in the end its event is parked in the dead letters; its
 * neighbours go on. What waits is in the cursor, so nothing of this depends on a worker.
 *
 * - `RetryAfterError`: the receiver asks for a pause. Nothing is handled until then, and nothing counts as failed.
 * - `ApplicationFailure.nonRetryable`: another try cannot help, so the event is parked at once.
 * - While too many events wait for another try, no new ones are taken: a receiver that is down does not turn every
 *   event into a dead letter, and they stay where they came from.
 */
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { describeError, EvaluationError } from './errors.js';
import { collect } from './evaluation.js';
import type { EventContextBase, EventHandlers, Memory } from './event-handlers.js';
import { feedOf, type FeedHost } from './feed-host.js';
import { cutText, jsonBytes, toJson, type Json } from './json.js';
import type { Rejection } from './protocol.js';
import { retryAfterOf } from './retry-after-error.js';
import type { GivenRequest, RunRequest } from './run-request.js';
import { shortHash } from './short-hash.js';

/** New events are taken for so long; what a tick has handled is committed before it goes on. */
const BATCH_MS = 5_000;
/** A handler that ignores its signal has so long to settle. */
const SETTLE_MS = 1_000;
const MAX_RETRIES = 20;
const MAX_MEMORY_BYTES = 8 * 1024;
const MAX_RETRY_ERROR_BYTES = 300;
const MAX_PARKED_ERROR_BYTES = 1024;
/** Of the dead letters: room for what a tick may reject besides. */
const RESERVED_BYTES = 8 * 1024;
const MAX_FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 10 * 60_000;
/** Sensors that led to a run; more are the sign of a circle. */
const MAX_VIA = 20;

const json = z.json() as z.ZodType<Json>;

/** What is kept from tick to tick: the part of the cursor that belongs to the handling. */
export const handlingSchema = z.object({
  /** Events to try again: how to find them, how often they were tried, and when (milliseconds since the epoch). */
  retries: z.array(z.object({ ref: json, attempts: z.int(), at: z.number(), error: z.string() })).default([]),
  /** Nothing is handled before then. */
  paused: z.object({ until: z.number(), error: z.string() }).optional(),
  /** What the handlers keep. */
  memory: json.optional(),
});
export type HandlingState = z.output<typeof handlingSchema>;
type Retry = HandlingState['retries'][number];

/** An event that handlers get. */
export interface FeedEvent {
  readonly eventId: string;
  /** The sensors whose handling of events led to this one. */
  readonly via?: readonly string[];
}

export interface HandlingOptions<T> {
  readonly handlers: EventHandlers<T>;
  /** How often an event is tried before it is parked. */
  readonly maxAttempts: number;
  readonly handleTimeoutMs: number;
  /** Of the sensor; the first pause before another try is not longer. */
  readonly intervalMs: number;
  /** How to find an event again: at most 1 KB of JSON. */
  readonly refOf: (event: T) => Json;
  /** The event, or nothing when it is gone for good. */
  readonly find: (ref: Json) => Promise<T | undefined>;
}

/** A context of the sensor's own `evaluate`, with what handlers may see. */
type SensorContextOfEvents = EventContextBase & { readonly events: readonly Json[] };

export class EventHandling<T extends FeedEvent> {
  readonly #ctx: SensorContextOfEvents;
  readonly #feed: FeedHost;
  readonly #options: HandlingOptions<T>;
  readonly #began = performance.now();
  readonly #requests: RunRequest[] = [];
  readonly #parked: Rejection[] = [];
  readonly #errors: string[] = [];
  #retries: readonly Retry[];
  #paused: HandlingState['paused'];
  #memory: Json | undefined;
  #handled = 0;
  #room: number;

  constructor(ctx: SensorContextOfEvents, options: HandlingOptions<T>, state: HandlingState) {
    this.#ctx = ctx;
    this.#feed = feedOf(ctx);
    this.#options = options;
    this.#retries = state.retries;
    this.#paused = state.paused !== undefined && state.paused.until > Date.now() ? state.paused : undefined;
    this.#memory = state.memory;
    this.#room = this.#feed.deadLetterRoom - RESERVED_BYTES;
  }

  /** Whether another event can be taken in this tick. */
  get ready(): boolean {
    return this.#paused === undefined && !this.#isFull && !this.#ctx.signal.aborted && !this.#isBusy;
  }

  get #isBusy(): boolean {
    return performance.now() - this.#began > BATCH_MS;
  }

  /** Too many wait for another try, so new ones stay where they are. */
  get #isFull(): boolean {
    return this.#retries.length >= MAX_RETRIES;
  }

  /** Dead letters that an operator handed back, and events whose time has come. */
  async again(): Promise<void> {
    // one more try, and who handed them back sees at once whether it helped
    const attempts = this.#options.maxAttempts - 1;
    const returned = this.#ctx.events.map((ref) => ({ ref, attempts, at: 0, error: 'handed back' }));
    const retries = [...returned, ...this.#retries];
    this.#retries = retries;
    for (const retry of retries) {
      if (this.#paused !== undefined || this.#ctx.signal.aborted || this.#isBusy) return;
      if (retry.at > Date.now()) continue;
      const event = await this.#find(retry);
      const ended = event === undefined || (await this.#try(event, retry));
      if (ended) this.#retries = this.#retries.filter((each) => each !== retry);
    }
  }

  /**
   * Takes an event: handles it, keeps it for another try or parks it.
   *
   * @returns whether it was taken; if not, it must come again
   */
  async take(event: T): Promise<boolean> {
    return this.ready && (await this.#try(event, undefined));
  }

  /** Lets the handlers finish the tick: send what they collected. */
  async finish(): Promise<void> {
    const { finish } = this.#options.handlers;
    if (finish === undefined || this.#memory === undefined || this.#paused !== undefined) return;
    if (this.#ctx.signal.aborted) return;
    const error = await this.#guarded((ctx, memory) => finish(ctx, memory));
    if (error === undefined) return;
    const pauseMs = retryAfterOf(error);
    if (pauseMs !== undefined) this.#pause(pauseMs, describeError(error, 'finish'));
    else this.#errors.push(describeError(error, 'finish'));
  }

  get state(): HandlingState {
    return {
      retries: [...this.#retries],
      ...(this.#paused === undefined ? {} : { paused: this.#paused }),
      ...(this.#memory === undefined ? {} : { memory: this.#memory }),
    };
  }

  get handled(): number {
    return this.#handled;
  }

  /** The requests of the handlers, and why nothing was handled if so; tells the tick what became of the events. */
  settle(behindSince: number | undefined): {
    readonly requests: readonly RunRequest[];
    readonly waiting: string | undefined;
  } {
    const failure = this.#failure();
    const next = Math.min(...this.#retries.map(({ at }) => at), this.#paused?.until ?? Number.POSITIVE_INFINITY);
    this.#feed.report({
      ...(this.#handled === 0 ? {} : { handled: this.#handled }),
      ...(failure === undefined ? {} : { failure }),
      ...(behindSince === undefined ? {} : { behindSince }),
      ...(Number.isFinite(next) ? { againInMs: Math.max(100, next - Date.now()) } : {}),
      ...(this.#parked.length === 0 ? {} : { parked: this.#parked }),
    });
    const paused = this.#paused;
    return {
      requests: this.#requests,
      waiting: paused && `paused until ${new Date(paused.until).toISOString()}: ${paused.error}`,
    };
  }

  #failure(): string | undefined {
    const parts = [
      ...this.#errors,
      ...(this.#parked.length === 0
        ? []
        : [`${count(this.#parked.length)} parked in the dead letters: ${named(this.#parked)}`]),
      ...(this.#retries.length === 0
        ? []
        : [`${count(this.#retries.length)} to be tried again: ${named(this.#retries)}`]),
      ...(this.#isFull ? ['no new events are taken until these are handled or parked'] : []),
    ];
    return parts.length === 0 ? undefined : parts.join('; ');
  }

  async #find(retry: Retry): Promise<T | undefined> {
    try {
      const event = await this.#options.find(retry.ref);
      if (event === undefined)
        this.#errors.push(`an event is gone from the server and was not handled (${retry.error})`);
      return event;
    } catch (error) {
      if (this.#ctx.signal.aborted) throw error;
      throw new EvaluationError(`an event could not be read again: ${describeError(error, 'find')}`, { cause: error });
    }
  }

  /** Whether the event has been taken care of: it need not come again from where it came. */
  async #try(event: T, earlier: Retry | undefined): Promise<boolean> {
    const error = await this.#guarded((ctx, memory) => this.#call(ctx, event, memory));
    if (error === undefined) {
      this.#handled++;
      return true;
    }
    if (this.#ctx.signal.aborted) return false;
    const pauseMs = retryAfterOf(error);
    const text = describeError(error, 'handle');
    if (pauseMs !== undefined) {
      this.#pause(pauseMs, text);
      return false;
    }
    this.#ctx.log.error(`event ${event.eventId} could not be handled: ${text}`);
    const attempts = (earlier?.attempts ?? 0) + 1;
    const hopeless = error instanceof ApplicationFailure && error.nonRetryable === true;
    if ((hopeless || attempts >= this.#options.maxAttempts) && this.#park(event, attempts, text)) return true;
    const firstPauseMs = Math.min(this.#options.intervalMs, MAX_FIRST_PAUSE_MS);
    const retry = {
      ref: this.#options.refOf(event),
      attempts,
      at: Date.now() + Math.min(firstPauseMs * 2 ** Math.min(attempts - 1, 20), MAX_PAUSE_MS),
      error: cutText(`${event.eventId}: ${text}`, MAX_RETRY_ERROR_BYTES),
    };
    this.#retries = [...this.#retries, retry];
    return true;
  }

  #pause(ms: number, error: string): void {
    this.#paused = { until: Date.now() + ms, error: cutText(error, MAX_RETRY_ERROR_BYTES) };
  }

  /** Whether there was room. */
  #park(event: T, attempts: number, text: string): boolean {
    const tries = attempts === 1 ? '' : ` (${attempts} tries)`;
    const letter: Rejection = {
      id: `event-${shortHash(event.eventId)}`,
      kind: 'event',
      error: cutText(`${event.eventId}${tries}: ${text}`, MAX_PARKED_ERROR_BYTES),
      payload: this.#options.refOf(event),
    };
    const bytes = jsonBytes(letter) + 200;
    if (bytes > this.#room && !this.#feed.deadLetters.includes(letter.id)) {
      this.#errors.push('the dead letters are full (64 KB): retry or discard them');
      return false;
    }
    this.#room -= bytes;
    this.#parked.push(letter);
    return true;
  }

  /** Calls a handler with a signal and a memory of its own; gives what went wrong. */
  async #guarded(call: (ctx: EventContextBase, memory: Memory) => Promise<void>): Promise<unknown> {
    const { handleTimeoutMs } = this.#options;
    const controller = new AbortController();
    const { signal } = controller;
    const late = new EvaluationError(`the handler did not end within ${handleTimeoutMs} ms`);
    const outer = this.#ctx.signal;
    const abort = (): void => controller.abort(outer.reason);
    outer.addEventListener('abort', abort, { once: true });
    if (outer.aborted) abort();
    const memory: Memory = { value: structuredClone(this.#memory) };
    const timers: NodeJS.Timeout[] = [];
    const overdue = new Promise<never>((_, reject) => {
      timers.push(
        setTimeout(() => {
          controller.abort(late);
          timers.push(setTimeout(() => reject(late), SETTLE_MS));
        }, handleTimeoutMs)
      );
    });
    try {
      await Promise.race([call(handlerContext(this.#ctx, signal), memory), overdue]);
      if (memory.value !== undefined && jsonBytes(memory.value) > MAX_MEMORY_BYTES)
        throw new EvaluationError(`the handlers keep more than ${MAX_MEMORY_BYTES / 1024} KB`);
      this.#memory = memory.value === undefined ? undefined : toJson(memory.value, 'memory');
      return undefined;
    } catch (error) {
      return signal.aborted && !outer.aborted ? late : (error ?? new EvaluationError('the handler threw nothing'));
    } finally {
      for (const timer of timers) clearTimeout(timer);
      outer.removeEventListener('abort', abort);
    }
  }

  async #call(base: EventContextBase, event: T, memory: Memory): Promise<void> {
    const made = new Set<RunRequest>();
    const ctx = {
      ...base,
      run: (request: GivenRequest = {}) => {
        const via = [...(event.via ?? []), this.#ctx.sensor].slice(-MAX_VIA);
        const run = Object.freeze({
          kind: 'run',
          job: this.#feed.resolveJob(request.job),
          runKey: request.runKey ?? event.eventId,
          config: request.config,
          tags: request.tags ?? {},
          partitionKey: request.partitionKey,
          assets: request.assets,
          via,
        } as unknown as RunRequest);
        made.add(run);
        return run;
      },
    };
    const given = (await collect(this.#options.handlers.handle(ctx, event, memory), base.signal)).filter(
      (each) => each !== null && each !== undefined
    );
    for (const each of given) {
      if (made.delete(each as RunRequest)) continue;
      throw new EvaluationError('the handler gave something that ctx.run did not make in this call, or gave it twice');
    }
    const [forgotten] = made;
    if (forgotten !== undefined)
      throw new EvaluationError(
        `a run request of job '${forgotten.job}' was made with ctx.run but neither yielded nor returned; it would be a lost run`
      );
    for (const request of given as RunRequest[]) this.#requests.push(this.#feed.request(request));
  }
}

/** What handlers see of the sensor's context. */
function handlerContext(ctx: EventContextBase, signal: AbortSignal): EventContextBase {
  const { sensor, log, resources, now, client, heartbeat, tick, isFirstTickSinceStart, sensorStartedAt } = ctx;
  return { sensor, log, resources, now, client, heartbeat, tick, isFirstTickSinceStart, sensorStartedAt, signal };
}

const NAMED = 3;

/** The first few errors. */
function named(failed: readonly { readonly error: string }[]): string {
  const errors = failed.slice(0, NAMED).map(({ error }) => error);
  return [...errors, ...(failed.length > NAMED ? ['…'] : [])].join('; ');
}

function count(events: number): string {
  return `${events} event${events === 1 ? '' : 's'}`;
}
