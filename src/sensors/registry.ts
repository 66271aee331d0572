/** The sensors of one worker, by their full name: the plugin's prefix and the definition's own name. */
import type { JobDefinition } from './define-job.js';
import type { SensorDefinition } from './define-sensor.js';
import { DefinitionError, quote } from './errors.js';

export interface SensorRegistry {
  /** Put before the names of sensors and dynamic partition sets. */
  readonly prefix: string;
  readonly sensors: ReadonlyMap<string, SensorDefinition>;
  /** Every job of every sensor, once. */
  readonly jobs: ReadonlyMap<string, JobDefinition>;
}

const PREFIX = /^[A-Za-z0-9_.-]{0,100}$/;

/**
 * @param prefix put before every sensor's name, so that two applications can share a namespace
 * @throws {@link DefinitionError} for two sensors of one name, or two different jobs of one name
 */
export function createRegistry(definitions: readonly SensorDefinition[], prefix = ''): SensorRegistry {
  if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
    throw new DefinitionError(
      `SensorsPlugin: prefix is ${quote(prefix)}; accepted: up to 100 characters of A-Z a-z 0-9 _ . -`
    );
  }
  const sensors = new Map<string, SensorDefinition>();
  const jobs = new Map<string, JobDefinition>();
  for (const definition of definitions) {
    if (typeof definition !== 'object' || definition === null || definition.kind !== 'sensor') {
      throw new DefinitionError(
        `SensorsPlugin: sensors contains ${quote(definition)}; accepted: what defineSensor returned`
      );
    }
    if (sensors.has(prefix + definition.name)) {
      throw new DefinitionError(`SensorsPlugin: two sensors are named '${definition.name}'; names are unique`);
    }
    sensors.set(prefix + definition.name, definition);
    for (const job of definition.jobs) {
      const other = jobs.get(job.name);
      if (other !== undefined && other !== job) {
        throw new DefinitionError(
          `SensorsPlugin: two jobs are named '${job.name}' (one of them in sensor '${definition.name}'); define each job once`
        );
      }
      jobs.set(job.name, job);
    }
  }
  return { prefix, sensors, jobs };
}

/** The full name that a sensor had before. */
export function earlierName(sensor: string, { name, renamedFrom }: SensorDefinition): string | undefined {
  return renamedFrom === undefined ? undefined : sensor.slice(0, sensor.length - name.length) + renamedFrom;
}
