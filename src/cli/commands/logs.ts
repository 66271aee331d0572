/** `sensors logs`: what the author's code logged, oldest first, from the ticks that keep it. */
import type { TickRecord } from '../../client/index.js';
import { MAX_LOG_BYTES } from '../../sensors/limits.js';
import { plain, plainLines } from '../../sensors/text.js';
import { TickNotFoundError } from '../errors.js';
import { followTicks } from '../follow-ticks.js';
import { newestTicks } from '../newest-ticks.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { logView } from '../views.js';

export interface LogsOptions {
  readonly limit: number;
  /** Only those of this tick. */
  readonly tick?: number;
  readonly since?: Date | undefined;
  readonly follow?: true;
}

type LogView = ReturnType<typeof logView>;

/** `sensors logs <sensor>` */
export async function logs(session: Session, output: Output, sensor: string, options: LogsOptions): Promise<void> {
  const { limit, tick, since, follow } = options;
  const newest = newestTicks(session, output, sensor, { since, whole: true, searching: tick === undefined });
  if (tick !== undefined) return print(output, linesOf(await theTick(newest, sensor, tick)));
  const found: LogView[] = [];
  let last = 0;
  for await (const record of newest) {
    last ||= record.tick;
    found.unshift(...linesOf(record));
    if (found.length >= limit) break;
  }
  if (follow !== true) return print(output, found.slice(-limit));
  const each = (line: LogView): void => output.item(line, () => text(line));
  for (const line of found.slice(-limit)) each(line);
  for await (const record of followTicks(session, output, sensor, last, since))
    for (const line of linesOf(record)) each(line);
}

/** @throws TickNotFoundError */
async function theTick(newest: AsyncIterable<TickRecord>, sensor: string, tick: number): Promise<TickRecord> {
  for await (const record of newest) {
    if (record.tick === tick) return record;
    if (record.tick < tick) break;
  }
  throw new TickNotFoundError(
    `sensor '${sensor}' has no tick ${tick} that Temporal still knows; sensors ticks ${plain(sensor)} shows those there are`
  );
}

function linesOf(record: TickRecord): LogView[] {
  const { tick, logs = [], logLinesDropped = 0, endedAt, startedAt } = record;
  const lines = logs.map((line) => logView(tick, line));
  if (logLinesDropped === 0) return lines;
  const message = `${logLinesDropped} more lines were not kept; the worker's log has them`;
  return [...lines, logView(tick, { level: 'warn', at: endedAt ?? startedAt, message })];
}

function print(output: Output, lines: readonly LogView[]): void {
  output.result(lines, () =>
    lines.length === 0
      ? ["No log lines. Quiet evaluations keep none; the worker's log has theirs."]
      : lines.flatMap(text)
  );
}

function text({ at, tick, level, message }: LogView): string[] {
  const [first = '', ...rest] = plainLines(message, MAX_LOG_BYTES);
  return [`${at}  ${tick}  ${level}  ${first}`, ...rest];
}
