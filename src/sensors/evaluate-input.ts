/**
 * One attempt of an evaluation: from what the loop said to what the author's code made of it, checked. Asked by the
 * evaluation activity and by the testing toolkit, so that both do the same. Knows nothing of Temporal.
 */
import { applyPartitionRequests, setsOf } from './change-partitions.js';
import { checkEvents, checkOutcome, type CheckedOutcome } from './check-outcome.js';
import type { SensorDefinition } from './define-sensor.js';
import { evaluate, type EvaluationOutcome, type EvaluationServices } from './evaluation.js';
import type { EvaluationInput } from './protocol.js';

/** What surrounds the author's code, and what it is told beside the input. */
export interface EvaluationHost {
  readonly now: Date;
  /** Milliseconds since the epoch. */
  readonly lastTickAt: number | undefined;
  /** Part of the workflow IDs of requests without a run key; one for all attempts of an evaluation. */
  readonly nonce: string;
  /** Runs the author's code with what it may use, as long as it may take. */
  readonly run: (work: (services: EvaluationServices) => Promise<EvaluationOutcome>) => Promise<EvaluationOutcome>;
  /** The run keys of the sensor; asked for only when a request has one. */
  readonly knownKeys: () => Promise<{ has(hash: string): boolean }>;
  /** The keys of these dynamic partition sets, which are named without the prefix. */
  readonly partitionKeys: (sets: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
  /** Put before the names of dynamic partition sets. */
  readonly prefix: string;
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
  const outcome = await host.run((services) => evaluate(definition, facts, services));
  const known = outcome.requests.some(({ runKey }) => runKey !== undefined) ? await host.knownKeys() : undefined;
  const sets = setsOf(outcome.requests, outcome.partitionRequests, definition);
  const current = sets.length === 0 ? new Map<string, readonly string[]>() : await host.partitionKeys(sets);
  const partitions = applyPartitionRequests(outcome.partitionRequests, current, host.prefix);
  return checkOutcome(input, definition, outcome, rejected, {
    isKnown: (hash) => known?.has(hash) === true,
    partitions,
    now: host.now,
    nonce: host.nonce,
  });
}
