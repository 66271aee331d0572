/**
 * Which partitions a backfill runs, and in how many runs, by what its job says. Knows nothing of Temporal.
 *
 * Messages name the place and what is accepted, never a key: they end up in failures, which are not encrypted.
 */
import type { BackfillPartitions, BackfillPolicy, BackfillRequest } from './backfill.js';
import type { JobDefinition } from './define-job.js';
import { jsonBytes } from './json.js';
import { MAX_BACKFILL_PARTITIONS, MAX_RUN_PARTITIONS_BYTES } from './limits.js';

/** What a backfill will do. */
export interface BackfillPlan {
  readonly policy: BackfillPolicy;
  /** Of the partitions that were asked for. */
  readonly first: string;
  readonly last: string;
  readonly partitions: number;
  readonly runs: number;
  /** Partitions to run, in the order of their set. */
  readonly keys: readonly string[];
}

/**
 * @param known all keys of the job's partition set, in order
 * @returns the plan, or why there is none
 */
export function planBackfill(
  job: JobDefinition,
  { partitions, policy: asked, assets }: Pick<BackfillRequest, 'partitions' | 'policy' | 'assets'>,
  known: readonly string[]
): BackfillPlan | string {
  const keys = choose(job, partitions, known);
  if (typeof keys === 'string') return keys;
  const first = keys[0] ?? '';
  const last = keys.at(-1) ?? '';
  const policy = asked ?? policyOf(job, assets);
  if (policy === undefined)
    return `the assets of job '${job.name}' have different backfill policies, so the backfill has to say which: policy`;
  if (policy === 'latestOnly') return { policy, first, last, partitions: keys.length, runs: 1, keys: [last] };
  if (policy === 'single' && jsonBytes(keys) > MAX_RUN_PARTITIONS_BYTES)
    return (
      `${keys.length} partitions are too many for one run: their keys are ${jsonBytes(keys)} bytes, at most ` +
      `${MAX_RUN_PARTITIONS_BYTES} (64 KB); make several backfills of it, or use policy 'perPartition'`
    );
  return { policy, first, last, partitions: keys.length, runs: policy === 'single' ? 1 : keys.length, keys };
}

/** Why a job cannot be backfilled at all. */
export function unpartitioned({ name, partitions }: JobDefinition): string | undefined {
  return partitions === undefined ? `job '${name}' has no partitions, so there is nothing to backfill` : undefined;
}

/** The one policy of the assets that the runs make; `undefined` when they differ. */
function policyOf({ assets }: JobDefinition, names: readonly string[] | undefined): BackfillPolicy | undefined {
  const made = assets.filter(({ name }) => names?.includes(name) ?? true);
  const [policy = 'perPartition', ...others] = new Set(made.map(({ backfillPolicy }) => backfillPolicy));
  return others.length === 0 ? policy : undefined;
}

function choose(job: JobDefinition, given: BackfillPartitions, known: readonly string[]): readonly string[] | string {
  const set = `the ${job.partitions?.type} partitions of job '${job.name}'`;
  if (known.length === 0) return `${set} are none at this time`;
  const keys = isList(given) ? listed(given, known, set) : between(given === 'all' ? {} : given, known, set);
  return typeof keys !== 'string' && keys.length > MAX_BACKFILL_PARTITIONS
    ? `the backfill is for ${keys.length} partitions; at most ${MAX_BACKFILL_PARTITIONS}: make several of it`
    : keys;
}

function listed(given: readonly string[], known: readonly string[], set: string): readonly string[] | string {
  const all = new Set(known);
  const strange = given.findIndex((key) => !all.has(key));
  if (strange !== -1) return `partitions[${strange}] is not in ${set}${extent(known, set)}`;
  const wanted = new Set(given);
  return known.filter((key) => wanted.has(key));
}

function between(
  { from, to }: { readonly from?: string; readonly to?: string },
  known: readonly string[],
  set: string
): readonly string[] | string {
  const start = from === undefined ? 0 : known.indexOf(from);
  const end = to === undefined ? known.length - 1 : known.indexOf(to);
  if (start === -1) return `partitions.from is not in ${set}${extent(known, set)}`;
  if (end === -1) return `partitions.to is not in ${set}${extent(known, set)}`;
  if (start > end) {
    const [first, last] = isCalendar(set) ? [` (${from})`, ` (${to})`] : ['', ''];
    return `partitions.from${first} comes after partitions.to${last} in ${set}`;
  }
  return known.slice(start, end + 1);
}

/** From when to when calendar partitions go: no secret, and what the person who asked has to know. */
function extent(known: readonly string[], set: string): string {
  if (!isCalendar(set)) return '';
  return `, which at this time go from ${known[0]} to ${known.at(-1)} (one is there when it has ended)`;
}

function isCalendar(set: string): boolean {
  return /^the (hourly|daily|weekly) /.test(set);
}

function isList(given: BackfillPartitions): given is readonly string[] {
  return Array.isArray(given);
}
