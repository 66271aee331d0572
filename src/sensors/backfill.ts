/**
 * Backfills: many partitions of a job, run once each. What one is asked for with, and what it tells of itself. Pure: the
 * workflow bundle contains this file.
 */
import { isObject, isTexts, jsonBytes, type Json } from './json.js';
import { MAX_BACKFILL_CONCURRENCY, MAX_REQUEST_BYTES } from './limits.js';
import type { Tags } from './tags.js';

export const BACKFILL_POLICIES = ['perPartition', 'single', 'latestOnly'] as const;

/** What a backfill starts: a run for each partition, one run for all of them, or one for the last partition only. */
export type BackfillPolicy = (typeof BACKFILL_POLICIES)[number];

/** Partitions of the job's set: all, from one to another (both included; left out: the first, the last), or these. */
export type BackfillPartitions = 'all' | { readonly from?: string; readonly to?: string } | readonly string[];

/** What a backfill is asked for. */
export interface BackfillRequest {
  /** Name of a partitioned job. */
  readonly job: string;
  readonly partitions: BackfillPartitions;
  /** @default that of the job's assets, else `'perPartition'` */
  readonly policy?: BackfillPolicy;
  /** Runs at a time, 1 to 100. @default 10 */
  readonly concurrency?: number;
  /** Of every run, as for a run request. @default what the job's schema makes of `{}` */
  readonly config?: Json;
  /** Of every run; the tag `partition` is added. */
  readonly tags?: Tags;
  /** Names of those of the job's assets that the runs are to make. @default all of them */
  readonly assets?: readonly string[];
  /** The backfill whose failed runs this one repeats. */
  readonly retryOf?: string;
  /** Who asked for it, and why. */
  readonly by?: string;
  readonly reason?: string;
}

/**
 * `planning`: no worker has looked at it yet. `cancelling`: it starts no more, and waits for those that run. At the end `done`,
 * `failed` (some runs failed, or it could not go on: `error` says why), `cancelled`, or `rejected` (it cannot be; nothing was
 * started).
 */
export type BackfillStatus =
  'planning' | 'running' | 'paused' | 'cancelling' | 'done' | 'failed' | 'cancelled' | 'rejected';

/** What a backfill decides once: which policy it has, and the first and last of the partitions that it is for. */
export interface DecidedBackfill {
  readonly policy: BackfillPolicy;
  readonly first: string;
  readonly last: string;
}

/** The request of a backfill that has decided: what its job or the partition set has become since does not change it. */
export function asDecided(request: BackfillRequest, { policy, first, last }: DecidedBackfill): BackfillRequest {
  const { partitions } = request;
  return { ...request, policy, partitions: Array.isArray(partitions) ? partitions : { from: first, to: last } };
}

/** From which partition to which it goes; of one, that one. */
export function extentOf({ first = '', last = '' }: Partial<DecidedBackfill>, between: string): string {
  return first === last ? first : `${first}${between}${last}`;
}

/** A run that did not end well. */
export interface BackfillFailure {
  /** Its partition; of a run for many, the first and the last: `2026-01-01..2026-01-31`. */
  readonly partition: string;
  readonly error: string;
}

/** A run that has not ended. */
export interface BackfillRun {
  /** Its workflow ID. */
  readonly id: string;
  /** As of a failure. */
  readonly partition: string;
}

/** Who paused, resumed or cancelled it. */
export interface BackfillNote {
  readonly what: 'paused' | 'resumed' | 'cancelled';
  readonly at: number;
  readonly by?: string;
  readonly reason?: string;
}

/** How far a backfill is. Times are milliseconds since the epoch. */
export interface BackfillProgress {
  readonly job: string;
  readonly status: BackfillStatus;
  /** Known once it is planned, as all that follows from the partitions. */
  readonly policy?: BackfillPolicy;
  readonly first?: string;
  readonly last?: string;
  /** Partitions that it is for. */
  readonly partitions: number;
  /** Runs in all, and what became of them: `waiting` + `running` + `done` + `failed`. */
  readonly runs: number;
  readonly waiting: number;
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly concurrency: number;
  /** The first of the runs that failed. */
  readonly failures: readonly BackfillFailure[];
  /** The first of those that run, where a worker has been asked. */
  readonly runningRuns?: readonly BackfillRun[];
  readonly by?: string;
  readonly reason?: string;
  readonly note?: BackfillNote;
  readonly retryOf?: string;
  /** Why it was rejected, or could not go on; started again with the same ID and request it does. */
  readonly error?: string;
  readonly startedAt: number;
  /** When this was so. */
  readonly at: number;
}

/** What a backfill ends with. */
export interface BackfillResult extends BackfillProgress {
  /** Partitions of failed runs, as many as 64 KB hold, for a retry. */
  readonly failedPartitions: readonly string[];
  /** Those beyond. */
  readonly failedPartitionsDropped: number;
}

/** What a backfill would start. */
export interface BackfillPreview {
  readonly job: string;
  readonly policy: BackfillPolicy;
  readonly first: string;
  readonly last: string;
  readonly partitions: number;
  readonly runs: number;
  readonly concurrency: number;
  /** The first partitions. */
  readonly sample: readonly string[];
}

const JOB = /^[A-Za-z0-9_.-]{1,100}$/;
const PARTITIONS = `'all', { from, to } with keys, or an array of one or more keys`;

/** What is wrong with a request, as far as it shows without the job; `undefined` when nothing is. */
export function backfillProblem(value: unknown): string | undefined {
  if (!isObject(value)) return 'the request of the backfill is not an object with a job and partitions';
  const { job, policy, concurrency, tags, assets } = value;
  if (typeof job !== 'string' || !JOB.test(job)) return 'job is not the name of a job';
  const problem = partitionsProblem(value['partitions']);
  if (problem !== undefined) return problem;
  if (policy !== undefined && !BACKFILL_POLICIES.some((each) => each === policy))
    return `policy is not one of ${BACKFILL_POLICIES.map((each) => `'${each}'`).join(', ')}`;
  if (concurrency !== undefined && !isConcurrency(concurrency))
    return `concurrency is not a whole number from 1 to ${MAX_BACKFILL_CONCURRENCY}`;
  if (tags !== undefined && !(isObject(tags) && Object.values(tags).every((tag) => typeof tag === 'string')))
    return 'tags is not an object of texts';
  if (assets !== undefined && !areNames(assets)) return 'assets is not an array of one or more names';
  for (const name of ['by', 'reason', 'retryOf'])
    if (value[name] !== undefined && typeof value[name] !== 'string') return `${name} is not a text`;
  const bytes = jsonBytes(value);
  return bytes > MAX_REQUEST_BYTES
    ? `the request of the backfill is ${bytes} bytes; at most ${MAX_REQUEST_BYTES} (128 KB): give a range instead of keys, and references in the config`
    : undefined;
}

function partitionsProblem(given: unknown): string | undefined {
  if (given === undefined) return `partitions is missing; accepted: ${PARTITIONS}`;
  if (given === 'all' || areNames(given)) return undefined;
  if (!isObject(given)) return `partitions is something else than ${PARTITIONS}`;
  const strange = Object.entries(given).find(([name, key]) => !isEnd(name) || (key !== undefined && !areNames([key])));
  return strange === undefined ? undefined : `partitions.${strange[0]} is something else than { from, to } with keys`;
}

function isEnd(name: string): boolean {
  return name === 'from' || name === 'to';
}

function isConcurrency(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_BACKFILL_CONCURRENCY;
}

/** At least one, and none of them empty. */
function areNames(value: unknown): boolean {
  return isTexts(value) && value.length > 0 && value.every((each) => each !== '');
}
