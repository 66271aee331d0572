/**
 * One asset with all that is known of it. Lineage and counts come without a worker; what only the log knows is asked for
 * with a short deadline, and left out, with why, when nobody answers.
 */
import type { Client } from '@temporalio/client';
import type { AssetEvent, AssetRetention, AssetState, PartitionMark } from '../sensors/asset-event.js';
import { allDownstream, allUpstream } from '../sensors/lineage.js';
import type { PartitionMapping } from '../sensors/partition-mapping.js';
import type { SensorState } from '../sensors/protocol.js';
import { readCatalog, requireAsset, type AssetCatalog, type AssetSummary } from './asset-catalog.js';
import { askSensor, readersOf, type AssetReader } from './asset-readers.js';
import { assetState } from './assets.js';

const ANSWER_TIMEOUT_MS = 3_000;

/** An asset among those that one is made from, or that are made from it. */
export interface AssetRelative {
  readonly asset: string;
  readonly owners: readonly string[];
  /** What it is made from, and how partitions follow. */
  readonly upstream: Readonly<Record<string, PartitionMapping>>;
}

/** What only the log itself knows. */
export interface AssetLogFacts {
  /** Identity of the log: another when it began anew, its positions from 1. */
  readonly id: string;
  /** Positions of the oldest event that is kept and of the newest. */
  readonly first: number;
  readonly last: number;
  readonly materializations: number;
  readonly observations: number;
  /** Events that came again, and those that could not be taken. */
  readonly duplicates: number;
  readonly refused: number;
  readonly latestMaterialization?: AssetEvent;
  readonly latestObservation?: AssetEvent;
  /** The last materialization of each partition, that of the newest last; at most 2,000. */
  readonly partitions: readonly PartitionMark[];
  /** Whether there were more: those materialized longest ago found no room. */
  readonly partitionsForgotten: boolean;
  readonly retention: AssetRetention;
  readonly droppedSubscribers: AssetState['droppedSubscribers'];
}

/** An asset as `describeAsset` shows it. */
export interface AssetDescription extends AssetSummary {
  /** Everything that it is made from, and everything that is made from it, nearest first. */
  readonly ancestors: readonly AssetRelative[];
  readonly descendants: readonly AssetRelative[];
  readonly readers: readonly AssetReader[];
  /** Of its log. */
  readonly taskQueue?: string;
  readonly workflowId?: string;
  readonly runId?: string;
  /** Asks a worker; absent without a log, and where `stateError` says why. */
  readonly state?: AssetLogFacts;
  readonly stateError?: string;
}

/** How an asset is described. */
export interface DescribeAssetOptions {
  /**
   * Whether the sensors that read it are asked how far they are, 20 at a time, at most 3 s each; `false`: what they last
   * told the log is enough. @default true
   */
  readonly askReaders?: boolean;
}

/** @throws {@link AssetNotFoundError} */
export async function describeAsset(
  client: Client,
  asset: string,
  { askReaders = true }: DescribeAssetOptions = {}
): Promise<AssetDescription> {
  const catalog = await readCatalog(client);
  const summary = requireAsset(catalog, asset, client.options.namespace);
  const log = catalog.logs.get(asset);
  const { state, stateError } = summary.log === 'running' ? await askLog(client, asset) : {};
  const relatives = (names: readonly string[]): readonly AssetRelative[] =>
    names.map((name) => relativeOf(catalog, name));
  const ask = async (sensor: string): Promise<SensorState | undefined> =>
    askReaders ? await askSensor(client, sensor) : undefined;
  const readers = await readersOf(catalog, summary, state, ask);
  const gone = readers.filter(({ status }) => status === undefined).map(({ sensor }) => sensor);
  return {
    ...summary,
    problems: [
      ...summary.problems,
      ...(gone.length === 0
        ? []
        : [
            `${gone.join(', ')} reads it but is no sensor of this namespace any more: what it has not read is kept until it has been silent for 30 days`,
          ]),
    ],
    ancestors: relatives(allUpstream(catalog.lineage, asset)),
    descendants: relatives(allDownstream(catalog.lineage, asset)),
    readers,
    ...(log === undefined ? {} : { taskQueue: log.taskQueue, workflowId: log.workflowId, runId: log.runId }),
    ...(state === undefined ? {} : { state: factsOf(state) }),
    ...(stateError === undefined ? {} : { stateError }),
  };
}

async function askLog(
  client: Client,
  asset: string
): Promise<{ readonly state?: AssetState; readonly stateError?: string }> {
  try {
    const state = await assetState(client, asset, { timeoutMs: ANSWER_TIMEOUT_MS });
    return state === undefined ? {} : { state };
  } catch (error) {
    return { stateError: error instanceof Error ? error.message : String(error) };
  }
}

function factsOf({ asset: _, subscribers: __, observed: ___, ...facts }: AssetState): AssetLogFacts {
  return facts;
}

function relativeOf({ lineage }: AssetCatalog, asset: string): AssetRelative {
  const { owners = [], upstream = [] } = lineage.get(asset) ?? {};
  return { asset, owners, upstream: Object.fromEntries(upstream) };
}
