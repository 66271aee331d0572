import { isObject } from './json.js';

/**
 * How far a sensor of assets has read one of them, as its cursor says: the position up to which everything is done.
 * `undefined` for any other cursor. Pure.
 */
export function positionIn(cursor: unknown, asset: string): number | undefined {
  if (!isObject(cursor) || !Array.isArray(cursor['retries'])) return undefined;
  const { position, assets } = cursor;
  if (typeof position === 'number') return position;
  const place = isObject(assets) && Object.hasOwn(assets, asset) ? assets[asset] : undefined;
  return isObject(place) && typeof place['low'] === 'number' ? place['low'] : undefined;
}
