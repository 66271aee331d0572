/** What the loop says of its ticks where nobody has to ask it: in its memo, and in what its evaluation folds with. */
import type { TickFacts, TickStatus } from '../sensors/protocol.js';
import { runsOfLastDay } from '../sensors/recent-runs.js';

/** The last recorded tick of a sensor, and how many runs it started of late. */
export interface RecentTicks {
  readonly lastTick?: { readonly tick: number; readonly status: TickStatus; readonly at: Date };
  /** Runs started in this hour and the 23 before it. */
  readonly runsLastDay?: number;
}

/** @param facts as an evaluation or a memo holds them; nothing from loops of older workers */
export function recentTicks(facts: TickFacts | null | undefined, now: number = Date.now()): RecentTicks {
  if (facts == null || typeof facts !== 'object') return {};
  const { lastTick, runs } = facts;
  return {
    ...(lastTick === undefined ? {} : { lastTick: { ...lastTick, at: new Date(lastTick.at) } }),
    runsLastDay: runsOfLastDay(runs, now),
  };
}
