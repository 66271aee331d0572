/**
 * Which assets are out of date: never made, or older than something they are made from. Pure.
 *
 * Ages are compared by when events were recorded. An upstream that was made anew while the asset was being made looks
 * older than the asset, though the asset may not have seen it.
 */
import type { AssetDefinition } from './define-asset.js';
import { partitionsNeeded, type PartitionChoice } from './partition-mapping.js';

/** When something was last made of an asset, in milliseconds since the epoch. */
export interface AssetLatest {
  /** Any of it. */
  readonly at: number;
  /** Its partitions, by key; those that are missing were never made. */
  readonly partitions: ReadonlyMap<string, number>;
  /** All of it at once: the last event without a partition. */
  readonly wholeAt?: number;
}

export interface StalenessFacts {
  /** By name; without an entry it was never made. Of assets that nobody makes here, when they were last observed. */
  readonly latest: ReadonlyMap<string, AssetLatest>;
  /** The partition that is asked for, of those assets that have partitions. @default all of them */
  readonly partitionKey?: string;
  readonly now: Date;
}

/**
 * Those of the selected assets that should be made again: they were never made, an upstream is newer, or a selected
 * upstream is made again itself. In the order in which they were given.
 */
export function staleAssets(selected: readonly AssetDefinition[], facts: StalenessFacts): readonly AssetDefinition[] {
  const names = new Set(selected.map(({ name }) => name));
  const known = new Map<string, boolean>();
  const isStale = (asset: AssetDefinition): boolean => {
    const decided = known.get(asset.name);
    if (decided !== undefined) return decided;
    const stale =
      asset.upstream.some(({ asset: above }) => names.has(above.name) && isStale(above)) ||
      askedKeys(asset, facts).some((key) => isOlder(asset, key, facts));
    known.set(asset.name, stale);
    return stale;
  };
  return selected.filter(isStale);
}

/** The partitions to look at; `undefined`: the asset as a whole. */
function askedKeys(
  { name, partitions }: AssetDefinition,
  { latest, partitionKey, now }: StalenessFacts
): readonly (string | undefined)[] {
  if (partitions === undefined) return [undefined];
  if (partitionKey !== undefined) return [partitionKey];
  return partitions.type === 'dynamic' ? [...(latest.get(name)?.partitions.keys() ?? [])] : partitions.keys(now);
}

function isOlder(
  { name, partitions, upstream }: AssetDefinition,
  key: string | undefined,
  { latest }: StalenessFacts
): boolean {
  const made = madeAt(latest.get(name), key === undefined ? 'all' : [key]);
  if (made === undefined) return true;
  return upstream.some(({ asset, mapping }) => {
    const needed = partitionsNeeded({ upstream: asset.partitions, downstream: partitions, mapping }, key);
    return (madeAt(latest.get(asset.name), needed) ?? -Infinity) > made;
  });
}

/** When the last of these partitions was made, by itself or with all the others. */
function madeAt(latest: AssetLatest | undefined, choice: PartitionChoice): number | undefined {
  if (latest === undefined) return undefined;
  if (choice === 'all') return latest.at;
  const times = [...choice.map((key) => latest.partitions.get(key)), choice.length === 0 ? undefined : latest.wholeAt];
  const known = times.filter((at) => at !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
