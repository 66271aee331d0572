/** Days as texts such as `2026-01-31`, which sort as they follow each other. */

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Midnight UTC of a day, or `undefined` when there is no such day. */
export function parseDay(text: unknown): number | undefined {
  if (typeof text !== 'string' || !DAY.test(text)) return undefined;
  const at = Date.parse(`${text}T00:00:00Z`);
  // 30 February would be read as 2 March
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? undefined : at;
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
