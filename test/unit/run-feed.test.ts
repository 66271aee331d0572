/** The feed of runs on a visibility that lists late, and workers that die, change or come late. */
import { temporal } from '@temporalio/proto';
import { defaultDataConverter } from '@temporalio/common/lib/converter/data-converter.js';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FEED, type FeedHost, type FeedReport } from '../../src/sensors/feed-host.js';
import { jsonBytes } from '../../src/sensors/json.js';
import { cursorSchema, RunFeed, type RunContext } from '../../src/sources/run-feed.js';

const START = Date.parse('2026-01-01T00:00:00.123Z');
const LATEST_MS = 120_000;
const MAX_CURSOR_BYTES = 64 * 1024;

interface Closed {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly listedAt: number;
  readonly failed?: true;
}

/** Answers as the server does: newest first, page by page, by the time of the query; nothing before it is listed. */
class Visibility {
  requests = 0;
  /** Requests for lists, by number, that are not answered. */
  fails: (request: number) => boolean = () => false;
  /** Workflows whose history cannot be read. */
  readonly unreadable = new Set<string>();
  #closed: readonly Closed[];

  constructor(closed: readonly Closed[]) {
    this.#closed = closed.toSorted((a, b) => b.at - a.at);
  }

  get client() {
    return {
      options: { namespace: 'default', loadedDataConverter: defaultDataConverter },
      workflow: { count: (query: string) => Promise.resolve({ count: this.#find(query).length }) },
      workflowService: {
        listWorkflowExecutions: ({ query, pageSize, nextPageToken }: ListRequest) => {
          if (this.fails(++this.requests)) return Promise.reject(unavailable());
          const from = Number(Buffer.from(nextPageToken).toString() || 0);
          const to = from + (pageSize || 1_000);
          const found = this.#find(query);
          const token = Buffer.from(found.length >= to ? String(to) : '');
          return Promise.resolve({ executions: found.slice(from, to).map(executionOf), nextPageToken: token });
        },
        getWorkflowExecutionHistory: async ({ execution }: { readonly execution: { readonly workflowId: string } }) => {
          if (this.unreadable.has(execution.workflowId)) throw new Error('the history cannot be read');
          return { history: { events: [] } };
        },
        describeWorkflowExecution: async ({ execution }: { readonly execution: { readonly workflowId: string } }) => {
          const found = this.#closed.find(({ id }) => id === execution.workflowId);
          return { workflowExecutionInfo: found && executionOf(found) };
        },
      },
    };
  }

  #find(query: string): readonly Closed[] {
    const [from = Number.NaN, to = Number.POSITIVE_INFINITY] = [...query.matchAll(/CloseTime (?:>=|<) '([^']+)'/g)].map(
      ([, time]) => Date.parse(String(time))
    );
    return this.#closed.filter(({ at, listedAt }) => listedAt <= Date.now() && at >= from && at < to);
  }
}

interface ListRequest {
  readonly query: string;
  readonly pageSize: number;
  readonly nextPageToken: Uint8Array;
}

function unavailable(): Error {
  return Object.assign(new Error('the server is away'), { code: 14, details: 'away', metadata: { get: () => [] } });
}

function executionOf({ id, at, failed }: Closed) {
  const time = { seconds: Math.floor(at / 1_000), nanos: (at % 1_000) * 1e6 };
  return temporal.api.workflow.v1.WorkflowExecutionInfo.fromObject({
    execution: { workflowId: id, runId: id },
    type: { name: 'job' },
    status: failed === true ? 3 : 2,
    startTime: time,
    closeTime: time,
    historyLength: 3,
  });
}

interface Tick {
  readonly afterMs: number;
  /** It was due so long before a worker took it. */
  readonly waitedMs: number;
  readonly nudged: boolean;
  readonly newWorker: boolean;
  readonly crashes: boolean;
}

/** A sensor with what outlives a worker: its cursor. What a tick handled counts when its cursor is stored. */
class Sensor {
  readonly done: string[] = [];
  cursor: unknown = { since: START, seen: '', retries: [] };
  behind = false;
  failure: string | undefined;
  #handled: string[] = [];
  #feed: RunFeed | undefined;

  constructor(
    readonly visibility: Visibility,
    readonly handleMs: number
  ) {}

