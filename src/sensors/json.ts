/**
 * JSON values: what may cross from an author's code into Temporal, checked rather than hoped for.
 *
 * `JSON.stringify` turns a Date into a string, a Map into `{}` and `NaN` into null without a word; a config or cursor
 * that came back different would be a lost fact. `toJson` refuses instead, and names the path. Pure.
 */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** A value that JSON would change silently. The message names the path and the kind of value, never the value. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError';
  constructor(path: string, what: string) {
    super(
      `${path} is ${what}; only JSON values (string, finite number, boolean, null, array, plain object) can be kept`
    );
  }
}

/**
 * A copy of `value` as JSON holds it: fields that are `undefined` are left out.
 *
 * @param path how messages name the value, such as `config` or `cursor`
 * @throws {@link NotJsonError} when JSON would change the value
 */
export function toJson(value: unknown, path: string): Json {
  return copy(value, path, new Set());
}

function copy(value: unknown, path: string, above: Set<object>): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new NotJsonError(path, `${value}`);
    return value;
  }
  if (typeof value !== 'object') throw new NotJsonError(path, value === undefined ? 'undefined' : `a ${typeof value}`);
  if (above.has(value)) throw new NotJsonError(path, 'a circular reference');
  above.add(value);
  try {
    if (Array.isArray(value)) return value.map((item, index) => copy(item, `${path}[${index}]`, above));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      throw new NotJsonError(path, `a ${value.constructor?.name ?? 'class instance'}`);
    }
    const result: Record<string, Json> = {};
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      // defineProperty: an own `__proto__` key must stay a key
      Object.defineProperty(result, key, {
        value: copy(item, `${path}.${key}`, above),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return result;
  } finally {
    above.delete(value);
  }
}

/** Makes a JSON value immutable, all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}

/** Whether two JSON values are the same, whatever the order of their fields. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = Object.entries(a).filter(([, value]) => value !== undefined);
  const right = Object.entries(b).filter(([, value]) => value !== undefined);
  const other = new Map(right);
  return (
    left.length === right.length && left.every(([key, value]) => other.has(key) && sameJson(value, other.get(key)))
  );
}

/** Whether `value` has fields: neither a list nor `null`. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Texts, each of them one; an empty list, too. */
export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** Items in parts of at most so many bytes as JSON, and so many items; one that is too large has a part of its own. */
export function splitByBytes<T>(items: readonly T[], maxBytes: number, maxItems = Infinity): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = jsonBytes(item) + 1;
    if (parts.length === 0 || part.length >= maxItems || bytes + size > maxBytes) {
      part = [];
      parts.push(part);
      bytes = 0;
    }
    part.push(item);
    bytes += size;
  }
  return parts;
}

/** Bytes of `value` as JSON in UTF-8. */
export function jsonBytes(value: unknown): number {
  return utf8Bytes(JSON.stringify(value) ?? '');
}

/** Bytes of `text` in UTF-8. Counts by hand: the workflow sandbox has no Buffer. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) {
      bytes += 4;
      index++;
    } else bytes += 3;
  }
  return bytes;
}

/** `text` cut to `maxBytes` of UTF-8, with a mark that says how much there was. */
export function cutText(given: string, maxBytes: number): string {
  // half a character (from a file name that is not UTF-8) in a failure message ends the worker's process
  const text = given.toWellFormed();
  // a UTF-16 unit takes at most three bytes: the common short text costs nothing
  if (text.length * 3 <= maxBytes) return text;
  const total = utf8Bytes(text);
  if (total <= maxBytes) return text;
  const mark = ` … (cut, ${total} bytes)`;
  let end = Math.min(text.length, maxBytes);
  while (end > 0 && utf8Bytes(text.slice(0, end)) > maxBytes - utf8Bytes(mark)) end = Math.floor(end * 0.9);
  if (end > 0 && isLowSurrogate(text.charCodeAt(end))) end--;
  return text.slice(0, end) + mark;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
