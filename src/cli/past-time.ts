/**
 * A time that has been, as people type it: an ISO time, or how long ago. Apart from the other values of options, since
 * durations are read by Temporal's parser, which is loaded only when a command needs it.
 */
import { parseDuration } from '../sensors/duration.js';
import { UsageError } from './errors.js';
import { isoTime } from './options.js';

const MAX_AGO_MS = 10 * 365 * 86_400_000;

/**
 * @param place how the error names it, such as `--since`
 * @throws UsageError
 */
export function pastTime(value: string, place: string, now: number = Date.now()): Date {
  const at = isoTime(value);
  if (at !== undefined) {
    if (at.getTime() <= now) return at;
    throw new UsageError(`${place} is ${at.toISOString()}, which is in the future`);
  }
  try {
    return new Date(now - parseDuration(value, place, 0, MAX_AGO_MS));
  } catch {
    throw new UsageError(
      `${place} is '${value}'; accepted: how long ago (30min, 2h, 1.5 days) or an ISO time such as 2026-01-31T08:00:00Z ` +
        `(without a zone it is local time)`
    );
  }
}
