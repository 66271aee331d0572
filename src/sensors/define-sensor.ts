/**
 * Sensors, and the words this package uses for them.
 *
 * - **job**: a Temporal workflow type with a schema for its config. **run**: one execution of it.
 * - **sensor**: a definition (name, jobs, interval, cursor schema, `evaluate`) and the workflow that runs it, the
 *   **loop**.
 * - **evaluation**: one call of the author's `evaluate`. **tick**: one evaluation with its outcome: `started` (in
 *   progress), `success` (at least one run started), `skipped` (nothing to start) or `failure` (the evaluation failed,
 *   or all it asked for was rejected).
 * - **run request**: what `evaluate` yields. **run key**: its identity; at most one run per sensor, job and run key.
 * - **cursor**: the author's typed position, stored when a tick ends well. **skip reason**: why a tick started nothing.
 * - **quiet tick**: a tick with nothing new; it leaves no history. **dead letter**: a rejected request kept for a
 *   decision. **pending**: requests accepted but not yet started.
 * - **operator**: the person with the CLI or Temporal Web. **author**: the person who writes sensors.
 */
import type { Client } from '@temporalio/client';
import type { z } from 'zod';
import { checkAssets, type AssetDefinition } from './define-asset.js';
import { checkSchema, type JobDefinition } from './define-job.js';
import type { BuiltResources, Resources } from './define-resource.js';
import { parseDuration, type Duration } from './duration.js';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from './errors.js';
import { resolveEnv, type EnvValue } from './env.js';
import { jsonBytes, type Json } from './json.js';
import { MAX_EVENT_ATTEMPTS, MAX_INTERVAL_MS, MAX_OPTIONS_BYTES, MIN_INTERVAL_MS } from './limits.js';
import type { RunInterest } from './protocol.js';
import { collectResources } from './resource-names.js';
import { stableShare, type Backoff } from './rhythm.js';
import type { Evaluation, More, RunFunction, SkipReason } from './run-request.js';
import type { AssetRecorder } from './asset-requests.js';
import { boundTo, type SensorTestContext } from './test-context.js';

/** `undefined` until the first `setCursor`, unless the schema accepts "nothing" (`.default`, `.prefault`). */
export type CursorOf<S> = S extends z.ZodType
  ? undefined extends z.input<S>
    ? z.output<S>
    : z.output<S> | undefined
  : undefined;
/** What `setCursor` takes. */
export type CursorInput<S> = S extends z.ZodType ? Exclude<z.output<S>, undefined> : never;
type EventOf<E> = E extends z.ZodType ? z.output<E> : Json;

/** Writes to the worker's logger; kept with ticks that did something or failed (first 50 lines, 4 KB). */
export interface SensorLog {
  debug(message: string, metadata?: Readonly<Record<string, unknown>>): void;
  info(message: string, metadata?: Readonly<Record<string, unknown>>): void;
  warn(message: string, metadata?: Readonly<Record<string, unknown>>): void;
  error(message: string, metadata?: Readonly<Record<string, unknown>>): void;
}

