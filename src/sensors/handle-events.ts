/**
 * Handling events one by one, for every sensor that is fed by them: each event is its own outcome. One that cannot be
 * read or handled is tried again later, with growing pauses, and in the end parked in the dead letters; its neighbours
 * go on. What waits is in the cursor, so nothing of this depends on a worker.
 *
 * - `RetryAfterError`: the receiver asks for a pause. Nothing is handled until then, and nothing counts as failed.
 * - `ApplicationFailure.nonRetryable`: another try cannot help, so the event is parked at once.
 * - While too many events wait for another try, no new ones are taken: a receiver that is down does not turn every
 *   event into a dead letter, and they stay where they came from.
 *
 * Nothing here throws once a handler has been called: what it did must be committed.
 */
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import { bytesOfAssets, type AssetRequest } from './asset-requests.js';
import { callHandler, requestsOf, type FeedEvent } from './call-handler.js';
import { describeError } from './describe-error.js';
import { InvalidRequestError } from './errors.js';
import type { EventContextBase, EventHandlers } from './event-handlers.js';
import { feedOf, type FeedHost } from './feed-host.js';
import { cutText, jsonBytes, type Json } from './json.js';
import { MAX_TICK_ASSET_BYTES, MAX_TICK_ASSET_EVENTS } from './limits.js';
import { refuseOfOlderLoop } from './older-loop.js';
import type { Rejection } from './protocol.js';
import { retryAfterOf } from './retry-after-error.js';
import type { RunRequest } from './run-request.js';
import { shortHash } from './short-hash.js';
import { count } from './text.js';

/** Events that come again, and then new ones, are taken for so long; what a tick has handled is committed before it goes on. */
const AGAIN_MS = 2_500;
const BATCH_MS = 5_000;
const MAX_RETRIES = 20;
/** Of the cursor: events that were handed back during a pause may be many. */
const MAX_RETRIES_BYTES = 16 * 1024;
const MAX_RETRY_ERROR_BYTES = 300;
const MAX_PARKED_ERROR_BYTES = 1024;
/** What a letter has besides event and error, as the loop keeps it. */
const LETTER_BYTES = 200;
/** Of the dead letters: room for what a tick may reject besides. */
const RESERVED_BYTES = 8 * 1024;
const MAX_FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 10 * 60_000;
/** IDs of events that a preview names, and errors that a tick names. */
const FORESEEN = 20;
const NAMED = 3;
/** What the handler of one event may say of assets: half of what a tick records, so that there is always room for one more. */
const MAX_ASSET_EVENTS = MAX_TICK_ASSET_EVENTS / 2;
const MAX_ASSET_BYTES = MAX_TICK_ASSET_BYTES / 2;
const FULL = 'the dead letters are full (64 KB): retry or discard them';

const json = z.json() as z.ZodType<Json>;

/** What is kept from tick to tick: the part of the cursor that belongs to the handling. */
export const handlingSchema = z.object({
  /** Events to try again: how to find them, how often they were tried, and when (milliseconds since the epoch). */
  retries: z.array(z.object({ ref: json, attempts: z.int(), at: z.number(), error: z.string() })).default([]),
  /** Nothing is handled before then. */
  paused: z.object({ until: z.number(), error: z.string() }).optional(),
  /** What the handlers keep. */
  memory: json.optional(),
  /** The handlers could not finish a tick, and try again then. */
  unfinished: z.object({ attempts: z.int(), at: z.number(), error: z.string() }).optional(),
});
export type HandlingState = z.output<typeof handlingSchema>;
type Retry = HandlingState['retries'][number];

export interface HandlingOptions<T> {
  readonly handlers: EventHandlers<T>;
  /** How often an event is tried before it is parked. */
  readonly maxAttempts: number;
  readonly handleTimeoutMs: number;
  /** Of the sensor; the first pause before another try is not longer. */
  readonly intervalMs: number;
  /** ID of the event that a ref stands for. */
  readonly idOf: (ref: Json) => string;
  /** The event, or nothing when it is gone for good. */
  readonly find: (ref: Json) => Promise<T | undefined>;
  /** Known to be gone for good without a look: its next try is not waited for. */
  readonly isGone?: (ref: Json) => boolean;
}

/** A context of the sensor's own `evaluate`, with what handlers may see. */
type SensorContextOfEvents = EventContextBase & { readonly events: readonly Json[] };

/** `passed`: there is nothing to handle. `gone`: not to be found any more. */
type Loaded<T> = T | 'passed' | 'gone';

