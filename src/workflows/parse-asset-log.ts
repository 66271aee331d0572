/**
 * Parsers for what arrives at an asset's log, which anybody may send anything to. These never throw. Pure.
 */
import type { AssetRetention, Metadata, StoredAssetEvent } from '../sensors/asset-event.js';
import { isObject, jsonBytes, utf8Bytes } from '../sensors/json.js';
import { MAX_ASSET_EVENT_BYTES, MAX_EVENT_ID_BYTES, MAX_PARTITION_KEY_BYTES } from '../sensors/limits.js';
import { NEW_LOG, type LogState } from './asset-log-state.js';
import { parseMarks } from './partition-marks.js';

const MAX_SENSOR_NAME_BYTES = 300;
const DEFAULT_READ = 1_000;
const MAX_READ = 10_000;
const LOG_ID = /^[0-9a-z]{1,12}$/;

/** What a run of the log took over from the one before, or `undefined` when it is the first. */
export function parseLogState(value: unknown): LogState | undefined {
  if (!isObject(value)) return undefined;
  const { last, tailBytes, hashes, retention } = value;
  const lists = [value['tail'], value['pages'], value['partitions'], value['subscribers']];
  const whole =
    typeof last === 'number' &&
    typeof tailBytes === 'number' &&
    typeof hashes === 'string' &&
    isObject(retention) &&
    lists.every((list) => Array.isArray(list));
  if (!whole) return undefined;
  const id = typeof value['id'] === 'string' && LOG_ID.test(value['id']) ? value['id'] : '';
  return { ...NEW_LOG, ...(value as unknown as LogState), id, observed: parseMarks(value['observed']) };
}

/** The events of a batch that are whole, and how many are not. */
export function parseAssetEvents(value: unknown): {
  readonly events: readonly Omit<StoredAssetEvent, 'at'>[];
  readonly refused: number;
} {
  const given = Array.isArray(value) ? value : [value];
  const events = given.flatMap((each) => parseAssetEvent(each) ?? []);
  return { events, refused: given.length - events.length };
}

function parseAssetEvent(value: unknown): Omit<StoredAssetEvent, 'at'> | undefined {
  if (!isObject(value) || jsonBytes(value) > MAX_ASSET_EVENT_BYTES) return undefined;
  const { kind, eventId, partitionKey, metadata = {}, producer = {} } = value;
  if (kind !== 'materialization' && kind !== 'observation') return undefined;
  if (!isText(eventId, MAX_EVENT_ID_BYTES) || !isObject(metadata) || !isObject(producer)) return undefined;
  if (partitionKey !== undefined && !isText(partitionKey, MAX_PARTITION_KEY_BYTES)) return undefined;
  return {
    kind,
    eventId,
    ...(partitionKey === undefined ? {} : { partitionKey }),
    metadata: metadata as Metadata,
    producer,
  };
}

/** Which sensor has read how far, or `undefined` when no sensor is named. */
export function parseSubscription(value: unknown): { readonly sensor: string; readonly position: number } | undefined {
  if (!isObject(value) || !isText(value['sensor'], MAX_SENSOR_NAME_BYTES)) return undefined;
  return { sensor: value['sensor'], position: parseCount(value['position'], 0, Number.MAX_SAFE_INTEGER) };
}

/** How much to keep, or `undefined` when no number of events is given. */
export function parseRetention(value: unknown): AssetRetention | undefined {
  if (!isObject(value) || typeof value['events'] !== 'number' || !(value['events'] >= 1)) return undefined;
  const { events, ageMs } = value;
  return { events: Math.floor(events), ...(typeof ageMs === 'number' && ageMs > 0 ? { ageMs } : {}) };
}

/** Which stretch of the log is asked for, and by which sensor. */
export function parseRead(value: unknown): {
  readonly after: number;
  readonly limit: number;
  readonly sensor?: string;
} {
  const { after, limit, sensor } = isObject(value) ? value : {};
  return {
    ...(isText(sensor, MAX_SENSOR_NAME_BYTES) ? { sensor } : {}),
    after: parseCount(after, 0, Number.MAX_SAFE_INTEGER),
    limit: Math.max(1, parseCount(limit, DEFAULT_READ, MAX_READ)),
  };
}

function parseCount(value: unknown, otherwise: number, most: number): number {
  return typeof value === 'number' && value >= 0 ? Math.min(Math.floor(value), most) : otherwise;
}

function isText(value: unknown, maxBytes: number): value is string {
  return typeof value === 'string' && value !== '' && utf8Bytes(value) <= maxBytes;
}
