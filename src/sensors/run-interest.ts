/** Which runs wake a sensor when they start or close. Pure. */
import { jsonBytes, utf8Bytes } from './json.js';
import { MAX_OPTIONS_BYTES } from './limits.js';
import { OWN_TYPES, type LoopOptions, type RunInterest } from './protocol.js';
import type { SensorDefinition } from './define-sensor.js';
import { earlierNames } from './earlier-names.js';
import { assetsOfSensor, fitAssets } from './lineage.js';
import { loopOptions } from './loop-options.js';
import { readMemoOptions } from './memo-options.js';
import type { SensorRegistry } from './registry.js';
import { shortHash } from './short-hash.js';
import { RUN_STATUSES, type RunStatus } from './status-run.js';

/** Whether a run of this type and status is of interest. */
export function isWatched(
  { statuses, types }: RunInterest,
  { type, status }: { readonly type: string; readonly status: RunStatus }
): boolean {
  return statuses.includes(status) && (types === undefined ? !OWN_TYPES.includes(type) : types.includes(type));
}

/** What a worker tells the loop of one of its sensors: `jobs` in its interest become the names of the plugin's jobs. */
export function registeredOptions(registry: SensorRegistry, definition: SensorDefinition): LoopOptions {
  const options = withEarlier(withInterest(loopOptions(definition), registry, definition), registry, definition);
  const room = MAX_OPTIONS_BYTES - jsonBytes(options) - utf8Bytes(',"lineage":');
  const lineage = fitAssets(assetsOfSensor(registry, definition), room);
  return lineage === undefined ? options : { ...options, lineage };
}

function withInterest(options: LoopOptions, { jobs }: SensorRegistry, { watchesRuns }: SensorDefinition): LoopOptions {
  if (watchesRuns === undefined) return options;
  const { statuses, types } = watchesRuns;
  const named: RunInterest =
    types === undefined ? { statuses } : { statuses, types: types === 'jobs' ? [...jobs.keys()].sort() : types };
  // with 'jobs', another job is another definition
  const basis =
    types === 'jobs' ? shortHash(`${options.definition} ${named.types?.join(' ') ?? ''}`) : options.definition;
  const whole = { ...options, definition: basis, watchesRuns: named };
  // names that find no room: then every type wakes it, and its evaluation tells them apart
  return jsonBytes(whole) <= MAX_OPTIONS_BYTES ? whole : { ...whole, watchesRuns: { statuses } };
}

function withEarlier(options: LoopOptions, registry: SensorRegistry, definition: SensorDefinition): LoopOptions {
  const earlier = earlierNames(registry, definition);
  const whole = earlier === undefined ? options : { ...options, earlier };
  return jsonBytes(whole) <= MAX_OPTIONS_BYTES ? whole : options;
}

/** The interest in the options of a loop's memo, which any version of this package, or anybody, may have written. */
export function parseInterest(options: unknown): RunInterest | undefined {
  const { statuses, types } = (readMemoOptions(options)?.['watchesRuns'] ?? {}) as Partial<RunInterest>;
  if (!Array.isArray(statuses)) return undefined;
  const known = RUN_STATUSES.filter((status) => statuses.includes(status));
  return Array.isArray(types) ? { statuses: known, types } : { statuses: known };
}
