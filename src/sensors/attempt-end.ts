/**
 * What an attempt of an evaluation becomes when it ends: a report to the loop, the end of a long quiet streak, or the
 * next attempt after a pause, which the server makes without history. Asked by the evaluation activity and by the
 * testing toolkit. Pure.
 */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { isQuiet, type CheckedOutcome } from './check-outcome.js';
import { describeError, isRedacting, rootCause } from './describe-error.js';
import { FAILURE_TYPES } from './errors.js';
import { withoutStack } from './failures.js';
import { cutText } from './json.js';
import { REST_AFTER_MS } from './limits.js';
import type { EvaluationInput, FailureDetails, TickFacts } from './protocol.js';
import { retryAfterOf } from './retry-after-error.js';
import { lastPauseMs, pauseMs } from './rhythm.js';

const MAX_STACK_BYTES = 4 * 1024;

/** Where an attempt is in its evaluation. */
export interface AttemptTimes {
  /** When this attempt was due, by the server's clock. */
  readonly scheduledAt: number;
  /** How long the evaluation had then waited since the loop asked for it. */
  readonly waitedMs: number;
}

/** When the evaluation before this attempt ended: inside a quiet streak that is the attempt before it. */
export function lastTickBefore(input: EvaluationInput, times: AttemptTimes): number | undefined {
  const pause = lastPauseMs(...stretchOf(input, times));
  return times.waitedMs - pause >= input.delayMs ? times.scheduledAt - pause : input.lastTickAt;
}

/** What a quiet attempt says, and when the next one comes. */
export function quietEnd(
  input: EvaluationInput,
  { failure, skipReason, againInMs }: CheckedOutcome,
  times: AttemptTimes
): { readonly reason: string; readonly pauseMs: number } {
  const pauseMs = Math.min(pauseAfter(input, times), againInMs ?? Number.POSITIVE_INFINITY);
  return { reason: failure ?? skipReason ?? '', pauseMs };
}

/** The pause until the next attempt when this one folds. */
function pauseAfter(input: EvaluationInput, times: AttemptTimes): number {
  return pauseMs(...stretchOf(input, times));
}

/** The backoff that counts for this evaluation, and how long the stretch it belongs to has lasted. */
function stretchOf(input: EvaluationInput, { scheduledAt, waitedMs }: AttemptTimes): Parameters<typeof pauseMs> {
  const [backoff, since] = input.failing
    ? [input.failureBackoff, input.failingSince]
    : [input.idleBackoff, input.idleSince];
  const began = scheduledAt - waitedMs + input.delayMs;
  return [backoff, input.intervalMs, scheduledAt - (since ?? began)];
}

/** Whether a result is reported, ends a long quiet streak, or folds. */
export function endOf(
  input: EvaluationInput,
  result: CheckedOutcome,
  { waitedMs }: AttemptTimes
): 'report' | 'rest' | 'quiet' {
  if (!input.fold || !isQuiet(input, result)) return 'report';
  return input.rest && waitedMs - input.delayMs >= REST_AFTER_MS ? 'rest' : 'quiet';
}

/** Whether a failed attempt folds: it repeats a failure that is recorded. When to try again, the loop has to know. */
export function failureFolds({ fold, failing }: EvaluationInput, error: unknown): boolean {
  return fold && failing && retryAfterOf(rootCause(error)) === undefined;
}

/**
 * An evaluation that found nothing new.
 *
 * @param facts of its input, for those who describe the loop meanwhile
 */
export function quietFailure(reason: string, retryMs: number, facts: TickFacts | undefined): ApplicationFailure {
  return withoutStack(
    ApplicationFailure.create({
      message: reason,
      type: FAILURE_TYPES.quiet,
      category: ApplicationFailureCategory.BENIGN,
      nextRetryDelay: retryMs,
      details: [facts],
    })
  );
}

/** An evaluation that failed: reported to the loop with its details, unless it folds. */
export function failedEvaluation(
  input: EvaluationInput,
  times: AttemptTimes,
  error: unknown,
  details: FailureDetails
): ApplicationFailure {
  const thrown = rootCause(error);
  const retryAfterMs = retryAfterOf(thrown);
  const retryAfter = retryAfterMs === undefined ? {} : { retryAfterMs };
  const failure = ApplicationFailure.create({
    message: describeError(error, 'evaluate'),
    type: FAILURE_TYPES.failed,
    ...(failureFolds(input, error)
      ? { nextRetryDelay: pauseAfter(input, times), details: [input.facts] }
      : { nonRetryable: true, details: [{ ...details, ...retryAfter } satisfies FailureDetails] }),
  });
  failure.stack = thrown instanceof Error && !isRedacting() ? cutText(thrown.stack ?? '', MAX_STACK_BYTES) : '';
  return failure;
}
