/** What a tick's partition requests come to. Knows nothing of Temporal. */
import type { JobDefinition } from './define-job.js';
import type { SensorDefinition } from './define-sensor.js';
import { EvaluationError, quote } from './errors.js';
import { jsonBytes } from './json.js';
import { MAX_PARTITION_CHANGE_BYTES, MAX_PARTITION_SET_BYTES } from './limits.js';
import type { PartitionRequest } from './partitions.js';
import type { PartitionChange } from './protocol.js';

/** Dynamic partition sets by name, as they are when the tick's own changes have taken effect. */
export interface Partitions {
  readonly changes: readonly PartitionChange[];
  /** Why a request of this job may not have this partition key, or `undefined`. */
  readonly problem: (job: JobDefinition, key: unknown, now: Date) => string | undefined;
  /** Whether a set has a key. */
  readonly has: (set: string, key: string) => boolean;
}

/** Names of the dynamic sets that requests and changes of a sensor depend on. */
export function setsOf(
  requests: readonly { readonly job?: string; readonly partitionKey?: unknown }[],
  changes: readonly PartitionRequest[],
  { jobs }: SensorDefinition
): string[] {
  const asked = new Set(requests.filter(({ partitionKey }) => partitionKey !== undefined).map(({ job }) => job));
  const ofJobs = jobs.flatMap(({ name, partitions }) =>
    asked.has(name) && partitions?.type === 'dynamic' ? [partitions.name] : []
  );
  return [...new Set([...ofJobs, ...changes.map(({ set }) => set)])];
}

/**
 * Applies a tick's changes to the sets as they are on the server.
 *
 * @param current keys by the name of their set, for each of {@link setsOf}
 * @param prefix of the sets' names on the server
 * @throws {@link EvaluationError} for a key that is both added and deleted, and for what exceeds the limits of a tick or a set
 */
export function applyPartitionRequests(
  requests: readonly PartitionRequest[],
  current: ReadonlyMap<string, readonly string[]>,
  prefix = ''
): Partitions {
  const asked = new Map<string, Map<string, PartitionRequest['kind']>>();
  for (const { kind, set, keys } of requests) {
    const ofSet = asked.get(set) ?? new Map<string, PartitionRequest['kind']>();
    asked.set(set, ofSet);
    for (const key of keys) {
      if ((ofSet.get(key) ?? kind) !== kind)
        throw new EvaluationError(
          `partitionRequests add and delete key ${quote(key)} of set '${set}' in one tick; accepted: one of them`
        );
      ofSet.set(key, kind);
    }
  }
  const sets = new Map([...current].map(([name, keys]) => [name, new Set(keys)]));
  const changes: PartitionChange[] = [];
  for (const [set, kinds] of asked) {
    const keys = sets.get(set) ?? new Set();
    sets.set(set, keys);
    const add = [...kinds].flatMap(([key, kind]) => (kind === 'add' && !keys.has(key) ? [key] : []));
    const gone = [...kinds].flatMap(([key, kind]) => (kind === 'delete' && keys.has(key) ? [key] : []));
    for (const key of add) keys.add(key);
    for (const key of gone) keys.delete(key);
    const size = add.length === 0 ? 0 : jsonBytes([...keys]);
    if (size > MAX_PARTITION_SET_BYTES) {
      throw new EvaluationError(
        `partition set '${set}' would have ${keys.size} keys of ${size} bytes; at most ${MAX_PARTITION_SET_BYTES} (512 KB): delete some`
      );
    }
    if (add.length + gone.length > 0) changes.push({ set: prefix + set, add, delete: gone });
  }
  const bytes = jsonBytes(changes);
  if (bytes > MAX_PARTITION_CHANGE_BYTES) {
    throw new EvaluationError(
      `partitionRequests change ${bytes} bytes of keys; at most ${MAX_PARTITION_CHANGE_BYTES} (64 KB) in one tick: split them over ticks with ctx.more`
    );
  }
  const deleted = (set: string, key: string): boolean => asked.get(set)?.get(key) === 'delete';
  const has = (set: string, key: string): boolean => sets.get(set)?.has(key) === true;
  return { changes, has, problem: (job, key, now) => problemOf(job, key, now, has, deleted) };
}

function problemOf(
  { name, partitions }: JobDefinition,
  key: unknown,
  now: Date,
  has: Partitions['has'],
  deleted: (set: string, key: string) => boolean
): string | undefined {
  if (partitions === undefined)
    return key === undefined ? undefined : `partitionKey is given, but job '${name}' has no partitions`;
  if (key === undefined)
    return `partitionKey is missing; job '${name}' is partitioned, and each run is for one of them`;
  if (typeof key !== 'string') return `partitionKey is a ${typeof key}; accepted: a text`;
  if (partitions.type !== 'dynamic')
    return partitions.has(key, now)
      ? undefined
      : `partitionKey is not in the ${partitions.type} partitions of job '${name}'${partitions.type === 'static' ? '' : ' at this time (one is there when it has ended)'}`;
  if (has(partitions.name, key)) return undefined;
  return deleted(partitions.name, key)
    ? `partitionKey was deleted from partition set '${partitions.name}' by the same tick`
    : `partitionKey is not in partition set '${partitions.name}'; add it with partitionRequests`;
}