/** What `evaluate` gets, beside `run`. */
export interface SensorContextBase<S, E, R extends Resources> extends AssetRecorder {
  /** Name of the sensor, with the plugin's prefix. */
  readonly sensor: string;
  /** The stored position, or what `setCursor` set in this evaluation. Frozen. */
  readonly cursor: CursorOf<S>;
  /** Stores a new position when the tick ends well. At most 64 KB of JSON; checked against the schema at once. */
  setCursor(cursor: CursorInput<S>): void;
  /** Forgets the position: the next evaluation starts as the first one did. */
  clearCursor(): void;
  /** Says why this tick starts nothing. Yield or return it. */
  skip(reason: string): SkipReason;
  /** Asks for the next evaluation at once instead of after the interval. Counts only if this tick brought news. */
  more(): More;
  /** Events pushed to this sensor since the last tick that ended well, oldest first. */
  readonly events: readonly EventOf<E>[];
  readonly log: SensorLog;
  /** Instances of the sensor's resources, by name; ready before `evaluate` is called. */
  readonly resources: BuiltResources<R>;
  /** The worker's time when the evaluation began. */
  readonly now: Date;
  /** When the previous evaluation ended; inside a quiet streak that is the previous quiet one. */
  readonly lastTickAt: Date | undefined;
  /** The last run key of the last tick that asked for one. */
  readonly lastRunKey: string | undefined;
  readonly isFirstTickSinceStart: boolean;
  /** When the sensor was last started. */
  readonly sensorStartedAt: Date;
  /** The number this tick gets if it is recorded; quiet ticks share one. */
  readonly tick: number;
  /** Aborted at the timeout, at a stop, at a cursor edit and at worker shutdown. Pass it on to what you await. */
  readonly signal: AbortSignal;
  /** Tells Temporal that the evaluation is alive; the framework does so by itself every second. */
  heartbeat(): void;
  /** A client of the worker's cluster and namespace. */
  readonly client: Client;
}

export type SensorContext<
  Jobs extends readonly JobDefinition[] = readonly [],
  S = undefined,
  E = undefined,
  R extends Resources = {},
> = SensorContextBase<S, E, R> & RunFunction<Jobs>;

/** What `initialCursor` gets. */
export type InitialCursorContext<R extends Resources = {}> = Pick<
  SensorContextBase<undefined, undefined, R>,
  'sensor' | 'now' | 'signal' | 'client' | 'log' | 'resources' | 'sensorStartedAt'
>;

/** A pause that doubles from `min` to `max`, 100 ms to 30 days. */
export interface BackoffOptions {
  /** @default the interval */
  readonly min?: Duration;
  readonly max: Duration;
}

/** A change of health, for `onFailure` and `onRecovered`. */
export interface HealthChange {
  readonly sensor: string;
  /** Message of the last failure. */
  readonly error: string;
  /** When the sensor began to fail. */
  readonly failingSince: Date;
  readonly client: Client;
}

/** The jobs of `job` or `jobs`. */
export type Targets<J, Js extends readonly JobDefinition[]> = [J] extends [never]
  ? Js
  : J extends JobDefinition
    ? readonly [J]
    : readonly [];

export interface SensorOptions<
  J extends JobDefinition,
  Js extends readonly JobDefinition[],
  S extends z.ZodType<Json | undefined> | undefined,
  E extends z.ZodType<Json> | undefined,
  R extends Resources,
  G extends Evaluation<CursorInput<S>> = Evaluation<CursorInput<S>>,
