/**
 * When each partition of an asset was last materialized, or observed: the newest so many, bounded in bytes. Pure.
 */
import type { AssetEvent, PartitionsKnown } from '../sensors/asset-event.js';
import { isObject, jsonBytes } from '../sensors/json.js';
import { MAX_PARTITION_MARKS, MAX_PARTITION_MARKS_BYTES } from '../sensors/limits.js';

type Mark = readonly [partitionKey: string, position: number, at: number];

export interface PartitionMarks {
  /** Packed, in the order of their positions. */
  readonly partitions: readonly Mark[];
  readonly partitionBytes: number;
  /** Some found no room: how many cannot be told, because one may come again. */
  readonly partitionsForgotten: boolean;
  /** When the last event came that names no partition. */
  readonly wholeAt?: number;
}

export const NO_MARKS: PartitionMarks = { partitions: [], partitionBytes: 0, partitionsForgotten: false };

/** Of a mark besides its key: position, time, brackets. */
const MARK_BYTES = 28;

/** @param events of one kind, newer than all that are marked */
export function markPartitions(known: PartitionMarks, events: readonly AssetEvent[]): PartitionMarks {
  const whole = events.findLast(({ partitionKey }) => partitionKey === undefined);
  const wholeAt = whole?.at ?? known.wholeAt;
  // a task may bring thousands of signals
  if (events.every(({ partitionKey }) => partitionKey === undefined))
    return whole === undefined ? known : { ...known, wholeAt: whole.at };
  const marks = new Map(known.partitions.map((mark) => [mark[0], mark]));
  let { partitionBytes, partitionsForgotten } = known;
  for (const { partitionKey, position, at } of events) {
    if (partitionKey === undefined) continue;
    // the newest are last
    if (!marks.delete(partitionKey)) partitionBytes += jsonBytes(partitionKey) + MARK_BYTES;
    marks.set(partitionKey, [partitionKey, position, at]);
  }
  for (const key of marks.keys()) {
    if (marks.size <= MAX_PARTITION_MARKS && partitionBytes <= MAX_PARTITION_MARKS_BYTES) break;
    marks.delete(key);
    partitionBytes -= jsonBytes(key) + MARK_BYTES;
    partitionsForgotten = true;
  }
  const partitions = [...marks.values()];
  return { partitions, partitionBytes, partitionsForgotten, ...(wholeAt === undefined ? {} : { wholeAt }) };
}

/** What a run of the log took over; nothing when it is not whole. Never throws. */
export function parseMarks(value: unknown): PartitionMarks {
  const whole = isObject(value) && Array.isArray(value['partitions']) && typeof value['partitionBytes'] === 'number';
  return whole ? (value as unknown as PartitionMarks) : NO_MARKS;
}

/** As a log tells it. */
export function partitionsOf({ partitions, partitionsForgotten, wholeAt }: PartitionMarks): PartitionsKnown {
  return {
    partitions: partitions.map(([partitionKey, position, at]) => ({ partitionKey, position, at })),
    partitionsForgotten,
    ...(wholeAt === undefined ? {} : { wholeAt }),
  };
}
