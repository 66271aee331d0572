/** The steps of a tick at which a worker may die, and the sensor that it dies with. Read by test and worker process. */
import { defineJob, defineSensor, type SensorDefinition } from '../../src/index.js';
import { MAX_STARTS_IN_FLIGHT } from '../../src/sensors/limits.js';

/** In the order in which a tick takes them. */
export const CRASH_STEPS = [
  'before evaluate',
  'after evaluate, before its result is reported',
  // nothing but the result is in history: the starts of this workflow task are never sent
  'start 1',
  `start ${MAX_STARTS_IN_FLIGHT + 1}`,
  'before continue-as-new',
  'after continue-as-new',
] as const;
export type CrashStep = (typeof CRASH_STEPS)[number];

/** So many requests that the step comes: more than one window of starts for the last start. */
export function requestsOf(step: CrashStep): number {
  return step === CRASH_STEPS[3] ? MAX_STARTS_IN_FLIGHT + 2 : 4;
}

/** Asks for runs with and without keys in one tick; the next one is an hour away. */
export function crashSensor(step: CrashStep): SensorDefinition {
  return defineSensor({
    name: 'crashed',
    job: defineJob({ name: 'noop' }),
    interval: '1h',
    defaultStatus: 'running',
    evaluate: (ctx) =>
      Array.from({ length: requestsOf(step) }, (_, n) =>
        ctx.run({ tags: { item: String(n) }, runKey: n % 2 === 0 ? undefined : `key ${n}` })
      ),
  });
}
