import { parseDuration, type Duration } from './duration.js';
import { MAX_INTERVAL_MS, MIN_INTERVAL_MS } from './limits.js';

/** By name, so that the ESM and the CommonJS copy of this package understand each other. */
const MARK = Symbol.for('temporal-sensors.retryAfter');

/**
 * Thrown by `evaluate`: this tick fails, and the next one comes after this delay instead of the interval or backoff.
 * For sources that say when to ask again (`Retry-After`).
 *
 * @throws {@link DefinitionError} for a delay that is not 100 ms to 30 days
 */
export class RetryAfterError extends Error {
  readonly [MARK] = true;
  override readonly name = 'RetryAfterError';
  readonly retryAfterMs: number;
  constructor(delay: Duration, message: string, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = parseDuration(delay, 'RetryAfterError: delay', MIN_INTERVAL_MS, MAX_INTERVAL_MS);
  }
}

/** The delay that an error asks for, or `undefined`. */
export function retryAfterOf(error: unknown): number | undefined {
  return typeof error === 'object' && error !== null && MARK in error
    ? (error as RetryAfterError).retryAfterMs
    : undefined;
}
