/** Whether a condition fits the assets of its sensor: one that could never be met, or would leave events for ever, is refused. */
import { isCondition, type AssetCondition } from '../sensors/asset-condition.js';
import type { AssetDefinition } from '../sensors/define-asset.js';
import { DefinitionError, quote } from '../sensors/errors.js';
import { haveNoKeyInCommon } from '../sensors/partition-mapping.js';
import type { PartitionSet } from '../sensors/partitions.js';
import type { AssetMap } from './multi-asset-feed.js';

/** @throws {@link DefinitionError} for what is no condition, or one that does not fit the assets */
export function checkWhen(when: unknown, assets: AssetMap, place: string): void {
  if (when === undefined) return;
  if (!isCondition(when))
    throw new DefinitionError(`${place}: when is ${quote(when)}; accepted: what allOf or anyOf returned`);
  checkNames(when, assets, place);
  if (when.byPartition) checkPartitionSets(when, assets, place);
}

function checkNames({ keys }: AssetCondition, assets: AssetMap, place: string): void {
  const names = Object.keys(assets);
  const unknown = keys.find((key) => !names.includes(key));
  if (unknown !== undefined) {
    const accepted = names.map((each) => `'${each}'`).join(', ');
    throw new DefinitionError(`${place}: when names ${quote(unknown)}; accepted: ${accepted}`);
  }
  const unused = names.find((name) => !keys.includes(name));
  if (unused !== undefined)
    throw new DefinitionError(
      `${place}: when does not name '${unused}', so nothing would consume its events: name it, or leave it out of assets`
    );
}

function checkPartitionSets({ keys }: AssetCondition, assets: AssetMap, place: string): void {
  const sets = keys.map((key) => ({ key, set: partitionsOf(key, assets[key], place) }));
  for (const [index, one] of sets.entries())
    for (const other of sets.slice(index + 1)) {
      const problem = problemOf(one.set, other.set);
      if (problem !== undefined)
        throw new DefinitionError(
          `${place}: when matches by partition, and '${one.key}' and '${other.key}' ${problem}, so no event of one ever matches one of the other`
        );
    }
}

function partitionsOf(key: string, asset: AssetDefinition | undefined, place: string): PartitionSet {
  if (asset?.partitions !== undefined) return asset.partitions;
  throw new DefinitionError(
    `${place}: when matches by partition, and asset '${asset?.name}' (${key}) has no partitions; ` +
      `give the asset partitions, or leave out by: 'partition'`
  );
}

/** Why two sets never have a partition in common; of a dynamic set only Temporal knows the keys. */
function problemOf(one: PartitionSet, other: PartitionSet): string | undefined {
  if (one.type === 'dynamic' || other.type === 'dynamic') return undefined;
  if (one.type !== other.type) return `have ${one.type} and ${other.type} partitions`;
  return haveNoKeyInCommon(one, other) ? 'have no partition key in common' : undefined;
}
