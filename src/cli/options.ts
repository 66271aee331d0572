/** Values of options, as people type them. */
import { InvalidArgumentError } from 'commander';
import type { Json } from '../sensors/json.js';

const MAX_LIMIT = 10_000;
const MAX_RETAINED_EVENTS = 1_000_000_000;
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

export function position(value: string): number {
  return value === '0' ? 0 : wholeNumber(value, Number.MAX_SAFE_INTEGER);
}

export function events(value: string): number {
  return wholeNumber(value, MAX_RETAINED_EVENTS);
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

export function futureTime(value: string): Date {
  const date = new Date(value);
  if (!ISO_TIME.test(value) || Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError(
      'Accepted: an ISO time such as 2030-01-31T08:00:00Z; without a zone it is local time.'
    );
  }
  if (date.getTime() <= Date.now()) throw new InvalidArgumentError(`${date.toISOString()} is not in the future.`);
  return date;
}
