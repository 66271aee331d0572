/** Handling events one by one: none is lost, none is handled twice, and none holds up the others. */
import { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineJob, defineSensor, RetryAfterError } from '../../src/index.js';
import type { AssetRequest } from '../../src/sensors/asset-requests.js';
import { requestProblem } from '../../src/sensors/check-requests.js';
import type { EventContextBase, EventHandlers, Memory } from '../../src/sensors/event-handlers.js';
import { FEED, type FeedHost, type FeedReport } from '../../src/sensors/feed-host.js';
import { EventHandling, handlingSchema, type HandlingState } from '../../src/sensors/handle-events.js';
import { jsonBytes, type Json } from '../../src/sensors/json.js';
import type { DeadLetter } from '../../src/sensors/protocol.js';
import type { RunRequest } from '../../src/sensors/run-request.js';
import { addDeadLetters, deadLetterRoom } from '../../src/workflows/records.js';

const START = Date.parse('2026-01-01T00:00:00Z');
const INTERVAL_MS = 30_000;

const invoice = defineJob({ name: 'invoice', config: z.object({ path: z.string() }) });
const definition = defineSensor({ name: 's', job: invoice, evaluate: (ctx) => ctx.skip('not used') });

interface Event {
  readonly eventId: string;
}
type Handle = (ctx: HandlerContext, event: Event, memory: Memory) => unknown;
type HandlerContext = EventContextBase & { run(request: object): RunRequest };

interface Tick {
  readonly signal: AbortSignal;
  readonly preview: boolean;
  /** IDs of dead letters that an operator hands back. */
  readonly returned: readonly string[];
  /** This worker's clock is ahead of the server's. */
  readonly aheadMs: number;
  /** An older worker runs the loop. */
  readonly olderLoop: boolean;
}

/** A source of events with what outlives a tick: the cursor, the dead letters, and what has not been taken. */
class Source {
  state: HandlingState = handlingSchema.parse({});
  letters: readonly DeadLetter[] = [];
  readonly calls: string[] = [];
  requests: readonly RunRequest[] = [];
  /** What was said of assets. */
  readonly recorded: AssetRequest[] = [];
  report: FeedReport = {};
  waiting: string | undefined;
  said: string | undefined;
  /** Events that cannot be read. */
  readonly unreadable = new Set<string>();
  /** Events that are known to be gone. */
  readonly gone = new Set<string>();
  #ticks = 0;

  constructor(
    readonly pending: string[],
    readonly handle: Handle,
    readonly options: { readonly finish?: EventHandlers<Event>['finish']; readonly handleTimeoutMs?: number } = {}
  ) {}

  get parked(): readonly string[] {
    return this.letters.map(({ payload }) => idOf(payload as Json));
  }

  get retried(): readonly string[] {
    return this.state.retries.map(({ ref }) => idOf(ref));
  }

