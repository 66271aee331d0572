/**
 * The ticks of a sensor, newest first: those that its loop remembers, then older ones from the histories of its runs.
 * Where no worker answers for the loop, all of them come from there.
 */
import type { TickRecord } from '../client/index.js';
import { formatDuration, plain } from '../sensors/text.js';
import { isUnanswered } from './errors.js';
import type { Output } from './output.js';
import { historyProgress } from './progress.js';
import type { Session } from './session.js';

const ASK_TIMEOUT_MS = 3_000;
/** How far back histories are searched for what may be in none of them: each may have 2 MB. */
const SEARCH_MS = 7 * 86_400_000;

export interface NewestTicksOptions {
  readonly since?: Date | undefined;
  /** With the log lines that the loop has dropped for want of room. */
  readonly whole?: boolean;
  /** Not every tick is meant: without `since`, histories are searched for those of the last 7 days only. */
  readonly searching?: boolean;
}

/** @throws SensorNotFoundError */
export async function* newestTicks(
  session: Session,
  output: Output,
  sensor: string,
  { since, whole = false, searching = false }: NewestTicksOptions
): AsyncGenerator<TickRecord> {
  const remembered = await rememberedTicks(session, sensor);
  if (remembered === undefined)
    output.note(`No worker answers for ${plain(sensor)}, so its ticks are read from Temporal's histories.`);
  let before = Number.POSITIVE_INFINITY;
  for (const tick of (remembered ?? []).toReversed()) {
    if (whole && tick.logs === undefined && tick.logLinesDropped !== undefined) break;
    if (since !== undefined && tick.startedAt < since.getTime()) return;
    before = tick.tick;
    yield tick;
  }
  const from = since ?? (searching ? new Date(Date.now() - SEARCH_MS) : undefined);
  const onHistory = historyProgress(output, sensor);
  try {
    for await (const tick of session.sensors.tickHistory(sensor, { before, since: from, onHistory })) {
      before = tick.tick;
      yield tick;
    }
  } finally {
    output.status(undefined);
  }
  if (from !== since && before > 1)
    output.note(
      `Histories were searched for the last ${formatDuration(SEARCH_MS)} only; --since 30d goes further back.`
    );
}

/** What the loop says, oldest first; nothing when nobody answers for it. */
async function rememberedTicks(session: Session, sensor: string): Promise<readonly TickRecord[] | undefined> {
  const { taskQueue, failedTaskAttempts } = await session.call(() => session.sensors.describe(sensor));
  if (failedTaskAttempts !== undefined) return undefined;
  if ((await session.call(() => session.sensors.workers(taskQueue))).length === 0) return undefined;
  try {
    return await session.call(() => session.sensors.ticks(sensor), Math.min(ASK_TIMEOUT_MS, session.timeoutMs));
  } catch (error) {
    if (isUnanswered(error)) return undefined;
    throw error;
  }
}

/** The first so many that are meant. */
export async function firstOf<T>(items: AsyncIterable<T>, limit: number, isMeant: (item: T) => boolean): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) {
    if (isMeant(item)) found.push(item);
    if (found.length >= limit) break;
  }
  return found;
}
