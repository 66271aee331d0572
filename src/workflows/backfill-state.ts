/**
 * The rules of a backfill: what it starts next, what became of its runs, and what it tells of itself. Pure.
 *
 * Everything that is kept is bounded in bytes, so that the state fits one payload whatever happens.
 */
import {
  extentOf,
  type BackfillFailure,
  type BackfillNote,
  type BackfillProgress,
  type BackfillRequest,
  type BackfillResult,
  type BackfillRun,
  type BackfillStatus,
  type DecidedBackfill,
} from '../sensors/backfill.js';
import { cutText, jsonBytes } from '../sensors/json.js';
import {
  DEFAULT_BACKFILL_CONCURRENCY,
  MAX_BACKFILL_ERROR_BYTES,
  MAX_BACKFILL_FAILURES,
  MAX_BACKFILL_KEYS_BYTES,
  MAX_BACKFILL_RUNNING,
  MAX_NOTE_BYTES,
  MAX_STARTS_IN_FLIGHT,
} from '../sensors/limits.js';
import type { Note } from '../sensors/protocol.js';
import { count } from '../sensors/text.js';
import { commands, escaped, table } from './markdown.js';

/** What is to be done, as a worker found out. Keys beyond what the state holds are in pages. */
export interface StoredPlan extends DecidedBackfill {
  readonly partitions: number;
  readonly runs: number;
}

export interface BackfillState {
  readonly startedAt: number;
  /** Of one that was started again. */
  readonly decided?: DecidedBackfill;
  /** Absent until a worker has made it. */
  readonly plan?: StoredPlan;
  /** Partitions that are next, in order. */
  readonly keys: readonly string[];
  /** Pages of those after them. */
  readonly pages: readonly string[];
  readonly running: readonly BackfillRun[];
  readonly done: number;
  readonly failed: number;
  readonly failures: readonly BackfillFailure[];
  readonly failedPartitions: readonly string[];
  readonly failedBytes: number;
  readonly paused: boolean;
  readonly cancelled: boolean;
  readonly note?: BackfillNote;
  /** Why it cannot be, or cannot go on. */
  readonly rejected?: string;
}

/** @param decided what an earlier run of it had decided */
export function newBackfill(startedAt: number, decided?: DecidedBackfill): BackfillState {
  return {
    startedAt,
    ...(decided === undefined ? {} : { decided }),
    keys: [],
    pages: [],
    running: [],
    done: 0,
    failed: 0,
    failures: [],
    failedPartitions: [],
    failedBytes: 2,
    paused: false,
    cancelled: false,
  };
}

/** It is known what is to be done. */
export function planned(
  state: BackfillState,
  { keys, pages, ...plan }: StoredPlan & Pick<BackfillState, 'keys' | 'pages'>
): BackfillState {
  return { ...state, plan, keys, pages };
}

/** It cannot be, or it starts no more. */
export function reject(state: BackfillState, error: string): BackfillState {
  return { ...state, paused: false, rejected: error };
}

/** The next page is read. */
export function loadKeys(state: BackfillState, page: string, keys: readonly string[]): BackfillState {
  if (state.pages[0] !== page) return state;
  return { ...state, keys: [...state.keys, ...keys], pages: state.pages.slice(1) };
}

// ------------------------------------------------------------------------------------------------ runs

/** Runs that may start now. */
export function room(state: BackfillState, request: BackfillRequest): number {
  const { paused, running } = state;
  return paused || startsNoMore(state) ? 0 : Math.max(0, concurrencyOf(request) - running.length);
}

/**
 * Partitions to prepare runs for while some may start: as many as run at a time, or all of them where they are one run.
 * Those that may start now would not do: when one run ends and one starts, each would cost a question of its own.
 */
export function nextKeys(state: BackfillState, request: BackfillRequest): readonly string[] {
  const { plan, keys } = state;
  if (plan?.policy === 'single') return keys;
  return room(state, request) === 0 ? [] : keys.slice(0, Math.min(MAX_STARTS_IN_FLIGHT, concurrencyOf(request)));
}

/** What a run is called by its partitions. */
export function labelOf({ plan }: BackfillState, key: string): string {
  return plan?.policy === 'single' ? `${plan.first}..${plan.last}` : key;
}

/** The next run starts, or it is already there. */
export function begin(state: BackfillState, run: BackfillRun): BackfillState {
  return { ...dropNext(state), running: [...state.running, run] };
}

/** The next run cannot start. */
export function skip(state: BackfillState, failure: BackfillFailure): BackfillState {
  return addFailure(dropNext(state), failure);
}

function dropNext(state: BackfillState): BackfillState {
  return { ...state, keys: state.plan?.policy === 'single' ? [] : state.keys.slice(1) };
}

/** A run has ended: well, or with an error. */
export function end(state: BackfillState, id: string, error: string | undefined): BackfillState {
  const run = state.running.find((each) => each.id === id);
  if (run === undefined) return state;
  const next = { ...state, running: state.running.filter((each) => each !== run) };
  return error === undefined ? { ...next, done: next.done + 1 } : addFailure(next, { partition: run.partition, error });
}

function addFailure(state: BackfillState, { partition, error }: BackfillFailure): BackfillState {
  const { failures, failedPartitions } = state;
  const bytes = state.failedBytes + jsonBytes(partition) + 1;
  const fits = bytes <= MAX_BACKFILL_KEYS_BYTES;
  const failure = { partition, error: cutText(error, MAX_BACKFILL_ERROR_BYTES) };
  return {
    ...state,
    failed: state.failed + 1,
    failures: failures.length < MAX_BACKFILL_FAILURES ? [...failures, failure] : failures,
    // the first ones, without a gap: what is beyond is only counted
    ...(fits && failedPartitions.length === state.failed
      ? { failedPartitions: [...failedPartitions, partition], failedBytes: bytes }
      : {}),
  };
}

