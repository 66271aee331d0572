/**
 * The assets of a namespace from outside: what its sensors tell of them in their memos, and what their logs show in
 * theirs. Two lists of visibility and nothing else, so it takes milliseconds and needs no worker.
 */
import type { Client } from '@temporalio/client';
import picomatch from 'picomatch';
import type { Metadata } from '../sensors/asset-event.js';
import { isAssetName } from '../sensors/asset-name.js';
import { circular, lineageOf, parseSensorAssets, type Lineage, type LineageSource } from '../sensors/lineage.js';
import type { PartitionMapping } from '../sensors/partition-mapping.js';
import {
  ASSET_LOG_ID_PREFIX,
  ASSET_LOG_TYPE,
  ASSET_MEMO,
  LOOP_ID_PREFIX,
  LOOP_TYPE,
  SENSOR_MEMO,
  type AssetMemo,
  type SensorMemo,
} from '../sensors/protocol.js';
import type { Execution } from './executions.js';
import { latestRuns } from './latest-runs.js';
import { similarNames } from './similar-names.js';

/** What an asset's log has recorded; it may be a minute old. */
export interface AssetRecorded {
  /** Position of the newest event. */
  readonly last: number;
  readonly materializations: number;
  readonly observations: number;
  /** Partitions that were materialized, as far as the log knows them: the last 2,000. */
  readonly partitions: number;
  /** There were more. */
  readonly partitionsForgotten?: true;
  readonly materializedAt?: Date;
  readonly observedAt?: Date;
}

/** An asset as `assets` shows it. */
export interface AssetSummary {
  /** Its name: the parts of its key, joined by `/`. */
  readonly asset: string;
  /** Jobs that make it: one, if the workers of the namespace agree. */
  readonly owners: readonly string[];
  /** Sensors that watch it. */
  readonly watchers: readonly string[];
  /** Names of the assets that it is made from, and how its partitions follow from theirs. */
  readonly upstream: Readonly<Record<string, PartitionMapping>>;
  /** Names of the assets that are made from it. */
  readonly downstream: readonly string[];
  /** Kind of its partition set. */
  readonly partitions?: string;
  readonly description?: string;
  /** Of its definition. */
  readonly metadata?: Metadata;
  /** `none`: nothing was recorded and no sensor reads it. `closed`: somebody ended it; it comes back with its next event. */
  readonly log: 'none' | 'running' | 'closed';
  /** Absent without a log, and where `unknown` says why. */
  readonly recorded?: AssetRecorded;
  /** Why a log shows nothing of what it has recorded. */
  readonly unknown?: string;
  /** What does not fit together, each a sentence: two owners, a circle, a log that was ended. */
  readonly problems: readonly string[];
}

/** Everything that is told of assets. */
export interface AssetCatalog {
  readonly lineage: Lineage;
  /** Assets that are made from themselves. */
  readonly circular: ReadonlySet<string>;
  /** By name of the asset. */
  readonly logs: ReadonlyMap<string, Execution>;
  /** The sensors' loops, by name. */
  readonly loops: ReadonlyMap<string, Execution>;
  /** Sensors that have not told all they know, by name of an asset that they tell of. */
  readonly cut: ReadonlyMap<string, readonly string[]>;
}

/** There is no such asset in this namespace. */
export class AssetNotFoundError extends Error {
  override readonly name = 'AssetNotFoundError';
  constructor(
    readonly asset: string,
    readonly namespace: string,
    /** Names that may be meant, the nearest first. */
    readonly similar: readonly string[]
  ) {
    const rule =
      'n asset appears when a worker starts whose sensors watch it or start a job that makes it, or when an event of it is ' +
      "recorded ('sensors assets list' shows those that exist)";
    const meant = similar.length === 0 ? ' a' : ` is '${similar.join("' or '")}' meant? A`;
    super(`there is no asset '${asset}' in namespace '${namespace}';${meant}${rule}`);
  }
}

/** Asks the server for loops and logs. */
export async function readCatalog(client: Client): Promise<AssetCatalog> {
  const [loops, logs] = await Promise.all([
    latestRuns(client, LOOP_TYPE, LOOP_ID_PREFIX),
    latestRuns(client, ASSET_LOG_TYPE, ASSET_LOG_ID_PREFIX),
  ]);
  return catalogOf(named(loops, LOOP_ID_PREFIX), named(logs, ASSET_LOG_ID_PREFIX));
}

function named(executions: readonly Execution[], prefix: string): ReadonlyMap<string, Execution> {
  return new Map(executions.map((each) => [each.workflowId.slice(prefix.length), each]));
}

