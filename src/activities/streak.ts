/**
 * The record of a quiet streak: its last 20 skip reasons, run-length encoded, kept in heartbeat details.
 *
 * It is written only when the reason changes, and at most once a minute: a heartbeat at every tick costs a third of
 * the throughput. The end of the first attempt after an outage writes it, however long ago the last one was.
 */
import { cutText } from '../sensors/json.js';
import { LATE_MS, MAX_QUIET_REASON_BYTES, MAX_QUIET_REASONS } from '../sensors/limits.js';
import type { QuietReason, StreakRecord } from '../sensors/protocol.js';
import { knownUntil } from '../workflows/state.js';

const WRITE_EVERY_MS = 60_000;

/** The record in the heartbeat details of the previous attempt, if it is one. */
export function readStreak(details: unknown): StreakRecord | undefined {
  if (typeof details !== 'object' || details === null || !('reasons' in details) || !('at' in details))
    return undefined;
  return Array.isArray(details.reasons) && typeof details.at === 'number' ? (details as StreakRecord) : undefined;
}

/** The record with `reason`, or `undefined` when it need not be written (again). */
export function extendStreak(streak: StreakRecord | undefined, reason: string, now: number): StreakRecord | undefined {
  if (streak !== undefined && now - streak.at < WRITE_EVERY_MS) return undefined;
  const next = addReason(streak, reason, now);
  return next === streak ? undefined : next;
}

/** The record with `reason`, or as it was when its last one is the same and still goes on. */
export function addReason(streak: StreakRecord | undefined, reason: string, now: number): StreakRecord {
  const text = cutText(reason, MAX_QUIET_REASON_BYTES);
  const last = streak?.reasons.at(-1);
  if (streak !== undefined && last?.reason === text && last.until === undefined) return streak;
  const next: QuietReason = { reason: text, since: now };
  const before = streak?.reasons ?? [];
  // one that is interrupted again and again must not push out all others
  const isRepeat = last?.reason === text && before.length >= MAX_QUIET_REASONS;
  const kept = isRepeat ? before.slice(0, -1) : before;
  return { ...streak, reasons: [...kept, next].slice(-MAX_QUIET_REASONS), at: now };
}

/** What a record says of a time in which an attempt was due, and no worker took it. */
const OUTAGE = 'not evaluated: no worker took the evaluation that was due';

/**
 * The record with the outage before an attempt that begins late, or as it was. The end of the attempt writes it, unless
 * one was written within the last minute: a worker that is always late must not pay for a heartbeat at every attempt.
 *
 * @param dueAt when the attempt was due, by the server's clock, as is `now`
 */
export function addOutage(streak: StreakRecord | undefined, dueAt: number, now: number): StreakRecord | undefined {
  if (now - dueAt <= LATE_MS) return streak;
  const before = streak?.reasons ?? [];
  const [gap, last] = before.slice(-2);
  // attempts that are all late are one outage, with what the last of them said
  if (gap?.notEvaluated === true && last !== undefined && dueAt - (gap.until ?? now) < WRITE_EVERY_MS)
    return { ...streak, reasons: [...before.slice(0, -2), { ...gap, until: now }], at: streak?.at ?? 0 };
  // outages again and again must not push out all others
  const isRepeat =
    before.length >= MAX_QUIET_REASONS && gap?.notEvaluated === true && before.at(-3)?.reason === last?.reason;
  const closed = knownUntil(isRepeat ? before.slice(0, -2) : before, dueAt);
  const outage: QuietReason = { reason: OUTAGE, since: dueAt, until: now, notEvaluated: true };
  return { ...streak, reasons: [...closed, outage].slice(-MAX_QUIET_REASONS), at: 0 };
}
