/**
 * One evaluation: the author's function called with a context, everything it gave collected, and the rules of what it
 * may give enforced. Knows nothing of Temporal.
 *
 * The function runs to its end before anything is decided, so a failure half-way starts nothing. A request that was
 * made with `ctx.run` but neither yielded nor returned fails the tick: it would be a lost run.
 */
import type { Client } from '@temporalio/client';
import type { AssetReference } from './asset-name.js';
import type { AssetEventOptions } from './asset-event.js';
import { assetRecorder, checkAssetPartitions, setsOfAssets, type AssetRequest } from './asset-requests.js';
import type { JobDefinition } from './define-job.js';
import type { BuiltResources, Resources } from './define-resource.js';
import type { SensorContextBase, SensorDefinition, SensorLog } from './define-sensor.js';
import { checkCursor, openCursor, readCursor, type CursorChange, type StoredCursor } from './cursor.js';
import { requestProblem } from './check-requests.js';
import { EvaluationError, quote } from './errors.js';
import { FEED, type FeedFacts, type FeedHost, type FeedReport } from './feed-host.js';
import { cutText, type Json } from './json.js';
import { MAX_TEXT_BYTES } from './limits.js';
import type { LogBook } from './log-book.js';
import { describeUpToDate, narrowToStale, type AssetReader, type UpToDate } from './narrow-stale.js';
import { isPartitionRequest, type PartitionRequest } from './partitions.js';
import {
  backfillOf,
  requestOf,
  type GivenBackfillRequest,
  type GivenRequest,
  type More,
  type RunRequest,
  type SensorResult,
  type SkipReason,
} from './run-request.js';

/** What an evaluation starts from. */
export interface EvaluationFacts {
  readonly sensor: string;
  readonly tick: number;
  readonly cursor: StoredCursor | undefined;
  /** Events that fit the sensor's schema. */
  readonly events: readonly Json[];
  readonly now: Date;
  readonly lastTickAt: Date | undefined;
  readonly lastRunKey: string | undefined;
  readonly isFirstTickSinceStart: boolean;
  readonly sensorStartedAt: Date;
  /** For sensors that are fed by events. */
  readonly feed: FeedFacts;
  readonly assets: AssetReader;
}

/** What an evaluation may use. */
export interface EvaluationServices {
  readonly signal: AbortSignal;
  readonly heartbeat: () => void;
  readonly client: Client;
  readonly book: LogBook;
  /** Instances of the sensor's resources, by name. */
  readonly resources: Readonly<Record<string, unknown>>;
}

/** What an evaluation gave. */
export interface EvaluationOutcome {
  readonly requests: readonly RunRequest[];
  readonly skipReason: string | undefined;
  readonly cursor: CursorChange;
  readonly partitionRequests: readonly PartitionRequest[];
  /** Recorded with the tick. */
  readonly assetEvents: readonly AssetRequest[];
  /** Requests for stale assets only that were dropped. */
  readonly upToDate: readonly UpToDate[];
  readonly more: boolean;
  /** What became of events, in a sensor that is fed by them. */
  readonly fed?: FeedReport;
  /** `evaluate` was not called: this is only the first cursor. */
  readonly initialCursor?: true;
}

/**
 * Calls the author's function and collects what it gave.
 *
 * @throws whatever the function throws, and {@link EvaluationError} for what it may not give
 */
export async function evaluate(
  definition: SensorDefinition,
  facts: EvaluationFacts,
  services: EvaluationServices
): Promise<EvaluationOutcome> {
  for (const name of Object.keys(definition.resources)) {
    if (!Object.hasOwn(services.resources, name))
      throw new EvaluationError(`sensor '${definition.name}' needs resource '${name}', which it was not given`);
  }
  const stored = openCursor(definition, facts.cursor);
  if (stored === undefined && definition.initialCursor !== undefined)
    return await initialCursor(definition, facts, services);
  const context = new EvaluationContext(definition, facts, services, stored);
  const given = await collect(definition.evaluate(context as never), services.signal);
  const outcome = context.settle(given);
  const narrowed = await narrowToStale(outcome.requests, definition, facts.assets, facts.now);
  const upToDate = [...outcome.upToDate, ...narrowed.upToDate];
  if (upToDate.length > 0) services.book.log.info(describeUpToDate(upToDate));
  return { ...outcome, requests: narrowed.requests, upToDate };
}

