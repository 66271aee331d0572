/** Events of assets as authors say them, checked against the asset's definition where it is given. */
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import type { AssetEvent, AssetEventOptions, AssetProducer, NewAssetEvent } from '../sensors/asset-event.js';
import { eventPartitionProblem } from '../sensors/asset-requests.js';
import { checkMetadata, checkPartitionKey } from '../sensors/asset-metadata.js';
import { assetNameOf, type AssetReference } from '../sensors/asset-name.js';
import type { AssetDefinition } from '../sensors/define-asset.js';
import { rejected } from '../sensors/failures.js';
import { utf8Bytes } from '../sensors/json.js';
import { MAX_EVENT_ID_BYTES } from '../sensors/limits.js';
import { shortHash } from '../sensors/short-hash.js';
import { logQueueOf } from './asset-queue.js';
import { recordAssetEvents } from './assets.js';
import { namePartition } from './name-partition.js';
import { readPartitions } from './partitions.js';

/** The partition is checked when the asset is given by its definition. */
export interface RecordOptions extends AssetEventOptions {
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
  { eventId, producer }: { readonly eventId: unknown; readonly producer: AssetProducer }
): Promise<NewAssetEvent> {
  const name = assetNameOf(asset);
  const place = `asset '${name}'`;
  checkPartitionKey(partition, place);
  checkEventId(eventId, place);
  const ofPartition = partition === undefined ? { kind } : { kind, partitionKey: partition };
  if (isDefinition(asset)) await checkMembership(client, asset, ofPartition, prefix);
  return {
    asset: name,
    ...ofPartition,
    eventId: utf8Bytes(eventId) > MAX_EVENT_ID_BYTES ? shortHash(eventId) : eventId,
    metadata: checkMetadata(metadata, place),
    producer,
  };
}

function checkEventId(eventId: unknown, place: string): asserts eventId is string {
  if (typeof eventId === 'string' && eventId !== '') return;
  const what = typeof eventId === 'string' ? 'empty' : `a ${typeof eventId}`;
  throw rejected(`${place}: eventId is ${what}; accepted: a text that is not empty, or none at all for a new one`);
}

function isDefinition(asset: unknown): asset is Checkable {
  return typeof asset === 'object' && asset !== null && 'kind' in asset;
}

type Checkable = Pick<AssetDefinition, 'name' | 'partitions'>;

/** @throws `ApplicationFailure`, not retryable, for a partition that the asset does not have, or one that is missing */
export async function checkMembership(
  client: Client,
  { name, partitions }: Checkable,
  event: Pick<AssetEvent, 'kind' | 'partitionKey'>,
  prefix: string
): Promise<void> {
  const dynamic = event.partitionKey !== undefined && partitions?.type === 'dynamic';
  const keys = dynamic ? await readPartitions(client, prefix + partitions.name) : [];
  const has = (_: string, key: string): boolean => keys.includes(key);
  const problem = eventPartitionProblem(partitions, event, { now: new Date(), has });
  if (problem !== undefined) throw rejected(`asset '${name}': ${problem}`);
}

export interface ClientRecordOptions extends RecordOptions {
  /** The same ID is recorded once: a text that is not empty. @default a new one for each call */
  readonly eventId?: string;
}

/** Records an event that no run and no sensor produced. */
export async function recordFromClient(
  client: Client,
  kind: AssetEvent['kind'],
  asset: AssetReference,
  { eventId = randomUUID(), taskQueue, ...options }: ClientRecordOptions
): Promise<void> {
  const event = await newAssetEvent(client, kind, asset, options, { eventId, producer: {} }).catch(
    (error: unknown): never => {
      const { partition } = options;
      throw error instanceof ApplicationFailure && partition !== undefined
        ? rejected(namePartition(error.message, partition))
        : error;
    }
  );
  await recordAssetEvents(client, [event], { taskQueue: taskQueue ?? (await logQueueOf(client, event.asset)) });
}