function catalogOf(loops: AssetCatalog['loops'], logs: AssetCatalog['logs']): AssetCatalog {
  const told = [...loops].flatMap(([sensor, { memo }]): LineageSource[] => {
    const assets = parseSensorAssets((memo?.[SENSOR_MEMO] as SensorMemo | undefined)?.options);
    return assets === undefined ? [] : [{ sensor, assets }];
  });
  // in the order of names, so that contradictions are always settled in the same way
  const lineage = lineageOf(told.sort((a, b) => (a.sensor < b.sensor ? -1 : 1)));
  const cut = new Map<string, string[]>();
  for (const { sensor, assets } of told) {
    if (assets.cut !== true) continue;
    for (const asset of Object.keys(assets.assets)) cut.set(asset, [...(cut.get(asset) ?? []), sensor]);
  }
  const ours = new Map([...logs].filter(([asset]) => isAssetName(asset)));
  return { lineage, circular: new Set(circular(lineage)), logs: ours, loops, cut };
}

/** Names of all assets, sorted. */
export function assetNames({ lineage, logs }: AssetCatalog): readonly string[] {
  return [...new Set([...lineage.keys(), ...logs.keys()])].sort();
}

/**
 * The assets whose names fit, by name.
 *
 * @param name pattern such as `sales/*` or `sales/**`; without a slash it is that of the last part
 */
export function assetsLike(catalog: AssetCatalog, name: string | undefined): AssetSummary[] {
  const fits = name === undefined ? () => true : picomatch(name, { dot: true, basename: !name.includes('/') });
  return assetNames(catalog)
    .filter((asset) => fits(asset))
    .map((asset) => summaryOf(catalog, asset));
}

/** @throws {@link AssetNotFoundError} */
export function requireAsset(catalog: AssetCatalog, asset: string, namespace: string): AssetSummary {
  if (catalog.lineage.has(asset) || catalog.logs.has(asset)) return summaryOf(catalog, asset);
  throw new AssetNotFoundError(asset, namespace, similarNames(asset, assetNames(catalog)));
}

function summaryOf(catalog: AssetCatalog, asset: string): AssetSummary {
  const told = catalog.lineage.get(asset);
  const { owners = [], watchers = [], downstream = [] } = told ?? {};
  const log = catalog.logs.get(asset);
  return {
    asset,
    owners,
    watchers,
    upstream: Object.fromEntries(told?.upstream ?? []),
    downstream,
    ...(told?.partitions === undefined ? {} : { partitions: told.partitions }),
    ...(told?.description === undefined ? {} : { description: told.description }),
    ...(told?.metadata === undefined ? {} : { metadata: told.metadata }),
    log: log === undefined ? 'none' : log.status.name === 'RUNNING' ? 'running' : 'closed',
    ...(log === undefined ? {} : recordedIn(log)),
    problems: problemsOf(catalog, asset, owners),
  };
}

function recordedIn({ memo, unreadable, taskQueue }: Execution): Pick<AssetSummary, 'recorded' | 'unknown'> {
  if (unreadable !== undefined)
    return { unknown: 'the memo of its log is encoded by a codec that this client does not have' };
  const told = memo?.[ASSET_MEMO] as AssetMemo | undefined;
  if (told === undefined) return { unknown: `no worker on task queue '${taskQueue}' has read its log yet` };
  const { last, materializations, observations, partitions, partitionsForgotten, materializedAt, observedAt } = told;
  return {
    recorded: {
      last,
      materializations,
      observations,
      partitions,
      ...(partitionsForgotten === undefined ? {} : { partitionsForgotten }),
      ...(materializedAt === undefined ? {} : { materializedAt: new Date(materializedAt) }),
      ...(observedAt === undefined ? {} : { observedAt: new Date(observedAt) }),
    },
  };
}

function problemsOf({ circular, logs, cut }: AssetCatalog, asset: string, owners: readonly string[]): string[] {
  const status = logs.get(asset)?.status.name ?? 'RUNNING';
  const silent = cut.get(asset) ?? [];
  return [
    ...(owners.length > 1
      ? [
          `${owners.length} jobs say that they make it (${owners.join(', ')}): take it out of defineJob({ assets }) of all but one`,
        ]
      : []),
    ...(circular.has(asset)
      ? [
          'it is made from itself: workers contradict each other about upstream; start those with the newest definitions',
        ]
      : []),
    ...(status === 'RUNNING' ? [] : [`its log was ended (${status}); it comes back, whole, with its next event`]),
    ...(silent.length === 0
      ? []
      : [`its lineage may not be complete: what ${silent.join(', ')} could tell of assets is more than a memo holds`]),
  ];
}
