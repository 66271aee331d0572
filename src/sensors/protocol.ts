/**
 * What the loop, its activities and its clients say to each other: types and wire names, no code.
 *
 * All of it is JSON, because it crosses activity results, signals, updates, queries and continue-as-new. Times are
 * milliseconds since the epoch unless named otherwise. Pure: the workflow bundle contains this file.
 */
import type { Metadata, TickAssetEvent } from './asset-event.js';
import type { CursorChange, StoredCursor } from './cursor.js';
import type { Priority, RetryPolicy } from '@temporalio/common';
import type { Json } from './json.js';
import type { Ledger, LedgerView } from './key-ledger.js';
import type { LogLine } from './log-book.js';
import type { PartitionMapping } from './partition-mapping.js';
import type { RecentRuns } from './recent-runs.js';
import type { Backoff } from './rhythm.js';
import type { RunStatus } from './status-run.js';
import type { Tags } from './tags.js';

/** Version of what this file describes. A worker with a newer one makes running loops continue as new. */
export const PROTOCOL = 3;

/** Workflow type of the loop; the user's workflow module re-exports it. */
export const LOOP_TYPE = 'sensorLoop';
/** Property of our workflow function, so that another one of the same name is told apart. */
export const LOOP_MARK = 'temporalSensorsLoop';
export const LOOP_ID_PREFIX = 'sensor/';
/** Workflow type of a page; the user's workflow module re-exports it with the loop. */
export const PAGE_TYPE = 'sensorPage';
export const PAGE_ID_PREFIX = 'page/';
/** Kind of the pages of requests that wait for as long as it takes. */
export const PENDING_PAGES = 'pending';
/** Workflow type of a dynamic partition set; the user's workflow module re-exports it with the loop. */
export const PARTITIONS_TYPE = 'sensorPartitions';
export const PARTITIONS_ID_PREFIX = 'partitions/';
export const PARTITIONS_UPDATE = 'change';
export const PARTITION_KEYS_QUERY = 'keys';
/** Workflow type of an asset's log; the user's workflow module re-exports it with the loop. */
export const ASSET_LOG_TYPE = 'sensorAssetLog';
/** What the log answers while it looks whether there was one before. */
export const ASSET_LOG_RECOVERING = 'is being recovered; ask again in a moment';
/** Workflow type of a backfill; the user's workflow module re-exports it with the loop. */
export const BACKFILL_TYPE = 'sensorBackfill';
export const BACKFILL_ID_PREFIX = 'backfill/';
/** Waits until a backfill is planned; fails with the reason when it cannot be. */
export const BACKFILL_PLAN_UPDATE = 'plan';
export const BACKFILL_SIGNALS = { pause: 'pause', resume: 'resume', cancel: 'cancel' } as const;
export const BACKFILL_PROGRESS_QUERY = 'progress';
/** Memo key of a backfill: a `BackfillProgress`. */
export const BACKFILL_MEMO = 'sensorBackfill';
/** Workflows that are ours: nobody monitors them who does not name them. */
export const OWN_TYPES: readonly string[] = [LOOP_TYPE, PAGE_TYPE, PARTITIONS_TYPE, ASSET_LOG_TYPE, BACKFILL_TYPE];
export const ASSET_LOG_ID_PREFIX = 'asset/';
export const ASSET_SIGNALS = {
  record: 'record',
  subscribe: 'subscribe',
  unsubscribe: 'unsubscribe',
  retain: 'retain',
} as const;
export const ASSET_QUERIES = { read: 'read', state: 'state' } as const;
/** Memo key of an asset's log: an {@link AssetMemo}. */
export const ASSET_MEMO = 'asset';
/** Memo key of a page: a {@link PageMemo}. */
export const PAGE_MEMO = 'sensorPage';
/** Memo key of a loop: a {@link SensorMemo}. */
export const SENSOR_MEMO = 'sensor';
/** Who stops a sensor that fails too often, in `statusBy` and the audit: the option of its definition. */
export const STOPPED_BY_FAILURES = 'stopAfterFailures';
/** Memo key of a run: a {@link RunMemo}. */
export const RUN_MEMO = 'sensorRun';

