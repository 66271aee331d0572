/**
 * The cursor: an author's typed position, stored as JSON.
 *
 * A stored cursor that no longer fits its schema is an error, never a silent reset: resetting would run everything
 * again or skip it. Messages quote path and expectation, not the value, because failure messages are not encrypted.
 */
import { describeIssues } from './describe-issues.js';
import type { SensorDefinition } from './define-sensor.js';
import { describeError } from './describe-error.js';
import { EvaluationError } from './errors.js';
import { deepFreeze, jsonBytes, sameJson, toJson, type Json } from './json.js';
import { MAX_CURSOR_BYTES } from './limits.js';

/** How the refusal of a cursor begins that does not fit; where it does not follows. */
export const CURSOR_MISFIT = `the cursor does not fit the sensor's schema`;

/** A cursor in the loop's state; absent and "stored" are distinct, whatever the value is. */
export interface StoredCursor {
  readonly value: Json;
}

/** What one evaluation does to the cursor. */
export type CursorChange =
  { readonly kind: 'keep' } | { readonly kind: 'clear' } | { readonly kind: 'set'; readonly value: Json };

/**
 * The cursor as `ctx.cursor` shows it.
 *
 * @throws {@link EvaluationError} when the stored value no longer fits the schema
 */
export function readCursor(definition: SensorDefinition, stored: StoredCursor | undefined): unknown {
  if (definition.cursor === undefined) return undefined;
  const parsed = definition.cursor.safeParse(stored?.value);
  if (parsed.success) return deepFreeze(parsed.data);
  if (stored === undefined) return undefined;
  throw new EvaluationError(
    `the stored cursor does not fit the sensor's schema (${describeIssues(parsed.error, 'cursor')}); ` +
      `it was kept: change the schema, or set a cursor that fits`
  );
}

/**
 * The stored cursor for an evaluation. One that no longer fits is migrated, where the author says how.
 *
 * @returns what is stored from then on: the same, or the migrated one
 * @throws {@link EvaluationError} as {@link readCursor}, and when `migrateCursor` throws or its answer does not fit
 */
export function openCursor(definition: SensorDefinition, stored: StoredCursor | undefined): StoredCursor | undefined {
  const { cursor: schema, migrateCursor } = definition;
  if (schema === undefined || stored === undefined || migrateCursor === undefined) return stored;
  if (schema.safeParse(stored.value).success) return stored;
  try {
    return { value: checkCursor(definition, migrateCursor(stored.value)) };
  } catch (error) {
    throw new EvaluationError(
      `migrateCursor could not migrate the stored cursor, which was kept: ${describeError(error, 'migrateCursor')}`,
      { cause: error }
    );
  }
}

/**
 * Checks a new cursor and gives it as it will be stored.
 *
 * @throws {@link EvaluationError} when it does not fit the schema, is not JSON, is over 64 KB, or would not read back
 */
export function checkCursor(definition: SensorDefinition, value: unknown): Json {
  if (definition.cursor === undefined) {
    throw new EvaluationError(`a cursor was set, but sensor '${definition.name}' has no cursor schema; add one`);
  }
  const parsed = definition.cursor.safeParse(value);
  if (!parsed.success) {
    throw new EvaluationError(`${CURSOR_MISFIT} (${describeIssues(parsed.error, 'cursor')})`);
  }
  let json: Json;
  try {
    json = toJson(parsed.data, 'cursor');
  } catch (error) {
    throw new EvaluationError((error as Error).message, { cause: error });
  }
  const again = definition.cursor.safeParse(json);
  if (!again.success || !sameJson(again.data, json)) {
    throw new EvaluationError(
      `the cursor's schema changes what it parsed before; a stored cursor must parse to itself (no transforms)`
    );
  }
  const bytes = jsonBytes(json);
  if (bytes > MAX_CURSOR_BYTES) {
    throw new EvaluationError(
      `the cursor is ${bytes} bytes; at most ${MAX_CURSOR_BYTES} (64 KB) are kept: store less, or a reference`
    );
  }
  return json;
}
