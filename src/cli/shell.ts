/** Commands that people paste into a shell. Pure. */

/** What no shell takes for more than itself. */
const BARE = /^[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:@%+,=-]*$/;

/** A word as a POSIX shell takes it for itself: in single quotes where it needs them. */
export function shellQuoted(word: string): string {
  return BARE.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
