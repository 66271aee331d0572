/**
 * One asset with all that is known of it. Lineage and counts come without a worker; what only the log knows is asked for
 * with a short deadline, and left out, with why, when nobody answers.
 */
import type { Client } from '@temporalio/client';
import type { AssetEvent, AssetRetention, AssetState, AssetSubscriber, PartitionMark } from '../sensors/asset-event.js';
import { consumedIn, positionIn, retriedIn } from '../sensors/asset-position.js';
import { allDownstream, allUpstream } from '../sensors/lineage.js';
import type { PartitionMapping } from '../sensors/partition-mapping.js';
import { QUERIES, SENSOR_MEMO, type SensorMemo, type SensorState } from '../sensors/protocol.js';
import { readCatalog, requireAsset, type AssetCatalog, type AssetSummary } from './asset-catalog.js';
import { assetState } from './assets.js';
import { inBatches } from './batches.js';
import { loopId } from './loops.js';

const ANSWER_TIMEOUT_MS = 3_000;
const LOOPS_AT_ONCE = 20;

/** A sensor that watches an asset, or reads its log. */
export interface AssetReader {
  readonly sensor: string;
  /** Absent: there is no such sensor any more. */
  readonly status?: 'running' | 'stopped' | 'closed';
  /** The last event up to which it is done with all; absent for one that watches the asset and does not read its log. */
  readonly position?: number;
  /** How many events it has still to read; of a sensor of several assets, those that are not consumed. */
  readonly lag?: number;
  /** Of those that it has read: how many are tried again; of a sensor of several assets, matches. Absent where only the sensor could tell. */
  readonly retried?: number;
  /** Of when this is: now when the sensor itself has answered, else when it last told the log, as of one that is closed. */
  readonly at?: Date;
  /** The log keeps all events after this position for it. */
  readonly keptAfter?: number;
}

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
  const ask = async (sensor: string): Promise<unknown> => (askReaders ? await askCursor(client, sensor) : undefined);
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

/** Those that watch it and those that read its log, by name. */
async function readersOf(
  catalog: AssetCatalog,
  { asset, watchers }: AssetSummary,
  state: AssetState | undefined,
  ask: (sensor: string) => Promise<unknown>
): Promise<readonly AssetReader[]> {
  const subscribers = new Map((state?.subscribers ?? []).map((each) => [each.sensor, each]));
  const readers: AssetReader[] = [];
  await inBatches([...new Set([...watchers, ...subscribers.keys()])], LOOPS_AT_ONCE, async (sensor) => {
    const loop = catalog.loops.get(sensor);
    const status = loop?.status.name === 'RUNNING' ? (memoOf(loop)?.status ?? 'running') : 'closed';
    const subscriber = subscribers.get(sensor);
    // a closed loop answers, too, with what was so when it was closed
    const cursor = subscriber === undefined || status === 'closed' ? undefined : await ask(sensor);
    const place = state === undefined || subscriber === undefined ? {} : placeOf(asset, cursor, subscriber, state);
    readers.push({ sensor, ...(loop === undefined ? {} : { status }), ...place });
  });
  return readers.sort((a, b) => (a.sensor < b.sensor ? -1 : 1));
}

function memoOf({ memo }: { readonly memo?: Record<string, unknown> }): SensorMemo | undefined {
  return memo?.[SENSOR_MEMO] as SensorMemo | undefined;
}

/**
 * Where a sensor is, as it says itself, or as the log knows. All of it from the same one of the two.
 *
 * @param cursor its own, if it has said it
 */
function placeOf(
  asset: string,
  cursor: unknown,
  { position: keptAfter, at }: AssetSubscriber,
  { id, last }: AssetState
): Omit<AssetReader, 'sensor' | 'status'> {
  const position = positionIn(cursor, asset, id);
  if (position === undefined) return { position: keptAfter, lag: last - keptAfter, at: new Date(at), keptAfter };
  return {
    // it may have read an event that came since the log was asked
    position: Math.min(position, last),
    lag: Math.max(0, last - (consumedIn(cursor, asset, id)?.events ?? position)),
    retried: retriedIn(cursor, asset, id),
    at: new Date(),
    keptAfter,
  };
}

/** A sensor tells the log how far it is only with its next evaluation, so it is asked itself. */
async function askCursor(client: Client, sensor: string): Promise<unknown> {
  try {
    const { cursor } = await client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () =>
      client.workflow.getHandle(loopId(sensor)).query<SensorState>(QUERIES.state)
    );
    return cursor?.value;
  } catch {
    // without a worker
    return undefined;
  }
}
