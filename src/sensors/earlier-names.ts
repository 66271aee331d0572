/** What a sensor and its jobs were called before: their keys and runs are known by those names, too. Pure. */
import type { SensorDefinition } from './define-sensor.js';
import { isObject } from './json.js';
import type { EarlierNames, LoopOptions } from './protocol.js';
import { earlierName, type SensorRegistry } from './registry.js';

/** What a worker tells the loop; nothing where all names are the first. */
export function earlierNames(registry: SensorRegistry, definition: SensorDefinition): EarlierNames | undefined {
  const sensor = earlierName(registry.prefix + definition.name, definition);
  const renamed = definition.jobs.filter(({ aliases }) => aliases.length > 0);
  if (sensor === undefined && renamed.length === 0) return undefined;
  return {
    ...(sensor === undefined ? {} : { sensor }),
    ...(renamed.length === 0 ? {} : { jobs: Object.fromEntries(renamed.map(({ name, aliases }) => [name, aliases])) }),
  };
}

/** The earlier names of a job, in options that anybody may have sent. */
export function aliasesOf({ earlier }: LoopOptions, job: string): readonly string[] {
  const jobs: unknown = earlier?.jobs;
  const aliases = isObject(jobs) && Object.hasOwn(jobs, job) ? jobs[job] : undefined;
  return Array.isArray(aliases) ? aliases.filter((alias) => typeof alias === 'string') : [];
}
