/** Days and hours as texts such as `2026-01-31` and `2026-01-31T05:00Z`, which sort as they follow each other. */

export const HOUR_MS = 60 * 60 * 1000;
export const DAY_MS = 24 * HOUR_MS;

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const HOUR = /^\d{4}-\d{2}-\d{2}T\d{2}:00Z$/;

/** Midnight UTC of a day, or `undefined` when there is no such day. */
export function parseDay(text: unknown): number | undefined {
  if (typeof text !== 'string' || !DAY.test(text)) return undefined;
  const at = Date.parse(`${text}T00:00:00Z`);
  // 30 February would be read as 2 March
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? undefined : at;
}

/** The day that begins at this time, or in which it is, in UTC. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** The Monday of a day's week. */
export function mondayOf(day: string): string {
  const at = parseDay(day) ?? Number.NaN;
  return dayOf(at - ((new Date(at).getUTCDay() + 6) % 7) * DAY_MS);
}

/** The beginning of an hour, or `undefined` when there is no such hour. */
export function parseHour(text: unknown): number | undefined {
  if (typeof text !== 'string' || !HOUR.test(text)) return undefined;
  const at = Date.parse(text);
  // 24:00 is the next day's 00:00
  return Number.isNaN(at) || hourOf(at) !== text ? undefined : at;
}

/** The hour in which this time is. */
export function hourOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 13)}:00Z`;
}

/** Formatters are costly to make. */
const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * The day that it is somewhere.
 *
 * @throws RangeError for a time zone that does not exist
 */
export function zonedDay(at: Date, timeZone: string): string {
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat('en', { timeZone, calendar: 'gregory', year: 'numeric', month: '2-digit', day: '2-digit' });
  formats.set(timeZone, format);
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  return `${parts['year']}-${parts['month']}-${parts['day']}`;
}
