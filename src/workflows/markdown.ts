/**
 * Markdown for Temporal Web, which shows it as a workflow's current details. Pure.
 *
 * Names, keys, reasons and errors are other people's text: they are shown as they are, on one line, and never become
 * markup. Whatever there is of them, the result is small.
 */
import { utf8Bytes } from '../sensors/json.js';
import { plain } from '../sensors/text.js';

const MAX_TEXT_LENGTH = 200;
/** Rows beyond it are only counted. */
const MAX_TABLE_BYTES = 8 * 1024;

/** Most texts: nothing in them is markup. It is asked many times a tick. */
const HARMLESS = /^[A-Za-z0-9 .,:;()/'"=@%+-]*$/;

/** `text` as Markdown that shows it, cut to `max` characters. What is no text (anybody may send anything) is nothing. */
export function escaped(text: unknown, max: number = MAX_TEXT_LENGTH): string {
  if (typeof text === 'number') return `${text}`;
  if (typeof text !== 'string') return '';
  if (text.length <= max && HARMLESS.test(text)) return text;
  // an underscore inside of a word is no markup, and file names are full of them
  return plain(text, max).replaceAll(/[\\`*[\]<>&|~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, String.raw`\$&`);
}

/** A table with as many of the rows as have room; its cells are escaped. Nothing at all without rows. */
export function table(columns: readonly string[], rows: readonly (readonly unknown[])[]): string[] {
  if (rows.length === 0) return [];
  const lines = [line(columns), `| ${columns.map(() => '---').join(' | ')} |`];
  let bytes = 0;
  for (const [index, row] of rows.entries()) {
    const next = line(row.map((cell) => escaped(cell)));
    bytes += utf8Bytes(next);
    if (bytes > MAX_TABLE_BYTES) return [...lines, '', `and ${rows.length - index} more`];
    lines.push(next);
  }
  return lines;
}

function line(cells: readonly string[]): string {
  // Temporal Web leaves no room between columns; Markdown trims plain spaces
  return `| ${cells.join('\u00a0 | ')} |`;
}

/** Commands to copy. */
export function commands(lines: readonly string[]): string[] {
  return ['```sh', ...lines.map((command) => plain(command)), '```'];
}

/** A time to the second, as everybody reads it the same. */
export function iso(at: number): string {
  if (!Number.isFinite(at)) return '?';
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}
