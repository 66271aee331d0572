/** What sensors that are fed by events have in common, beside the handling itself. */
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import { checkCount, type SensorOptions } from '../sensors/define-sensor.js';
import { parseDuration, type Duration } from '../sensors/duration.js';
import { resolveEnv, type EnvValue } from '../sensors/env.js';
import { DefinitionError, quote } from '../sensors/errors.js';

/** The options of `defineSensor` that a sensor fed by events needs for itself. */
const OWN_OPTIONS = [
  'cursor',
  'migrateCursor',
  'initialCursor',
  'events',
  'maxEventAttempts',
  'onInvalid',
  'evaluate',
] as const;

/** How events are tried. */
export interface HandlingChoices {
  /** How often an event is tried, in pauses that grow from 5 s (or the interval, if that is shorter) to 10 min, before it is parked, 1 to 100. @default 10 */
  readonly maxAttempts?: number;
  /** How long handling one event may take before `ctx.signal` aborts it and it counts as failed. @default '15s' */
  readonly handleTimeout?: Duration;
}

/** The options of `defineSensor` that are the author's. */
export type EventSensorPart<J extends JobDefinition, Js extends readonly JobDefinition[], R extends Resources> = Omit<
  SensorOptions<J, Js, undefined, undefined, R>,
  (typeof OWN_OPTIONS)[number]
>;

/**
 * @throws {@link DefinitionError} for an option that a sensor fed by events needs for itself
 */
export function checkOwnOptions(options: object, place: string): void {
  const taken = OWN_OPTIONS.find((name) => name in options);
  if (taken !== undefined)
    throw new DefinitionError(
      `${place} has an option '${taken}', which a sensor of events needs for itself${taken === 'evaluate' ? ': give it handle' : ''}`
    );
}

/**
 * @param called what it is called for, such as `each run`
 * @throws {@link DefinitionError} when it is no function
 */
export function requireHandle(handle: unknown, name: unknown, called: string): void {
  if (typeof handle === 'function') return;
  throw new DefinitionError(
    `sensor '${String(name)}': handle is ${quote(handle)}; accepted: a function that is called for ${called}`
  );
}

/**
 * @throws {@link DefinitionError} for an option that is there and neither true nor false
 */
export function checkFlags(flags: Readonly<Record<string, unknown>>, place: string): void {
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined || typeof value === 'boolean') continue;
    throw new DefinitionError(`${place}: ${name} is ${quote(value)}; accepted: true or false`);
  }
}

/**
 * @throws {@link DefinitionError} when it is there and no time
 */
export function checkStartFrom(startFrom: unknown, place: string): void {
  if (startFrom === undefined || (startFrom instanceof Date && Number.isFinite(startFrom.getTime()))) return;
  throw new DefinitionError(`${place}: startFrom is ${quote(startFrom)}; accepted: a Date`);
}

/** Where Temporal Web is, read when it is needed. */
export function webUrlOf(webUrl: string | EnvValue | undefined, place: string): () => string | undefined {
  return () => (webUrl === undefined ? undefined : String(resolveEnv(webUrl, `${place}: webUrl`)));
}

/** What is asked of a handler's time and tries. */
export function checkHandling(
  {
    maxAttempts,
    handleTimeout,
    timeout = '60s',
  }: { maxAttempts: unknown; handleTimeout: unknown; timeout?: Duration | undefined },
  place: string
): { readonly maxAttempts: number; readonly handleTimeoutMs: number } {
  const tries = checkCount(maxAttempts, 100, `${place}: maxAttempts`);
  const day = 24 * 60 * 60_000;
  const timeoutMs = parseDuration(timeout, `${place}: timeout`, 1, day);
  const most = (timeoutMs - 10_000) / 3;
  const handleTimeoutMs = parseDuration(handleTimeout ?? '15s', `${place}: handleTimeout`, 1, day);
  if (handleTimeoutMs > most) {
    throw new DefinitionError(
      `${place}: handleTimeout is ${handleTimeoutMs} ms and timeout ${timeoutMs} ms; a tick needs three times the first and 10 s: ` +
        `give a timeout of at least ${3 * handleTimeoutMs + 10_000} ms`
    );
  }
  return { maxAttempts: tries, handleTimeoutMs };
}
