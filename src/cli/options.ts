/** Values of options, as people type them. */
import { InvalidArgumentError } from 'commander';
import type { Json } from '../sensors/json.js';

const MAX_LIMIT = 10_000;
const MAX_RETAINED_EVENTS = 1_000_000_000;
const MAX_DURATION_MS = 3_650 * 86_400_000;
const DURATION = /^(\d+(?:\.\d+)?) ?(s|m|min|h|d)$/;
const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const BEGINS_WITH_DATE = /^\d{4}-\d{2}-\d{2}($|[T ]\d)/;
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/;

export function text(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('It is empty.');
  return value;
}

/** A run key: whatever a sensor may ask for. */
export function runKey(value: string): string {
  if (value === '') throw new InvalidArgumentError('A run key is not empty.');
  return value;
}

/** A variable of the environment that switches something on. */
export function flag(value: string | undefined): boolean {
  return !['', '0', 'false', 'no', 'off'].includes((value ?? '').trim().toLowerCase());
}

export function json(value: string): Json {
  try {
    return JSON.parse(value) as Json;
  } catch {
    throw new InvalidArgumentError(`It is not JSON; a text needs quotes: '"2026-01-31"'.`);
  }
}

export function seconds(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !(parsed > 0 && parsed <= 3_600)) {
    throw new InvalidArgumentError('Accepted: seconds, above 0, up to 3600.');
  }
  return parsed;
}

export function limit(value: string): number {
  return wholeNumber(value, MAX_LIMIT);
}

export function position(value: string): number {
  return value === '0' ? 0 : wholeNumber(value, Number.MAX_SAFE_INTEGER);
}

export function events(value: string): number {
  return wholeNumber(value, MAX_RETAINED_EVENTS);
}

export function port(value: string): number {
  return wholeNumber(value, 65_535);
}

export function tickNumber(value: string): number {
  return wholeNumber(value, Number.MAX_SAFE_INTEGER);
}

/** One more `--tag <key>=<value>`. */
export function tag(value: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Accepted: <key>=<value>, such as team=sales.');
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

/** Milliseconds of `90s`, `2h` or `1.5d`. */
export function duration(value: string): number {
  const [, amount = '', unit = ''] = DURATION.exec(value) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  if (ms > 0 && ms <= MAX_DURATION_MS) return ms;
  throw new InvalidArgumentError('Accepted: a number and a unit (s, m, h or d), such as 30m or 2h, up to 3650d.');
}

export function isDuration(value: string): boolean {
  return DURATION.test(value);
}

/** The time after a duration from now. */
export function timeAfter(value: string): Date {
  return new Date(Date.now() + duration(value));
}

function wholeNumber(value: string, max: number): number {
  const parsed = Number(value);
  if (!/^\d+$/.test(value) || parsed < 1 || parsed > max) {
    throw new InvalidArgumentError(`Accepted: a whole number from 1 to ${max}.`);
  }
  return parsed;
}

/** One of these words, in whatever case it is typed. */
export function oneOf<const Word extends string>(...words: readonly Word[]): (value: string) => Word {
  return (value) => {
    const found = words.find((word) => word.toLowerCase() === value.toLowerCase());
    if (found === undefined) throw new InvalidArgumentError(`Accepted: ${words.join(', ')}.`);
    return found;
  };
}

/** A time such as 2030-01-31T08:00:00Z; without a zone it is local time. */
export function isoTime(value: string): Date | undefined {
  const date = new Date(value);
  return ISO_TIME.test(value) && !Number.isNaN(date.getTime()) ? date : undefined;
}

/** The last time at which clocks here showed this, such as `16:38` or `16:38:05`: today, or yesterday if it is still to come. */
export function timeOfDay(value: string, now: Date = new Date()): Date | undefined {
  const [, hours, minutes, seconds = '0'] = TIME_OF_DAY.exec(value) ?? [];
  if (hours === undefined || minutes === undefined) return undefined;
  const at = new Date(now);
  at.setHours(Number(hours), Number(minutes), Number(seconds), 0);
  if (at > now) at.setDate(at.getDate() - 1);
  return at;
}

/** Whether a text may be meant as a time, though it is no ISO time: one of another form, or a mistaken one. */
export function looksLikeTime(value: string): boolean {
  return TIME_OF_DAY.test(value) || DURATION.test(value) || BEGINS_WITH_DATE.test(value);
}

/** A moment: an ISO time, a time of day, or how long ago it was. */
export function moment(value: string): Date {
  const at = isoTime(value) ?? timeOfDay(value);
  if (at !== undefined) return at;
  if (DURATION.test(value)) return pastTime(value);
  throw new InvalidArgumentError(
    `'${value}' is not a time. Accepted: a time of day such as 16:38, how long ago, such as 30m or 2h, or an ISO time such as 2026-01-31T08:00:00Z; without a zone it is local time.`
  );
}

/** A time that has been, or how long ago it was. */
export function pastTime(value: string): Date {
  const at = isoTime(value) ?? (DURATION.test(value) ? new Date(Date.now() - duration(value)) : undefined);
  if (at === undefined) {
    throw new InvalidArgumentError(
      'Accepted: how long ago, such as 30m or 2h, or an ISO time such as 2026-01-31T08:00:00Z; without a zone it is local time.'
    );
  }
  if (at.getTime() > Date.now()) throw new InvalidArgumentError(`${at.toISOString()} is in the future.`);
  return at;
}

export function futureTime(value: string): Date {
  const date = isoTime(value);
  if (date === undefined) {
    throw new InvalidArgumentError(
      'Accepted: an ISO time such as 2030-01-31T08:00:00Z; without a zone it is local time.'
    );
  }
  if (date.getTime() <= Date.now()) throw new InvalidArgumentError(`${date.toISOString()} is not in the future.`);
  return date;
}
