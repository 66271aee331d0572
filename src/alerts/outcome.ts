/**
 * What a message that could not be sent means for its event.
 *
 * A pause (`RetryAfterError`) when the receiver asks for one; an `ApplicationFailure` that is not retried, so that the
 * event is parked, when somebody has to change something first; any other error is retried. The errors of HTTP and SMTP
 * libraries are not passed on as causes: they name addresses, and some addresses are secrets.
 */
import { ApplicationFailure } from '@temporalio/common';
import { parseDuration, type Duration } from '../sensors/duration.js';
import { cutText } from '../sensors/json.js';
import { RetryAfterError } from '../sensors/retry-after-error.js';
import { formatDuration, plain } from '../sensors/text.js';

/** Type of the failures that no retry helps. */
const REFUSED = 'AlertRefused';
/** When a receiver asks for a pause and does not say how long. */
const PAUSE_MS = 30_000;
const MIN_PAUSE_MS = 1_000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Of an answer, in characters. */
const MAX_ANSWER_LENGTH = 200;

/** The event is parked until somebody has done what the message says, and then retried by hand. */
export function refused(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(cutText(message, 1024), REFUSED);
}

/** How long one message may take. @throws DefinitionError for what is no duration of 100 ms to 10 minutes */
export function parseTimeout(timeout: Duration | undefined, place: string): number {
  return parseDuration(timeout ?? '10s', `${place}: sendTimeout`, 100, 10 * 60 * 1000);
}

/** Aborted when the message has taken too long, or with the handler. */
export function deadline(signal: AbortSignal, timeoutMs: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
}

/** The error for an answer that did not come, whatever the reason. */
export function unanswered(error: unknown, who: string, timeoutMs: number, signal: AbortSignal): Error {
  if (signal.aborted) return new Error(`${who} had not answered when the attempt was aborted`);
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new Error(`${who} did not answer within ${formatDuration(timeoutMs)}`);
  }
  return new Error(`${who} cannot be reached (${codeOf(error)})`);
}

/** `ECONNREFUSED` and the like: fetch has it in the cause, or the cause's cause. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause instanceof Error ? codeOf(error.cause) : error.name;
}

/** What an answer's status means; `undefined` for one that is fine. */
export function outcomeOf(answer: Answer, who: string): Error | undefined {
  const { status, retryAfter } = answer;
  const excerpt = plain(answer.excerpt, MAX_ANSWER_LENGTH);
  if (status >= 200 && status < 300) return undefined;
  const said = `${who} answered ${status}${excerpt === '' ? '' : `: ${excerpt}`}`;
  if (status === 429 || (status === 503 && retryAfter !== undefined)) {
    const pauseMs = Math.min(Math.max(retryAfter ?? PAUSE_MS, MIN_PAUSE_MS), DAY_MS);
    return new RetryAfterError(pauseMs, `${said}; waiting ${formatDuration(pauseMs)} as it asks`);
  }
  return status >= 500 || status === 408 ? new Error(said) : refused(said);
}

export interface Answer {
  readonly status: number;
  /** In milliseconds from now. */
  readonly retryAfter: number | undefined;
  /** The beginning of its text, on one line. */
  readonly excerpt: string;
}

/** Reads of an HTTP answer what there is to say about it. The rest of its body is not waited for. */
export async function readAnswer({ status, headers, body }: Response, now: number = Date.now()): Promise<Answer> {
  const retryAfter = parseRetryAfter(headers.get('retry-after'), now);
  if (status >= 200 && status < 300) {
    await body?.cancel();
    return { status, retryAfter, excerpt: '' };
  }
  let bytes = Buffer.alloc(0);
  for await (const chunk of body ?? []) {
    bytes = Buffer.concat([bytes, chunk]);
    // leaving the loop cancels the body
    if (bytes.length > 4 * MAX_ANSWER_LENGTH) break;
  }
  return { status, retryAfter, excerpt: bytes.toString('utf8').trim() };
}

/** Milliseconds until a `Retry-After`: seconds, or a date. */
function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : ms;
}
