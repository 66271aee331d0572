/** Ends of an attempt that only postpone the evaluation: Temporal tries again, and nothing was evaluated or decided. */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { PageMissingError } from '../client/pages.js';
import { describeWait } from '../sensors/describe-tick.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { withoutStack } from '../sensors/failures.js';
import { cutText } from '../sensors/json.js';
import { MAX_TEXT_BYTES } from '../sensors/limits.js';
import type { EvaluationInput } from '../sensors/protocol.js';

/** How soon the run keys are asked for again when they could not be read. */
const NO_KEYS_RETRY_MS = 2_000;
const MISSING_PAGE_RETRY_MS = 10_000;
/** How soon another worker goes on with what the one that was shut down had begun. */
const INTERRUPTED_RETRY_MS = 1_000;
/** How soon another worker is tried when this one does not have the definition. */
const NOT_LOADED_RETRY_MS = 5_000;

/** Without the run keys nothing can be decided: guessing would run something twice. */
export class KeysUnavailableError extends Error {}

export function noKeys(
  { intervalMs, facts }: EvaluationInput,
  { message, cause }: KeysUnavailableError
): ApplicationFailure {
  // a page that is gone comes back only if somebody restores it
  const patience = cause instanceof PageMissingError ? Math.min(intervalMs, MISSING_PAGE_RETRY_MS) : 0;
  return withoutStack(
    ApplicationFailure.create({
      message: cutText(
        `waiting: the run keys of this sensor cannot be read, and without them nothing is started: ${message}`,
        MAX_TEXT_BYTES
      ),
      type: FAILURE_TYPES.noKeys,
      details: [facts],
      nextRetryDelay: Math.max(NO_KEYS_RETRY_MS, patience),
    })
  );
}

export function waiting(input: EvaluationInput, remainingMs: number): ApplicationFailure {
  return withoutStack(
    ApplicationFailure.create({
      message: describeWait(input.lastOutcome),
      type: FAILURE_TYPES.waiting,
      details: [input.facts],
      category: ApplicationFailureCategory.BENIGN,
      // 0 would end the activity
      nextRetryDelay: Math.max(1, Math.ceil(remainingMs)),
    })
  );
}

/** Left to the SDK, the attempt would end with what no operator understands, and say nothing of the last tick. */
export function interrupted({ facts }: EvaluationInput): ApplicationFailure {
  return withoutStack(
    ApplicationFailure.create({
      message: 'its worker was shut down during the evaluation, which another one begins again',
      type: FAILURE_TYPES.interrupted,
      details: [facts],
      category: ApplicationFailureCategory.BENIGN,
      nextRetryDelay: INTERRUPTED_RETRY_MS,
    })
  );
}

export function notLoaded(input: EvaluationInput, loaded: readonly string[]): ApplicationFailure {
  const names = loaded.length > 20 ? `${loaded.length} others` : loaded.join(', ') || 'none';
  return withoutStack(
    ApplicationFailure.create({
      message: `sensor '${input.sensor}' is not loaded by the worker that was asked (loaded: ${names}); start a worker with it, or stop it`,
      type: FAILURE_TYPES.notLoaded,
      details: [input.facts],
      nextRetryDelay: Math.max(1_000, Math.min(input.intervalMs, NOT_LOADED_RETRY_MS)),
    })
  );
}
