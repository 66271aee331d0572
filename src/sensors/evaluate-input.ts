/**
 * One attempt of an evaluation: from what the loop said to what the author's code made of it, checked. Asked by the
 * evaluation activity and by the testing toolkit, so that both do the same. Knows nothing of Temporal.
 */
import { checkAssetLimits, checkAssetPartitions, setsOfAssets } from './asset-requests.js';
import { applyPartitionRequests, setsOf } from './change-partitions.js';
import { checkEvents, checkOutcome, type CheckedOutcome } from './check-outcome.js';
import { lastTickBefore, type AttemptTimes } from './attempt-end.js';
import type { SensorDefinition } from './define-sensor.js';
import { evaluate, type EvaluationOutcome, type EvaluationServices } from './evaluation.js';
import type { AssetReader } from './narrow-stale.js';
import { isOlderLoop, refuseOfOlderLoop } from './older-loop.js';
import type { EvaluationInput } from './protocol.js';

const NUDGED_MS = 1_000;

/** What surrounds the author's code, and what it is told beside the input. */
export interface EvaluationHost {
  readonly now: Date;
  /** Part of the workflow IDs of requests without a run key; one for all attempts of an evaluation. */
  readonly nonce: string;
  /** Runs the author's code with what it may use, as long as it may take. */
  readonly run: (work: (services: EvaluationServices) => Promise<EvaluationOutcome>) => Promise<EvaluationOutcome>;
  /** The run keys of the sensor; asked for only when a request has one. */
  readonly knownKeys: () => Promise<{ has(hash: string): boolean }>;
  readonly assets: AssetReader;
  /** Put before the names of sensors and dynamic partition sets. */
  readonly prefix: string;
  /** When this attempt was due. */
  readonly times: AttemptTimes;
  /** Names of all jobs of the application. */
  readonly jobs: readonly string[];
  /** Whether nothing of it will be committed. */
  readonly preview: boolean;
}

/**
 * @throws whatever the author's code throws, `EvaluationError` for what it may not give, and `RetryAfterError` for what the
 *   loop is too old to take
 */
export async function evaluateInput(
  input: EvaluationInput,
  definition: SensorDefinition,
  host: EvaluationHost
): Promise<CheckedOutcome> {
  const { events, rejected } = checkEvents(input, definition);
  const lastTickAt = lastTickBefore(input, host.times);
  const facts = {
    sensor: input.sensor,
    tick: input.tick,
    cursor: input.cursor,
    events,
    now: host.now,
    lastTickAt: lastTickAt === undefined ? undefined : new Date(lastTickAt),
    lastRunKey: input.lastRunKey,
    isFirstTickSinceStart: input.isFirstTickSinceStart,
    sensorStartedAt: new Date(input.sensorStartedAt),
    feed: {
      scheduledAt: host.times.scheduledAt,
      // later attempts of a folded evaluation are nobody's nudge
      nudged: input.trigger === 'push' && host.times.waitedMs - input.delayMs < NUDGED_MS,
      preview: host.preview,
      jobs: host.jobs,
      prefix: host.prefix,
      deadLetterRoom: input.deadLetterRoom,
      deadLetters: input.deadLetters,
      ...(isOlderLoop(input) ? { olderLoop: true as const } : {}),
    },
    assets: host.assets,
  };
  // before handlers are called: what they do must not be repeated because the keys cannot be read
  const early = definition.fed && definition.jobs.length > 0 ? await host.knownKeys() : undefined;
  const outcome = await host.run((services) => evaluate(definition, facts, services));
  if (isOlderLoop(input)) refuseOfOlderLoop(outcome);
  const keyed = outcome.requests.some(({ runKey }) => runKey !== undefined);
  const known = early ?? (keyed ? await host.knownKeys() : undefined);
  const { definitionOf } = host.assets;
  // what handlers said of assets was checked for each of them
  const unchecked = definition.fed ? [] : outcome.assetEvents;
  const sets = [
    ...new Set([
      ...setsOf(outcome.requests, outcome.partitionRequests, definition),
      ...setsOfAssets(unchecked, definitionOf),
    ]),
  ];
  const current = sets.length === 0 ? new Map<string, readonly string[]>() : await host.assets.partitionKeys(sets);
  const partitions = applyPartitionRequests(outcome.partitionRequests, current, host.prefix);
  checkAssetPartitions(unchecked, { now: host.now, definitionOf, has: partitions.has });
  checkAssetLimits(outcome.assetEvents);
  return checkOutcome(input, definition, outcome, rejected, {
    isKnown: (hash) => known?.has(hash) === true,
    partitions,
    now: host.now,
    nonce: host.nonce,
  });
}
