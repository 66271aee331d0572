/**
 * Ticks from the histories of the loop's runs, the open one and those that are closed, as far back as the server keeps
 * them. It needs no worker, and finds what the loop itself no longer remembers.
 */
import type { Client } from '@temporalio/client';
import { LOOP_TYPE, type TickRecord } from '../sensors/protocol.js';
import { LOOPS_PER_PAGE, listExecutions } from './executions.js';
import { foldRun } from './fold-history.js';
import { findLoop, historyOf, loopId } from './loops.js';
import { isNotFound } from './not-found.js';
import { quoted } from './query.js';

export interface TickHistoryOptions {
  /** Only ticks with a smaller number. */
  readonly before?: number | undefined;
  /** Only ticks that began then or later. */
  readonly since?: Date | undefined;
  readonly onHistory?: OnHistory | undefined;
}

/** Told before the history of a run of the loop is read: such a run may have 2 MB. @param startTime of that run */
export type OnHistory = (startTime: Date) => void;

/** A run of the loop: it continues as new now and then. */
export interface LoopRun {
  readonly runId: string;
  readonly startTime: Date;
  readonly closeTime?: Date | undefined;
}

/** Newest first; one history is read at a time, and no more of them than are asked for. */
export async function* readTicks(
  client: Client,
  sensor: string,
  { before = Number.POSITIVE_INFINITY, since, onHistory }: TickHistoryOptions = {}
): AsyncGenerator<TickRecord> {
  let next = before;
  // each run begins with the ticks before it, and a reset repeats some: numbers only ever fall
  for await (const { runId, startTime, closeTime } of loopRuns(client, sensor)) {
    if (next <= 1 || (since !== undefined && closeTime !== undefined && closeTime < since)) return;
    onHistory?.(startTime);
    for (const tick of (await ticksOfRun(client, sensor, runId)) ?? []) {
      if (tick.tick >= next) continue;
      if (since !== undefined && tick.startedAt < since.getTime()) return;
      next = tick.tick;
      yield tick;
    }
  }
}

/** Newest first. The last run is asked for by itself: lists may be a second behind. */
export async function* loopRuns(client: Client, sensor: string): AsyncGenerator<LoopRun> {
  const last = await findLoop(client, sensor);
  if (last === undefined) return;
  yield last;
  const query = `WorkflowType = '${LOOP_TYPE}' AND WorkflowId = ${quoted(loopId(sensor))}`;
  for await (const run of listExecutions(client, query, LOOPS_PER_PAGE)) if (run.runId !== last.runId) yield run;
}

/** Newest first; nothing when the history is gone. */
export async function ticksOfRun(
  client: Client,
  sensor: string,
  runId: string
): Promise<readonly TickRecord[] | undefined> {
  try {
    const { ticks } = await foldRun(client, await historyOf(client, sensor, runId));
    return [...ticks.values()].sort((a, b) => b.tick - a.tick);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
