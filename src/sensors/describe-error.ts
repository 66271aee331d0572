/**
 * What is said of an error that an author's code threw: in tick records, dead letters, failures and memos, which Temporal
 * keeps and shows to whoever may look at the namespace. With redaction it is only an ID; the worker's log has the rest.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHmac, randomBytes } from 'node:crypto';
import { describeIssues, isIssues } from './describe-issues.js';
import { DefinitionError, EvaluationError } from './errors.js';
import { cutText } from './json.js';
import { MAX_TEXT_BYTES } from './limits.js';

/** Takes an error whose text is said to nobody else. */
export type ReportError = (id: string, thrower: string, error: unknown) => void;

/** By name, so that the ESM and the CommonJS copy of this package redact alike. */
const REDACTION = Symbol.for('temporal-sensors.redaction');
const shared = globalThis as { [REDACTION]?: AsyncLocalStorage<ReportError> };
const redaction = (shared[REDACTION] ??= new AsyncLocalStorage<ReportError>());

/** Redacts what is said of errors as long as `work` runs. */
export function withRedaction<T>(report: ReportError, work: () => T): T {
  return redaction.run(report, work);
}

export function isRedacting(): boolean {
  return redaction.getStore() !== undefined;
}

/**
 * What was thrown, as a failure message says it: our own messages as they are, others with the name of their class, or
 * redacted. What did not fit a zod schema is named on one line.
 */
export function describeError(error: unknown, thrower: string): string {
  const ours = error instanceof EvaluationError || error instanceof DefinitionError;
  if (ours) return cutText(error.message, MAX_TEXT_BYTES);
  const report = redaction.getStore();
  if (report !== undefined) return redacted(error, thrower, report);
  if (error instanceof Error) {
    const message = isIssues(error) ? describeIssues(error, 'input') : error.message;
    return cutText(`${error.name}: ${message}`, MAX_TEXT_BYTES);
  }
  return cutText(
    `${thrower} threw ${typeof error === 'string' ? `'${error}'` : `a ${typeof error}`}, which is not an Error`,
    MAX_TEXT_BYTES
  );
}

/** An ID must not be a way to check a guess of the text. */
const secret = randomBytes(16);

/** The same error has the same ID in this process, so that a failure that repeats itself is seen to. */
function redacted(error: unknown, thrower: string, report: ReportError): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const id = createHmac('sha256', secret).update(text.toWellFormed()).digest('hex').slice(0, 12);
  report(id, thrower, error);
  return `${thrower} threw an error, which is redacted; its ID in the worker's log is ${id}`;
}

/** A resource that a sensor or an activity needs could not be created: the tick fails, and the next one tries again. */
export class ResourceError extends EvaluationError {
  override readonly name = 'ResourceError';
  /** Name of the resource. */
  readonly resource: string;
  /** @internal What is said of the cause. */
  readonly why: string;
  constructor(resource: string, cause: unknown, why: string = describeError(cause, 'create')) {
    super(`resource '${resource}' could not be created: ${why}`, { cause });
    this.resource = resource;
    this.why = why;
  }
}

/** What was thrown in the first place, below the resources it went through. */
export function rootCause(error: unknown): unknown {
  return error instanceof ResourceError ? rootCause(error.cause) : error;
}