export class EventHandling<T extends FeedEvent> {
  readonly #ctx: SensorContextOfEvents;
  readonly #feed: FeedHost;
  readonly #options: HandlingOptions<T>;
  readonly #began = performance.now();
  readonly #requests: RunRequest[] = [];
  readonly #assetEvents: AssetRequest[] = [];
  #assetBytes = 0;
  readonly #parked: Rejection[] = [];
  readonly #errors: string[] = [];
  /** Of a preview: the events that a tick would take. */
  readonly #foreseen: string[] = [];
  #busyAfter = 0;
  #retries: readonly Retry[];
  #paused: HandlingState['paused'];
  #unfinished: HandlingState['unfinished'];
  #memory: Json | undefined;
  /** When the handlers want to finish something. */
  #dueAt: number | undefined;
  #handled = 0;
  /** Something failed in this tick, and does not only wait since an earlier one. */
  #failed = false;
  #room: number;

  constructor(ctx: SensorContextOfEvents, options: HandlingOptions<T>, state: HandlingState) {
    this.#ctx = ctx;
    this.#feed = feedOf(ctx);
    this.#options = options;
    this.#retries = state.retries;
    this.#paused = state.paused !== undefined && state.paused.until > this.#now ? state.paused : undefined;
    this.#unfinished = state.unfinished;
    this.#memory = state.memory;
    this.#room = this.#feed.deadLetterRoom - RESERVED_BYTES;
  }