> {
  /** 1 to 100 characters of `A-Z a-z 0-9 _ . -`; part of every run's workflow ID. */
  readonly name: string;
  /** The job this sensor starts. Without `job` and `jobs` there is no `ctx.run`. */
  readonly job?: J;
  /** Several jobs: `ctx.run` then needs `job`. */
  readonly jobs?: Js;
  /** From the end of one evaluation to the next, 100 ms to 30 days. @default '30s' */
  readonly interval?: Duration | EnvValue;
  /**
   * Adds a share of this to the interval, always the same for a sensor, so that many sensors with one interval do not
   * tick at once. @default none
   */
  readonly jitter?: Duration;
  /** Pauses of a sensor that finds nothing new: from `min` (default: the interval), doubling, to `max`. @default none */
  readonly idleBackoff?: BackoffOptions;
  /** Pauses of a sensor that fails: from `min` (default: the interval), doubling, to `max`. @default none */
  readonly failureBackoff?: BackoffOptions;
  /** After so many failures in a row, 1 to 1,000, the sensor stops itself. Each of them is recorded. @default never */
  readonly stopAfterFailures?: number;
  /** How long one evaluation may take before `ctx.signal` aborts it and the tick fails. @default '60s' */
  readonly timeout?: Duration;
  /** Whether the sensor runs without anyone starting it; an operator's choice wins. @default 'stopped' */
  readonly defaultStatus?: 'running' | 'stopped';
  /** Schema of the cursor. It must parse what it produced: no transforms, no `.catch`. */
  readonly cursor?: S;
  /** Makes a cursor that fits out of a stored one that no longer does. Without it such a tick fails. */
  readonly migrateCursor?: (stored: Json) => CursorInput<S>;
  /**
   * Where a sensor without a cursor begins. Called once, by a tick of its own that stores the answer before anything
   * is read from there; again after the cursor was cleared. For schemas without a default, so `ctx.cursor` is still
   * `T | undefined` for the compiler, though it is always there: `ctx.cursor!`.
   */
  readonly initialCursor?: (ctx: InitialCursorContext<R>) => CursorInput<S> | Promise<CursorInput<S>>;
  /** Assets whose changes it looks for, made here or elsewhere, up to 100: for the lineage. @default none */
  readonly watches?: readonly AssetDefinition[];
  /** Schema of one pushed event. Events that do not fit go to the dead letters. @default any JSON */
  readonly events?: E;
  /** What `ctx.resources` has, by name. Made before `evaluate` is called, shared by the worker. @default none */
  readonly resources?: R;
  /** Failed deliveries of pushed events before they go to the dead letters. @default 10 */
  readonly maxEventAttempts?: number;
  /** `'hashed'` keeps run keys out of workflow IDs, which are never encrypted. @default 'readable' */
  readonly runIds?: 'readable' | 'hashed';
  /**
   * How long a run key is remembered, at least: 1 hour to 10 years, or `'forever'`. Afterwards the same key may run
   * again. @default 'forever'
   */
  readonly dedupe?: 'forever' | Duration;
  /** At most so many runs start in one tick; the others are pending and come with the next ones. @default no limit */
  readonly maxRunsPerTick?: number;
  /**
   * What one bad run request does: `'deadLetter'` keeps it for a decision and starts the others, `'fail'` fails the
   * whole tick. @default 'deadLetter'
   */
  readonly onInvalid?: 'deadLetter' | 'fail';
  /** Earlier name of this sensor: its cursor, keys, pending requests and status move to the new one. */
  readonly renamedFrom?: string;
  /** For display. */
  readonly description?: string;
  /** For display and filters; never put on runs. */
  readonly tags?: Readonly<Record<string, string>>;
  /** For display. */
  readonly owners?: readonly string[];
  /** Called once when the sensor begins to fail. At least once: it may repeat if the worker dies. */
  readonly onFailure?: (change: HealthChange) => void | Promise<void>;
  /** Called once when the sensor no longer fails. At least once. */
  readonly onRecovered?: (change: HealthChange) => void | Promise<void>;
  /** Looks outside and says what to run. It runs to its end before anything is started. */
  readonly evaluate: (ctx: SensorContext<Targets<J, Js>, S, E, R>) => G;
}

/** What a sensor can be told of the application it belongs to. */
export interface Application {
  /** Names of all its jobs. */
  readonly jobs: readonly string[];
  /** Put before the names of its sensors. */
  readonly prefix: string;
}