// ------------------------------------------------------------------------------------------------ operators

export function pause(state: BackfillState, note: Note, now: number): BackfillState {
  return startsNoMore(state) ? state : { ...state, paused: true, note: noteOf('paused', note, now) };
}

export function resume(state: BackfillState, note: Note, now: number): BackfillState {
  return startsNoMore(state) ? state : { ...state, paused: false, note: noteOf('resumed', note, now) };
}

/** It starts no more. */
export function cancel(state: BackfillState, note: Note, now: number): BackfillState {
  return state.cancelled ? state : { ...state, paused: false, cancelled: true, note: noteOf('cancelled', note, now) };
}

function noteOf(what: BackfillNote['what'], { by, reason }: Note, at: number): BackfillNote {
  return {
    what,
    at,
    ...(by === undefined ? {} : { by: cutText(by, MAX_NOTE_BYTES) }),
    ...(reason === undefined ? {} : { reason: cutText(reason, MAX_NOTE_BYTES) }),
  };
}

// ------------------------------------------------------------------------------------------------ views

/** Nothing is left to be started or waited for. */
export function isOver(state: BackfillState): boolean {
  const { plan, keys, pages, running } = state;
  if (running.length > 0) return false;
  return startsNoMore(state) || (plan !== undefined && keys.length === 0 && pages.length === 0);
}

function startsNoMore({ cancelled, rejected }: BackfillState): boolean {
  return cancelled || rejected !== undefined;
}

function statusOf(state: BackfillState): BackfillStatus {
  if (isOver(state)) {
    if (state.rejected !== undefined) return state.done + state.failed > 0 ? 'failed' : 'rejected';
    if (state.cancelled) return 'cancelled';
    return state.failed > 0 ? 'failed' : 'done';
  }
  if (state.cancelled) return 'cancelling';
  if (state.paused) return 'paused';
  return state.plan === undefined ? 'planning' : 'running';
}

export function concurrencyOf({ concurrency = DEFAULT_BACKFILL_CONCURRENCY }: BackfillRequest): number {
  return concurrency;
}

/** @param failures how many of them to show */
export function progressOf(
  state: BackfillState,
  request: BackfillRequest,
  now: number,
  failures = MAX_BACKFILL_FAILURES
): BackfillProgress {
  const { plan, running, done, failed, note, rejected, startedAt } = state;
  const { by, reason, retryOf } = request;
  const { partitions = 0, runs = 0 } = plan ?? {};
  const decided = plan ?? state.decided;
  return {
    job: request.job,
    status: statusOf(state),
    ...(decided === undefined ? {} : { policy: decided.policy, first: decided.first, last: decided.last }),
    partitions,
    runs,
    waiting: runs - running.length - done - failed,
    running: running.length,
    done,
    failed,
    concurrency: concurrencyOf(request),
    failures: state.failures.slice(0, failures),
    ...(by === undefined ? {} : { by: cutText(by, MAX_NOTE_BYTES) }),
    ...(reason === undefined ? {} : { reason: cutText(reason, MAX_NOTE_BYTES) }),
    ...(note === undefined ? {} : { note }),
    ...(retryOf === undefined ? {} : { retryOf: cutText(retryOf, MAX_NOTE_BYTES * 2) }),
    ...(rejected === undefined ? {} : { error: rejected }),
    startedAt,
    at: now,
  };
}

/** The progress, with the runs that run. */
export function answerOf(state: BackfillState, request: BackfillRequest, now: number): BackfillProgress {
  return { ...progressOf(state, request, now), runningRuns: state.running.slice(0, MAX_BACKFILL_RUNNING) };
}

export function resultOf(state: BackfillState, request: BackfillRequest, now: number): BackfillResult {
  const { failedPartitions, failed } = state;
  return {
    ...progressOf(state, request, now),
    failedPartitions,
    failedPartitionsDropped: failed - failedPartitions.length,
  };
}

/** Markdown for Temporal Web. It has no config. @param id what commands name the backfill by */
export function backfillDetails(id: string, progress: BackfillProgress): string {
  const { job, status, policy, partitions, runs, waiting, running, done, failed, failures } = progress;
  const { concurrency, note, error } = progress;
  const by = [note?.by === undefined ? '' : ` by ${note.by}`, note?.reason === undefined ? '' : ` (${note.reason})`];
  return [
    `Backfill of **${escaped(job)}** is **${status}**${note === undefined ? '' : `; ${note.what}${escaped(by.join(''))}`}.`,
    ...(error === undefined ? [] : ['', escaped(error)]),
    ...(partitions === 0
      ? []
      : ['', `${count(partitions, 'partition')}, ${escaped(extentOf(progress, ' to '))}, policy ${policy}.`]),
    ...(status === 'rejected'
      ? []
      : [
          '',
          `Runs ${runs} · done ${done} · failed ${failed} · running ${running} of at most ${concurrency} · waiting ${waiting}`,
        ]),
    '',
    ...table(
      ['partition', 'error'],
      failures.map((each) => [each.partition, each.error])
    ),
    '',
    ...commands(nextSteps(progress).map((what) => `sensors backfills ${what} ${id}`)),
  ].join('\n');
}

function nextSteps({ status, failed }: BackfillProgress): readonly string[] {
  if (status === 'paused') return ['resume', 'cancel'];
  if (status === 'planning' || status === 'running') return ['pause', 'cancel'];
  return failed > 0 ? ['retry'] : ['show'];
}