  async tick({ waitedMs = 0, nudged = false, newWorker = false, crashes = false }: Partial<Tick>): Promise<void> {
    if (newWorker || this.#feed === undefined) this.#feed = this.#newFeed();
    this.#handled = [];
    let report: FeedReport = {};
    let stored = this.cursor;
    const host = {
      scheduledAt: Date.now() - waitedMs,
      nudged,
      jobs: ['job'],
      prefix: '',
      deadLetterRoom: 64 * 1024,
      deadLetters: [],
      report: (given: FeedReport) => void (report = given),
    } satisfies Partial<FeedHost>;
    const ctx = {
      sensor: 's',
      client: this.visibility.client,
      signal: new AbortController().signal,
      log: { error: () => undefined },
      events: [],
      cursor: cursorSchema.parse(structuredClone(this.cursor)),
      setCursor: (cursor: unknown) => void (stored = cursor),
      skip: (reason: string) => ({ kind: 'skip', reason }),
      more: () => ({ kind: 'more' }),
      [FEED]: host,
    };
    const evaluation = this.#feed.evaluate(ctx as unknown as RunContext);
    const ended = new AbortController();
    const end = (): void => ended.abort();
    evaluation.then(end, end);
    while (!ended.signal.aborted) await vi.advanceTimersByTimeAsync(10);
    await evaluation;
    if (crashes) return;
    this.cursor = stored;
    this.behind = report.behindSince !== undefined;
    this.failure = report.failure;
    this.done.push(...this.#handled);
  }

  #newFeed(): RunFeed {
    return new RunFeed({
      handlers: {
        handle: (_, { workflowId }) => {
          this.#handled.push(workflowId);
          vi.advanceTimersByTime(this.handleMs);
        },
      },
      monitor: 'jobs',
      statuses: ['completed', 'failed'],
      ownRuns: false,
      webUrl: () => undefined,
      maxAttempts: 3,
      handleTimeoutMs: 20_000,
      intervalMs: () => 30_000,
    });
  }
}

beforeEach(() => void vi.useFakeTimers({ now: START, toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** Ticks until nothing is left, with a cursor that stays small. */
async function run(sensor: Sensor, closed: readonly Closed[], ticks: readonly Tick[]): Promise<readonly string[]> {
  vi.setSystemTime(START);
  const tick = async (given: Partial<Tick>): Promise<void> => {
    await sensor.tick(given);
    expect(jsonBytes(sensor.cursor)).toBeLessThan(MAX_CURSOR_BYTES);
  };
  for (const given of ticks) {
    await vi.advanceTimersByTimeAsync(given.afterMs);
    await tick(given);
  }
  const end = Math.max(...closed.map(({ at }) => at), Date.now()) + LATEST_MS;
  await vi.advanceTimersByTimeAsync(end - Date.now());
  do await tick({});
  while (sensor.behind);
  return sensor.done;
}

const tick: fc.Arbitrary<Tick> = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.nat(5_000), fc.nat(200_000)),
  waitedMs: fc.oneof(fc.constant(0), fc.nat(1_000), fc.nat(600_000)),
  nudged: fc.boolean(),
  newWorker: fc.boolean(),
  crashes: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
});

/** What closes within ten minutes, some of it at once. */
const closed = (lateMs: fc.Arbitrary<number>) =>
  fc
    .array(
      fc.record({
        at: fc.oneof(fc.nat(600_000), fc.nat(60_000), fc.nat(2_000)),
        lateMs,
        times: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, fc.integer({ min: 100, max: 400 })),
      }),
      { minLength: 1, maxLength: 60 }
    )
    .map((groups) =>
      groups.flatMap(({ at, lateMs: late, times }, group) =>
        Array.from({ length: times }, (_, n): Closed => {
          const closedAt = START + at + n;
          return { id: `${group}-${n}`, at: closedAt, listedAt: closedAt + late };
        })
      )
    );

const handleMs = fc.oneof(fc.constant(0), fc.nat(10), fc.nat(1_500));

test('each run is handled once, however late and in whatever order they are listed, and whatever becomes of workers', async () => {
  const late = fc.oneof(fc.constant(0), fc.nat(2_000), fc.nat(LATEST_MS));
  await fc.assert(
    fc.asyncProperty(closed(late), fc.array(tick, { maxLength: 25 }), handleMs, async (runs, ticks, ms) => {
      const done = await run(new Sensor(new Visibility(runs), ms), runs, ticks);
      expect(done.toSorted()).toEqual(runs.map(({ id }) => id).toSorted());
    }),
    { numRuns: 25 }
  );
});

test('runs that are listed at once are handled in the order in which they closed', async () => {
  await fc.assert(
    fc.asyncProperty(closed(fc.constant(0)), fc.array(tick, { maxLength: 10 }), handleMs, async (runs, ticks, ms) => {
      const done = await run(new Sensor(new Visibility(runs), ms), runs, ticks);
      const at = new Map(runs.map((each) => [each.id, each.at]));
      const times = done.map((id) => at.get(id) ?? 0);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
    }),
    { numRuns: 10 }
  );
});

function closedAt(id: string, seconds: number, lateSeconds = 0): Closed {
  const at = START + 1_000 * seconds;
  return { id, at, listedAt: at + 1_000 * lateSeconds };
}

test('a tick that waited for a worker knows what time it is by what it lists', async () => {
  const runs = [closedAt('early', 1), closedAt('just now', 590), closedAt('next', 605)];
  const sensor = new Sensor(new Visibility(runs), 0);
  await vi.advanceTimersByTimeAsync(600_000);
  await sensor.tick({ waitedMs: 600_000 });
  await vi.advanceTimersByTimeAsync(10_000);
  await sensor.tick({ newWorker: true });
  await sensor.tick({ newWorker: true });
  expect(sensor.done).toEqual(['early', 'just now', 'next']);
});

test('what was listed late and left by a tick that had no time is not passed over by the next', async () => {
  const runs = [closedAt('late', 49, 120), closedAt('later', 50, 120), closedAt('first', 100), closedAt('last', 172)];
  const sensor = new Sensor(new Visibility(runs), 6_000);
  await vi.advanceTimersByTimeAsync(101_000);
  await sensor.tick({});
  await vi.advanceTimersByTimeAsync(64_000);
  for (let n = 0; n < 3; n++) await sensor.tick({});
  expect(sensor.done).toEqual(['first', 'late', 'later', 'last']);
});

test('a backlog of many is listed hardly more than once, and more at once than the cursor can remember is handled once', async () => {
  const count = 9_000;
  const runs = Array.from({ length: count }, (_, n): Closed => {
    const at = START + 86_400_000 + Math.floor(n / 20);
    return { id: String(n), at, listedAt: at };
  });
  const visibility = new Visibility(runs);
  const sensor = new Sensor(visibility, 1);
  await vi.advanceTimersByTimeAsync(2 * 86_400_000);
  const done = await run(sensor, runs, []);
  expect(new Set(done).size).toBe(count);
  expect(done).toHaveLength(count);
  expect(visibility.requests).toBeLessThan(40);
});

test('a run that cannot be read after 150 that were handled is tried again, and nothing is handled twice', async () => {
  const runs = Array.from({ length: 200 }, (_, n): Closed => ({ ...closedAt(`run ${n}`, n / 10), failed: true }));
  const visibility = new Visibility(runs);
  visibility.unreadable.add('run 150');
  const sensor = new Sensor(visibility, 0);
  await vi.advanceTimersByTimeAsync(60_000);
  await sensor.tick({});
  expect(sensor.failure).toContain('the history cannot be read');
  expect(sensor.done).toEqual(runs.map(({ id }) => id).filter((id) => id !== 'run 150'));
  visibility.unreadable.clear();
  await vi.advanceTimersByTimeAsync(5_000);
  await sensor.tick({});
  await sensor.tick({ newWorker: true });
  expect(sensor.failure).toBeUndefined();
  expect(sensor.done).toHaveLength(200);
  expect(sensor.done.at(-1)).toBe('run 150');
});

test('a list that breaks off in the middle loses nothing and repeats nothing', async () => {
  const runs = Array.from({ length: 4_000 }, (_, n) => closedAt(`run ${n}`, n));
  const visibility = new Visibility(runs);
  const sensor = new Sensor(visibility, 0);
  await vi.advanceTimersByTimeAsync(4_000_000);
  // the first is what tells that there are many
  visibility.fails = (request) => request === 4;
  await sensor.tick({});
  expect(sensor.failure).toContain('workflows could not be listed');
  expect(sensor.done.length).toBeGreaterThan(150);
  expect(sensor.done.length).toBeLessThan(4_000);
  do await sensor.tick({});
  while (sensor.behind);
  expect(sensor.failure).toBeUndefined();
  expect(sensor.done).toEqual(runs.map(({ id }) => id));
});
