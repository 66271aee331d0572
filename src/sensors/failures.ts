/** Failures that Temporal carries between activities, the loop and clients. Pure: the workflow bundle contains this file. */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { describeError, FAILURE_TYPES } from './errors.js';
import { cutText } from './json.js';
import type { FailureDetails } from './protocol.js';

const MAX_STACK_BYTES = 4 * 1024;

/** A message to the loop that it cannot take; the message says why, and no retry helps. */
export function rejected(message: string): ApplicationFailure {
  return ApplicationFailure.create({ message, type: FAILURE_TYPES.rejected, nonRetryable: true });
}

/** For failures that are no accident: their stack would only hide what they say. */
export function withoutStack(failure: ApplicationFailure): ApplicationFailure {
  failure.stack = '';
  return failure;
}

/** An evaluation that found nothing new: the server makes the next attempt after the interval, without history. */
export function quietFailure(reason: string, intervalMs: number): ApplicationFailure {
  return withoutStack(
    ApplicationFailure.create({
      message: reason,
      type: FAILURE_TYPES.quiet,
      category: ApplicationFailureCategory.BENIGN,
      nextRetryDelay: intervalMs,
    })
  );
}

/** A failed evaluation: reported to the loop with its details, or folded and made again by the server. */
export function evaluationFailure(
  error: unknown,
  end: { readonly details: FailureDetails } | { readonly retryMs: number }
): ApplicationFailure {
  const failure = ApplicationFailure.create({
    message: describeError(error),
    type: FAILURE_TYPES.failed,
    ...('retryMs' in end ? { nextRetryDelay: end.retryMs } : { nonRetryable: true, details: [end.details] }),
  });
  failure.stack = error instanceof Error ? cutText(error.stack ?? '', MAX_STACK_BYTES) : '';
  return failure;
}
