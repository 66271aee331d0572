/**
 * Assets: what jobs make and sensors watch, such as a table, a file or a report.
 *
 * An asset is known by its key to everybody on a namespace, whatever worker or plugin defines it. What is made of it is
 * made from other assets: its upstream.
 */
import type { Metadata, MetadataInput } from './asset-event.js';
import { BACKFILL_POLICIES, type BackfillPolicy } from './backfill.js';
import { checkAssetKey } from './asset-name.js';
import { parseMetadata } from './asset-metadata.js';
import { DefinitionError, quote, refuseUnknownOptions } from './errors.js';
import { checkMapping, type PartitionMapping } from './partition-mapping.js';
import { checkPartitions, type PartitionSet } from './partitions.js';

/** One asset that another is made from. */
export interface AssetUpstream {
  readonly asset: AssetDefinition;
  readonly mapping: PartitionMapping;
}

/** An asset, as {@link defineAsset} made it. */
export interface AssetDefinition<Key extends readonly string[] = readonly string[]> {
  readonly kind: 'asset';
  readonly key: Key;
  /** The parts of the key, joined by `/`. */
  readonly name: AssetName<Key>;
  readonly partitions: PartitionSet | undefined;
  readonly upstream: readonly AssetUpstream[];
  readonly description: string | undefined;
  readonly metadata: Metadata;
  readonly backfillPolicy: BackfillPolicy;
}

type AssetName<Key extends readonly string[]> = Key extends readonly [
  infer First extends string,
  ...infer Rest extends readonly string[],
]
  ? Rest extends readonly []
    ? First
    : `${First}/${AssetName<Rest>}`
  : string;

type AssetKey<Key> = Key extends readonly string[] ? Key : Key extends string ? readonly [Key] : never;

export interface AssetOptions<Key extends string | readonly string[]> {
  /**
   * `'orders'`, or a path: `['sales', 'orders']`. At most 10 parts, each 1 to 100 characters of `A-Z a-z 0-9 _ . -`,
   * together at most 300. The same in every worker of the namespace.
   */
  readonly key: Key;
  /** The set that divides the asset: each materialization is of one partition, an observation may be of all. @default none */
  readonly partitions?: PartitionSet;
  /**
   * What it is made from; with `mapping` where the partitions of the two differ.
   * @default mapping: `'same'` for two partition sets of one kind, `'all'` where one of the two has none
   */
  readonly upstream?: readonly (
    AssetDefinition | { readonly asset: AssetDefinition; readonly mapping?: PartitionMapping }
  )[];
  /** For display. */
  readonly description?: string;
  /** For display in `sensors assets show`: numbers, texts, urls, paths, tables; at most 8 KB. Kept in the memos of sensors where there is room. */
  readonly metadata?: MetadataInput;
  /** What a backfill of it starts, unless its command says otherwise. @default 'perPartition' */
  readonly backfillPolicy?: BackfillPolicy;
}

const OPTIONS = ['key', 'partitions', 'upstream', 'description', 'metadata', 'backfillPolicy'] as const;
const MAX_UPSTREAM = 100;

/**
 * Defines an asset.
 *
 * ```ts
 * export const orders = defineAsset({ key: ['sales', 'orders'], partitions: dailyPartitions({ start: '2026-01-01' }) });
 * export const report = defineAsset({ key: 'report', upstream: [orders] });
 * ```
 *
 * @throws {@link DefinitionError} quoting the bad value, its place and what is accepted
 */
