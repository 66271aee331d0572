/** What a sensor did at a time, and why not more, from the ticks around it. Pure. */
import type { AuditEntry, EndedStreak, QuietReason, TickRecord } from '../sensors/protocol.js';
import { closingAt, type Closing } from './closings.js';
import type { EvaluationStatus } from './describe-pending.js';
import type { Standing } from './standing.js';

/** People name a second, ticks begin within it. */
const PRECISION_MS = 1_000;
/** Begins the entry of the audit of a stop that ends by itself; the time follows. */
const STOP_UNTIL = 'stop until ';

export type TimeAnswer =
  /** A tick took place. */
  | { readonly kind: 'tick'; readonly tick: TickRecord }
  /** Evaluations found nothing new; what they said, where that is known. */
  | {
      readonly kind: 'quiet';
      readonly reason?: string | undefined;
      readonly since?: Date | undefined;
      readonly before?: TickRecord | undefined;
      readonly after?: TickRecord | undefined;
    }
  /** Evaluations failed, with the same error as a tick before. */
  | {
      readonly kind: 'failing';
      readonly since: Date;
      readonly error: string;
      readonly before: TickRecord;
      readonly after?: TickRecord | undefined;
    }
  /** Somebody had stopped the sensor, or its code says so. */
  | {
      readonly kind: 'stopped';
      readonly from: 'operator' | 'code';
      readonly by?: string | undefined;
      readonly reason?: string | undefined;
      readonly at?: Date | undefined;
      /** When the stop ends, or would have ended, by itself. */
      readonly until?: Date | undefined;
      /** When it was started again. */
      readonly startedAt?: Date | undefined;
    }
  /** Its loop was cancelled or terminated. */
  | ({ readonly kind: 'closed'; readonly at: Date; readonly standing?: Standing | undefined } & Partial<Closing>)
  /** The interval since the tick before had not passed. */
  | { readonly kind: 'waiting'; readonly before: TickRecord; readonly dueAt: Date }
  /** An evaluation was due, and none took place. */
  | {
      readonly kind: 'notEvaluated';
      readonly dueAt?: Date | undefined;
      /** How the sensor is, where nothing took place since. */
      readonly standing?: Standing | undefined;
      readonly after?: TickRecord | undefined;
      /** When a worker took it. */
      readonly until?: Date | undefined;
      /** Evaluations may have found nothing new as well: what they said went when somebody or something interrupted them. */
      readonly uncertain?: true | undefined;
      /** What its evaluations said before; until when, nobody knows. */
      readonly earlier?: QuietReason | undefined;
    }
  /** An evaluation had begun, and has not ended yet. */
  | { readonly kind: 'evaluating'; readonly startedAt: Date }
  /** It is still to come. */
  | { readonly kind: 'future'; readonly standing: Standing }
  /** Temporal knows nothing of it: the sensor was not there, or what it did was forgotten. */
  | { readonly kind: 'unknown'; readonly knownSince?: Date | undefined };

export interface TimeFacts {
  readonly at: Date;
  readonly now: number;
  /** The last tick that began until then, and the next one. */
  readonly before?: TickRecord | undefined;
  readonly after?: TickRecord | undefined;
  /** Since when there is something of the loop on the server. */
  readonly knownSince?: Date | undefined;
  readonly intervalMs: number;
  /** Pause after the last attempt at an evaluation. */
  readonly pauseMs: number;
  /** Its evaluation or its loop is due since then, and no worker has taken it. */
  readonly dueSince?: Date | undefined;
  /** When its loop was cancelled or terminated. */
  readonly closedAt?: Date | undefined;
  readonly audit: readonly AuditEntry[];
  readonly evaluation?: EvaluationStatus | undefined;
  /** Of the evaluations since the last record, but for the one that waits. */
  readonly streak?: EndedStreak | undefined;
  /** Since when it has been idle, where that is longer than the evaluation that waits. */
  readonly idleSince?: number | undefined;
  readonly standing: Standing;
}

