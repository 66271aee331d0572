/**
 * What an evaluation says of assets with `ctx.materialize` and `ctx.observe`: events that are recorded with its tick, and
 * only then. Knows nothing of Temporal.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { AssetEvent, AssetEventOptions, NewAssetEvent, TickAssetEvent } from './asset-event.js';
import { checkMetadata, checkPartitionKey } from './asset-metadata.js';
import { assetNameOf, type AssetReference } from './asset-name.js';
import { isAsset, type AssetDefinition } from './define-asset.js';
import { EvaluationError, InvalidRequestError, refuseUnknownOptions } from './errors.js';
import { jsonBytes } from './json.js';
import { MAX_TICK_ASSET_BYTES, MAX_TICK_ASSET_EVENTS } from './limits.js';
import type { PartitionSet } from './partitions.js';
import type { AssetRecording } from './protocol.js';

/** How `evaluate` and handlers say what happened to an asset. */
export interface AssetRecorder {
  /**
   * Records with this tick, once, that the asset was made: nothing is recorded when the evaluation fails. At most 1,000
   * events and 128 KB in a tick.
   *
   * @param asset its definition, key (`['sales', 'orders']`) or name (`'sales/orders'`)
   * @throws EvaluationError for a name, partition or metadata that cannot be recorded
   */
  materialize(asset: AssetReference, options?: AssetEventOptions): void;
  /** Records with this tick what was seen of the asset without making it; otherwise like `materialize`. */
  observe(asset: AssetReference, options?: AssetEventOptions): void;
}

/** An event that was asked for, and the asset as it was given. */
export interface AssetRequest {
  readonly event: TickAssetEvent;
  /** Absent: only its name is known. */
  readonly definition: AssetDefinition | undefined;
}

/** @param requests where what is said is added */
export function assetRecorder(requests: AssetRequest[]): AssetRecorder {
  return {
    materialize: (asset, options = {}) => void requests.push(assetRequest('materialization', asset, options)),
    observe: (asset, options = {}) => void requests.push(assetRequest('observation', asset, options)),
  };
}

function assetRequest(kind: AssetEvent['kind'], given: AssetReference, options: AssetEventOptions): AssetRequest {
  const call = kind === 'materialization' ? 'ctx.materialize' : 'ctx.observe';
  try {
    const asset = assetNameOf(given);
    const place = `asset '${asset}'`;
    refuseUnknownOptions(options, ['partition', 'metadata'], `${call} of ${place}`);
    const { partition, metadata } = options;
    checkPartitionKey(partition, place);
    const event: TickAssetEvent = {
      asset,
      kind,
      ...(partition === undefined ? {} : { partitionKey: partition }),
      metadata: checkMetadata(metadata, place),
    };
    return { event: Object.freeze(event), definition: isAsset(given) ? given : undefined };
  } catch (error) {
    throw error instanceof ApplicationFailure ? new InvalidRequestError(error.message) : error;
  }
}

/** What the partitions of events are checked by. */
export interface AssetRules {
  readonly now: Date;
  /** An asset that was given by its name, as this worker knows it. */
  readonly definitionOf: (name: string) => AssetDefinition | undefined;
  /** Whether a dynamic partition set has a key. */
  readonly has: (set: string, key: string) => boolean;
}

/** Names of the dynamic partition sets that the events' partitions are of. */
export function setsOfAssets(
  requests: readonly AssetRequest[],
  definitionOf: AssetRules['definitionOf']
): readonly string[] {
  const sets = requests.flatMap(({ event, definition = definitionOf(event.asset) }) =>
    event.partitionKey !== undefined && definition?.partitions?.type === 'dynamic' ? [definition.partitions.name] : []
  );
  return [...new Set(sets)];
}

/** @throws {@link InvalidRequestError} for the first event whose partition its asset does not have */
export function checkAssetPartitions(requests: readonly AssetRequest[], rules: AssetRules): void {
  for (const { event, definition = rules.definitionOf(event.asset) } of requests) {
    const problem = definition && eventPartitionProblem(definition.partitions, event, rules);
    if (problem !== undefined) throw new InvalidRequestError(`asset '${event.asset}': ${problem}`);
  }
}

/**
 * Why an event of an asset with these partitions may not be of this one, or `undefined`. An observation of a partitioned
 * asset may be of the whole: it has no partition then. A materialization is of one partition: one that forgot it would
 * make all of them look made.
 */
export function eventPartitionProblem(
  partitions: PartitionSet | undefined,
  { kind, partitionKey: partition }: Pick<AssetEvent, 'kind' | 'partitionKey'>,
  { now, has }: Pick<AssetRules, 'now' | 'has'>
): string | undefined {
  if (partition === undefined)
    return partitions === undefined || kind === 'observation'
      ? undefined
      : `partition is missing; the asset has ${partitions.type} partitions, and a materialization is of one of them`;
  if (partitions === undefined) return 'partition is given, but the asset has no partitions';
  if (partitions.type === 'dynamic') {
    if (has(partitions.name, partition)) return undefined;
    return `partition is not in partition set '${partitions.name}'; add it first`;
  }
  if (partitions.has(partition, now)) return undefined;
  const ended = partitions.type === 'static' ? '' : ' at this time (one is there when it has ended)';
  return `partition is not in its ${partitions.type} partitions${ended}`;
}

/** Bytes of the events, as their limit counts them. */
export function bytesOfAssets(requests: readonly AssetRequest[]): number {
  return requests.reduce((sum, { event }) => sum + jsonBytes(event) + 1, 0);
}

/** @throws {@link EvaluationError} for more than a tick can record */
export function checkAssetLimits(requests: readonly AssetRequest[]): void {
  const bytes = bytesOfAssets(requests);
  if (requests.length <= MAX_TICK_ASSET_EVENTS && bytes <= MAX_TICK_ASSET_BYTES) return;
  throw new EvaluationError(
    `evaluate records ${requests.length} asset events of ${bytes} bytes; at most ${MAX_TICK_ASSET_EVENTS} of ` +
      `${MAX_TICK_ASSET_BYTES} bytes (128 KB) in one tick: split them over ticks with ctx.more`
  );
}

/** The events as a log takes them; the same however often it is asked. */
export function eventsOfTick(
  { id, events, places }: AssetRecording,
  sensor: string,
  tick: number
): readonly NewAssetEvent[] {
  return events.map((event, index) => ({
    ...event,
    eventId: `${id}/${places?.[index] ?? index}`,
    producer: { sensor, tick },
  }));
}
