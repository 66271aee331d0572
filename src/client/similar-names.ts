/** Names that somebody may have meant: pure. */

const MAX_SHOWN = 3;
/** Names have long beginnings in common, so more would find too many. */
const MAX_AWAY = 2;

/** The nearest first: those that contain it or that it contains, and those that differ in one or two characters. */
export function similarNames(given: string, names: Iterable<string>): readonly string[] {
  const wanted = given.toLowerCase();
  return [...names]
    .map((name) => ({ name, away: distance(wanted, name.toLowerCase()) }))
    .filter(({ name, away }) => away <= MAX_AWAY || contains(name.toLowerCase(), wanted))
    .sort((a, b) => a.away - b.away || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_SHOWN)
    .map(({ name }) => name);
}

function contains(a: string, b: string): boolean {
  return a !== '' && b !== '' && (a.includes(b) || b.includes(a));
}

/** How many characters have to be added, left out or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