export function decideTime(facts: TimeFacts): TimeAnswer {
  const { at, now, before, after, knownSince, standing } = facts;
  const time = at.getTime();
  if (time > now) return { kind: 'future', standing };
  if (after !== undefined && after.startedAt - time < PRECISION_MS) return { kind: 'tick', tick: after };
  if (before !== undefined && time < endOf(before) + PRECISION_MS) return { kind: 'tick', tick: before };
  if (before === undefined && (knownSince === undefined || at < knownSince)) return { kind: 'unknown', knownSince };
  return closedThen(facts) ?? stoppedThen(facts) ?? pendingThen(facts) ?? evaluatedThen(facts);
}

function endOf({ startedAt, endedAt, evaluationMs = 0 }: TickRecord): number {
  return Math.min(endedAt ?? Infinity, startedAt + evaluationMs);
}

/** The loop was closed: since then, or until somebody brought it back. */
function closedThen({ at, after, audit, standing, closedAt }: TimeFacts): TimeAnswer | undefined {
  const closing = closingAt(audit, at.getTime());
  if (closing !== undefined) return { kind: 'closed', ...closing };
  const isClosed = after === undefined && standing.kind === 'closed' && closedAt !== undefined && closedAt <= at;
  return isClosed ? { kind: 'closed', at: closedAt, standing } : undefined;
}

/** Who had stopped the sensor. */
function stoppedThen({ at, before, after, audit, standing }: TimeFacts): TimeAnswer | undefined {
  const choices = audit.filter(({ what }) => what === 'start' || isStop(what) || what === 'reset');
  const last = choices.findLast((entry) => entry.at <= at.getTime());
  if (last !== undefined && isStop(last.what) && !resumed(last, before)) {
    const again = choices.find((entry) => entry.at > at.getTime());
    const startedAt = again === undefined ? {} : { startedAt: new Date(again.at) };
    const { by, reason } = last;
    const until = untilOf(last);
    const ends = until === undefined ? {} : { until };
    return { kind: 'stopped', from: 'operator', by, reason, at: new Date(last.at), ...ends, ...startedAt };
  }
  if (standing.kind !== 'stopped' || after !== undefined || last?.what === 'start') return undefined;
  // the stop is older than what the audit keeps, or the code's own
  if (standing.at !== undefined && standing.at > at) return undefined;
  const { from, by, reason, at: since, until } = standing;
  return { kind: 'stopped', from, by, reason, at: since, ...(until === undefined ? {} : { until }) };
}

/** One may say until when. */
function isStop(what: string): boolean {
  return what === 'stop' || what.startsWith('stop ');
}

function untilOf({ what }: AuditEntry): Date | undefined {
  const until = what.startsWith(STOP_UNTIL) ? new Date(what.slice(STOP_UNTIL.length)) : undefined;
  return until === undefined || Number.isNaN(until.getTime()) ? undefined : until;
}

/** A stop that ended by itself is not in the audit; ticks that nobody asked for tell. */
function resumed(stop: AuditEntry, before: TickRecord | undefined): boolean {
  const asked = before?.trigger === 'tick' || before?.trigger === 'preview' || before?.trigger === 'cursor';
  return before !== undefined && before.startedAt > stop.at && !asked;
}

/** The evaluation that was due or running then, and has not ended since. */
function pendingThen(facts: TimeFacts): TimeAnswer | undefined {
  const { at, after, evaluation, standing } = facts;
  if (after !== undefined) return undefined;
  const { startedAt } = evaluation ?? {};
  if (startedAt !== undefined && startedAt <= at) return { kind: 'evaluating', startedAt };
  const dueAt = overdueSince(facts);
  if (dueAt !== undefined && at.getTime() - dueAt.getTime() >= PRECISION_MS)
    return { kind: 'notEvaluated', dueAt, standing };
  if (standing.kind !== 'notLoaded' || isInterrupted(facts)) return undefined;
  // attempts without the definition leave the streak as it was
  const [newest] = streakOf(facts).slice(-1);
  if (newest !== undefined && newest.since > at.getTime()) return undefined;
  return { kind: 'notEvaluated', standing, ...(newest === undefined ? {} : { earlier: newest }) };
}

