/** Events of assets, as sensors get them. */
import type { AssetEvent } from './asset-event.js';

/** An event of an asset's log. */
export interface AssetSensorEvent extends Omit<AssetEvent, 'eventId' | 'at'> {
  /** The asset's name and the position: no other event ever has the same. */
  readonly eventId: string;
  /** When it was recorded, by the server's clock. */
  readonly recordedAt: Date;
}

/** The same whenever the event is handled. */
export function assetEventId(asset: string, position: number): string {
  return `${asset}@${position}`;
}

export function sensorEvent({ at, ...event }: AssetEvent): AssetSensorEvent {
  return { ...event, eventId: assetEventId(event.asset, event.position), recordedAt: new Date(at) };
}