/** Stores where the sensor begins, before anything is read from there; the evaluation itself comes right after. */
async function initialCursor(
  definition: SensorDefinition,
  { sensor, now, sensorStartedAt }: EvaluationFacts,
  { signal, client, book, resources }: EvaluationServices
): Promise<EvaluationOutcome> {
  const context = { sensor, now, sensorStartedAt, signal, client, log: book.log, resources };
  const value = await definition.initialCursor?.(context as never);
  const cursor: CursorChange = { kind: 'set', value: checkCursor(definition, value) };
  return {
    requests: [],
    skipReason: 'the initial cursor was stored',
    cursor,
    partitionRequests: [],
    assetEvents: [],
    upToDate: [],
    more: true,
    initialCursor: true,
  };
}

/** Everything that was yielded or returned, in order, arrays opened. */
export async function collect(returned: unknown, signal: AbortSignal): Promise<unknown[]> {
  const given: unknown[] = [];
  const take = (value: unknown): void => void (Array.isArray(value) ? given.push(...value.flat(1)) : given.push(value));
  const value = await returned;
  if (!isGenerator(value)) {
    take(value);
    return given;
  }
  for (let step = await value.next(); ; step = await value.next()) {
    take(step.value);
    if (step.done === true) return given;
    if (signal.aborted) {
      await value.return(undefined);
      throw signal.reason;
    }
  }
}

function isGenerator(value: unknown): value is Generator | AsyncGenerator {
  return (
    typeof value === 'object' &&
    value !== null &&
    'next' in value &&
    typeof value.next === 'function' &&
    'return' in value &&
    typeof value.return === 'function'
  );
}

export class EvaluationContext implements SensorContextBase<undefined, undefined, Resources> {
  readonly sensor: string;
  readonly tick: number;
  readonly events: readonly Json[];
  readonly now: Date;
  readonly lastTickAt: Date | undefined;
  readonly lastRunKey: string | undefined;
  readonly isFirstTickSinceStart: boolean;
  readonly sensorStartedAt: Date;
  readonly client: Client;
  readonly resources: BuiltResources<Resources>;
  readonly heartbeat: () => void;
  /** Requests and skip reasons that were made and not yet given back. */
  readonly #open = new Set<RunRequest | SkipReason>();
  readonly #made = new Set<unknown>();
  readonly #definition: SensorDefinition;
  readonly #services: EvaluationServices;
  #cursor: unknown;
  #change: CursorChange = { kind: 'keep' };
  #migrated: CursorChange | undefined;
  #more = false;
  #fed: FeedReport | undefined;
  readonly #feed: FeedFacts;
  readonly #assets: AssetReader;
  readonly #assetRequests: AssetRequest[] = [];
  readonly #upToDate: UpToDate[] = [];
  readonly #recorder = assetRecorder(this.#assetRequests);

  /** @param stored the cursor as it is stored from now on; another one than `facts.cursor` when it was migrated */
  constructor(
    definition: SensorDefinition,
    facts: EvaluationFacts,
    services: EvaluationServices,
    stored: StoredCursor | undefined
  ) {
    this.#definition = definition;
    this.#services = services;
    this.#feed = facts.feed;
    this.#assets = facts.assets;
    this.#cursor = readCursor(definition, stored);
    if (stored !== undefined && stored !== facts.cursor) this.#migrated = { kind: 'set', value: stored.value };
    this.sensor = facts.sensor;
    this.tick = facts.tick;
    this.events = facts.events;
    this.now = facts.now;
    this.lastTickAt = facts.lastTickAt;
    this.lastRunKey = facts.lastRunKey;
    this.isFirstTickSinceStart = facts.isFirstTickSinceStart;
    this.sensorStartedAt = facts.sensorStartedAt;
    this.client = services.client;
    this.resources = services.resources;
    this.heartbeat = services.heartbeat;
    // own, bound properties: authors take them apart (`const { run, skip } = ctx`)
    this.run = this.run.bind(this);
    this.backfill = this.backfill.bind(this);
    this.skip = this.skip.bind(this);
    this.more = this.more.bind(this);
    this.setCursor = this.setCursor.bind(this);
    this.clearCursor = this.clearCursor.bind(this);
    this.materialize = this.materialize.bind(this);
    this.observe = this.observe.bind(this);
  }

  // asked for when they are used: most evaluations of a simulation never do
  get signal(): AbortSignal {
    return this.#services.signal;
  }

  get log(): SensorLog {
    return this.#services.book.log;
  }

