/** The part of a definition that the loop needs. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { SensorDefinition } from './define-sensor.js';
import type { LoopOptions } from './protocol.js';

/** Definitions are frozen, and every evaluation asks. */
const made = new WeakMap<SensorDefinition, LoopOptions>();

export function loopOptions(definition: SensorDefinition): LoopOptions {
  const known = made.get(definition);
  if (known !== undefined) return known;
  const options = makeOptions(definition);
  made.set(definition, options);
  return options;
}

/** Field order is fixed: the memo compares it as text. */
function makeOptions(definition: SensorDefinition): LoopOptions {
  const options = {
    intervalMs: definition.intervalMs,
    timeoutMs: definition.timeoutMs,
    defaultStatus: definition.defaultStatus,
    maxEventAttempts: definition.maxEventAttempts,
    ...(definition.dedupeMs === undefined ? {} : { dedupeMs: definition.dedupeMs }),
    ...(definition.maxRunsPerTick === undefined ? {} : { maxRunsPerTick: definition.maxRunsPerTick }),
    ...(definition.idleBackoff === undefined ? {} : { idleBackoff: definition.idleBackoff }),
    ...(definition.failureBackoff === undefined ? {} : { failureBackoff: definition.failureBackoff }),
    ...(definition.stopAfterFailures === undefined ? {} : { stopAfterFailures: definition.stopAfterFailures }),
    hooks: { onFailure: definition.onFailure !== undefined, onRecovered: definition.onRecovered !== undefined },
    jobs: definition.jobs.map(({ name }) => name),
    ...(definition.description === undefined ? {} : { description: definition.description }),
    tags: definition.tags,
    owners: definition.owners,
  };
  const schemas = [definition.cursor, definition.events, ...definition.jobs.map(({ config }) => config)];
  const text = JSON.stringify([
    options,
    definition.onInvalid,
    definition.runIds,
    schemas.map(describeSchema),
    ...(definition.watchesRuns === undefined ? [] : [definition.watchesRuns, definition.monitors]),
  ]);
  return { ...options, definition: createHash('sha256').update(text).digest('base64url').slice(0, 16) };
}

function describeSchema(schema: z.ZodType | undefined): unknown {
  if (schema === undefined) return null;
  try {
    return z.toJSONSchema(schema, { unrepresentable: 'any' });
  } catch {
    return 'a schema that JSON Schema cannot say';
  }
}
