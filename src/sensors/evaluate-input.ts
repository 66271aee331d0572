/**
 * One attempt of an evaluation: from what the loop said to what the author's code made of it, checked. Asked by the
 * evaluation activity and by the testing toolkit, so that both do the same. Knows nothing of Temporal.
 */
import { checkEvents, checkOutcome, isQuiet, type CheckedOutcome } from './check-outcome.js';
import type { SensorDefinition } from './define-sensor.js';
import { evaluate, type EvaluationOutcome, type EvaluationServices } from './evaluation.js';
import { REST_AFTER_MS } from './limits.js';
import type { EvaluationInput } from './protocol.js';

/** What surrounds the author's code, and what it is told beside the input. */
export interface EvaluationHost {
  readonly services: EvaluationServices;
  readonly now: Date;
  /** Milliseconds since the epoch. */
  readonly lastTickAt: number | undefined;
  /** Part of the workflow IDs of requests without a run key; one for all attempts of an evaluation. */
  readonly nonce: string;
  /** Runs the author's code, as long as it may take. */
  readonly run: (work: () => Promise<EvaluationOutcome>) => Promise<EvaluationOutcome>;
  /** The run keys of the sensor; asked for only when a request has one. */
  readonly knownKeys: () => Promise<{ has(hash: string): boolean }>;
}

/**
 * @throws whatever the author's code throws, and `EvaluationError` for what it may not give
 */
export async function evaluateInput(
  input: EvaluationInput,
  definition: SensorDefinition,
  host: EvaluationHost
): Promise<CheckedOutcome> {
  const { events, rejected } = checkEvents(input, definition);
  const facts = {
    sensor: input.sensor,
    tick: input.tick,
    cursor: input.cursor,
    events,
    now: host.now,
    lastTickAt: host.lastTickAt === undefined ? undefined : new Date(host.lastTickAt),
    lastRunKey: input.lastRunKey,
    isFirstTickSinceStart: input.isFirstTickSinceStart,
    sensorStartedAt: new Date(input.sensorStartedAt),
  };
  const outcome = await host.run(() => evaluate(definition, facts, host.services));
  const known = outcome.requests.some(({ runKey }) => runKey !== undefined) ? await host.knownKeys() : undefined;
  return checkOutcome(input, definition, outcome, rejected, {
    isKnown: (hash) => known?.has(hash) === true,
    nonce: host.nonce,
  });
}

/** Where an attempt is in its evaluation. */
export interface AttemptTimes {
  /** When this attempt was due, by the server's clock. */
  readonly scheduledAt: number;
  /** How long the evaluation had then waited, since it was asked for. */
  readonly waitedMs: number;
}

/** When the evaluation before this attempt ended: inside a quiet streak the attempt before it. */
export function lastTickBefore(input: EvaluationInput, { scheduledAt, waitedMs }: AttemptTimes): number | undefined {
  return waitedMs - input.intervalMs >= input.delayMs ? scheduledAt - input.intervalMs : input.lastTickAt;
}

/** Whether a result is reported, ends a long quiet streak, or folds: the attempt is made again after the interval. */
export function endOf(
  input: EvaluationInput,
  result: CheckedOutcome,
  { waitedMs }: AttemptTimes
): 'report' | 'rest' | 'quiet' {
  if (!input.fold || !isQuiet(input, result)) return 'report';
  return input.rest && waitedMs - input.delayMs >= REST_AFTER_MS ? 'rest' : 'quiet';
}

/** Whether a failed attempt folds: it repeats a failure that is recorded. */
export function failureFolds({ fold, failing }: EvaluationInput): boolean {
  return fold && failing;
}
