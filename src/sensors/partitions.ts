/**
 * Partition sets: the keys by which the runs of a job divide what they work on.
 *
 * Static, hourly, daily and weekly sets are known from their definition. A dynamic set is kept by Temporal, under its name,
 * and changed by ticks: `return { partitionRequests: [customers.add(['acme'])], … }`.
 */
import { DAY_MS, dayOf, HOUR_MS, hourOf, mondayOf, parseDay, parseHour, zonedDay } from './days.js';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from './errors.js';
import { utf8Bytes } from './json.js';
import { MAX_PARTITION_KEY_BYTES } from './limits.js';

/** A fixed set, or one that follows the calendar. */
export interface KnownPartitions {
  readonly kind: 'partitions';
  readonly type: 'static' | 'hourly' | 'daily' | 'weekly';
  /** Where its days begin; only of daily and weekly sets. */
  readonly timeZone?: string;
  /** All keys at a time, in order. */
  readonly keys: (now: Date) => readonly string[];
  readonly has: (key: string, now: Date) => boolean;
}

/** A set whose keys come and go. */
export interface DynamicPartitions {
  readonly kind: 'partitions';
  readonly type: 'dynamic';
  readonly name: string;
  /** Asks for keys to be added; those that are there already do not matter. Give it in `partitionRequests`. */
  readonly add: (keys: readonly string[]) => PartitionRequest;
  /** Asks for keys to be deleted; those that are not there do not matter. Give it in `partitionRequests`. */
  readonly delete: (keys: readonly string[]) => PartitionRequest;
}

export type PartitionSet = KnownPartitions | DynamicPartitions;

/** By name, so that the ESM and the CommonJS copy of this package understand each other. */
const MADE = Symbol.for('temporal-sensors.partitionRequest');

/** A change of a dynamic set, made by its `add` or `delete`. */
export interface PartitionRequest {
  readonly kind: 'add' | 'delete';
  readonly set: string;
  readonly keys: readonly string[];
}

/** @throws {@link DefinitionError} for no keys, a key twice, or one that is not 1 to 256 bytes of text */
export function staticPartitions(keys: readonly string[]): KnownPartitions {
  const place = 'staticPartitions';
  if (!Array.isArray(keys) || keys.length === 0)
    throw new DefinitionError(`${place} got ${quote(keys)}; accepted: an array of one or more keys`);
  const all = new Set<string>();
  for (const key of keys as unknown[]) {
    if (!isPartitionKey(key)) throw new DefinitionError(`${place}: a key is ${quote(key)}; accepted: ${KEY}`);
    if (all.has(key)) throw new DefinitionError(`${place} has the key ${quote(key)} twice`);
    all.add(key);
  }
  const list = Object.freeze([...all]);
  return Object.freeze({ kind: 'partitions', type: 'static', keys: () => list, has: (key: string) => all.has(key) });
}

export interface DailyOptions {
  /** The first day, such as `2026-01-31`. */
  readonly start: string;
  /** The last day. @default none */
  readonly end?: string;
  /** Where a day begins and ends, such as `Europe/Berlin`. @default 'UTC' */
  readonly timeZone?: string;
  /** Whether the day that has not ended yet is in the set. @default false */
  readonly includeCurrent?: boolean;
}

/**
 * One key a day, such as `2026-01-31`. A day is in the set when it has ended.
 *
 * @throws {@link DefinitionError} for a day or time zone that does not exist
 */
export function dailyPartitions(options: DailyOptions): KnownPartitions {
  return calendarPartitions(options, {
    type: 'daily',
    days: 1,
    firstDayOf: (day) => day,
    accepted: `a day such as '2026-01-31'`,
  });
}

export interface WeeklyOptions {
  /** The first week, by its Monday, such as `2026-02-02`. */
  readonly start: string;
  /** The last week, by its Monday. @default none */
  readonly end?: string;
  /** Where a week begins and ends, such as `Europe/Berlin`. @default 'UTC' */
  readonly timeZone?: string;
  /** Whether the week that has not ended yet is in the set. @default false */
  readonly includeCurrent?: boolean;
}

/**
 * One key a week: its Monday, such as `2026-02-02`. A week is in the set when its Sunday has ended.
 *
 * @throws {@link DefinitionError} for a day that is no Monday, or a time zone that does not exist
 */
export function weeklyPartitions(options: WeeklyOptions): KnownPartitions {
  return calendarPartitions(options, {
    type: 'weekly',
    days: 7,
    firstDayOf: mondayOf,
    accepted: `a Monday such as '2026-02-02'`,
  });
}

