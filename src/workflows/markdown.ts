/**
 * Markdown for Temporal Web, which shows it as a workflow's current details. Pure.
 *
 * Names, keys, reasons and errors are other people's text: they are shown as they are, on one line, and never become
 * markup. Whatever there is of them, the result is small.
 */
import { jsonBytes } from '../sensors/json.js';
import { plain } from '../sensors/text.js';

const MAX_TEXT_LENGTH = 200;
/** Rows beyond it are only counted. */
const MAX_TABLE_BYTES = 12 * 1024;

/** `text` as Markdown that shows it, cut to `max` characters. What is no text (anybody may send anything) is nothing. */
export function escaped(text: unknown, max: number = MAX_TEXT_LENGTH): string {
  if (typeof text === 'number') return `${text}`;
  if (typeof text !== 'string') return '';
  // an underscore inside of a word is no markup, and file names are full of them
  return plain(text, max).replaceAll(/[\\`*[\]<>&|~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, String.raw`\$&`);
}

/** A table with as many of the rows as have room; its cells are escaped. Nothing at all without rows. */
export function table(columns: readonly string[], rows: readonly (readonly unknown[])[]): string[] {
  if (rows.length === 0) return [];
  const lines = [line(columns), line(columns.map(() => '---'))];
  let bytes = 0;
  for (const [index, row] of rows.entries()) {
    const next = line(row.map((cell) => escaped(cell)));
    bytes += jsonBytes(next);
    if (bytes > MAX_TABLE_BYTES) return [...lines, '', `and ${rows.length - index} more`];
    lines.push(next);
  }
  return lines;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Commands to copy. */
export function commands(lines: readonly string[]): string[] {
  return ['```sh', ...lines.map((command) => plain(command)), '```'];
}

/** A time, as everybody reads it the same. */
export function iso(at: number): string {
  if (!Number.isFinite(at)) return '?';
  return new Date(at).toISOString().replace('.000Z', 'Z');
}