/** When the evaluation was due that came late, or has not come. */
function overdueSince({ dueSince, evaluation, pauseMs }: TimeFacts): Date | undefined {
  if (dueSince !== undefined) return dueSince;
  const { phase, paused, lastAttemptAt } = evaluation ?? {};
  if (lastAttemptAt === undefined || (phase === 'waiting' && paused !== true)) return undefined;
  return new Date(lastAttemptAt.getTime() + pauseMs);
}

/** The sensor was running: what its evaluations said, or that there were none. */
function evaluatedThen(facts: TimeFacts): TimeAnswer {
  const { at, before, after, intervalMs, standing, knownSince, idleSince } = facts;
  const streak = streakOf(facts);
  const told = streak.findLast(({ since }) => since <= at.getTime());
  if (told?.notEvaluated === true && told.until !== undefined && at.getTime() < told.until)
    return { kind: 'notEvaluated', dueAt: new Date(told.since), until: new Date(told.until), after };
  const lost = told?.until !== undefined && told.until < at.getTime();
  const said = lost ? undefined : told;
  if (before?.status === 'failure' && before.error !== undefined)
    return { kind: 'failing', since: new Date(before.startedAt), error: said?.reason ?? before.error, before, after };
  if (said !== undefined) return { kind: 'quiet', reason: said.reason, since: new Date(said.since), before, after };
  const began = before === undefined ? knownSince?.getTime() : endOf(before) + intervalMs;
  const dueAt = began === undefined ? undefined : new Date(began);
  if (before !== undefined && dueAt !== undefined && at < dueAt) return { kind: 'waiting', before, dueAt };
  if (lost || (streak.length === 0 && isInterrupted(facts)))
    return { kind: 'notEvaluated', dueAt, after, uncertain: true };
  // loops of older workers kept no reasons when they continued as new
  const idle = after === undefined && idleSince !== undefined && idleSince <= at.getTime();
  if (streak.length > 0 || idle) return { kind: 'quiet', before, after };
  if (after === undefined) return { kind: 'notEvaluated', dueAt, standing };
  return { kind: 'notEvaluated', dueAt, after, ...(wasInterrupted(facts, after) ? { uncertain: true } : {}) };
}

/** Whether something else than its time brought the next tick, or may have come before it. */
function wasInterrupted({ at, audit }: TimeFacts, after: TickRecord): boolean {
  return after.trigger !== 'interval' || audit.some((entry) => entry.at >= at.getTime() && entry.at <= after.startedAt);
}

/** Whether evaluations that may have taken place then ended without a record: something interrupted them later. */
function isInterrupted({ at, after, streak, intervalMs }: TimeFacts): boolean {
  return after === undefined && streak !== undefined && at.getTime() <= streak.endedAt + intervalMs;
}

/** What evaluations said between the two ticks, oldest first. */
function streakOf({ after, evaluation, streak: ended }: TimeFacts): readonly QuietReason[] {
  if (after !== undefined) return after.quiet ?? [];
  const { streak = [], lastOutcome, folded, lastAttemptAt } = evaluation ?? {};
  // the record of an evaluation begins with what was known before it
  const recorded = streak.length > 0 ? streak : (ended?.reasons ?? []);
  const newest = lastOutcome === undefined || folded !== true ? undefined : lastAttemptAt?.getTime();
  const last = recorded.at(-1);
  const goesOn = last?.reason === lastOutcome && last?.until === undefined;
  if (goesOn || newest === undefined || lastOutcome === undefined) return recorded;
  return [...recorded, { reason: lastOutcome, since: newest }];
}
