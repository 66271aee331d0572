/**
 * Durations as authors write them: `'30s'`, `'5 minutes'`, or milliseconds.
 *
 * Temporal's own `Duration` type accepts any string under NodeNext, so durations are checked twice: by this narrower
 * type in the editor and by Temporal's parser when a definition is made.
 */
import { msToNumber } from '@temporalio/common/lib/time.js';
import { DefinitionError, quote } from './errors.js';
import { formatDuration } from './text.js';

type Unit =
  | 'ms'
  | 'millisecond'
  | 'milliseconds'
  | 's'
  | 'sec'
  | 'secs'
  | 'second'
  | 'seconds'
  | 'm'
  | 'min'
  | 'mins'
  | 'minute'
  | 'minutes'
  | 'h'
  | 'hr'
  | 'hrs'
  | 'hour'
  | 'hours'
  | 'd'
  | 'day'
  | 'days';

/** Milliseconds, or a number with a unit: `500`, `'30s'`, `'1.5 hours'`. */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`;

/**
 * Milliseconds of `duration`.
 *
 * @param place how the error names the option, such as `sensor 'orders': interval`
 * @throws {@link DefinitionError} when it is no duration or outside `min`..`max` milliseconds
 */
export function parseDuration(duration: unknown, place: string, min: number, max: number): number {
  const accepted = `accepted: milliseconds or a text such as '30s' or '5 minutes', from ${formatDuration(min)} to ${formatDuration(max)}`;
  let ms: number;
  try {
    ms = msToNumber(duration as Parameters<typeof msToNumber>[0]);
  } catch {
    ms = Number.NaN;
  }
  if (!Number.isFinite(ms))
    throw new DefinitionError(`${place} is ${quote(duration)}, which is not a duration; ${accepted}`);
  if (ms < min || ms > max)
    throw new DefinitionError(`${place} is ${quote(duration)}, which is out of range; ${accepted}`);
  return Math.round(ms);
}