export const SIGNALS = { start: 'start', stop: 'stop', tick: 'tick', push: 'push', configure: 'configure' } as const;
export const UPDATES = {
  start: 'start',
  stop: 'stop',
  tick: 'tick',
  setCursor: 'setCursor',
  preview: 'preview',
  apply: 'apply',
  reset: 'reset',
  rerun: 'rerun',
  rearm: 'rearm',
  retryDeadLetters: 'retryDeadLetters',
  discardDeadLetters: 'discardDeadLetters',
  discardPending: 'discardPending',
} as const;
export const QUERIES = { state: 'state', ticks: 'ticks', abort: 'abort', keys: 'keys' } as const;

type Status = 'running' | 'stopped';

/** The part of a definition that the loop needs; told by the worker that started last. */
export interface LoopOptions {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly defaultStatus: Status;
  readonly maxEventAttempts: number;
  /** How long run keys are remembered; absent: for ever. */
  readonly dedupeMs?: number;
  readonly maxRunsPerTick?: number;
  /** Pauses of an idle and of a failing sensor; absent: the interval. */
  readonly idleBackoff?: Backoff;
  readonly failureBackoff?: Backoff;
  /** After so many failures in a row the sensor stops itself. */
  readonly stopAfterFailures?: number;
  /** Changes with what a worker of an older deployment would get wrong: options and schemas. */
  readonly definition: string;
  readonly hooks: { readonly onFailure: boolean; readonly onRecovered: boolean };
  readonly jobs: readonly string[];
  readonly description?: string;
  readonly tags: Tags;
  readonly owners: readonly string[];
  /** Workers on which such runs start or close wake the sensor; absent: none. */
  readonly watchesRuns?: RunInterest;
  /** Names that the sensor and its jobs had before; absent: none, or they found no room. */
  readonly earlier?: EarlierNames;
  /** What its worker knows of the assets it has to do with; absent: it has to do with none. */
  readonly lineage?: SensorAssets;
}

/** What a sensor and its jobs were called before. */
export interface EarlierNames {
  /** With the plugin's prefix. */
  readonly sensor?: string;
  /** By the name of today. */
  readonly jobs?: Readonly<Record<string, readonly string[]>>;
}

/** Assets that a sensor watches or its jobs make, and all that they are made from. */
export interface SensorAssets {
  /** By name, the nearest first. */
  readonly assets: Readonly<Record<string, AssetFacts>>;
  /** Not all of it found room. */
  readonly cut?: boolean;
}

/** What is said of one asset. */
export interface AssetFacts {
  /** The job that makes it. */
  readonly job?: string;
  /** The sensor that says so watches it. */
  readonly watched?: boolean;
  /** What it is made from, and how partitions map. */
  readonly upstream?: Readonly<Record<string, PartitionMapping>>;
  /** Kind of its partition set. */
  readonly partitions?: string;
  readonly description?: string;
  /** As its definition says, where there is room. */
  readonly metadata?: Metadata;
}

/** What an asset's log shows without being asked; it may be a minute old. Times are in milliseconds since the epoch. */
export interface AssetMemo {
  /** Position of the newest event. */
  readonly last: number;
  readonly materializations: number;
  readonly observations: number;
  /** Partitions that were materialized, as far as the log knows them: the last 2,000. */
  readonly partitions: number;
  /** There were more. */
  readonly partitionsForgotten?: true;
  /** When it was last materialized and observed. */
  readonly materializedAt?: number;
  readonly observedAt?: number;
}

/** Runs that wake a sensor. */
export interface RunInterest {
  readonly statuses: readonly RunStatus[];
  /** Workflow types; absent: any but our own. */
  readonly types?: readonly string[];
}

