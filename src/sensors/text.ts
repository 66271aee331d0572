/**
 * Text for people: user text made harmless, times and durations.
 *
 * Names, keys and errors are other people's text. A terminal would obey control characters in it (colours, moving the
 * cursor, a new window title), and a newline would look like a line of ours.
 */
// C0 and C1 controls, and the marks that reverse the direction of text
const UNPRINTABLE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** `text` on one line, with escapes in place of what a terminal would obey; cut to `max` characters. */
export function plain(text: string, max = 2_000): string {
  const line = text.replaceAll(/[ \t]*\r?\n\s*/g, ' ').replaceAll(UNPRINTABLE, escape);
  const characters = Array.from(line);
  return characters.length <= max ? line : `${characters.slice(0, max - 1).join('')}…`;
}

/** The same line by line, such as a stack: all but the first are indented, so that none looks like one of ours. */
export function plainLines(text: string, max?: number): string[] {
  const [first = '', ...rest] = text.split('\n').filter((line) => line.trim() !== '');
  return [plain(first, max), ...rest.map((line) => `    ${plain(line.trim(), max)}`)];
}

/** JSON in which nothing is left that a terminal would obey. @param indent of its lines; 0: one line */
export function printableJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, undefined, indent).replaceAll(UNPRINTABLE, (character) =>
    // JSON.stringify escaped those inside of texts; what is left is its own layout
    character === '\n' ? character : escape(character)
  );
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The units that durations are shown in, largest first. */
const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** A duration in its largest unit: `250 ms`, `30 s`, `1.5 h`. */
export function formatDuration(ms: number): string {
  const [unit, size] = UNITS.find(([, unitMs]) => ms >= unitMs) ?? ['ms', 1];
  return `${Math.round((ms / size) * 10) / 10} ${unit}`;
}

/** `12 s ago`, `in 3 min`, `now`. */
export function relative(at: Date | number, now: number = Date.now()): string {
  const ms = new Date(at).getTime() - now;
  if (Math.abs(ms) < 500) return 'now';
  const [unit, size] = UNITS.find(([, unitMs]) => Math.abs(ms) >= unitMs) ?? ['s', 1_000];
  const amount = `${Math.max(1, Math.floor(Math.abs(ms) / size))} ${unit}`;
  return ms < 0 ? `${amount} ago` : `in ${amount}`;
}

/** The same of what is to come: what came due while the rest was looked up is `now`. */
export function relativeNext(at: Date): string {
  return relative(Math.max(at.getTime(), Date.now()));
}

/** `1 run`, `3 runs`. */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