  get cursor(): undefined {
    return this.#cursor as undefined;
  }

  get [FEED](): FeedHost {
    return {
      ...this.#feed,
      resolveJob: (job) => this.resolveJob(job).name,
      problemOf: (request) => requestProblem(request, this.#definition, this.now),
      request: (made) => this.#remember({ ...made }),
      narrow: (requests) => this.#narrow(requests),
      checkAssets: (requests) => this.#checkAssets(requests),
      record: (requests) => void this.#assetRequests.push(...requests),
      report: (report) => (this.#fed = report),
    };
  }

  setCursor(cursor: unknown): void {
    this.#change = { kind: 'set', value: checkCursor(this.#definition, cursor) };
    this.#cursor = readCursor(this.#definition, this.#change);
  }

  clearCursor(): void {
    this.#change = { kind: 'clear' };
    this.#cursor = readCursor(this.#definition, undefined);
  }

  materialize(asset: AssetReference, options?: AssetEventOptions): void {
    this.#recorder.materialize(asset, options);
  }

  observe(asset: AssetReference, options?: AssetEventOptions): void {
    this.#recorder.observe(asset, options);
  }

  /** What was said of assets, in order. */
  get recorded(): readonly AssetRequest[] {
    return this.#assetRequests;
  }

  async #narrow(given: readonly RunRequest[]): Promise<readonly RunRequest[]> {
    const { requests, upToDate } = await narrowToStale(given, this.#definition, this.#assets, this.now);
    this.#upToDate.push(...upToDate);
    return requests;
  }

  async #checkAssets(requests: readonly AssetRequest[]): Promise<void> {
    const { definitionOf, partitionKeys } = this.#assets;
    const sets = setsOfAssets(requests, definitionOf);
    const keys = sets.length === 0 ? undefined : await partitionKeys(sets);
    const has = (set: string, key: string): boolean => keys?.get(set)?.includes(key) === true;
    checkAssetPartitions(requests, { now: this.now, definitionOf, has });
  }

  run(request: GivenRequest = {}): RunRequest {
    return this.#remember(requestOf(this.resolveJob(request.job).name, request));
  }

  backfill(request: GivenBackfillRequest): RunRequest {
    return this.#remember({ ...requestOf(this.resolveJob(request.job).name, request), ...backfillOf(request) });
  }

  skip(reason: string): SkipReason {
    return this.#remember({ kind: 'skip', reason: cutText(String(reason), MAX_TEXT_BYTES) } as SkipReason);
  }

  more(): More {
    this.#more = true;
    const made = { kind: 'more' } as More;
    this.#made.add(made);
    return made;
  }

  #remember<T extends RunRequest | SkipReason>(made: T): T {
    Object.freeze(made);
    this.#open.add(made);
    this.#made.add(made);
    return made;
  }

  protected resolveJob(job: unknown): Pick<JobDefinition, 'name'> {
    const { jobs, name } = this.#definition;
    const names = jobs.map((each) => `'${each.name}'`).join(', ');
    if (jobs.length === 0) {
      throw new EvaluationError(`sensor '${name}' has no job, so it cannot request a run; add 'job' or 'jobs' to it`);
    }
    const [first] = jobs;
    if (job === undefined && first !== undefined && jobs.length === 1) return first;
    const wanted: unknown = typeof job === 'object' && job !== null && 'name' in job ? job.name : job;
    const found = jobs.find((each) => each.name === wanted);
    if (found !== undefined) return found;
    if (job === undefined)
      throw new EvaluationError(`a run request of sensor '${name}' names no job; accepted: ${names}`);
    throw new EvaluationError(
      `a run request names job ${quote(wanted)}, which sensor '${name}' does not have; accepted: ${names}`
    );
  }