/** Argument of the loop's workflow. */
export interface LoopInput {
  readonly sensor: string;
  readonly protocol: number;
  readonly options: LoopOptions;
  /** Carried over by continue-as-new and by recovery. */
  readonly state?: LoopState;
  /** What the metrics have counted of it; absent: all. */
  readonly measured?: Counters;
}

// ------------------------------------------------------------------------------------------------ evaluation

/** Argument of the evaluation activity. */
export interface EvaluationInput {
  readonly sensor: string;
  /** Of the code that asks, and that will read the result. Absent from loops of older workers, which knew less than 3. */
  readonly protocol?: number;
  readonly tick: number;
  /** Number of this evaluation in this run of the loop; the `abort` query is asked with it. */
  readonly evaluation: number;
  /** Why it takes place; quiet attempts that follow keep it. Absent from loops of older workers. */
  readonly trigger?: Trigger;
  readonly cursor?: StoredCursor;
  /** Pushed events, oldest first, and the number of the first of them (see {@link LoopState.eventSeq}). */
  readonly events: readonly Json[];
  readonly firstEvent: number;
  /** Which keys have run: requests with them are not new. */
  readonly ledger: LedgerView;
  /** Keys that an operator re-armed, and the epoch their next request gets. */
  readonly rearmed: Readonly<Record<string, number>>;
  /** IDs in the dead letters: rejected requests with them are not new. */
  readonly deadLetters: readonly string[];
  /** Those of them whose workflow ID belongs to somebody else: starting them again would be refused again. */
  readonly foreignKeys: readonly string[];
  /** Bytes left in the dead letters. */
  readonly deadLetterRoom: number;

  /** Whether a quiet or repeatedly failing evaluation may end without history. */
  readonly fold: boolean;
  readonly failing: boolean;
  /** Since when it is failing, or has been idle before this activity. */
  readonly failingSince?: number;
  readonly idleSince?: number;
  /** Of the quiet evaluations before it that left no record. */
  readonly streak?: EndedStreak;
  /** Wait this long first; the wait folds too, so it needs no timer in the loop. */
  readonly delayMs: number;
  /** Whether a long quiet streak should end, so that the loop can continue as new. */
  readonly rest: boolean;
  /** What the last recorded tick did, shown while waiting. */
  readonly lastOutcome?: string;
  /** Absent from loops of older workers. */
  readonly facts?: TickFacts;
  readonly intervalMs: number;
  readonly idleBackoff?: Backoff;
  readonly failureBackoff?: Backoff;
  readonly timeoutMs: number;
  /** {@link LoopOptions.definition} of the worker that started last. */
  readonly definition: string;
  readonly lastTickAt?: number;
  readonly lastRunKey?: string;
  readonly isFirstTickSinceStart: boolean;
  readonly sensorStartedAt: number;
}

/**
 * What `list` shows of a sensor's ticks. It travels with the evaluation and shows in what its attempts fold with, since
 * in the memo it would cost an event a tick; only of a sensor that evaluates nothing it is there.
 */
export interface TickFacts {
  readonly lastTick?: { readonly tick: number; readonly status: TickStatus; readonly at: number };
  readonly runs?: RecentRuns;
}

/** How Temporal starts a run; durations in milliseconds, checked when the job was defined. */
export interface StartOptions {
  readonly workflowExecutionTimeout?: number;
  readonly workflowRunTimeout?: number;
  readonly workflowTaskTimeout?: number;
  readonly retry?: RetryPolicy;
  readonly priority?: Priority;
}

/** One accepted request: everything the loop needs to start the child. */
export interface LaunchRequest {
  readonly id: string;
  readonly job: string;
  readonly taskQueue?: string;
  readonly args: readonly Json[];
  readonly runKey?: string;
  /** Hash of (job, run key). */
  readonly hash?: string;
  readonly tags?: Tags;
  readonly partitionKey?: string;
  /** Of a run for many partitions. */
  readonly partitionKeys?: readonly string[];
  /** Names of the assets that the run is to make; absent: all of the job's. */
  readonly assets?: readonly string[];
  /** Tags that the namespace has a keyword search attribute for. */
  readonly searchAttributes?: Tags;
  readonly start?: StartOptions;
  /** Absent for the first run of a key. */
  readonly epoch?: number;
  /** The sensors whose handling of events led to it. */
  readonly via?: readonly string[];
}

