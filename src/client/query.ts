/** A value in a visibility query: names are data, never part of the query's grammar. */
export function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
