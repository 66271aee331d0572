import { isObject } from './json.js';

/**
 * How far a sensor of assets has read one of them, as its cursor says: the position up to which everything is done.
 * `undefined` for any other cursor, or when it is of another log than the one that is asked for. Pure.
 */
export function positionIn(cursor: unknown, asset: string, log?: string): number | undefined {
  if (!isObject(cursor) || !Array.isArray(cursor['retries'])) return undefined;
  const { position, assets } = cursor;
  if (typeof position === 'number')
    return (cursor['asset'] ?? asset) === asset && isOf(log, cursor) ? position : undefined;
  const place = isObject(assets) && Object.hasOwn(assets, asset) ? assets[asset] : undefined;
  return isObject(place) && isOf(log, place) && typeof place['low'] === 'number' ? place['low'] : undefined;
}

function isOf(log: string | undefined, place: Readonly<Record<string, unknown>>): boolean {
  return log === undefined || (place['log'] ?? '') === log;
}
