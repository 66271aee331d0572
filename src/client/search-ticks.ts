/** Ticks of the loop's closed runs, found with few of their histories read: each may have 2 MB. */
import type { Client } from '@temporalio/client';
import type { TickRecord } from '../sensors/protocol.js';
import { loopRuns, ticksOfRun, type LoopRun, type OnHistory } from './read-ticks.js';

/** Ticks, oldest first, and since when they are all that there were. */
export interface KnownTicks {
  readonly ticks: readonly TickRecord[];
  readonly since: Date;
}

/** A key that nothing asked for would else cost all of a sensor's life. */
const MAX_OLDER_HISTORIES = 20;

/**
 * The ticks of the present run of the loop, and those before it from the newest 20 of its closed runs.
 *
 * @param present ticks of the present run, oldest first
 */
export async function withOlderTicks(
  client: Client,
  sensor: string,
  present: readonly TickRecord[],
  onHistory?: OnHistory
): Promise<KnownTicks> {
  const older: TickRecord[] = [];
  let first = present[0];
  let since: Date | undefined;
  let histories = 0;
  for await (const { runId, startTime } of loopRuns(client, sensor)) {
    if (since !== undefined) {
      const before = first?.tick ?? 1;
      if (before <= 1 || histories++ >= MAX_OLDER_HISTORIES) break;
      onHistory?.(startTime);
      const ticks = await ticksOfRun(client, sensor, runId);
      if (ticks === undefined) break;
      older.push(...ticks.filter(({ tick }) => tick < before));
      first = older.at(-1) ?? first;
    }
    since = startTime;
  }
  const began = Math.min(since?.getTime() ?? Date.now(), first?.startedAt ?? Infinity);
  return { ticks: [...older.toReversed(), ...present], since: new Date(began) };
}

/** The last tick that began until a time, the next one, and since when the server knows of the loop. */
export interface TicksAround {
  readonly before?: TickRecord | undefined;
  readonly after?: TickRecord | undefined;
  readonly knownSince?: Date | undefined;
}

/** Histories of runs of the loop that began after the time are read only as far as its next tick. */
export async function ticksAround(
  client: Client,
  sensor: string,
  at: Date,
  onHistory?: OnHistory
): Promise<TicksAround> {
  const runs: LoopRun[] = [];
  for await (const run of loopRuns(client, sensor)) runs.push(run);
  const read = async ({ runId, startTime }: LoopRun): Promise<readonly TickRecord[]> => {
    onHistory?.(startTime);
    return (await ticksOfRun(client, sensor, runId)) ?? [];
  };
  const began = runs.findIndex(({ startTime }) => startTime <= at);
  const covering = began < 0 ? runs.length - 1 : began;
  let before: TickRecord | undefined;
  let after: TickRecord | undefined;
  const look = (ticks: readonly TickRecord[]): void => {
    before ??= ticks.find(({ startedAt }) => startedAt <= at.getTime());
    after ??= ticks.findLast(({ startedAt }) => startedAt > at.getTime());
    // a run of the loop that ended while the tick went on has only its beginning
    before = ended(before, ticks);
    after = ended(after, ticks);
  };
  for (const run of runs.slice(Math.max(0, covering))) {
    look(await read(run));
    // each run begins with the ticks before it
    if (before !== undefined) break;
  }
  for (const run of runs.slice(0, Math.max(0, covering)).toReversed()) {
    if (after !== undefined && after.status !== 'started' && before?.status !== 'started') break;
    look(await read(run));
  }
  return { before, after, knownSince: runs.at(-1)?.startTime };
}

function ended(tick: TickRecord | undefined, ticks: readonly TickRecord[]): TickRecord | undefined {
  if (tick?.status !== 'started') return tick;
  return ticks.find((each) => each.tick === tick.tick && each.status !== 'started') ?? tick;
}
