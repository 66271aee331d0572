/** The sensors of one worker, by their full name: the plugin's prefix and the definition's own name. */
import type { AssetDefinition } from './define-asset.js';
import type { JobDefinition } from './define-job.js';
import type { SensorDefinition } from './define-sensor.js';
import { DefinitionError, quote } from './errors.js';

export interface SensorRegistry {
  /** Put before the names of sensors and dynamic partition sets. */
  readonly prefix: string;
  readonly sensors: ReadonlyMap<string, SensorDefinition>;
  /** Every job of every sensor, once. */
  readonly jobs: ReadonlyMap<string, JobDefinition>;
  /** Every asset that a job makes or a sensor watches, and all that they are made from, by name. */
  readonly assets: ReadonlyMap<string, AssetDefinition>;
  /** The job that makes an asset, by the asset's name. */
  readonly owners: ReadonlyMap<string, string>;
}

const PREFIX = /^[A-Za-z0-9_.-]{0,100}$/;

/**
 * @param prefix put before every sensor's name, so that two applications can share a namespace
 * @throws {@link DefinitionError} for two sensors of one name, two different jobs or assets of one name, two jobs that make one asset
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
  const { assets, owners } = collectAssets(definitions, jobs);
  return { prefix, sensors, jobs, assets, owners };
}

function collectAssets(
  definitions: readonly SensorDefinition[],
  jobs: SensorRegistry['jobs']
): Pick<SensorRegistry, 'assets' | 'owners'> {
  const assets = new Map<string, AssetDefinition>();
  const owners = new Map<string, string>();
  /** @param path from the asset where the walk began */
  const add = (asset: AssetDefinition, path: readonly string[]): void => {
    const { name } = asset;
    const other = assets.get(name);
    if (other === asset) return;
    const whole = [...path, name];
    if (path.includes(name))
      throw new DefinitionError(
        `SensorsPlugin: asset '${name}' is made from itself: ${whole.slice(path.indexOf(name)).join(' from ')}`
      );
    if (other !== undefined)
      throw new DefinitionError(
        `SensorsPlugin: two assets have the key '${name}' (${whole.join(' from ')}); define each asset once`
      );
    assets.set(name, asset);
    for (const { asset: upstream } of asset.upstream) add(upstream, whole);
  };
  for (const { watches } of definitions) for (const asset of watches) add(asset, []);
  for (const job of jobs.values()) {
    for (const asset of job.assets) {
      add(asset, []);
      const owner = owners.get(asset.name);
      if (owner !== undefined)
        throw new DefinitionError(
          `SensorsPlugin: jobs '${owner}' and '${job.name}' both make asset '${asset.name}'; accepted: one job for each asset`
        );
      owners.set(asset.name, job.name);
    }
  }
  return { assets, owners };
}

/** The full name that a sensor had before. */
export function earlierName(sensor: string, { name, renamedFrom }: SensorDefinition): string | undefined {
  return renamedFrom === undefined ? undefined : sensor.slice(0, sensor.length - name.length) + renamedFrom;
}