/** Accepted requests of a big tick, staged in a page. */
export interface RequestPage {
  readonly id: string;
  readonly requests: number;
}

/** A request or event that cannot be accepted. */
export interface Rejection {
  /** The same for the same job and run key (or, without a key, the same content). */
  readonly id: string;
  /** `owner`: its workflow ID belongs to a workflow that the sensor did not start. */
  readonly kind: 'request' | 'owner' | 'event';
  readonly job?: string;
  readonly runKey?: string;
  readonly error: string;
  /** What a retry needs (config, event, or the whole request of kind `owner`), where it is small enough to keep. */
  readonly payload?: Json;
  readonly tags?: Tags;
  readonly partitionKey?: string;
  readonly assets?: readonly string[];
  /** Of a request for a backfill: its partitions, policy and concurrency. */
  readonly backfill?: Json;
}

/** What a tick does to a dynamic partition set: only what changes it. */
export interface PartitionChange {
  /** Its name, with the plugin's prefix. */
  readonly set: string;
  readonly add: readonly string[];
  readonly delete: readonly string[];
}

/** Events of assets that a tick records. */
export interface AssetRecording {
  /** Begins their IDs: no other evaluation has the same. */
  readonly id: string;
  readonly events: readonly TickAssetEvent[];
  /** Places of `events` among those of the evaluation, when the others are on record already: IDs do not change. */
  readonly places?: readonly number[];
  /** The tick that they are of, when it ended before they could be recorded. */
  readonly tick?: number;
}

/** Assets whose events of a tick were not recorded, while those of others were. */
export interface WaitingAssets {
  readonly waiting: readonly string[];
  /** What the first of them said. */
  readonly why: string;
}

/** A request whose key has run. */
export interface Duplicate {
  /** Workflow ID of the run it points to. */
  readonly id: string;
  readonly runKey?: string;
}

/** A stretch of quiet (or repeatedly failing) evaluations with one reason. */
export interface QuietReason {
  readonly reason: string;
  readonly since: number;
  /** Until when that is known, if something interrupted the evaluations and what the next ones said was not kept. */
  readonly until?: number;
  /** Nothing was evaluated from `since` to `until`: an attempt was due, and no worker took it. */
  readonly notEvaluated?: true;
}

/** What is known of a quiet streak whose evaluation ended without a record. */
export interface EndedStreak {
  readonly reasons: readonly QuietReason[];
  readonly endedAt: number;
}

/** Result of the evaluation activity when it did something. */
export interface EvaluationResult {
  readonly kind: 'evaluated';
  readonly requests: readonly LaunchRequest[];
  /** Requests beyond what one payload should hold, instead of `requests`. */
  readonly staged: readonly RequestPage[];
  /** Take effect before the requests are started. */
  readonly partitions?: readonly PartitionChange[];
  /** Recorded before the requests are started. */
  readonly assetEvents?: AssetRecording;
  readonly rejected: readonly Rejection[];
  /** IDs of dead letters that valid requests take the place of. */
  readonly cleared: readonly string[];
  /** How many, and the first few. */
  readonly duplicates: { readonly count: number; readonly sample: readonly Duplicate[] };
  readonly skipReason?: string;
  readonly cursor: CursorChange;
  readonly more: boolean;
  /** `evaluate` was not called: the first cursor was resolved, and is stored before anything reads from it. */
  readonly initialCursor?: true;
  /** Events that a sensor which is fed by them has handled. */
  readonly handled?: number;
  /** Some events could not be handled; the others were. */
  readonly failure?: string;
  /** Some failed in this tick; without it they only wait for another try. */
  readonly failed?: true;
  /** When the oldest event happened that is still to be handled, by the server's clock. */
  readonly behindSince?: number;
  /** Evaluate again so soon, if that is before the interval's end. */
  readonly againInMs?: number;
  readonly lastRunKey?: string;
  readonly logs: readonly LogLine[];
  readonly logLinesDropped: number;
  readonly durationMs: number;
  /** The quiet evaluations that came before, in this activity. */
  readonly quiet: readonly QuietReason[];
  /** Span of the evaluation, where it is traced (W3C `traceparent`). */
  readonly trace?: string;
}