  /** Turns everything given into the outcome. */
  settle(given: readonly unknown[]): EvaluationOutcome {
    const items = given.filter((item) => item !== null && item !== undefined);
    const results = items.filter((item): item is SensorResult => !this.#isMade(item) && isSensorResult(item));
    const nonsense = items.find((item) => !this.#isMade(item) && !isSensorResult(item));
    if (nonsense !== undefined) {
      throw new EvaluationError(
        `evaluate gave ${describe(nonsense)}; accepted: what ctx.run, ctx.skip and ctx.more return, arrays of them, ` +
          `{ runRequests, skipReason, cursor, partitionRequests, more }, or nothing`
      );
    }
    if (results.length > 1) throw new EvaluationError('evaluate gave two result objects; accepted: one');
    const [result] = results;
    if (result !== undefined) for (const request of result.runRequests ?? []) items.push(request);
    if (typeof result?.skipReason === 'string') items.push(this.skip(result.skipReason));
    else if (result?.skipReason !== undefined) items.push(result.skipReason);

    const requests: RunRequest[] = [];
    const skips: SkipReason[] = [];
    for (const item of items) {
      if (isSensorResult(item) && !this.#isMade(item)) continue;
      if (!this.#isMade(item)) {
        throw new EvaluationError(
          `runRequests contains ${describe(item)}; accepted: what ctx.run returned in this evaluation`
        );
      }
      if (item.kind === 'more') continue;
      if (!this.#open.delete(item)) {
        throw new EvaluationError(`${title(item)} was given twice; call ctx.${makerOf(item)} once for each`);
      }
      if (item.kind === 'run') requests.push(item);
      else skips.push(item);
    }
    const [forgotten] = this.#open;
    if (forgotten !== undefined) {
      throw new EvaluationError(
        `${title(forgotten)} was made with ctx.${makerOf(forgotten)} but neither yielded nor returned` +
          (forgotten.kind === 'run' ? '; it would be a lost run, so nothing of this tick was started' : '')
      );
    }
    if (skips.length > 1) throw new EvaluationError('evaluate gave two skip reasons; accepted: one');
    if (skips.length === 1 && requests.length > 0) {
      throw new EvaluationError(
        `evaluate gave a skip reason together with ${requests.length} run requests; accepted: one or the other`
      );
    }
    return {
      requests,
      skipReason: skips[0]?.reason,
      cursor: this.#settleCursor(result),
      partitionRequests: checkPartitionRequests(result?.partitionRequests),
      assetEvents: this.#assetRequests,
      upToDate: this.#upToDate,
      more: this.#more || result?.more === true,
      ...(this.#fed === undefined ? {} : { fed: this.#fed }),
    };
  }

  #settleCursor(result: SensorResult | undefined): CursorChange {
    if (result?.cursor === undefined)
      return this.#change.kind === 'keep' ? (this.#migrated ?? this.#change) : this.#change;
    if (this.#change.kind !== 'keep') {
      throw new EvaluationError(
        'the cursor was set by ctx.setCursor and by the result object in one tick; accepted: one of them'
      );
    }
    return { kind: 'set', value: checkCursor(this.#definition, result.cursor) };
  }

  #isMade(item: unknown): item is RunRequest | SkipReason | More {
    return this.#made.has(item);
  }
}

function checkPartitionRequests(requests: readonly unknown[] = []): readonly PartitionRequest[] {
  const nonsense = requests.find((request) => !isPartitionRequest(request));
  if (nonsense === undefined && !requests.includes(undefined)) return requests as readonly PartitionRequest[];
  throw new EvaluationError(
    `partitionRequests contains ${describe(nonsense)}; accepted: what add and delete of a dynamic partition set return`
  );
}

const RESULT_FIELDS = new Set(['runRequests', 'skipReason', 'cursor', 'partitionRequests', 'more']);

function isSensorResult(value: unknown): value is SensorResult {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    Object.getPrototypeOf(value) !== Object.prototype
  ) {
    return false;
  }
  const { runRequests = [], partitionRequests = [] } = value as SensorResult;
  const lists = Array.isArray(runRequests) && Array.isArray(partitionRequests);
  return lists && Object.keys(value).every((key) => RESULT_FIELDS.has(key));
}

/** What of the context makes such an item. */
function makerOf(item: RunRequest | SkipReason | More): string {
  return item.kind === 'run' && item.backfill !== undefined ? 'backfill' : item.kind;
}

function title(item: RunRequest | SkipReason): string {
  if (item.kind === 'skip') return 'a skip reason';
  return `a ${makerOf(item)} request of job '${item.job}' (${item.runKey === undefined ? 'no run key' : `run key ${quote(item.runKey)}`})`;
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`;
  if (Array.isArray(value)) return 'an array inside an array';
  const keys = Object.keys(value);
  const unknown = keys.find((key) => !RESULT_FIELDS.has(key));
  if (Object.getPrototypeOf(value) === Object.prototype && unknown !== undefined)
    return `an object with a field '${unknown}'`;
  return `a ${value.constructor?.name ?? 'object'}`;
}
