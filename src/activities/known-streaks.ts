/**
 * What this worker knows of quiet streaks. The record of a streak ends with its evaluation: a loop that cancels one which
 * waits for its next attempt (a push, a tick, an edit, a stop) is told nothing of what the attempts before said.
 */
import { knownUntil } from '../workflows/state.js';
import type { EndedStreak, EvaluationInput, QuietReason, StreakRecord } from '../sensors/protocol.js';

interface KnownStreak extends Pick<StreakRecord, 'reasons'> {
  /** Of the tick that would have ended it. */
  readonly tick: number;
  /** Until then there was no other attempt, by the server's clock. */
  readonly until: number;
}

export class KnownStreaks {
  private readonly streaks = new Map<string, KnownStreak>();

  /** @param until when the next attempt is due, by the server's clock */
  keep({ sensor, tick }: EvaluationInput, { reasons }: StreakRecord, until: number): void {
    this.streaks.set(sensor, { tick, reasons, until });
  }

  /** What is known of the evaluations before this one that left no record. */
  before({ sensor, tick, streak }: EvaluationInput): StreakRecord | undefined {
    const known = this.streaks.get(sensor);
    if (streak === undefined) return undefined;
    const reasons = known?.tick === tick ? latest(known, streak) : streak.reasons;
    return reasons.length === 0 ? undefined : { reasons, at: 0 };
  }
}

/** What reaches further of the two: other workers may have evaluated since. */
function latest(known: KnownStreak, { reasons, endedAt }: EndedStreak): readonly QuietReason[] {
  if (endedAt <= known.until) return known.reasons;
  const last = reasons.at(-1);
  if (last !== undefined && (last.until ?? endedAt) > known.until) return reasons;
  return knownUntil(known.reasons, known.until);
}
