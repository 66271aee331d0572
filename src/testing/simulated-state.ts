/** Where a simulated loop begins: a state as if the sensor had run before. */
import { toJson } from '../sensors/json.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError, quote } from '../sensors/errors.js';
import { loopOptions } from '../sensors/loop-options.js';
import type { LoopState } from '../sensors/protocol.js';
import { runKeyHash } from '../sensors/run-key.js';
import * as rules from '../workflows/rules.js';
import { logsOf, type MadeAssetsOption } from './simulated-assets.js';
import type { SimulatedServer } from './simulated-loop.js';

/** Run keys that have run: of every job of the sensor, or of one. */
export type KnownKeysOption = readonly (string | { readonly job: string; readonly runKey: string })[];

/** Keys of dynamic partition sets, by name. */
export type PartitionsOption = Readonly<Record<string, readonly string[]>>;

/** A server on which nothing runs yet. */
export function serverOf(partitions: PartitionsOption = {}, assets?: MadeAssetsOption): SimulatedServer {
  const sets = Object.entries(partitions).map(([name, keys]) => [name, new Set(keys)] as const);
  return { pages: new Map(), partitions: new Map(sets), logs: logsOf(assets), serial: 0 };
}

export interface StateOptions {
  /** The stored position, not yet checked: the evaluation does that. */
  readonly cursor?: unknown;
  readonly knownKeys?: KnownKeysOption | undefined;
}

/**
 * @throws {@link DefinitionError} for a known key of a job that the sensor does not have
 */
export function stateOf(
  definition: SensorDefinition,
  now: number,
  { cursor, knownKeys = [] }: StateOptions
): LoopState {
  const fresh = rules.newState(loopOptions(definition), now);
  const state = cursor === undefined ? fresh : { ...fresh, cursor: { value: toJson(cursor, 'cursor') } };
  return hashesOf(definition, knownKeys).reduce((each, hash) => rules.remember(each, { hash }, now), state);
}

function hashesOf({ name, jobs }: SensorDefinition, keys: KnownKeysOption): readonly string[] {
  return keys.flatMap((key) => {
    if (typeof key === 'string') return jobs.map((job) => runKeyHash(job.name, key));
    if (jobs.some((job) => job.name === key.job)) return [runKeyHash(key.job, key.runKey)];
    const names = jobs.map((job) => `'${job.name}'`).join(', ') || 'none';
    throw new DefinitionError(
      `knownKeys names job ${quote(key.job)}, which sensor '${name}' does not have; accepted: ${names}`
    );
  });
}
