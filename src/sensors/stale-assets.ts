/**
 * Which assets are out of date: never made, or older than something they are made from. Pure.
 *
 * Ages are compared by when events were recorded. An upstream that was made anew while the asset was being made looks
 * older than the asset, though the asset may not have seen it.
 */
import type { AssetDefinition } from './define-asset.js';
import { EvaluationError } from './errors.js';
import { partitionsNeeded, type PartitionChoice } from './partition-mapping.js';

/** When something was last made of an asset, in milliseconds since the epoch. */
export interface AssetLatest {
  /** Any of it. */
  readonly at: number;
  /** Its partitions, by key; those that are missing were never made, if none was forgotten. */
  readonly partitions: ReadonlyMap<string, number>;
  /** Partitions that its log has forgotten were not made after this. Absent: it has forgotten none. */
  readonly forgottenUntil?: number;
  /** All of it at once: the last event without a partition. */
  readonly wholeAt?: number;
}

export interface StalenessFacts {
  /** By name; without an entry it was never made. Of assets that nobody makes here, when they were last observed. */
  readonly latest: ReadonlyMap<string, AssetLatest>;
  /** Keys of dynamic partition sets, by name; asked for without a partition. */
  readonly partitionKeys: ReadonlyMap<string, readonly string[]>;
  /** The partition that is asked for, of those assets that have partitions. @default all of them */
  readonly partitionKey?: string;
  readonly now: Date;
}

/**
 * Those of the selected assets that should be made again: they were never made, an upstream is newer, or a selected
 * upstream is made again itself. In the order in which they were given. A partition that was asked for is made again
 * when that cannot be told, because a log has forgotten when it or an upstream was made.
 *
 * @throws {@link EvaluationError} when it cannot be told of all partitions of an asset
 */
export function staleAssets(selected: readonly AssetDefinition[], facts: StalenessFacts): readonly AssetDefinition[] {
  const names = new Set(selected.map(({ name }) => name));
  const known = new Map<string, boolean>();
  const isStale = (asset: AssetDefinition): boolean => {
    const decided = known.get(asset.name);
    if (decided !== undefined) return decided;
    const stale =
      asset.upstream.some(({ asset: above }) => names.has(above.name) && isStale(above)) || isOld(asset, facts);
    known.set(asset.name, stale);
    return stale;
  };
  return selected.filter(isStale);
}

/** Whether what is asked for of an asset is older than something it is made from. */
function isOld(asset: AssetDefinition, facts: StalenessFacts): boolean {
  const { name, partitions } = asset;
  const { latest, partitionKeys, partitionKey, now } = facts;
  if (partitions === undefined) return isOlder(asset, undefined, facts) !== false;
  if (partitionKey !== undefined) return isOlder(asset, partitionKey, facts) !== false;
  if (!latest.has(name)) return true;
  const keys = partitions.type === 'dynamic' ? (partitionKeys.get(partitions.name) ?? []) : partitions.keys(now);
  const answers = new Set(keys.map((key) => isOlder(asset, key, facts)));
  if (answers.has(true)) return true;
  if (!answers.has('unknown')) return false;
  throw new EvaluationError(
    `staleOnly cannot tell whether asset '${name}' is out of date: it or what it is made from has more partitions than ` +
      `a log remembers (2,000); ask for one at a time, with partitionKey`
  );
}

function isOlder(
  { name, partitions, upstream }: AssetDefinition,
  key: string | undefined,
  { latest }: StalenessFacts
): boolean | 'unknown' {
  const made = madeAt(latest.get(name), key === undefined ? 'all' : [key]);
  const above = upstream.map(({ asset, mapping }) =>
    madeAt(
      latest.get(asset.name),
      partitionsNeeded({ upstream: asset.partitions, downstream: partitions, mapping }, key)
    )
  );
  if (made.latest === -Infinity || above.some(({ earliest }) => earliest > made.latest)) return true;
  const current = made.earliest > -Infinity && above.every(({ latest: at }) => at <= made.earliest);
  return current ? false : 'unknown';
}

/** Between which times the last of these partitions was made, by itself or with all the others; `-Infinity`: never. */
function madeAt(
  latest: AssetLatest | undefined,
  choice: PartitionChoice
): { readonly earliest: number; readonly latest: number } {
  if (latest === undefined || choice.length === 0) return { earliest: -Infinity, latest: -Infinity };
  if (choice === 'all') return { earliest: latest.at, latest: latest.at };
  const { partitions, wholeAt = -Infinity, forgottenUntil = -Infinity } = latest;
  const times = choice.map((key) => partitions.get(key));
  const earliest = Math.max(wholeAt, ...times.map((at) => at ?? -Infinity));
  return { earliest, latest: times.includes(undefined) ? Math.max(earliest, forgottenUntil) : earliest };
}
