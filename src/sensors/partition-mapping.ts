/**
 * Which partitions of an upstream asset a partition of a downstream asset is made from.
 *
 * Partitions before the beginning or after the end of a set are not part of it; those that have
 * not ended yet are, because they will come. Pure.
 */
import { DAY_MS, dayOf, HOUR_MS, hourOf, parseDay, zonedDay } from './days.js';
import { DefinitionError, quote } from './errors.js';
import type { PartitionSet } from './partitions.js';

export const PARTITION_MAPPINGS = ['same', 'dayToWeek', 'hourToDay', 'all'] as const;

/**
 * From the upstream's partitions to the downstream's. `same`: one to one, by key. `dayToWeek`: a week from its seven days.
 * `hourToDay`: a day from the hours that overlap it. `all`: each partition from everything upstream; also for assets
 * without partitions, which are made, or read, as a whole.
 */
export type PartitionMapping = (typeof PARTITION_MAPPINGS)[number];

/** The partition sets of an upstream and a downstream asset, and what lies between. */
export interface MappedPartitions {
  readonly upstream: PartitionSet | undefined;
  readonly downstream: PartitionSet | undefined;
  readonly mapping: PartitionMapping;
}

/** Keys of a set; `all`: the whole asset, whether it has partitions or not. */
export type PartitionChoice = 'all' | readonly string[];

/**
 * The upstream partitions that a downstream one is made from. Without a key: those of the whole downstream asset.
 */
export function partitionsNeeded({ upstream, downstream, mapping }: MappedPartitions, key?: string): PartitionChoice {
  if (mapping === 'all' || key === undefined) return 'all';
  const inSet = within(upstream);
  if (!within(downstream)(key)) return [];
  if (mapping === 'same') return [key].filter(inSet);
  if (mapping === 'dayToWeek') {
    const monday = parseDay(key) ?? Number.NaN;
    return Array.from({ length: 7 }, (_, day) => dayOf(monday + day * DAY_MS)).filter(inSet);
  }
  return hoursOf(key, timeZoneOf(downstream)).filter(inSet);
}

/**
 * The mapping between two assets: the given one if it fits their partition sets, else `same` for two sets of one kind
 * and `all` where one has none.
 *
 * @throws {@link DefinitionError} when the mapping does not fit, or has to be said
 */
export function checkMapping(
  given: unknown,
  { upstream, downstream }: Pick<MappedPartitions, 'upstream' | 'downstream'>,
  place: string
): PartitionMapping {
  if (given === undefined) return defaultMapping(upstream, downstream, place);
  const mapping = PARTITION_MAPPINGS.find((each) => each === given);
  const names = PARTITION_MAPPINGS.map((each) => `'${each}'`).join(', ');
  if (mapping === undefined) throw new DefinitionError(`${place}: mapping is ${quote(given)}; accepted: ${names}`);
  const problem = problemOf(mapping, upstream, downstream);
  if (problem !== undefined) throw new DefinitionError(`${place}: mapping '${mapping}' ${problem}`);
  return mapping;
}

function defaultMapping(
  upstream: PartitionSet | undefined,
  downstream: PartitionSet | undefined,
  place: string
): PartitionMapping {
  if (upstream === undefined || downstream === undefined) return 'all';
  const between = `from ${describeSet(upstream)} to ${describeSet(downstream)} partitions`;
  const fits = PARTITION_MAPPINGS.filter((each) => problemOf(each, upstream, downstream) === undefined);
  if (upstream.type === downstream.type && fits.includes('same') && isClearlySame(upstream, downstream)) return 'same';
  const accepted = fits.map((each) => `'${each}'`).join(' or ');
  throw new DefinitionError(
    `${place}: it is not clear how it maps ${between}; say so: { asset, mapping: ${accepted} }`
  );
}

/** Whether two sets of one kind are sets of the same things, as far as their definitions tell. */
function isClearlySame(upstream: PartitionSet, downstream: PartitionSet): boolean {
  if (upstream === downstream) return true;
  if (upstream.type === 'dynamic' || downstream.type === 'dynamic')
    return upstream.type === 'dynamic' && downstream.type === 'dynamic' && upstream.name === downstream.name;
  if (upstream.type === 'static') return downstream.keys(EVER).every((key) => upstream.has(key, EVER));
  return upstream.timeZone === downstream.timeZone;
}

function problemOf(
  mapping: PartitionMapping,
  upstream: PartitionSet | undefined,
  downstream: PartitionSet | undefined
): string | undefined {
  if (mapping === 'all') return undefined;
  if (mapping === 'same') {
    if (upstream === undefined || downstream === undefined || upstream.type !== downstream.type)
      return `is between two sets of one kind, not from ${describeSet(upstream)} to ${describeSet(downstream)} partitions`;
    if (haveNoKeyInCommon(upstream, downstream)) return 'is between sets with keys in common; these have none';
    return undefined;
  }
  const [from, to] = mapping === 'dayToWeek' ? ['daily', 'weekly'] : ['hourly', 'daily'];
  if (upstream?.type !== from || downstream?.type !== to)
    return `is from ${from} to ${to} partitions, not from ${describeSet(upstream)} to ${describeSet(downstream)}`;
  if (mapping === 'dayToWeek' && timeZoneOf(upstream) !== timeZoneOf(downstream))
    return `is between days and weeks of one time zone, not of '${timeZoneOf(upstream)}' and '${timeZoneOf(downstream)}'`;
  return undefined;
}

/** Whether no key can ever be in both sets, as far as their keys tell. */
export function haveNoKeyInCommon(one: PartitionSet, other: PartitionSet): boolean {
  return one.type === 'static' && other.type === 'static' && !other.keys(EVER).some((key) => one.has(key, EVER));
}

function describeSet(set: PartitionSet | undefined): string {
  return set?.type ?? 'no';
}

/** When everything that a calendar set without an end will ever hold has ended. Everywhere still a year of four digits. */
const EVER = new Date('9999-12-30T00:00:00Z');

/** Whether a key is in a set, or will be; of a dynamic set only Temporal knows. */
function within(set: PartitionSet | undefined): (key: string) => boolean {
  return (key) => set === undefined || set.type === 'dynamic' || set.has(key, EVER);
}

function timeZoneOf(set: PartitionSet | undefined): string {
  return (set?.type === 'dynamic' ? undefined : set?.timeZone) ?? 'UTC';
}

/** Time zones are at most so far from UTC. */
const MAX_OFFSET_MS = 15 * HOUR_MS;

/** The hours, in UTC, that overlap a day somewhere: where clocks are half an hour off, the first and last do in part. */
function hoursOf(day: string, timeZone: string): string[] {
  const midnight = parseDay(day) ?? Number.NaN;
  const hours: string[] = [];
  for (let at = midnight - MAX_OFFSET_MS; at < midnight + DAY_MS + MAX_OFFSET_MS; at += HOUR_MS)
    if (daysOf(at, timeZone).includes(day)) hours.push(hourOf(at));
  return hours;
}

/** The days somewhere that an hour overlaps: one, or two. */
function daysOf(at: number, timeZone: string): string[] {
  const first = zonedDay(new Date(at), timeZone);
  const last = zonedDay(new Date(at + HOUR_MS - 1), timeZone);
  return first === last ? [first] : [first, last];
}