/** A sensor: frozen data and one function. */
export interface SensorDefinition {
  readonly kind: 'sensor';
  readonly name: string;
  readonly jobs: readonly JobDefinition[];
  /** With its jitter. */
  readonly intervalMs: number;
  readonly idleBackoff: Backoff | undefined;
  readonly failureBackoff: Backoff | undefined;
  readonly stopAfterFailures: number | undefined;
  readonly timeoutMs: number;
  readonly defaultStatus: 'running' | 'stopped';
  readonly cursor: z.ZodType | undefined;
  readonly migrateCursor: ((stored: Json) => unknown) | undefined;
  readonly initialCursor: ((ctx: never) => unknown) | undefined;
  readonly events: z.ZodType | undefined;
  readonly resources: Resources;
  readonly maxEventAttempts: number;
  readonly runIds: 'readable' | 'hashed';
  /** Absent: for ever. */
  readonly dedupeMs: number | undefined;
  readonly maxRunsPerTick: number | undefined;
  readonly onInvalid: 'deadLetter' | 'fail';
  readonly renamedFrom: string | undefined;
  readonly description: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly owners: readonly string[];
  /** Assets whose changes it looks for. */
  readonly watches: readonly AssetDefinition[];
  /** Runs whose start or end wakes the sensor; `jobs`: those of every job of its plugin. For sensors built on this one. */
  readonly watchesRuns: (Omit<RunInterest, 'types'> & { readonly types?: readonly string[] | 'jobs' }) | undefined;
  /** Its `evaluate` hands events to handlers, one by one. */
  readonly fed: boolean;
  /** What a sensor of events looks at, as far as `watchesRuns` does not say it: workers with another one are older. */
  readonly monitors: Json | undefined;
  /** Asked when a worker starts. @throws DefinitionError for what only the server can tell is wrong */
  readonly checkOnServer: ((client: Client, application: Application) => Promise<void>) | undefined;
  readonly onFailure: ((change: HealthChange) => void | Promise<void>) | undefined;
  readonly onRecovered: ((change: HealthChange) => void | Promise<void>) | undefined;
  readonly evaluate: (ctx: never) => unknown;
}

declare const cursorOf: unique symbol;

/** What {@link defineSensor} gives: `Cursor` is the type of `ctx.cursor`, `Given` what the author's `evaluate` returns. */
export interface Sensor<Cursor = unknown, Given = unknown> extends SensorDefinition {
  readonly [cursorOf]?: Cursor;
  /** The author's function. Tests call it with what `buildSensorContext` of `temporal-sensors/testing` gives. */
  readonly evaluate: (ctx: SensorTestContext) => Given;
}

const OPTIONS = [
  'name',
  'job',
  'jobs',
  'interval',
  'jitter',
  'idleBackoff',
  'failureBackoff',
  'stopAfterFailures',
  'timeout',
  'defaultStatus',
  'cursor',
  'migrateCursor',
  'initialCursor',
  'events',
  'resources',
  'maxEventAttempts',
  'runIds',
  'dedupe',
  'maxRunsPerTick',
  'onInvalid',
  'renamedFrom',
  'description',
  'tags',
  'owners',
  'watches',
  'onFailure',
  'onRecovered',
  'evaluate',
] as const;

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const MAX_DEDUPE_MS = 3_653 * DAY_MS;

/**
 * Defines a sensor. Everything but `evaluate` itself is checked here.
 *
 * ```ts
 * export const newFiles = defineSensor({
 *   name: 'newFiles',
 *   job: processFile,
 *   interval: '30s',
 *   async *evaluate(ctx) {
 *     for (const file of await readdir('inbox')) yield ctx.run({ runKey: file, config: { path: `inbox/${file}` } });
 *   },
 * });
 * ```
 *
 * @throws {@link DefinitionError} quoting the bad value, its place and what is accepted
 */
export function defineSensor<
  J extends JobDefinition = never,
  const Js extends readonly JobDefinition[] = readonly [],
  S extends z.ZodType<Json | undefined> | undefined = undefined,
  E extends z.ZodType<Json> | undefined = undefined,
  const R extends Resources = {},
  G extends Evaluation<CursorInput<S>> = Evaluation<CursorInput<S>>,
