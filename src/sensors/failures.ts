/** Failures that Temporal carries between activities, the loop and clients. Pure: the workflow bundle contains this file. */
import { ApplicationFailure } from '@temporalio/common';
import { FAILURE_TYPES } from './errors.js';

/** A message to the loop that it cannot take; the message says why, and no retry helps. @param details what went well */
export function rejected(message: string, ...details: readonly unknown[]): ApplicationFailure {
  return ApplicationFailure.create({
    message: message.toWellFormed(),
    type: FAILURE_TYPES.rejected,
    nonRetryable: true,
    ...(details.length === 0 ? {} : { details: [...details] }),
  });
}

/** For failures that are no accident: their stack would only hide what they say. */
export function withoutStack(failure: ApplicationFailure): ApplicationFailure {
  failure.stack = '';
  return failure;
}