  async tick({ signal = new AbortController().signal, ...given }: Partial<Tick> = {}): Promise<void> {
    const { preview = false, returned = [], aheadMs = 0, olderLoop = false } = given;
    const events = this.letters.filter(({ payload }) => returned.includes(idOf(payload as Json)));
    this.letters = this.letters.filter((letter) => !events.includes(letter));
    const host: FeedHost = {
      scheduledAt: Date.now(),
      nudged: false,
      preview,
      jobs: ['invoice'],
      prefix: '',
      deadLetterRoom: deadLetterRoom(this.letters),
      deadLetters: this.letters.map(({ id }) => id),
      ...(olderLoop ? { olderLoop } : {}),
      resolveJob: () => 'invoice',
      problemOf: (request) => requestProblem(request, definition, new Date()),
      request: (made) => made,
      narrow: async (requests) => requests,
      checkAssets: async () => undefined,
      record: (requests) => void this.recorded.push(...requests),
      report: (report) => void (this.report = report),
    };
    const ctx = {
      sensor: 's',
      now: new Date(Date.now() + aheadMs),
      events: events.map(({ payload }) => payload as Json),
      signal,
      log: { error: () => undefined },
      [FEED]: host,
    };
    const { finish, handleTimeoutMs = 2_000 } = this.options;
    const handle: Handle = (context, event, memory) => {
      this.calls.push(event.eventId);
      return this.handle(context, event, memory);
    };
    const handlers = { handle: handle as EventHandlers<Event>['handle'], ...(finish === undefined ? {} : { finish }) };
    const isGone = (ref: Json): boolean => this.gone.has(idOf(ref));
    const find = async (ref: Json): Promise<Event | undefined> =>
      isGone(ref) ? undefined : await this.#read(idOf(ref));
    const handling = new EventHandling<Event>(
      ctx as unknown as ConstructorParameters<typeof EventHandling>[0],
      { handlers, maxAttempts: 3, handleTimeoutMs, intervalMs: INTERVAL_MS, idOf, find, isGone },
      this.state
    );
    await advance(this.#run(handling, preview));
  }

  async #run(handling: EventHandling<Event>, preview: boolean): Promise<void> {
    await handling.again();
    for (const id of this.pending.slice()) {
      if (!(await handling.take({ id }, () => this.#read(id)))) break;
      if (!preview) this.pending.shift();
    }
    await handling.finish();
    this.said = handling.foreseen;
    if (preview) return;
    ({ requests: this.requests, waiting: this.waiting } = handling.settle(undefined));
    const { letters, refused } = addDeadLetters(this.letters, this.report.parked ?? [], ++this.#ticks, Date.now());
    expect(refused).toEqual([]);
    this.letters = letters;
    this.state = handlingSchema.parse(JSON.parse(JSON.stringify(handling.state)));
  }

  async #read(id: string): Promise<Event> {
    if (this.unreadable.has(id)) throw new Error(`${id} cannot be read`);
    return { eventId: id };
  }
}

function idOf(ref: Json): string {
  return (ref as { readonly id: string }).id;
}

/** Lets the time pass until it has ended. */
async function advance(work: Promise<void>): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  work.then(end, end);
  for (;;) {
    // what needs no time
    await new Promise((resolve) => setImmediate(resolve));
    if (ended.signal.aborted) return await work;
    await vi.advanceTimersByTimeAsync(50);
  }
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Until the signal says that it is enough. */
async function hang({ signal }: EventContextBase): Promise<void> {
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
}

function ids(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n}`);
}

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

describe('an event that fails', () => {
  test('and cannot be read is tried again and then parked, and holds up nobody', async () => {
    const source = new Source(['a', 'bad', 'b'], () => undefined);
    source.unreadable.add('bad');
    await source.tick();
    expect(source.calls).toEqual(['a', 'b']);
    expect(source.retried).toEqual(['bad']);
    source.pending.push('c');
    await pass(5_000);
    await source.tick();
    await pass(10_000);
    await source.tick();
    expect(source.calls).toEqual(['a', 'b', 'c']);
    expect(source.retried).toEqual([]);
    expect(source.letters.map(({ error }) => error)).toEqual(['bad (3 tries): Error: bad cannot be read']);
  });

  test('and is known to be gone is parked at once, and its next try is not waited for', async () => {
    const source = new Source(['a', 'b'], () => Promise.reject(new Error('no')));
    await source.tick();
    expect(source.retried).toEqual(['a', 'b']);
    source.gone.add('a');
    await source.tick();
    expect([source.parked, source.retried]).toEqual([['a'], ['b']]);
    expect(source.calls).toEqual(['a', 'b']);
  });

  test('leaves nothing of what it said of assets; one that says too much is parked, and a tick takes what it can record', async () => {
    const handle: Handle = (ctx, { eventId }) => {
      const count = eventId === 'much' ? 501 : eventId === 'fails' ? 1 : 200;
      for (let n = 0; n < count; n++) ctx.materialize(eventId);
      if (eventId === 'fails') throw ApplicationFailure.nonRetryable('after it was said');
    };
    const source = new Source(['much', 'fails', ...ids('ok', 5)], handle);
    await source.tick();
    expect(source.letters.map(({ error }) => error)).toEqual([
      expect.stringContaining('the handler records 501 asset events of'),
      'fails: ApplicationFailure: after it was said',
    ]);
    expect(source.recorded).toHaveLength(600);
    expect(source.pending).toEqual(['ok3', 'ok4']);
    await source.tick();
    expect(source.recorded).toHaveLength(1_000);
  });

  test('that fills what a tick can record of assets leaves the rest, and its end, to the next tick', async () => {
    const say = (ctx: HandlerContext, count: number): void => {
      for (let n = 0; n < count; n++) ctx.materialize('a');
    };
    const finish: EventHandlers<Event>['finish'] = async (ctx) => {
      say(ctx as HandlerContext, 500);
      return undefined;
    };
    const handle: Handle = (ctx, _, memory) => {
      memory.value = 'collected';
      say(ctx, 500);
    };
    const source = new Source(['a', 'b'], handle, { finish });
    await source.tick();
    expect(source.recorded).toHaveLength(1_000);
    expect(source.report.againInMs).toBe(100);
    await source.tick();
    expect(source.recorded).toHaveLength(1_500);
  });

  test('whose name is long does not make the cursor too large when many of them fail', async () => {
    const source = new Source(ids('x'.repeat(1_000), 30), () => {
      throw new Error('down');
    });
    await source.tick();
    expect(jsonBytes(source.state)).toBeLessThan(18 * 1024);
    expect(source.pending.length).toBeGreaterThan(10);
  });

  test('that says something of assets waits while a loop of an older worker would lose it', async () => {
    const source = new Source(['a'], (ctx, { eventId }) => ctx.materialize(eventId));
    await source.tick({ olderLoop: true });
    expect(source.waiting).toContain('a worker with an older version of temporal-sensors runs the loop');
    expect([source.pending, source.recorded, source.letters]).toEqual([['a'], [], []]);
    await pass(30_000);
    await source.tick();
    expect([source.pending, source.recorded.length]).toEqual([[], 1]);
  });

  test('is a failure when it fails, and not again while it waits; but nothing is well until then', async () => {
    const source = new Source(['bad'], () => {
      throw new Error('the receiver is away');
    });
    await source.tick();
    expect(source.report).toMatchObject({ failed: true, againInMs: 5_000 });
    await pass(1_000);
    await source.tick();
    expect(source.report.failed).toBeUndefined();
    expect(source.report.failure).toBe('1 event to be tried again: bad: Error: the receiver is away');
    expect(source.report.againInMs).toBe(4_000);
    expect(source.calls).toEqual(['bad']);
    await pass(4_000);
    await source.tick();
    expect(source.report).toMatchObject({ failed: true, againInMs: 10_000 });
  });

  test('and hangs whenever it comes again does not keep new ones from being handled in the same tick', async () => {
    const handle: Handle = (ctx, { eventId }) => (eventId === 'hangs' ? hang(ctx) : undefined);
    const source = new Source(['hangs'], handle, { handleTimeoutMs: 10_000 });
    await source.tick();
    source.pending.push('new');
    await pass(60_000);
    await source.tick();
    expect(source.calls).toEqual(['hangs', 'hangs', 'new']);
    expect(source.retried).toEqual(['hangs']);
  });

  test('with a request that cannot be is parked at once, and its neighbours have their runs', async () => {
    const source = new Source(['good', 'bad', 'fine'], (ctx, { eventId }) =>
      ctx.run({ config: eventId === 'bad' ? { nope: 1 } : { path: eventId } })
    );
    await source.tick();
    expect(source.requests.map(({ runKey }) => runKey)).toEqual(['good', 'fine']);
    expect(source.letters.map(({ error }) => error)).toEqual([
      expect.stringMatching(/^bad: .*a run request of job 'invoice': .*path/),
    ]);
    expect(source.retried).toEqual([]);
  });

  test('because it asks for two runs of a job without run keys says so', async () => {
    const source = new Source(['a'], function* (ctx) {
      yield ctx.run({ config: { path: '1' } });
      yield ctx.run({ config: { path: '2' } });
    });
    await source.tick();
    expect(source.requests).toEqual([]);
    expect(source.letters[0]?.error).toContain("two run requests of job 'invoice' for one event have no run key");
  });

  test('with the dead letters full stays where it is, and handlers are not called again and again', async () => {
    const source = new Source(ids('w'.repeat(300), 200), (ctx) => ctx.run({ config: { nope: 1 } }));
    await source.tick();
    expect(source.report.failure).toContain('the dead letters are full (64 KB): retry or discard them');
    for (let tick = 0; tick < 50; tick++) {
      await source.tick();
      await pass(100);
    }
    const { length } = source.parked;
    expect(length).toBeGreaterThan(30);
    expect(source.pending).toHaveLength(200 - length - 20);
    expect(source.retried).toHaveLength(20);
    expect(source.report.failure).toContain('no new events are taken until these are handled or parked');
    const before = source.calls.length;
    for (let tick = 0; tick < 120; tick++) {
      await source.tick();
      await pass(INTERVAL_MS);
    }
    // an hour: each of those that wait comes every ten minutes in the end
    expect(source.calls.length - before).toBeLessThan(20 * 15);
    source.letters = [];
    await pass(600_000);
    await source.tick();
    expect(source.pending.length).toBeLessThan(200 - length - 20);
  });
});

describe('a pause', () => {
  const busy = new RetryAfterError('1h', 'too many messages');

  test('ends when the receiver says, and nothing asks for an evaluation before', async () => {
    let refusing = true;
    const source = new Source(['bad', 'a', 'b'], (_, { eventId }) => {
      if (eventId === 'bad' && refusing) throw new Error('500');
      if (refusing) throw busy;
    });
    await source.tick();
    expect(source.report.againInMs).toBe(3_600_000);
    await pass(60_000);
    await source.tick();
    expect(source.report.againInMs).toBe(3_540_000);
    expect(source.waiting).toBe(
      `paused until ${new Date(START + 3_600_000).toISOString()}: RetryAfterError: too many messages`
    );
    expect(source.calls).toEqual(['bad', 'a']);
    expect(source.report.failed).toBeUndefined();
    refusing = false;
    await pass(3_540_000);
    await source.tick();
    expect(source.calls).toEqual(['bad', 'a', 'bad', 'a', 'b']);
    expect(source.state).toEqual({ retries: [] });
  });

  test('keeps what is handed back, as much as the cursor may hold, and the dead letters keep the rest', async () => {
    let refusing = true;
    const letters = ids('w'.repeat(250), 60);
    const source = new Source([...letters, 'busy'], (_, { eventId }) => {
      if (eventId === 'busy' && refusing) throw busy;
      if (refusing) throw ApplicationFailure.nonRetryable('no such channel');
    });
    await source.tick();
    expect(source.parked).toEqual(letters);
    await source.tick({ returned: letters });
    expect(jsonBytes(source.state)).toBeLessThan(24 * 1024);
    expect(source.retried.length).toBeGreaterThan(20);
    expect([...source.parked, ...source.retried].sort()).toEqual(letters.toSorted());
    refusing = false;
    await pass(3_600_000);
    for (const returned of [[], source.parked]) await source.tick({ returned });
    expect(source.calls.slice(61).sort()).toEqual([...letters, 'busy'].sort());
    expect(source.parked).toEqual([]);
  });

  test('is what finishing asks for, too', async () => {
    let refusing = true;
    const finish = async (_: EventContextBase, memory: Memory): Promise<undefined> => {
      if (refusing) throw busy;
      memory.value = undefined;
    };
    const handle: Handle = (_, { eventId }, memory) => void (memory.value = eventId);
    const source = new Source(['a'], handle, { finish });
    await source.tick();
    expect(source.report).toEqual({ handled: 1, againInMs: 3_600_000 });
    expect(source.waiting).toContain('too many messages');
    expect(source.state.memory).toBe('a');
    refusing = false;
    await pass(3_600_000);
    await source.tick();
    expect(source.state).toEqual({ retries: [] });
  });
});

describe('a digest', () => {
  const collect: Handle = (_, { eventId }, memory) => void (memory.value = eventId);

  test('that cannot be sent is tried again after growing pauses, and says when', async () => {
    const tried: number[] = [];
    const finish = async (): Promise<undefined> => {
      tried.push((Date.now() - START) / 1_000);
      throw ApplicationFailure.nonRetryable('the token was revoked');
    };
    const source = new Source(['a'], collect, { finish });
    for (let tick = 0; tick < 6; tick++) {
      await source.tick();
      expect(source.report).toMatchObject({ failed: true, failure: expect.stringContaining('the token was revoked') });
      const againInMs = source.report.againInMs ?? 0;
      await pass(againInMs / 2);
      // news do not hurry it
      source.pending.push(`b${tick}`);
      await source.tick();
      expect(source.report).toMatchObject({ handled: 1, failure: expect.stringContaining('could not finish') });
      expect(source.report.failed).toBeUndefined();
      await pass(source.report.againInMs ?? 0);
    }
    const pauses = tried.slice(1).map((at, index) => Math.round(at - (tried[index] ?? 0)));
    expect(pauses).toEqual([5, 10, 20, 40, 80]);
    expect(source.state.memory).toBe('b5');
  });

  test.each([0, 240_000, -240_000])('that is due later says when, by a clock that is %d ms ahead', async (aheadMs) => {
    const finish = async ({ now }: EventContextBase): Promise<number> => now.getTime() + 60_000;
    const source = new Source(['a'], collect, { finish });
    await source.tick({ aheadMs });
    expect(source.report).toEqual({ handled: 1, againInMs: 60_000 });
  });
});

test('a handler that ignores its signal does not hold a tick that is over', async () => {
  const ignoring = new Source(['a', 'b'], () => new Promise(() => undefined));
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('the tick took too long')), 500);
  await ignoring.tick({ signal: controller.signal });
  expect(Date.now() - START).toBeLessThan(500 + 1_200);
  expect(ignoring.pending).toEqual(['a', 'b']);
  expect(ignoring.state).toEqual({ retries: [] });
});

test('a preview calls no handler and says what would be handled, or until when it is paused', async () => {
  const source = new Source(
    ['a', 'b', 'c'],
    () => {
      throw new RetryAfterError('1h', 'too many messages');
    },
    { finish: () => Promise.reject(new Error('not now')) }
  );
  source.unreadable.add('b');
  source.state = { ...source.state, memory: 'something' };
  await source.tick({ preview: true });
  expect(source.said).toBe('3 events would be handled: a, b, c');
  expect(source.calls).toEqual([]);
  await source.tick();
  await source.tick({ preview: true });
  expect(source.said).toMatch(/^paused until .*too many messages/);
  expect(source.calls).toEqual(['a']);
});

const OUTCOMES = ['ok', 'throw', 'nonRetryable', 'retryAfter', 'hang', 'ignore'] as const;
type Outcome = (typeof OUTCOMES)[number];

test('whatever becomes of handlers, each event is handled once, waits, is parked once, or is not yet taken', async () => {
  const outcome = fc.constantFrom<Outcome>('ok', 'ok', 'ok', ...OUTCOMES);
  const tick = fc.record({
    count: fc.oneof(fc.nat(5), fc.nat(60)),
    afterMs: fc.oneof(fc.nat(5_000), fc.nat(700_000)),
    abortsAfterMs: fc.option(fc.nat(4_000), { nil: undefined, freq: 4 }),
    handsBack: fc.boolean(),
  });
  const arbitrary = fc.tuple(
    fc.array(tick, { minLength: 1, maxLength: 8 }),
    fc.array(outcome, { minLength: 1, maxLength: 40 })
  );
  await fc.assert(
    fc.asyncProperty(arbitrary, async ([ticks, outcomes]) => {
      vi.setSystemTime(START);
      const handled: string[] = [];
      let next = 0;
      const handle: Handle = async (ctx, { eventId }) => {
        const outcome = outcomes[next++ % outcomes.length];
        if (outcome === 'throw') throw new Error('500');
        if (outcome === 'nonRetryable') throw ApplicationFailure.nonRetryable('no such channel');
        if (outcome === 'retryAfter') throw new RetryAfterError('10s', 'too many messages');
        if (outcome === 'hang') await hang(ctx);
        if (outcome === 'ignore') await new Promise(() => undefined);
        handled.push(eventId);
      };
      const source = new Source([], handle);
      const all: string[] = [];
      for (const { count, afterMs, abortsAfterMs, handsBack } of ticks) {
        const added = ids(`${'w'.repeat(100)}${all.length}-`, count);
        all.push(...added);
        source.pending.push(...added);
        const controller = new AbortController();
        const timer = abortsAfterMs === undefined ? undefined : setTimeout(() => controller.abort(), abortsAfterMs);
        await source.tick({ signal: controller.signal, returned: handsBack ? source.parked : [] });
        clearTimeout(timer);
        expect([...handled, ...source.retried, ...source.parked, ...source.pending].sort()).toEqual(all.toSorted());
        expect(jsonBytes(source.state)).toBeLessThan(24 * 1024);
        await pass(afterMs);
      }
    }),
    { numRuns: 40 }
  );
});
