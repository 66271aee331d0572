/**
 * The errors of this package, and the failure types that cross between activities, the loop and clients.
 *
 * Definition errors quote the bad value, because the person who reads them wrote it. Errors about a request or a
 * cursor quote the path and what is expected, never the value: they end up in failure messages, which Temporal does
 * not encrypt. Pure: the workflow bundle contains this file.
 */
import { cutText } from './json.js';

/** A sensor or job that cannot be: thrown by `defineSensor`, `defineJob` and `SensorsPlugin`, before anything runs. */
export class DefinitionError extends Error {
  override readonly name: string = 'DefinitionError';
}

/** What an evaluation asked for cannot be done: the tick fails, the cursor stays, nothing is started. */
export class EvaluationError extends Error {
  override readonly name: string = 'EvaluationError';
}

/** What a handler asked for can never be: calling it again would not help. */
export class InvalidRequestError extends EvaluationError {}

/** `type` of the failures that activities report to the loop, as Temporal Web shows them. */
export const FAILURE_TYPES = {
  /** Nothing new; the message is the skip reason. Retried by the server after the interval, without history. */
  quiet: 'Quiet',
  /** Not due yet. Retried by the server when it is, without history. */
  waiting: 'Waiting',
  /** The evaluation failed; `details[0]` is a `FailureDetails`. */
  failed: 'EvaluationFailed',
  /** No worker on the task queue has the definition. */
  notLoaded: 'SensorNotLoaded',
  /** The run keys of the sensor cannot be read; retried by the server, nothing is decided without them. */
  noKeys: 'RunKeysUnavailable',
  /** A page that somebody deleted. */
  pageMissing: 'PageMissing',
  /** The attempt was no longer the current one and did not evaluate. */
  outdated: 'OutdatedAttempt',
  /** The worker was shut down during the attempt; Temporal tries again at once. */
  interrupted: 'EvaluationInterrupted',
  /** A message to the loop that it cannot take; the message says why. */
  rejected: 'MessageRejected',
} as const;

/** `value` as an error message shows it: short, on one line. */
export function quote(value: unknown): string {
  let text: string;
  if (typeof value === 'string') text = `'${value}'`;
  else if (typeof value === 'function') text = 'a function';
  else {
    try {
      text = JSON.stringify(value) ?? String(value);
    } catch {
      text = String(value);
    }
  }
  return cutText(text.replaceAll(/\s+/g, ' '), 200);
}

/**
 * @throws {@link DefinitionError} naming the first option of `options` that is not in `known`
 */
export function refuseUnknownOptions(options: object, known: readonly string[], place: string): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new DefinitionError(`${place} has an unknown option '${unknown}'; accepted: ${known.join(', ')}`);
  }
}

const NAME = /^[A-Za-z0-9_.-]{1,100}$/;

/**
 * @throws {@link DefinitionError} when `name` cannot be part of a workflow ID without ambiguity
 */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new DefinitionError(
      `${what} is ${quote(name)}; accepted: 1 to 100 characters of A-Z a-z 0-9 _ . - (it becomes part of workflow IDs)`
    );
  }
}
