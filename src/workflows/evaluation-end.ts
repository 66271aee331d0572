/** Pure. Why an evaluation ended: with a result, with a failure, or only because the loop wanted to look at something else. */
import { ActivityFailure, ApplicationFailure, CancelledFailure, TimeoutFailure } from '@temporalio/common';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { GRACE_MS } from '../sensors/limits.js';
import type { FailureDetails } from '../sensors/protocol.js';
import { parseFailureDetails } from './parse.js';
import type { Evaluated } from './state.js';

/** Somebody completed the activity, and not with an evaluation's result. */
export const NOT_OURS =
  'the evaluation was completed with something that is not an evaluation result (by hand, or by another activity named evaluateSensor)';

/** Whether an evaluation ended only because the loop wanted to look at something else. */
export function isWakeUp(error: unknown, cancelled: boolean, aborted: boolean): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof CancelledFailure || endedQuiet(error)) return true;
  if (!cancelled) return false;
  if (cause instanceof TimeoutFailure) return aborted || cause.timeoutType !== 'START_TO_CLOSE';
  return cause instanceof ApplicationFailure && cause.nonRetryable !== true;
}

/** Whether an attempt ran to its end and found nothing new. */
export function endedQuiet(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === FAILURE_TYPES.quiet;
}

/** What a tick record says of a failed evaluation. */
export function describeFailure(
  error: unknown,
  { input, dueAt }: Evaluated,
  now: number
): { readonly message: string; readonly details: FailureDetails } {
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  if (cause instanceof TimeoutFailure) {
    const message =
      cause.timeoutType === 'START_TO_CLOSE'
        ? `the evaluation did not end within its timeout of ${input.timeoutMs} ms, nor ${GRACE_MS} ms after it was aborted; ` +
          `pass ctx.signal on to what it awaits`
        : `the evaluation timed out (${cause.timeoutType})`;
    return { message, details: parseFailureDetails(undefined, Math.max(0, now - dueAt)) };
  }
  if (cause instanceof ApplicationFailure) {
    return { message: cause.message, details: parseFailureDetails(cause.details?.[0], Math.max(0, now - dueAt)) };
  }
  return { message: String(cause), details: parseFailureDetails(undefined, Math.max(0, now - dueAt)) };
}