  /** The server's clock, as far as it is known: what is kept in the cursor must mean the same to every worker. */
  get #now(): number {
    return this.#feed.scheduledAt + (performance.now() - this.#began);
  }

  /** Whether another event can be taken in this tick. */
  get ready(): boolean {
    return (
      !this.#rests &&
      !this.#isFull &&
      !this.#saidEnough &&
      performance.now() - this.#began <= this.#busyAfter + BATCH_MS
    );
  }

  get #rests(): boolean {
    return this.#paused !== undefined || this.#ctx.signal.aborted;
  }

  /** Too many wait for another try, so new ones stay where they are. */
  get #isFull(): boolean {
    return this.#retries.length >= MAX_RETRIES || jsonBytes(this.#retries) > MAX_RETRIES_BYTES;
  }

  /** What handlers say of assets leaves room for what one more may say. */
  get #saidEnough(): boolean {
    return this.#assetEvents.length > MAX_ASSET_EVENTS || this.#assetBytes > MAX_ASSET_BYTES;
  }

  /** What a preview says, in which no handler is called; `undefined` in a tick. */
  get foreseen(): string | undefined {
    if (!this.#feed.preview) return undefined;
    if (this.#paused !== undefined) return this.#waiting;
    const { length } = this.#foreseen;
    if (length === 0) return 'no new events';
    const ids = this.#foreseen.slice(0, FORESEEN).join(', ');
    return `${count(length, 'event')} would be handled: ${ids}${length > FORESEEN ? ', …' : ''}`;
  }

  /** Whether anything has been done that must be committed. */
  get touched(): boolean {
    return this.#handled > 0 || this.#failed || this.#ctx.events.length > 0 || this.#paused !== undefined;
  }

  get handled(): number {
    return this.#handled;
  }

  get state(): HandlingState {
    return {
      retries: [...this.#retries],
      ...(this.#paused === undefined ? {} : { paused: this.#paused }),
      ...(this.#memory === undefined ? {} : { memory: this.#memory }),
      ...(this.#unfinished === undefined ? {} : { unfinished: this.#unfinished }),
    };
  }

  /** Dead letters that an operator handed back, and events whose time has come. */
  async again(): Promise<void> {
    if (this.#feed.preview) return;
    // one more try, and who handed them back sees at once whether it helped
    const attempts = this.#options.maxAttempts - 1;
    const returned = this.#ctx.events.map((ref) => ({ ref, attempts, at: 0, error: 'handed back' }));
    const waiting = [...returned, ...this.#retries];
    this.#retries = waiting;
    for (const retry of waiting) {
      if (this.#rests || this.#saidEnough || performance.now() - this.#began > AGAIN_MS) break;
      if (retry.at > this.#now && !this.#isHopeless(retry.ref)) continue;
      const load = async (): Promise<Loaded<T>> => (await this.#options.find(retry.ref)) ?? 'gone';
      if (await this.#try(retry.ref, load, retry.attempts))
        this.#retries = this.#retries.filter((each) => each !== retry);
    }
    for (const retry of returned) {
      if (jsonBytes(this.#retries) <= MAX_RETRIES_BYTES) break;
      if (this.#retries.includes(retry) && this.#park(retry.ref, 'handed back, and there was no time to handle it'))
        this.#retries = this.#retries.filter((each) => each !== retry);
    }
    this.#busyAfter = performance.now() - this.#began;
  }

  /**
   * Takes an event: handles it, keeps it for another try or parks it.
   *
   * @param ref how to find it again: at most 1 KB of JSON
   * @param load reads it; one that cannot be read is tried again like one that cannot be handled
   * @returns whether it was taken; if not, it must come again
   */
  async take(ref: Json, load: () => Promise<T | 'passed'>): Promise<boolean> {
    if (!this.ready) return false;
    if (!this.#feed.preview) return await this.#try(ref, load, 0);
    // one that cannot be read would be tried again
    const passed = await load().then(
      (event) => event === 'passed',
      () => false
    );
    if (!passed) this.#foreseen.push(this.#options.idOf(ref));
    return true;
  }

  /** Something else went wrong; what was handled counts all the same. */
  report(error: unknown): void {
    this.#failed = true;
    this.#errors.push(describeError(error, 'evaluate'));
  }

  /** Lets the handlers finish the tick: send what they collected. */
  async finish(): Promise<void> {
    const { finish } = this.#options.handlers;
    if (this.#memory === undefined) this.#unfinished = undefined;
    if (this.#feed.preview || finish === undefined || this.#memory === undefined || this.#rests) return;
    if (this.#unfinished !== undefined && this.#unfinished.at > this.#now) return;
    // what it says of assets might find no room in this tick
    if (this.#saidEnough) {
      this.#dueAt = this.#now;
      return;
    }
    try {
      const { handleTimeoutMs } = this.#options;
      const { given, memory, assetEvents } = await callHandler(this.#ctx, handleTimeoutMs, this.#memory, finish);
      await this.#record([], assetEvents);
      this.#memory = memory;
      // the handlers know the clock of this worker
      this.#dueAt = given === undefined ? undefined : given - this.#ctx.now.getTime() + this.#feed.scheduledAt;
      this.#unfinished = undefined;
    } catch (error) {
      if (this.#ctx.signal.aborted) return;
      const text = cutText(describeError(error, 'finish'), MAX_RETRY_ERROR_BYTES);
      const pauseMs = retryAfterOf(error);
      if (pauseMs !== undefined) return this.#pause(pauseMs, text);
      const attempts = (this.#unfinished?.attempts ?? 0) + 1;
      this.#failed = true;
      this.#unfinished = { attempts, at: this.#now + this.#pauseMs(attempts), error: text };
    }
  }

  /** The requests of the handlers, and why nothing was handled if so; tells the tick what became of the events. */
  settle(behindSince: number | undefined): {
    readonly requests: readonly RunRequest[];
    /** Why nothing is handled. */
    readonly waiting: string | undefined;
    /** What the handlers hold. */
    readonly held: string | undefined;
  } {
    const failure = this.#failure();
    const times = [...this.#retries.map(({ at }) => at), this.#unfinished?.at ?? this.#dueAt];
    const next = this.#paused?.until ?? Math.min(...times.map((at) => at ?? Number.POSITIVE_INFINITY));
    this.#feed.report({
      ...(this.#handled === 0 ? {} : { handled: this.#handled }),
      ...(failure === undefined ? {} : { failure }),
      ...(this.#failed ? { failed: true } : {}),
      ...(behindSince === undefined ? {} : { behindSince }),
      ...(Number.isFinite(next) ? { againInMs: Math.max(100, Math.ceil(next - this.#now)) } : {}),
      ...(this.#parked.length === 0 ? {} : { parked: this.#parked }),
    });
    const held = this.#memory === undefined ? undefined : this.#options.handlers.describe?.(this.#memory);
    if (this.#assetEvents.length > 0) this.#feed.record(this.#assetEvents);
    const requests = this.#requests.map((request) => this.#feed.request(request));
    return { requests, waiting: this.#waiting, held };
  }

  get #waiting(): string | undefined {
    return this.#paused && `paused until ${new Date(this.#paused.until).toISOString()}: ${this.#paused.error}`;
  }

  #failure(): string | undefined {
    const parts = [
      ...this.#errors,
      ...(this.#parked.length === 0
        ? []
        : [`${count(this.#parked.length, 'event')} parked in the dead letters: ${named(this.#parked)}`]),
      ...(this.#retries.length === 0
        ? []
        : [`${count(this.#retries.length, 'event')} to be tried again: ${named(this.#retries)}`]),
      ...(this.#isFull ? ['no new events are taken until these are handled or parked'] : []),
      ...(this.#unfinished === undefined ? [] : [`the handlers could not finish: ${this.#unfinished.error}`]),
    ];
    return parts.length === 0 ? undefined : parts.join('; ');
  }

  /** Whether the event has been taken care of: it need not come again from where it came. */
  async #try(ref: Json, load: () => Promise<Loaded<T>>, earlier: number): Promise<boolean> {
    try {
      const event = await load();
      if (event === 'passed') return true;
      if (event === 'gone') throw ApplicationFailure.nonRetryable('it is gone from the server');
      const { handlers, handleTimeoutMs } = this.#options;
      const { given, memory, assetEvents } = await callHandler(this.#ctx, handleTimeoutMs, this.#memory, (ctx, own) =>
        requestsOf(ctx, this.#feed, event, (context) => handlers.handle(context, event, own))
      );
      const narrows = given.some(({ staleOnly }) => staleOnly === true);
      const requests = narrows ? await this.#feed.narrow(given) : given;
      await this.#record(requests, assetEvents);
      this.#memory = memory;
      this.#handled++;
      return true;
    } catch (error) {
      return !this.#ctx.signal.aborted && this.#keep(ref, earlier + 1, error);
    }
  }

  /** Whether an event that could not be handled is kept for another try, or parked. */
  #keep(ref: Json, attempts: number, error: unknown): boolean {
    const text = describeError(error, 'handle');
    const pauseMs = retryAfterOf(error);
    if (pauseMs !== undefined) {
      this.#pause(pauseMs, text);
      return false;
    }
    this.#failed = true;
    const id = this.#options.idOf(ref);
    this.#ctx.log.error(`event ${id} could not be handled: ${text}`);
    const hopeless =
      error instanceof InvalidRequestError || (error instanceof ApplicationFailure && error.nonRetryable === true);
    const tries = attempts === 1 ? '' : ` (${attempts} tries)`;
    if ((hopeless || attempts >= this.#options.maxAttempts) && this.#park(ref, `${id}${tries}: ${text}`)) return true;
    const failed = cutText(`${cutText(id, MAX_RETRY_ERROR_BYTES / 2)}: ${text}`, MAX_RETRY_ERROR_BYTES);
    this.#retries = [...this.#retries, { ref, attempts, at: this.#now + this.#pauseMs(attempts), error: failed }];
    return true;
  }

  /**
   * Takes what a handler asked for, and said of assets.
   *
   * @throws {@link InvalidRequestError} for what cannot be recorded, `RetryAfterError` for what the loop is too old to take
   */
  async #record(requests: readonly RunRequest[], events: readonly AssetRequest[]): Promise<void> {
    if (this.#feed.olderLoop === true) refuseOfOlderLoop({ requests, assetEvents: events });
    await this.#recordAssets(events);
    this.#requests.push(...requests);
  }

  async #recordAssets(events: readonly AssetRequest[]): Promise<void> {
    if (events.length === 0) return;
    const bytes = bytesOfAssets(events);
    if (events.length > MAX_ASSET_EVENTS || bytes > MAX_ASSET_BYTES)
      throw new InvalidRequestError(
        `the handler records ${events.length} asset events of ${bytes} bytes for one event; ` +
          `at most ${MAX_ASSET_EVENTS} of ${MAX_ASSET_BYTES} bytes (64 KB)`
      );
    await this.#feed.checkAssets(events);
    this.#assetEvents.push(...events);
    this.#assetBytes += bytes;
  }

  #pauseMs(attempts: number): number {
    const first = Math.min(this.#options.intervalMs, MAX_FIRST_PAUSE_MS);
    return Math.min(first * 2 ** Math.min(attempts - 1, 20), MAX_PAUSE_MS);
  }

  #pause(ms: number, error: string): void {
    this.#paused = { until: this.#now + ms, error: cutText(error, MAX_RETRY_ERROR_BYTES) };
  }

  /** Whether it can only be parked, and will be: without room it keeps its pauses. */
  #isHopeless(ref: Json): boolean {
    const bytes = jsonBytes(ref) + MAX_PARKED_ERROR_BYTES + 2 * LETTER_BYTES;
    return bytes <= this.#room && this.#options.isGone?.(ref) === true;
  }

  /** Whether there was room. */
  #park(ref: Json, error: string): boolean {
    const id = deadLetterId(this.#options.idOf(ref));
    const letter: Rejection = { id, kind: 'event', error: cutText(error, MAX_PARKED_ERROR_BYTES), payload: ref };
    const bytes = jsonBytes(letter) + LETTER_BYTES;
    // one that is there already needs no more room
    if (!this.#feed.deadLetters.includes(letter.id)) {
      if (bytes > this.#room) {
        if (!this.#errors.includes(FULL)) this.#errors.push(FULL);
        return false;
      }
      this.#room -= bytes;
    }
    this.#parked.push(letter);
    return true;
  }
}

/** ID of the dead letter of an event. @param eventId the event's own */
export function deadLetterId(eventId: string): string {
  return `event-${shortHash(eventId)}`;
}

/** The first few errors. */
function named(failed: readonly { readonly error: string }[]): string {
  const errors = failed.slice(0, NAMED).map(({ error }) => error);
  return [...errors, ...(failed.length > NAMED ? ['…'] : [])].join('; ');
}