/** Stretches of days, each called by its first day. */
function calendarPartitions(
  options: DailyOptions | WeeklyOptions,
  {
    type,
    days,
    firstDayOf,
    accepted,
  }: {
    readonly type: 'daily' | 'weekly';
    readonly days: number;
    readonly firstDayOf: (day: string) => string;
    readonly accepted: string;
  }
): KnownPartitions {
  const place = `${type}Partitions`;
  refuseUnknownOptions(options, ['start', 'end', 'timeZone', 'includeCurrent'], place);
  const { start, end, timeZone = 'UTC', includeCurrent = false } = options;
  const isFirstDay = (day: unknown): boolean => parseDay(day) !== undefined && firstDayOf(day as string) === day;
  for (const [name, day] of Object.entries({ start, end })) {
    if (day === undefined && name === 'end') continue;
    if (!isFirstDay(day)) throw new DefinitionError(`${place}: ${name} is ${quote(day)}; accepted: ${accepted}`);
  }
  try {
    zonedDay(new Date(0), timeZone);
  } catch {
    throw new DefinitionError(
      `${place}: timeZone is ${quote(timeZone)}; accepted: an IANA name such as 'Europe/Berlin'`
    );
  }
  const inside = (key: string, now: Date): boolean => {
    const current = firstDayOf(zonedDay(now, timeZone));
    return key >= start && (end === undefined || key <= end) && (includeCurrent ? key <= current : key < current);
  };
  return Object.freeze({
    kind: 'partitions',
    type,
    timeZone,
    has: (key: string, now: Date) => isFirstDay(key) && inside(key, now),
    keys(now: Date) {
      const keys: string[] = [];
      for (let at = parseDay(start) ?? Number.NaN; ; at += days * DAY_MS) {
        const key = dayOf(at);
        if (!inside(key, now)) return keys;
        keys.push(key);
      }
    },
  });
}

export interface HourlyOptions {
  /** The first hour, such as `2026-01-31T00:00Z`. */
  readonly start: string;
  /** The last hour. @default none */
  readonly end?: string;
  /** Whether the hour that has not ended yet is in the set. @default false */
  readonly includeCurrent?: boolean;
}

/**
 * One key an hour in UTC, such as `2026-01-31T05:00Z`. An hour is in the set when it has ended.
 *
 * @throws {@link DefinitionError} for an hour that does not exist
 */
export function hourlyPartitions(options: HourlyOptions): KnownPartitions {
  const place = 'hourlyPartitions';
  refuseUnknownOptions(options, ['start', 'end', 'includeCurrent'], place);
  const { start, end, includeCurrent = false } = options;
  for (const [name, hour] of Object.entries({ start, end })) {
    if (hour === undefined && name === 'end') continue;
    if (parseHour(hour) === undefined)
      throw new DefinitionError(`${place}: ${name} is ${quote(hour)}; accepted: an hour such as '2026-01-31T05:00Z'`);
  }
  const inside = (at: number, now: Date): boolean => {
    const current = Math.floor(now.getTime() / HOUR_MS) * HOUR_MS;
    const last = end === undefined ? Infinity : (parseHour(end) ?? Number.NaN);
    return at >= (parseHour(start) ?? Number.NaN) && at <= last && (includeCurrent ? at <= current : at < current);
  };
  return Object.freeze({
    kind: 'partitions',
    type: 'hourly',
    has: (key: string, now: Date) => inside(parseHour(key) ?? Number.NaN, now),
    keys(now: Date) {
      const keys: string[] = [];
      for (let at = parseHour(start) ?? Number.NaN; inside(at, now); at += HOUR_MS) keys.push(hourOf(at));
      return keys;
    },
  });
}

/**
 * A set that is kept by Temporal under its name (with the plugin's prefix), for all sensors and jobs that use it.
 *
 * @throws {@link DefinitionError} for a bad name; its `add` and `delete` for a bad key
 */
export function dynamicPartitions(name: string): DynamicPartitions {
  checkName(name, 'the name of a dynamic partition set');
  const change = (kind: PartitionRequest['kind'], keys: readonly string[]): PartitionRequest => {
    const bad = Array.isArray(keys) ? keys.find((key) => !isPartitionKey(key)) : keys;
    if (!Array.isArray(keys) || bad !== undefined || keys.some((key) => key === undefined))
      throw new DefinitionError(`${kind} of partition set '${name}' got the key ${quote(bad)}; accepted: ${KEY}`);
    return Object.freeze({ kind, set: name, keys: Object.freeze([...(keys as readonly string[])]), [MADE]: true });
  };
  return Object.freeze({
    kind: 'partitions',
    type: 'dynamic',
    name,
    add: (keys: readonly string[]) => change('add', keys),
    delete: (keys: readonly string[]) => change('delete', keys),
  });
}

/**
 * @throws {@link DefinitionError} for `partitions` of a job or asset that are no set
 */
export function checkPartitions(partitions: unknown, place: string): asserts partitions is PartitionSet | undefined {
  if (partitions === undefined) return;
  if (typeof partitions === 'object' && partitions !== null && 'kind' in partitions && partitions.kind === 'partitions')
    return;
  throw new DefinitionError(
    `${place}: partitions is ${quote(partitions)}; accepted: what staticPartitions, hourlyPartitions, dailyPartitions, weeklyPartitions or dynamicPartitions returned`
  );
}

const KEY = `1 to ${MAX_PARTITION_KEY_BYTES} bytes of text`;

export function isPartitionKey(key: unknown): key is string {
  return typeof key === 'string' && key !== '' && utf8Bytes(key) <= MAX_PARTITION_KEY_BYTES;
}

export function isPartitionRequest(value: unknown): value is PartitionRequest {
  return typeof value === 'object' && value !== null && MADE in value;
}
