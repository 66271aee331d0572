import type { TickRecord, TickStatus } from '../../client/index.js';
import { describeTick } from '../../sensors/describe-tick.js';
import { formatDuration, plain, relative } from '../../sensors/text.js';
import { followTicks } from '../follow-ticks.js';
import { firstOf, newestTicks } from '../newest-ticks.js';
import { colored, table, type Colors, type Output } from '../output.js';
import type { Session } from '../session.js';
import { speaksUnicode, timeline } from '../timeline.js';
import { tickView } from '../views.js';

export interface TicksOptions {
  readonly limit: number;
  readonly status?: TickStatus;
  readonly since?: Date | undefined;
  readonly follow?: true;
}

/** `sensors ticks <sensor>`: the recorded ticks, newest first; with `--follow` oldest first, and then each new one. */
export async function ticks(session: Session, output: Output, sensor: string, options: TicksOptions): Promise<void> {
  const { limit, status, since, follow } = options;
  const isMeant = (tick: TickRecord): boolean => status === undefined || tick.status === status;
  const newest = newestTicks(session, output, sensor, { since, searching: status !== undefined });
  const found = await firstOf(newest, limit, isMeant);
  if (follow === true) {
    const print = (tick: TickRecord): void => output.item(tickView(tick), () => [line(tick)]);
    for (const tick of found.toReversed()) print(tick);
    for await (const tick of followTicks(session, output, sensor, found[0]?.tick ?? 0, since))
      if (isMeant(tick)) print(tick);
  }
  output.result(found.map(tickView), (colors, width) => {
    if (found.length === 0) {
      const none = status === undefined && since === undefined ? 'has no tick yet' : 'has no such tick';
      return [`${plain(sensor)} ${none}; sensors describe ${plain(sensor)} says why.`];
    }
    return [timelineOf(found, colors, width), ...lines(found, colors)];
  });
  output.note(`Quiet evaluations leave no tick; sensors describe ${plain(sensor)} shows them.`);
}

function timelineOf(found: readonly TickRecord[], colors: Colors, width: number): string {
  const unicode = speaksUnicode(process.stdout.isTTY, process.env);
  const paint = (glyph: string, status: TickStatus): string =>
    status === 'success' ? colors.green(glyph) : status === 'failure' ? colors.red(glyph) : glyph;
  return timeline(found, { unicode, width, paint });
}

function lines(found: readonly TickRecord[], colors: Colors): string[] {
  const rows = found.map((tick) => [
    String(tick.tick),
    colored(tick.status, colors),
    relative(tick.startedAt),
    tick.evaluationMs === undefined ? '' : formatDuration(tick.evaluationMs),
    tick.trigger,
    plain(describeTick(tick), 160),
  ]);
  return table(['TICK', 'STATUS', 'STARTED', 'TOOK', 'TRIGGER', 'WHAT'], rows, colors);
}

/** One tick for those who follow: with its time, since the line stays. */
function line(tick: TickRecord): string {
  return `${new Date(tick.startedAt).toISOString()}  ${tick.tick}  ${tick.status}  ${tick.trigger}  ${plain(describeTick(tick), 160)}`;
}
