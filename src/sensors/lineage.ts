/**
 * Lineage: which assets are made from which, by which jobs, and which sensors watch them. Pure.
 *
 * Each sensor tells what its worker knows of the assets it has to do with, in the options of its loop, which its memo
 * shows: so the lineage of a namespace can be put together from outside, with no worker alive, whatever repositories
 * its sensors are from. They may contradict each other: two owners and circles are shown, not refused.
 */
import type { Metadata } from './asset-event.js';
import { parseMetadata } from './asset-metadata.js';
import type { AssetDefinition } from './define-asset.js';
import type { SensorDefinition } from './define-sensor.js';
import { isAssetName } from './asset-name.js';
import { cutText, isObject, jsonBytes } from './json.js';
import { readMemoOptions } from './memo-options.js';
import { PARTITION_MAPPINGS, type PartitionMapping } from './partition-mapping.js';
import type { AssetFacts, SensorAssets } from './protocol.js';
import type { SensorRegistry } from './registry.js';

/** An asset among the others. Names are sorted. */
export interface LineageAsset {
  readonly name: string;
  /** Jobs that make it: one, if workers agree. */
  readonly owners: readonly string[];
  /** Sensors that watch it. */
  readonly watchers: readonly string[];
  /** What it is made from, and how its partitions follow from theirs. */
  readonly upstream: ReadonlyMap<string, PartitionMapping>;
  /** What is made from it. */
  readonly downstream: readonly string[];
  /** Kind of its partition set. */
  readonly partitions?: string;
  readonly description?: string;
  readonly metadata?: Metadata;
}

/** Assets by name. */
export type Lineage = ReadonlyMap<string, LineageAsset>;

/** What one sensor tells of assets. */
export interface LineageSource {
  /** Name of the sensor. */
  readonly sensor: string;
  readonly assets: SensorAssets;
}

/** The lineage that these sensors tell of together. */
export function lineageOf(sources: readonly LineageSource[]): Lineage {
  const drafts = new Map<string, Draft>();
  const draftOf = (name: string): Draft => {
    const draft = drafts.get(name) ?? {
      owners: new Set(),
      watchers: new Set(),
      upstream: new Map(),
      downstream: new Set(),
    };
    drafts.set(name, draft);
    return draft;
  };
  for (const { sensor, assets } of sources) {
    for (const [name, { job, watched, upstream = {}, partitions, description, metadata }] of Object.entries(
      assets.assets
    )) {
      const draft = draftOf(name);
      if (job !== undefined) draft.owners.add(job);
      if (watched === true) draft.watchers.add(sensor);
      draft.partitions ??= partitions;
      draft.description ??= description;
      draft.metadata ??= metadata;
      for (const [above, mapping] of Object.entries(upstream)) {
        draft.upstream.set(above, mapping);
        draftOf(above).downstream.add(name);
      }
    }
  }
  return new Map(
    [...drafts.keys()].sort().map((name) => {
      const { owners, watchers, upstream, downstream, partitions, description, metadata } = draftOf(name);
      return [
        name,
        {
          name,
          owners: [...owners].sort(),
          watchers: [...watchers].sort(),
          upstream: new Map([...upstream].sort(([a], [b]) => (a < b ? -1 : 1))),
          downstream: [...downstream].sort(),
          ...(partitions === undefined ? {} : { partitions }),
          ...(description === undefined ? {} : { description }),
          ...(metadata === undefined ? {} : { metadata }),
        },
      ];
    })
  );
}

interface Draft {
  readonly owners: Set<string>;
  readonly watchers: Set<string>;
  readonly upstream: Map<string, PartitionMapping>;
  readonly downstream: Set<string>;
  partitions?: string | undefined;
  description?: string | undefined;
  metadata?: Metadata | undefined;
}

/** What a sensor tells of assets: those it watches, those its jobs make, and all that they are made from. */
export function assetsOfSensor({ owners }: SensorRegistry, { jobs, watches }: SensorDefinition): SensorAssets {
  const watched = new Set(watches);
  const near = new Set([...watches, ...jobs.flatMap(({ assets }) => assets)]);
  // a set grows while it is walked
  for (const { upstream } of near) for (const { asset } of upstream) near.add(asset);
  return {
    assets: Object.fromEntries([...near].map((asset) => [asset.name, factsOf(asset, owners, watched.has(asset))])),
  };
}

