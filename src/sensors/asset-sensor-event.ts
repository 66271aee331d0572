/** Events of assets, as sensors get them. */
import type { AssetEvent } from './asset-event.js';

/** An event of an asset's log. */
export interface AssetSensorEvent extends Omit<AssetEvent, 'eventId' | 'at'> {
  /**
   * Its key: the asset's name, the identity of its log, and the position, as `sales/orders@tmqgz4.3`. No other event ever
   * has the same. The ID that it was recorded with is another one, and only the log's.
   */
  readonly eventId: string;
  /** When it was recorded, by the server's clock. */
  readonly recordedAt: Date;
}

/** Where an event is, such as `tmqgz4.3`: the identity of its log, if that is known, and its position. */
export function placeText(log: string, position: number): string {
  return log === '' ? `${position}` : `${log}.${position}`;
}

/** The position that a text of {@link placeText} names in a log; `undefined` when it is of another log. */
export function positionOf(log: string, place: string): number | undefined {
  const position = Number(place.slice(place.indexOf('.') + 1));
  return placeText(log, position) === place ? position : undefined;
}

/** The key of an event: the same whenever it is handled. @param place its {@link placeText} */
export function assetEventKey(asset: string, place: string): string {
  return `${asset}@${place}`;
}

/** @param log identity of the log */
export function keyOf({ asset, position }: Pick<AssetEvent, 'asset' | 'position'>, log: string): string {
  return assetEventKey(asset, placeText(log, position));
}

/** @param log identity of the log */
export function sensorEvent({ at, ...event }: AssetEvent, log: string): AssetSensorEvent {
  return { ...event, eventId: keyOf(event, log), recordedAt: new Date(at) };
}
