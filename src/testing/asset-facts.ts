/** Events of assets for tests: made by hand, as a handler would get them from a log. */
import type { MetadataInput } from '../sensors/asset-event.js';
import { parseMetadata } from '../sensors/asset-metadata.js';
import { assetEventKey, placeText, type AssetSensorEvent } from '../sensors/asset-sensor-event.js';
import type { AssetDefinition } from '../sensors/define-asset.js';
import { DefinitionError, refuseUnknownOptions } from '../sensors/errors.js';

/** An event for a test: everything may be left out. */
export interface AssetEventFacts extends Partial<Omit<AssetSensorEvent, 'metadata'>> {
  /** As `materialize` takes it. @default none */
  readonly metadata?: MetadataInput;
}

const FACTS = ['position', 'asset', 'kind', 'eventId', 'recordedAt', 'partitionKey', 'metadata', 'producer'] as const;

/**
 * An event with these facts: a materialization that was recorded at `now`, if they do not say otherwise.
 *
 * @throws {@link DefinitionError} for an unknown fact, a partition the asset does not have, or bad metadata
 */
export function assetEventOf(
  facts: AssetEventFacts,
  asset: AssetDefinition | undefined,
  { position, now, place }: { readonly position: number; readonly now: Date; readonly place: string }
): AssetSensorEvent {
  refuseUnknownOptions(facts, FACTS, place);
  const { partitionKey } = facts;
  const parsed = parseMetadata(facts.metadata ?? {});
  if ('problem' in parsed) throw new DefinitionError(`${place}: ${parsed.problem}`);
  if (partitionKey !== undefined && asset !== undefined && asset.partitions === undefined)
    throw new DefinitionError(`${place} has a partitionKey, and asset '${asset.name}' has no partitions`);
  const name = facts.asset ?? asset?.name ?? 'asset';
  const at = facts.position ?? position;
  return {
    position: at,
    asset: name,
    kind: facts.kind ?? 'materialization',
    eventId: facts.eventId ?? assetEventKey(name, placeText('', at)),
    recordedAt: facts.recordedAt ?? now,
    ...(partitionKey === undefined ? {} : { partitionKey }),
    metadata: parsed.metadata,
    producer: facts.producer ?? {},
  };
}
