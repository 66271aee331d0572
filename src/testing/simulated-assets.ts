/** Assets without a server: logs in memory, by the same rules. */
import type { NewAssetEvent } from '../sensors/asset-event.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { latestOf, type AssetReader } from '../sensors/narrow-stale.js';
import { createRegistry } from '../sensors/registry.js';
import type { AssetLatest } from '../sensors/stale-assets.js';
import { NEW_LOG, record, stateOf, type LogState } from '../workflows/asset-log-state.js';

/** When assets were last made, by name; those with partitions by partition. */
export type MadeAssetsOption = Readonly<Record<string, Date | Readonly<Record<string, Date>>>>;

/** The logs of assets, by name. */
export type SimulatedLogs = Map<string, LogState>;

export function logsOf(made: MadeAssetsOption = {}): SimulatedLogs {
  const logs: SimulatedLogs = new Map();
  for (const [asset, times] of Object.entries(made)) {
    const all = times instanceof Date ? [[undefined, times] as const] : Object.entries(times);
    for (const [partitionKey, at] of all.toSorted(([, a], [, b]) => a.getTime() - b.getTime())) {
      const eventId = `made/${partitionKey ?? ''}`;
      const event = { asset, kind: 'materialization', eventId, metadata: {}, producer: {} } as const;
      recordSimulated(logs, partitionKey === undefined ? event : { ...event, partitionKey }, at.getTime());
    }
  }
  return logs;
}

/** @returns whether it was not on record before */
export function recordSimulated(logs: SimulatedLogs, { asset, ...event }: NewAssetEvent, now: number): boolean {
  const before = logs.get(asset) ?? NEW_LOG;
  const after = record(before, asset, [event], now);
  logs.set(asset, after);
  return after.last > before.last;
}

/** What an evaluation reads of them. */
export function simulatedReader(
  definition: SensorDefinition,
  server: { readonly logs: SimulatedLogs; readonly partitions: ReadonlyMap<string, ReadonlySet<string>> }
): AssetReader {
  const { assets, owners } = createRegistry([definition]);
  return {
    definitionOf: (name) => assets.get(name),
    partitionKeys: async (sets) => new Map(sets.map((set) => [set, [...(server.partitions.get(set) ?? [])]])),
    async latest(names) {
      const all = new Map<string, AssetLatest>();
      for (const name of names) {
        const log = server.logs.get(name);
        const latest = log && latestOf(stateOf(log, name), owners.has(name));
        if (latest !== undefined) all.set(name, latest);
      }
      return all;
    },
  };
}
