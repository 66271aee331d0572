/**
 * The one place that writes: results to stdout, as text or as one JSON document, everything else to stderr.
 *
 * Colours only on a terminal, and not with NO_COLOR. Tables have no lines, so that `grep` and `awk` work on them.
 */
import { stripVTControlCharacters } from 'node:util';
import { createColors } from 'picocolors';
import type { ExplainedError } from './errors.js';
import { startProgress, statusLine, type Progress } from './progress.js';
import { count, plain, printableJson } from '../sensors/text.js';

export type Colors = ReturnType<typeof createColors>;

export interface Output {
  /** Prints the result of the command: `value` with `--json`, else the lines that `text` gives. */
  result(value: unknown, text: (colors: Colors, width: number) => readonly string[]): void;
  /** Prints one of many results that come one after the other; with `--json` each on a line of its own. */
  item(value: unknown, text: (colors: Colors, width: number) => readonly string[]): void;
  /** Replaces what the terminal shows by these lines, as far as they fit. */
  screen(text: (colors: Colors, width: number) => readonly string[]): void;
  /** A remark for people, on stderr; not printed with `--json`. */
  note(text: string): void;
  /** How far something is: one line on a terminal's stderr, written over again; `undefined` ends it. Nothing in a pipe or with `--json`. */
  status(text: string | undefined): void;
  /** A bar on that line. @param what in the plural, such as `sensors` */
  progress(total: number, what: string): Progress;
  error(error: ExplainedError): void;
}

export function createOutput({ json }: { readonly json: boolean }): Output {
  const colors = createColors(mayColor(process.stdout));
  const errorColors = createColors(mayColor(process.stderr));
  const status = statusLine(json ? undefined : process.stderr);
  return {
    result(value, text) {
      const lines = json ? [printableJson(value)] : text(colors, process.stdout.columns ?? Infinity);
      process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    },
    item(value, text) {
      const lines = json ? [printableJson(value, 0)] : text(colors, process.stdout.columns ?? Infinity);
      process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    },
    screen(text) {
      // a terminal that does not know its size says 0
      const { columns, rows } = process.stdout;
      process.stdout.write(CLEAR + fitting(text(colors, columns || 80), (rows || 24) - 1).join('\n'));
    },
    note(text) {
      if (!json) process.stderr.write(`${text}\n`);
    },
    status,
    progress: (total, what) => startProgress(status, total, what),
    error({ code, exitCode, message }) {
      if (json) process.stderr.write(`${printableJson({ error: { code, exitCode, message } })}\n`);
      else {
        const lines = message.split('\n').map((line) => plain(line));
        process.stderr.write(`${errorColors.red('error:')} ${lines.join('\n')}\n`);
      }
    },
  };
}

/** Moves to the upper left corner and erases what is below. */
const CLEAR = '\u001b[H\u001b[2J';

/** As many lines as there is room for; the last one says how many are missing. */
export function fitting(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  const shown = Math.max(0, rows - 1);
  return [...lines.slice(0, shown), `… and ${count(lines.length - shown, 'more line')}`];
}

function mayColor(stream: NodeJS.WriteStream): boolean {
  // undefined for a pipe, and a library that is given undefined decides by itself
  if (!stream.isTTY) return false;
  return !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

const GAP = '   ';

/** Lines of a table, the header first. Cells are printed as they are: make user text {@link plain} before. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], colors: Colors): string[] {
  const cells = [header.map((name) => colors.dim(name)), ...rows];
  const widths = cells.map((row) => row.map(widthOf));
  const columns = header.map((_, column) => widths.reduce((max, row) => Math.max(max, row[column] ?? 0), 0));
  return cells.map((row, line) =>
    row
      .map((cell, column) => cell + ' '.repeat((columns[column] ?? 0) - (widths[line]?.[column] ?? 0)))
      .join(GAP)
      .trimEnd()
  );
}

/** Characters that take the room of two, and those that take none. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/gu;
const ZERO = /\p{Mark}|[\u200b-\u200d]/gu;

/** Columns that a text takes on a terminal. */
function widthOf(text: string): number {
  const bare = stripVTControlCharacters(text);
  if (/^[\x20-\x7e]*$/.test(bare)) return bare.length;
  return Array.from(bare.replaceAll(ZERO, '')).length + (bare.match(WIDE)?.length ?? 0);
}

/**
 * Lines of a table in which each row has a link, or another long text: as its last column, or below the row where that
 * would be wider than the terminal.
 *
 * @param width of the terminal, in characters
 */
export function linkedTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  links: readonly string[],
  colors: Colors,
  width: number,
  title = 'TEMPORAL WEB'
): string[] {
  const wide = table(
    [...header, title],
    rows.map((row, index) => [...row, links[index] ?? '']),
    colors
  );
  if (wide.every((line) => stripVTControlCharacters(line).length <= width)) return wide;
  const [head = '', ...lines] = table(header, rows, colors);
  return [head, ...lines.flatMap((line, index) => [line, `  ${colors.dim(links[index] ?? '')}`])];
}

/** Lines of `name  value`, without those that have no value. */
export function fields(pairs: readonly (readonly [string, string | undefined])[], colors: Colors): string[] {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${colors.dim(name.padEnd(width))}   ${value}`);
}

const BAD = new Set([
  'failing',
  'notLoaded',
  'failure',
  'failed',
  'rejected',
  'terminated',
  'timedOut',
  'FAILED',
  'TERMINATED',
  'TIMED_OUT',
]);

/** The word of a status or health in its colour. */
export function colored(word: string, colors: Colors): string {
  if (['running', 'ok', 'success', 'done', 'COMPLETED'].includes(word)) return colors.green(word);
  if (BAD.has(word)) return colors.red(word);
  if (['stopped', 'closed', 'paused', 'cancelling', 'cancelled', 'CANCELLED'].includes(word))
    return colors.yellow(word);
  return word;
}