function factsOf(
  { name, upstream, partitions, description, metadata }: AssetDefinition,
  owners: SensorRegistry['owners'],
  watched: boolean
): AssetFacts {
  const job = owners.get(name);
  return {
    ...(job === undefined ? {} : { job }),
    ...(watched ? { watched } : {}),
    ...(upstream.length === 0
      ? {}
      : { upstream: Object.fromEntries(upstream.map(({ asset, mapping }) => [asset.name, mapping])) }),
    ...(partitions === undefined ? {} : { partitions: partitions.type }),
    ...(description === undefined ? {} : { description: cutText(description, MAX_DESCRIPTION_BYTES) }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

const MAX_DESCRIPTION_BYTES = 256;

/** As much of it as finds room: metadata goes first, then what is farthest from the sensor. `undefined`: there is nothing to tell. */
export function fitAssets(told: SensorAssets, maxBytes: number): SensorAssets | undefined {
  const entries = Object.entries(told.assets);
  if (entries.length === 0) return undefined;
  if (jsonBytes(told) <= maxBytes) return told;
  if (entries.some(([, { metadata }]) => metadata !== undefined)) {
    const bare = entries.map(([name, { metadata: _, ...facts }]) => [name, facts] as const);
    return fitAssets({ ...told, assets: Object.fromEntries(bare) }, maxBytes);
  }
  const none: SensorAssets = { assets: {}, cut: true };
  let bytes = jsonBytes(none);
  if (bytes > maxBytes) return undefined;
  const end = entries.findIndex((entry) => (bytes += jsonBytes(entry)) > maxBytes);
  return { ...none, assets: Object.fromEntries(entries.slice(0, end)) };
}

/** Everything that an asset is made from, nearest first. */
export function allUpstream(lineage: Lineage, name: string): readonly string[] {
  return reached(name, (each) => [...(lineage.get(each)?.upstream.keys() ?? [])]);
}

/** Everything that is made from an asset, nearest first. */
export function allDownstream(lineage: Lineage, name: string): readonly string[] {
  return reached(name, (each) => lineage.get(each)?.downstream ?? []);
}

function reached(from: string, next: (name: string) => readonly string[]): readonly string[] {
  const found = new Set([from]);
  // a set grows while it is walked
  for (const name of found) for (const other of next(name)) found.add(other);
  found.delete(from);
  return [...found];
}

/** Assets that are made from themselves. Definitions cannot say so; two workers together can. */
export function circular(lineage: Lineage): readonly string[] {
  const inCircle = (name: string): boolean =>
    [...(lineage.get(name)?.upstream.keys() ?? [])].some(
      (above) => above === name || allUpstream(lineage, above).includes(name)
    );
  return [...lineage.keys()].filter(inCircle);
}

/** What the options in a loop's memo tell of assets; any version of this package, or anybody, may have written them. */
export function parseSensorAssets(options: unknown): SensorAssets | undefined {
  const told = readMemoOptions(options)?.['lineage'];
  if (!isObject(told) || !isObject(told['assets'])) return undefined;
  const entries = Object.entries(told['assets']).flatMap(([name, facts]) =>
    isAssetName(name) && isObject(facts) ? [[name, parseFacts(facts)] as const] : []
  );
  return { assets: Object.fromEntries(entries), ...(told['cut'] === true ? { cut: true } : {}) };
}

function parseFacts({ job, watched, upstream, partitions, description, metadata }: Fields): AssetFacts {
  const above = Object.entries(isObject(upstream) ? upstream : {}).flatMap(([name, given]) => {
    const mapping = PARTITION_MAPPINGS.find((each) => each === given);
    return isAssetName(name) && mapping !== undefined ? [[name, mapping] as const] : [];
  });
  const parsed = parseMetadata(metadata);
  return {
    ...(typeof job === 'string' ? { job } : {}),
    ...(watched === true ? { watched } : {}),
    ...(above.length === 0 ? {} : { upstream: Object.fromEntries(above) }),
    ...(typeof partitions === 'string' ? { partitions } : {}),
    ...(typeof description === 'string' ? { description } : {}),
    ...('problem' in parsed ? {} : parsed),
  };
}

type Fields = Readonly<Record<string, unknown>>;