/** Result of the evaluation activity when nothing was new for so long that the loop may continue as new. */
export interface RestResult {
  readonly kind: 'rest';
  /** What its evaluations said. Absent from results of older workers. */
  readonly quiet?: readonly QuietReason[];
}

/** `details[0]` of an `EvaluationFailed` failure. */
export interface FailureDetails {
  readonly logs: readonly LogLine[];
  readonly logLinesDropped: number;
  readonly durationMs: number;
  readonly quiet: readonly QuietReason[];
  readonly trace?: string;
  /** The author said when to try again. */
  readonly retryAfterMs?: number;
}

/** Heartbeat details of the evaluation activity. */
export interface StreakRecord {
  readonly reasons: readonly QuietReason[];
  /** When this record was written. */
  readonly at: number;
  /** Since when only workers with an older definition have come, by the server's clock. */
  readonly outdatedSince?: number;
}

// ------------------------------------------------------------------------------------------------ records

export type TickStatus = 'started' | 'success' | 'skipped' | 'failure';

/** Why an evaluation took place. */
export type Trigger = 'start' | 'interval' | 'more' | 'tick' | 'push' | 'cursor' | 'pending' | 'preview';

/** What one tick did. */
export interface TickRecord {
  readonly tick: number;
  readonly status: TickStatus;
  readonly trigger: Trigger;
  /** When the evaluation began, by the server's clock. */
  readonly startedAt: number;
  readonly endedAt?: number;
  readonly evaluationMs?: number;
  /** Runs started: how many, and the first few workflow IDs. */
  readonly runs: { readonly count: number; readonly sample: readonly string[] };
  readonly duplicates: { readonly count: number; readonly sample: readonly Duplicate[] };
  readonly rejected: { readonly count: number; readonly sample: readonly Rejection[] };
  /** Accepted, held back by a stop. */
  readonly pending: number;
  readonly events: number;
  /** Events that a sensor which is fed by them has handled. */
  readonly handled?: number;
  /** When the oldest event happened that was still to be handled at the end. */
  readonly behindSince?: number;
  /** Dynamic partition keys that were added and deleted. */
  readonly partitions?: readonly { readonly set: string; readonly added: number; readonly deleted: number }[];
  /** Events of assets that were recorded; absent: none. */
  readonly assetEvents?: number;
  readonly skipReason?: string;
  readonly error?: string;
  /** Of a tick that has not ended: what does not let it go on. */
  readonly waitsFor?: string;
  readonly cursorBefore?: StoredCursor;
  /** There was none before it; absent from records of older versions. */
  readonly noCursorBefore?: true;
  readonly cursorAfter?: StoredCursor;
  /** The cursor before it is too large to be kept. */
  readonly cursorOmitted?: true;
  readonly cursorChanged?: true;
  readonly logs?: readonly LogLine[];
  readonly logLinesDropped?: number;
  /** Quiet evaluations before this one. */
  readonly quiet?: readonly QuietReason[];
  /** Span of the evaluation, where it was traced (W3C `traceparent`): its runs are in the same trace. */
  readonly trace?: string;
}

export interface DeadLetter extends Rejection {
  readonly tick: number;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
}

export interface AuditEntry {
  readonly at: number;
  readonly what: string;
  readonly by?: string;
  readonly reason?: string;
  readonly discarded?: DiscardedRequests;
  /** IDs of the dead letters that were discarded: the first 20. */
  readonly letters?: readonly string[];
}

