/**
 * The one place that writes: results to stdout, as text or as one JSON document, everything else to stderr.
 *
 * Colours only on a terminal, and not with NO_COLOR. Tables have no lines, so that `grep` and `awk` work on them.
 */
import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import { createColors } from 'picocolors';
import type { ExplainedError } from './errors.js';
import { startProgress, statusLine, type Progress } from './progress.js';
import { plain, printableJson } from '../sensors/text.js';

export type Colors = ReturnType<typeof createColors>;

export interface Output {
  /** Prints the result of the command: `value` with `--json`, else the lines that `text` gives. */
  result(value: unknown, text: (colors: Colors, width: number) => readonly string[]): void;
  /** One of many results, as it comes: `value` as one line of JSON with `--json`, else the line that `text` gives. */
  line(value: unknown, text: () => string): void;
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
    line(value, text) {
      process.stdout.write(`${json ? printableJson(value, 0) : text()}\n`);
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

function mayColor(stream: NodeJS.WriteStream): boolean {
  // undefined for a pipe, and a library that is given undefined decides by itself
  if (!stream.isTTY) return false;
  return !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

/** Lines of a table, the header first. Cells are printed as they are: make user text {@link plain} before. */
export function table(header: readonly string[], rows: readonly (readonly string[])[], colors: Colors): string[] {
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 3, compact: true };
  const lines = new Table({ head: header.map((name) => colors.dim(name)), chars: NO_LINES, style });
  lines.push(...rows.map((row) => [...row]));
  return lines
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

/**
 * Lines of a table in which each row has a link: as its last column, or below the row where that would be wider than
 * the terminal.
 *
 * @param width of the terminal, in characters
 */
export function linkedTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  links: readonly string[],
  colors: Colors,
  width: number
): string[] {
  const wide = table(
    [...header, 'TEMPORAL WEB'],
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