>(options: SensorOptions<J, Js, S, E, R, G>): Sensor<CursorOf<S>, G> {
  checkName(options.name, 'the name of a sensor');
  const place = `sensor '${options.name}'`;
  refuseUnknownOptions(options, OPTIONS, place);
  if (typeof options.evaluate !== 'function') {
    throw new DefinitionError(`${place}: evaluate is ${quote(options.evaluate)}; accepted: a function or generator`);
  }
  if (options.cursor !== undefined) {
    checkSchema(options.cursor, `${place}: cursor`);
    if (containsCatch(options.cursor)) {
      throw new DefinitionError(
        `${place}: cursor has a schema with .catch(), which would reset a stored cursor silently; remove it`
      );
    }
  }
  if (options.events !== undefined) checkSchema(options.events, `${place}: events`);
  checkCursorFunctions(options, place);
  collectResources([{ place, resources: options.resources ?? {} }]);
  const intervalMs = checkInterval(options, place);
  const definition: Sensor<CursorOf<S>, G> = {
    kind: 'sensor',
    name: options.name,
    jobs: checkJobs(options, place),
    intervalMs,
    idleBackoff: checkBackoff(options.idleBackoff, intervalMs, `${place}: idleBackoff`),
    failureBackoff: checkBackoff(options.failureBackoff, intervalMs, `${place}: failureBackoff`),
    stopAfterFailures:
      options.stopAfterFailures === undefined
        ? undefined
        : checkCount(options.stopAfterFailures, 1_000, `${place}: stopAfterFailures`),
    timeoutMs: parseDuration(options.timeout ?? '60s', `${place}: timeout`, MIN_INTERVAL_MS, DAY_MS),
    defaultStatus: oneOf(options.defaultStatus ?? 'stopped', ['running', 'stopped'], `${place}: defaultStatus`),
    cursor: options.cursor,
    migrateCursor: options.migrateCursor,
    initialCursor: options.initialCursor,
    events: options.events,
    resources: Object.freeze({ ...options.resources }),
    maxEventAttempts: checkCount(options.maxEventAttempts ?? MAX_EVENT_ATTEMPTS, 1000, `${place}: maxEventAttempts`),
    runIds: oneOf(options.runIds ?? 'readable', ['readable', 'hashed'], `${place}: runIds`),
    dedupeMs:
      options.dedupe === undefined || options.dedupe === 'forever'
        ? undefined
        : parseDuration(options.dedupe, `${place}: dedupe`, HOUR_MS, MAX_DEDUPE_MS),
    maxRunsPerTick:
      options.maxRunsPerTick === undefined
        ? undefined
        : checkCount(options.maxRunsPerTick, 1_000_000, `${place}: maxRunsPerTick`),
    onInvalid: oneOf(options.onInvalid ?? 'deadLetter', ['deadLetter', 'fail'], `${place}: onInvalid`),
    renamedFrom: checkRenamedFrom(options.renamedFrom, options.name, place),
    description: options.description,
    tags: Object.freeze({ ...options.tags }),
    owners: Object.freeze([...(options.owners ?? [])]),
    watches: checkAssets(options.watches, `${place}: watches`),
    watchesRuns: undefined,
    fed: false,
    monitors: undefined,
    checkOnServer: undefined,
    onFailure: options.onFailure,
    onRecovered: options.onRecovered,
    evaluate: (ctx) => options.evaluate(boundTo(definition, ctx)),
  };
  const bytes = jsonBytes([
    definition.description,
    definition.tags,
    definition.owners,
    definition.jobs.map(({ name }) => name),
  ]);
  if (bytes > MAX_OPTIONS_BYTES - 1024) {
    throw new DefinitionError(
      `${place}: description, tags, owners and job names are ${bytes} bytes together; at most 15 KB`
    );
  }
  return Object.freeze(definition);
}

function checkJobs(options: { job?: unknown; jobs?: unknown }, place: string): readonly JobDefinition[] {
  if (options.job !== undefined && options.jobs !== undefined) {
    throw new DefinitionError(`${place} has both 'job' and 'jobs'; accepted: one of them`);
  }
  const jobs = options.job !== undefined ? [options.job] : (options.jobs ?? []);
  if (!Array.isArray(jobs)) throw new DefinitionError(`${place}: jobs is ${quote(jobs)}; accepted: an array of jobs`);
  const names = new Set<string>();
  for (const job of jobs as unknown[]) {
    if (!isJob(job)) throw new DefinitionError(`${place}: job is ${quote(job)}; accepted: what defineJob returned`);
    if (names.has(job.name)) throw new DefinitionError(`${place} has two jobs named '${job.name}'`);
    names.add(job.name);
  }
  return Object.freeze([...(jobs as JobDefinition[])]);
}

