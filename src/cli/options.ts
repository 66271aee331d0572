/** Values of options, as people type them. */
import { InvalidArgumentError } from 'commander';
import type { Json } from '../sensors/json.js';

const MAX_LIMIT = 10_000;
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/;

export function text(value: string): string {
  if (value.trim() === '') throw new InvalidArgumentError('It is empty.');
  return value;
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

export function port(value: string): number {
  return wholeNumber(value, 65_535);
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

/** Tags as `key=value`, one each time that the option is given. */
export function tag(value: string, given: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = value.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Accepted: key=value.');
  return { ...given, [value.slice(0, at)]: value.slice(at + 1) };
}

/** The number of a tick. */
export function tickNumber(value: string): number {
  return wholeNumber(value, Number.MAX_SAFE_INTEGER);
}

/** A time such as 2030-01-31T08:00:00Z; without a zone it is local time. */
export function isoTime(value: string): Date | undefined {
  const date = new Date(value);
  return ISO_TIME.test(value) && !Number.isNaN(date.getTime()) ? date : undefined;
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
