/**
 * What an author says of an event, checked: metadata and partition key; and who says it. Errors name the place and what is accepted,
 * never a value: they end up in failure messages. Pure: the workflow bundle contains this file.
 */
import type { AssetProducer, Metadata, MetadataInput, MetadataValue } from './asset-event.js';
import { quote } from './errors.js';
import { rejected } from './failures.js';
import { cutText, deepFreeze, isObject, isTexts, jsonBytes, utf8Bytes } from './json.js';
import { MAX_METADATA_BYTES, MAX_METADATA_NAME_LENGTH, MAX_NOTE_BYTES, MAX_PARTITION_KEY_BYTES } from './limits.js';
import type { RunMemo } from './protocol.js';

const ACCEPTED =
  `a finite number, a text, or { type: 'number' | 'text' | 'url' | 'path', value } or { type: 'table', columns, rows } ` +
  `with a text, number, boolean or null for each column of a row`;

/**
 * Metadata as events and definitions hold it: bare numbers and texts get their type.
 *
 * @returns the problem, when a name or the whole is too large, or a value is of no accepted type
 */
export function parseMetadata(given: unknown): { readonly metadata: Metadata } | { readonly problem: string } {
  if (!isObject(given)) return { problem: `metadata is ${kindOf(given)}; accepted: an object of named values` };
  const metadata: Record<string, MetadataValue> = {};
  for (const [name, each] of Object.entries(given)) {
    if (each === undefined) continue;
    if (name === '' || name.length > MAX_METADATA_NAME_LENGTH)
      return { problem: `a metadata name has ${name.length} characters; accepted: 1 to ${MAX_METADATA_NAME_LENGTH}` };
    const value = valueOf(each);
    if (value === undefined) return { problem: `metadata ${quote(name)} is ${kindOf(each)}; accepted: ${ACCEPTED}` };
    // an own `__proto__` must stay a name
    Object.defineProperty(metadata, name, { value, enumerable: true, configurable: true, writable: true });
  }
  const bytes = jsonBytes(metadata);
  if (bytes <= MAX_METADATA_BYTES) return { metadata: deepFreeze(metadata) };
  return { problem: `metadata is ${bytes} bytes; at most ${MAX_METADATA_BYTES} (8 KB): give a reference to it` };
}

/**
 * Metadata of an event.
 *
 * @param place how messages name the event, such as `asset 'sales/orders'`
 * @throws `ApplicationFailure`, not retryable, for what {@link parseMetadata} finds
 */
export function checkMetadata(input: MetadataInput | undefined, place: string): Metadata {
  const parsed = parseMetadata(input ?? {});
  if ('problem' in parsed) throw rejected(`${place}: ${parsed.problem}`);
  return parsed.metadata;
}

/** @throws `ApplicationFailure`, not retryable, when it cannot be the key of a partition */
export function checkPartitionKey(key: unknown, place: string): asserts key is string | undefined {
  if (key === undefined) return;
  if (typeof key === 'string' && key !== '' && utf8Bytes(key) <= MAX_PARTITION_KEY_BYTES) return;
  const what = typeof key === 'string' ? `a text of ${utf8Bytes(key)} bytes` : kindOf(key);
  throw rejected(`${place}: partition is ${what}; accepted: 1 to ${MAX_PARTITION_KEY_BYTES} bytes of text`);
}

function valueOf(given: unknown): MetadataValue | undefined {
  if (typeof given === 'number') return Number.isFinite(given) ? { type: 'number', value: given } : undefined;
  if (typeof given === 'string') return { type: 'text', value: given.toWellFormed() };
  if (typeof given !== 'object' || given === null) return undefined;
  const { type, value, columns, rows } = given as Readonly<Record<string, unknown>>;
  if (type === 'number') return valueOf(typeof value === 'number' ? value : undefined);
  if (type === 'text' || type === 'url' || type === 'path')
    return typeof value === 'string' ? { type, value: value.toWellFormed() } : undefined;
  if (type !== 'table' || !isTexts(columns) || !Array.isArray(rows)) return undefined;
  const whole = rows.every((row) => Array.isArray(row) && row.length === columns.length && row.every(isCell));
  if (!whole) return undefined;
  // copies: what is given stays the author's
  return {
    type,
    columns: [...columns],
    rows: rows.map((row: readonly (string | number | boolean | null)[]) => [...row]),
  };
}

function isCell(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'number' ? String(value) : `a ${typeof value}`;
}

/** Who records an event: a run, and the sensor that started it, if one did. */
export function producerOf(
  run: Required<Pick<AssetProducer, 'workflowId' | 'runId' | 'job'>>,
  startedBy: RunMemo | undefined
): AssetProducer {
  if (startedBy === undefined) return run;
  const { sensor, tick, runKey } = startedBy;
  return {
    ...run,
    ...(sensor === undefined ? {} : { sensor }),
    ...(tick === undefined ? {} : { tick }),
    ...(runKey === undefined ? {} : { runKey: cutText(runKey, MAX_NOTE_BYTES) }),
  };
}