function isJob(value: unknown): value is JobDefinition {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'job';
}

function checkInterval(
  { name, interval, jitter }: { name: string; interval?: Duration | EnvValue; jitter?: Duration },
  place: string
): number {
  const given = resolveEnv(interval ?? '30s', `${place}: interval`);
  const ms = parseDuration(given, `${place}: interval`, MIN_INTERVAL_MS, MAX_INTERVAL_MS);
  if (jitter === undefined) return ms;
  const most = parseDuration(jitter, `${place}: jitter`, 0, MAX_INTERVAL_MS - ms);
  return ms + Math.round(stableShare(name) * most);
}

function checkBackoff(backoff: unknown, intervalMs: number, place: string): Backoff | undefined {
  if (backoff === undefined) return undefined;
  if (typeof backoff !== 'object' || backoff === null)
    throw new DefinitionError(
      `${place} is ${quote(backoff)}; accepted: { max }, a duration, and min if it is not the interval`
    );
  refuseUnknownOptions(backoff, ['min', 'max'], place);
  const { min, max } = backoff as Partial<BackoffOptions>;
  const minMs = parseDuration(min ?? intervalMs, `${place}.min`, MIN_INTERVAL_MS, MAX_INTERVAL_MS);
  const maxMs = parseDuration(max, `${place}.max`, MIN_INTERVAL_MS, MAX_INTERVAL_MS);
  if (maxMs < minMs) throw new DefinitionError(`${place}.max is ${quote(max)}, less than its min of ${minMs} ms`);
  return { minMs, maxMs };
}

function checkCursorFunctions(
  { cursor, migrateCursor, initialCursor }: { cursor?: unknown; migrateCursor?: unknown; initialCursor?: unknown },
  place: string
): void {
  for (const [name, value] of Object.entries({ migrateCursor, initialCursor })) {
    if (value === undefined) continue;
    if (typeof value !== 'function')
      throw new DefinitionError(`${place}: ${name} is ${quote(value)}; accepted: a function`);
    if (cursor === undefined) throw new DefinitionError(`${place} has ${name} but no cursor; add the cursor's schema`);
  }
  if (initialCursor !== undefined && (cursor as z.ZodType).safeParse(undefined).success) {
    throw new DefinitionError(`${place} has initialCursor and a cursor schema with a default; accepted: one of them`);
  }
}

/**
 * @throws {@link DefinitionError} for what is not a whole number from 1 to `max`
 */
export function checkCount(value: unknown, max: number, place: string): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > max) {
    throw new DefinitionError(`${place} is ${quote(value)}; accepted: 1 to ${max}`);
  }
  return value as number;
}

function checkRenamedFrom(value: unknown, name: string, place: string): string | undefined {
  if (value === undefined) return undefined;
  checkName(value, `${place}: renamedFrom`);
  if (value === name) throw new DefinitionError(`${place}: renamedFrom is its own name; give its earlier one`);
  return value;
}

function oneOf<T extends string>(value: unknown, accepted: readonly T[], place: string): T {
  if (!accepted.includes(value as T)) {
    throw new DefinitionError(
      `${place} is ${quote(value)}; accepted: ${accepted.map((item) => `'${item}'`).join(' or ')}`
    );
  }
  return value as T;
}

/** Whether a zod schema or one inside it was made with `.catch()`. */
function containsCatch(schema: unknown, seen = new Set<unknown>()): boolean {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return false;
  seen.add(schema);
  const def: unknown = '_zod' in schema ? (schema as z.ZodType)._zod.def : schema;
  if (typeof def !== 'object' || def === null) return false;
  if ('_zod' in schema && (def as { type?: unknown }).type === 'catch') return true;
  return Object.values(def).some((inner) => containsCatch(inner, seen));
}