/** Requests that were accepted, and discarded by an operator before they were started. */
export interface DiscardedRequests {
  /** That asked for them. */
  readonly tick: number;
  /** Their run keys, packed as in the ledger: the first 200. */
  readonly keys: string;
  /** How many more of them may have a run key. */
  readonly others?: number;
}

/** Start or stop, as an operator chose. */
export interface OperatorChoice {
  readonly status: Status;
  readonly at: number;
  readonly by?: string;
  readonly reason?: string;
  /** A stop that ends by itself. */
  readonly until?: number;
}

export interface Health {
  readonly status: 'ok' | 'failing';
  readonly since: number;
  readonly error?: string;
  /** Recorded failures since it began to fail; folded repeats are not counted. */
  readonly failures: number;
  /** Of a sensor that recovered: since when it had been failing. */
  readonly failingBefore?: number;
}

export interface Counters {
  readonly ticks: number;
  readonly runs: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly failures: number;
  readonly events: number;
  /** Pushed events that found no room. */
  readonly eventsDropped: number;
  /** Pushed events that were too large; a stub of each is in the dead letters, while there is room. */
  readonly eventsTooLarge: number;
  /** Rejections that found no room; their ticks still name them. */
  readonly deadLettersDropped: number;
}

/** Requests that are being started, or held back. */
export interface Launch {
  /** Still to be started, in order. */
  readonly remaining: readonly LaunchRequest[];
  /** After `remaining`, in order. */
  readonly staged: readonly RequestPage[];
  /** Refused because the ID exists; whose it is has still to be looked up. */
  readonly refused: readonly LaunchRequest[];
  /** Changes of partition sets that come before any of it. */
  readonly partitions?: readonly PartitionChange[];
  /** Events of assets that come before any of it. */
  readonly assetEvents?: AssetRecording;
  /** The tick they belong to, unless they are pending from an earlier one. */
  readonly record?: TickRecord;
  /** Left over by `maxRunsPerTick`: the next tick of so many runs is due then. */
  readonly dueAt?: number;
  /** Of pending ones: the trace of the tick that asked for them. */
  readonly trace?: string;
  /** Of pending ones: the number of that tick. Absent from states of older workers. */
  readonly tick?: number;
}

/** Everything a sensor is, carried over continue-as-new. Bounded in bytes. */
export interface LoopState {
  readonly options: LoopOptions;
  readonly choice?: OperatorChoice;
  readonly startedAt: number;
  /** The first tick since the sensor was started is still to come. */
  readonly first: boolean;
  readonly cursor?: StoredCursor;
  /** Grows with each edit by an operator; an evaluation that began before the last one is dropped. */
  readonly cursorEdits: number;
  /** Number of the last recorded tick. */
  readonly tick: number;
  readonly lastTickAt?: number;
  readonly lastRunKey?: string;
  /** When the next evaluation is due. */
  readonly nextAt: number;
  /** Since when nothing was new, where that is longer than the evaluation that waits. */
  readonly idleSince?: number;
  /** Of the quiet evaluations since the last record, but for the one that goes on. */
  readonly streak?: EndedStreak;
  /** Something wants an evaluation before `nextAt`, and what. */
  readonly wake?: Trigger;
  /** Pushed events that wait, oldest first, and nothing around them: the smaller an entry, the more of them fit. */
  readonly inbox: readonly Json[];
  readonly inboxBytes: number;
  /** Number of the last event that entered the inbox; numbers have no gaps, so those of all that wait follow from it. */
  readonly eventSeq: number;
  /** Failed deliveries of the events at the head of the inbox. */
  readonly eventAttempts: number;
  /** Number of the last event of a batch that failed: up to it, events are tried one at a time. */
  readonly singlyUntil?: number;
  readonly health: Health;
  readonly ledger: Ledger;
  /** Epochs of the keys that an operator had run again, by hash; the oldest are forgotten first. */
  readonly epochs: Readonly<Record<string, number>>;
  /** Keys whose next request starts a run of this epoch, by hash. */
  readonly rearmed: Readonly<Record<string, number>>;
  /** Pages that are no longer needed. */
  readonly released: readonly string[];
  readonly ring: readonly TickRecord[];
  readonly deadLetters: readonly DeadLetter[];
  readonly audit: readonly AuditEntry[];
  readonly launch?: Launch;
  readonly counters: Counters;
  /** Of the last 24 hours. Absent from states of older workers. */
  readonly runs?: RecentRuns;
}

