/**
 * Metadata of assets and their events: a few typed values by name. Pure.
 *
 * Problems name the place and what is accepted, never the value: they may end up in failure messages, which Temporal
 * does not encrypt.
 */
import type { Metadata, MetadataValue } from './asset-event.js';
import { deepFreeze, jsonBytes, NotJsonError, toJson, type Json } from './json.js';
import { MAX_METADATA_BYTES } from './limits.js';

/**
 * Metadata as it is kept: bare numbers and texts get their type.
 *
 * @returns the problem, when there is a value of no accepted type, or more than 16 KB of them
 */
export function parseMetadata(given: unknown): { readonly metadata: Metadata } | { readonly problem: string } {
  let json: Json;
  try {
    json = toJson(given, 'metadata');
  } catch (error) {
    if (error instanceof NotJsonError) return { problem: error.message };
    throw error;
  }
  if (!isObject(json)) return { problem: 'metadata is not an object; accepted: values by name' };
  const values: [string, MetadataValue][] = [];
  for (const [name, value] of Object.entries(json)) {
    const typed = typedValue(value);
    if (typed === undefined) return { problem: `metadata.${name} is no metadata value; accepted: ${ACCEPTED}` };
    values.push([name, typed]);
  }
  const metadata = deepFreeze(Object.fromEntries(values));
  const bytes = jsonBytes(metadata);
  return bytes <= MAX_METADATA_BYTES
    ? { metadata }
    : {
        problem: `metadata is ${bytes} bytes; at most ${MAX_METADATA_BYTES} (16 KB): keep the url or path of the rest`,
      };
}

const ACCEPTED = `a number, a text, { type: 'number' | 'text' | 'url' | 'path', value } or { type: 'table', columns, rows } with as many cells a row as columns`;

function typedValue(given: Json | undefined): MetadataValue | undefined {
  if (typeof given === 'number') return { type: 'number', value: given };
  if (typeof given === 'string') return { type: 'text', value: given };
  if (!isObject(given)) return undefined;
  const { type, value, columns, rows } = given;
  if (type === 'number') return typeof value === 'number' ? { type, value } : undefined;
  if (type === 'text' || type === 'url' || type === 'path')
    return typeof value === 'string' ? { type, value } : undefined;
  return type === 'table' && isTable(columns, rows) ? ({ type, columns, rows } as unknown as MetadataValue) : undefined;
}

function isTable(columns: unknown, rows: unknown): boolean {
  return (
    Array.isArray(columns) &&
    columns.every((column) => typeof column === 'string') &&
    Array.isArray(rows) &&
    rows.every((row) => Array.isArray(row) && row.length === columns.length && row.every(isCell))
  );
}

function isCell(cell: unknown): boolean {
  return cell === null || typeof cell !== 'object';
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
