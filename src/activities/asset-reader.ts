/** What an evaluation reads of assets: definitions of this worker, and what the assets' logs know. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { assetState } from '../client/assets.js';
import { latestOf, type AssetReader } from '../sensors/narrow-stale.js';
import type { SensorRegistry } from '../sensors/registry.js';
import type { AssetLatest } from '../sensors/stale-assets.js';
import { readSets } from './partitions.js';

/** @param alive called now and then */
export function createAssetReader(registry: SensorRegistry, client: Client, alive: () => void): AssetReader {
  return {
    definitionOf: (name) => registry.assets.get(name),
    partitionKeys: (sets) => readSets(sets, registry.prefix, alive),
    async latest(names) {
      const all = new Map<string, AssetLatest>();
      for (const name of names) {
        alive();
        const state = await assetState(client, name);
        const latest = state && latestOf(state, registry.owners.has(name));
        if (latest !== undefined) all.set(name, latest);
      }
      return all;
    },
  };
}

const unknown = new Set<string>();

/** Says, once for each name, that an asset is recorded which this worker cannot check: its name may be a slip. */
export function warnIfUnknown(registry: SensorRegistry, names: readonly string[]): void {
  for (const name of names) {
    if (registry.assets.has(name) || unknown.has(name)) continue;
    unknown.add(name);
    Context.current().log.warn(
      `asset '${name}' is defined by no sensor or job of this worker; its events are recorded all the same`
    );
  }
}