export function defineAsset<const Key extends string | readonly string[]>(
  options: AssetOptions<Key>
): AssetDefinition<AssetKey<Key>> {
  const key = checkAssetKey(options.key, 'the key of an asset');
  const name = key.join('/');
  const place = `asset '${name}'`;
  refuseUnknownOptions(options, OPTIONS, place);
  checkPartitions(options.partitions, place);
  const { description, backfillPolicy = 'perPartition' } = options;
  if (description !== undefined && typeof description !== 'string')
    throw new DefinitionError(`${place}: description is ${quote(description)}; accepted: a text`);
  if (!BACKFILL_POLICIES.includes(backfillPolicy))
    throw new DefinitionError(
      `${place}: backfillPolicy is ${quote(backfillPolicy)}; accepted: ${BACKFILL_POLICIES.map((each) => `'${each}'`).join(', ')}`
    );
  const parsed = parseMetadata(options.metadata ?? {});
  if ('problem' in parsed) throw new DefinitionError(`${place}: ${parsed.problem}`);
  return Object.freeze({
    kind: 'asset',
    key: key as AssetKey<Key>,
    name: name as AssetName<AssetKey<Key>>,
    partitions: options.partitions,
    upstream: checkUpstream(options.upstream, { name, partitions: options.partitions }, place),
    description,
    metadata: parsed.metadata,
    backfillPolicy,
  });
}

function checkUpstream(
  given: unknown,
  { name, partitions }: { readonly name: string; readonly partitions: PartitionSet | undefined },
  place: string
): readonly AssetUpstream[] {
  if (given === undefined) return Object.freeze([]);
  if (!Array.isArray(given) || given.length > MAX_UPSTREAM)
    throw new DefinitionError(
      `${place}: upstream is ${Array.isArray(given) ? `${given.length} assets` : quote(given)}; accepted: an array of up to ${MAX_UPSTREAM} assets`
    );
  const names = new Set<string>();
  const upstream = (given as unknown[]).map((each, index) => {
    const at = `${place}: upstream[${index}]`;
    const { asset, mapping } = opened(each, at);
    if (asset.name === name) throw new DefinitionError(`${at} is the asset itself; accepted: other assets`);
    if (names.has(asset.name)) throw new DefinitionError(`${place}: upstream has '${asset.name}' twice`);
    names.add(asset.name);
    const sets = { upstream: asset.partitions, downstream: partitions };
    return Object.freeze({ asset, mapping: checkMapping(mapping, sets, `${at} ('${asset.name}')`) });
  });
  return Object.freeze(upstream);
}

/** An upstream as it was given: an asset, or an asset with its mapping. */
function opened(given: unknown, place: string): { readonly asset: AssetDefinition; readonly mapping?: unknown } {
  if (isAsset(given)) return { asset: given };
  if (typeof given === 'object' && given !== null && 'asset' in given && isAsset(given.asset)) {
    refuseUnknownOptions(given, ['asset', 'mapping'], place);
    return given as { readonly asset: AssetDefinition; readonly mapping?: unknown };
  }
  throw new DefinitionError(`${place} is ${quote(given)}; accepted: what defineAsset returned, or { asset, mapping }`);
}

export function isAsset(value: unknown): value is AssetDefinition {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'asset';
}

const MAX_ASSETS = 100;

/**
 * The `assets` or `watches` of a job or sensor.
 *
 * @throws {@link DefinitionError} for anything but an array of up to 100 different assets
 */
export function checkAssets<const Assets extends readonly AssetDefinition[]>(
  given: Assets | undefined,
  place: string
): Assets {
  const assets: unknown = given ?? [];
  if (!Array.isArray(assets) || assets.length > MAX_ASSETS)
    throw new DefinitionError(
      `${place} is ${Array.isArray(assets) ? `${assets.length} assets` : quote(assets)}; accepted: an array of up to ${MAX_ASSETS} assets`
    );
  const names = new Set<string>();
  for (const asset of assets as unknown[]) {
    if (!isAsset(asset))
      throw new DefinitionError(`${place} contains ${quote(asset)}; accepted: what defineAsset returned`);
    if (names.has(asset.name)) throw new DefinitionError(`${place} has '${asset.name}' twice`);
    names.add(asset.name);
  }
  return Object.freeze([...assets]) as unknown as Assets;
}