// ------------------------------------------------------------------------------------------------ views

/** Memo of a loop: the slow-changing facts that `list` shows without asking the loop. */
export interface SensorMemo {
  readonly status: Status;
  /** Whose decision the status is: the operator's or the code's. */
  readonly statusFrom: 'operator' | 'code';
  readonly statusBy?: string;
  readonly statusReason?: string;
  readonly statusAt?: number;
  readonly statusUntil?: number;
  readonly health: 'ok' | 'failing';
  readonly failingSince?: number;
  /** Why, cut to 300 bytes. */
  readonly error?: string;
  /** The last time that it failed and recovered. */
  readonly recovered?: { readonly failingSince: number; readonly at: number };
  /** When the oldest event happened that is still to be handled. */
  readonly behindSince?: number;
  /** Why its idle ticks do not fold, so that each costs history. */
  readonly unfolded?: string;
  /** Of a sensor that evaluates nothing: it is stopped, or has pending requests. Else its evaluation has them. */
  readonly facts?: TickFacts;
  readonly intervalMs: number;
  readonly pending: number;
  /** When the next of them start, if `maxRunsPerTick` left them over. */
  readonly pendingUntil?: number;
  readonly deadLetters: number;
  readonly jobs: readonly string[];
  readonly description?: string;
  readonly tags: Tags;
  readonly owners: readonly string[];
  /** Changes with the options, so that a worker tells the loop only what is new. */
  readonly options: string;
  readonly protocol: number;
}

/** Memo of a run: who asked for it. */
export interface RunMemo {
  /** Absent when an operator asked for it, with a backfill. */
  readonly sensor?: string;
  readonly job: string;
  /** That started it. */
  readonly tick?: number;
  /** The tick that requested it, where that left it pending; absent otherwise, and from runs of older workers. */
  readonly requestedAtTick?: number;
  readonly runKey?: string;
  readonly tags?: Tags;
  readonly partitionKey?: string;
  /** Of a backfill's one run for all its partitions: these, instead of `partitionKey`. */
  readonly partitionKeys?: readonly string[];
  /** ID of the backfill that it is part of. */
  readonly backfill?: string;
  /** Names of the assets that the run is to make; absent: all of the job's. */
  readonly assets?: readonly string[];
  /** A run that an operator asked for: of which epoch, of which first run, by whom and why. */
  readonly epoch?: number;
  readonly rerunOf?: string;
  /** The sensors whose handling of events led to it. */
  readonly via?: readonly string[];
  readonly by?: string;
  readonly reason?: string;
}

/** Memo of a page. */
export interface PageMemo {
  readonly sensor: string;
  readonly kind: string;
  /** Of a page of run keys: how many, and from when to when they were remembered. */
  readonly keys?: number;
  readonly since?: number;
  readonly until?: number;
}

/** Answer of the `state` query. */
export interface SensorState {
  readonly sensor: string;
  readonly status: Status;
  readonly choice?: OperatorChoice;
  readonly startedAt: number;
  readonly cursor?: StoredCursor;
  readonly tick: number;
  readonly lastTickAt?: number;
  readonly lastRunKey?: string;
  /** When the next evaluation is due; while evaluations fold, Temporal's own next attempt is the truth. */
  readonly nextAt?: number;
  readonly evaluating: boolean;
  readonly health: Health;
  /** Requests that wait: how many, and the next few. */
  readonly pending: { readonly count: number; readonly sample: readonly Duplicate[] };
  /** Run keys that are remembered. */
  readonly keys: number;
  /** Keys whose next request runs again, by hash, and its epoch. */
  readonly rearmed: Readonly<Record<string, number>>;
  readonly deadLetters: readonly DeadLetter[];
  readonly audit: readonly AuditEntry[];
  readonly eventsWaiting: number;
  readonly counters: Counters;
  readonly options: LoopOptions;
}

