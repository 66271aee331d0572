/** Events of assets as authors say them, checked against the asset's definition where it is given. */
import type { Client } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import type { AssetEvent, AssetProducer, MetadataInput, NewAssetEvent } from '../sensors/asset-event.js';
import { checkMetadata, checkPartitionKey } from '../sensors/asset-metadata.js';
import { assetNameOf, type AssetReference } from '../sensors/asset-name.js';
import { rejected } from '../sensors/failures.js';
import { utf8Bytes } from '../sensors/json.js';
import { MAX_EVENT_ID_BYTES } from '../sensors/limits.js';
import type { PartitionSet } from '../sensors/partitions.js';
import { shortHash } from '../sensors/short-hash.js';
import { logQueueOf } from './asset-queue.js';
import { recordAssetEvents } from './assets.js';
import { readPartitions } from './partitions.js';

export interface RecordOptions {
  /** Which partition of the asset; checked when the asset is given by its definition. @default none */
  readonly partition?: string;
  /** Named values, at most 8 KB. @default none */
  readonly metadata?: MetadataInput;
  /** Prefix of the plugin whose dynamic partition set the asset has. @default none */
  readonly prefix?: string;
  /**
   * Where the asset's log starts if this is its first event: a worker with `SensorsPlugin`.
   * @default from an activity, its own task queue or that of its workflow, on whichever sensors run; a program has to say it
   */
  readonly taskQueue?: string;
}

/** An event that can be recorded. A long `eventId` is hashed. @throws `ApplicationFailure`, not retryable, when it cannot be */
export async function newAssetEvent(
  client: Client,
  kind: AssetEvent['kind'],
  asset: AssetReference,
  { partition, metadata, prefix = '' }: RecordOptions,
  { eventId, producer }: { readonly eventId: string; readonly producer: AssetProducer }
): Promise<NewAssetEvent> {
  const name = assetNameOf(asset);
  const place = `asset '${name}'`;
  checkPartitionKey(partition, place);
  if (isDefinition(asset)) await checkMembership(client, asset.partitions, partition, place, prefix);
  return {
    asset: name,
    kind,
    eventId: utf8Bytes(eventId) > MAX_EVENT_ID_BYTES ? shortHash(eventId) : eventId,
    ...(partition === undefined ? {} : { partitionKey: partition }),
    metadata: checkMetadata(metadata, place),
    producer,
  };
}

function isDefinition(asset: unknown): asset is { readonly partitions: PartitionSet | undefined } {
  return typeof asset === 'object' && asset !== null && 'kind' in asset;
}

/** An event of a partitioned asset may be of the whole asset: it has no partition then. */
async function checkMembership(
  client: Client,
  partitions: PartitionSet | undefined,
  partition: string | undefined,
  place: string,
  prefix: string
): Promise<void> {
  if (partition === undefined) return;
  if (partitions === undefined) throw rejected(`${place}: partition is given, but the asset has no partitions`);
  if (partitions.type !== 'dynamic') {
    if (partitions.has(partition, new Date())) return;
    const ended = partitions.type === 'static' ? '' : ' at this time (one is there when it has ended)';
    throw rejected(`${place}: partition is not in its ${partitions.type} partitions${ended}`);
  }
  const set = prefix + partitions.name;
  if ((await readPartitions(client, set)).includes(partition)) return;
  throw rejected(`${place}: partition is not in partition set '${set}'; add it first`);
}

export interface ClientRecordOptions extends RecordOptions {
  /** The same ID is recorded once. @default a new one for each call */
  readonly eventId?: string;
}

/** Records an event that no run and no sensor produced. */
export async function recordFromClient(
  client: Client,
  kind: AssetEvent['kind'],
  asset: AssetReference,
  { eventId = randomUUID(), taskQueue, ...options }: ClientRecordOptions
): Promise<void> {
  const event = await newAssetEvent(client, kind, asset, options, { eventId, producer: {} });
  await recordAssetEvents(client, [event], { taskQueue: taskQueue ?? (await logQueueOf(client, event.asset)) });
}