/** Argument of `rerun` and `rearm`. */
export interface KeyEdit extends Note {
  readonly runKey: string;
  /** Needed when the sensor has several jobs. */
  readonly job?: string;
}

/** Argument of `retryDeadLetters` and `discardDeadLetters`; without `ids` all of them. */
export interface DeadLetterEdit extends Note {
  readonly ids?: readonly string[];
}

/** A run that an operator asked for. */
export interface RerunResult {
  readonly workflowId: string;
  readonly hash: string;
  readonly epoch: number;
}

/** What became of the dead letters that were tried again. */
export interface RetryResult {
  /** IDs of the dead letters whose run was started, or exists, or whose event was handed on. */
  readonly done: readonly string[];
  /** Runs among them that were started. */
  readonly started: number;
  /** Keys of the runs, to be remembered. */
  readonly keys: readonly { readonly hash: string; readonly epoch?: number }[];
  /** Those that stay, and why. */
  readonly failed: readonly { readonly id: string; readonly error: string }[];
}

/** Argument of `start`, `stop`, `tick`, `reset` and `discardPending`: all optional. */
export interface Note {
  readonly by?: string;
  readonly reason?: string;
  /** `stop` only: resume by itself at this time (ISO 8601, or milliseconds since the epoch). */
  readonly until?: string | number;
  /** `start` only: when it was asked for, in milliseconds since the epoch; the loop may hear of it later. */
  readonly at?: number;
}

/** Argument of `preview`: with the stored cursor, with another one, or with none. */
export type PreviewEdit = Note & { readonly cursor?: Json; readonly clear?: boolean };

/** What an evaluation would do now. Nothing of it has taken effect. */
export interface Preview {
  /** `apply` takes it, within a day, as long as the sensor has done nothing else. Absent when the evaluation failed. */
  readonly id?: string;
  readonly tick: number;
  readonly status: 'success' | 'skipped' | 'failure';
  /** Runs that would start: how many, and the first few. A big tick shows only their number. */
  readonly requests: { readonly count: number; readonly sample: readonly PreviewedRequest[] };
  readonly duplicates: { readonly count: number; readonly sample: readonly Duplicate[] };
  readonly rejected: { readonly count: number; readonly sample: readonly Rejection[] };
  readonly partitions?: readonly PartitionChange[];
  /** Events of assets that would be recorded: how many, and the first few. */
  readonly assetEvents?: { readonly count: number; readonly sample: readonly TickAssetEvent[] };
  readonly skipReason?: string;
  readonly error?: string;
  readonly cursorBefore?: StoredCursor;
  /** What would become of the cursor. */
  readonly cursor?: CursorChange;
  readonly more?: boolean;
  /** Pushed events that the evaluation was given. */
  readonly events: number;
  readonly logs: readonly LogLine[];
  readonly evaluationMs: number;
}

export interface PreviewedRequest {
  /** Workflow ID of the run. */
  readonly id: string;
  readonly job: string;
  readonly runKey?: string;
  readonly partitionKey?: string;
  readonly assets?: readonly string[];
  readonly tags?: Tags;
  /** Arguments of the job's workflow: the parsed config. */
  readonly args: readonly Json[];
}

/** A preview as its page keeps it. */
export interface PreviewContent {
  readonly input: EvaluationInput;
  readonly cursorEdits: number;
  readonly result: EvaluationResult;
}

/** Argument of `setCursor`. */
export type CursorEdit = Note & {
  /** Given when the cursor is set back to what it was before this tick. */
  readonly beforeTick?: number;
} & ({ readonly cursor: Json } | { readonly clear: true });
