import { positionOf } from './asset-sensor-event.js';
import { isObject } from './json.js';
import type { DeadLetter } from './protocol.js';
import { highOf, isStoredPositions, parsePositions, sizeOf } from './positions.js';

/**
 * How far a sensor of assets has read one of them, as its cursor says: the position up to which everything is done.
 * `undefined` for any other cursor, or when it is of another log than the one that is asked for. Pure.
 */
export function positionIn(cursor: unknown, asset: string, log?: string): number | undefined {
  const place = placeIn(cursor, asset, log);
  const position = place?.['position'] ?? place?.['low'];
  return typeof position === 'number' ? position : undefined;
}

/**
 * What a sensor of several assets has consumed of one of them: how many events, and the newest of them. `undefined` like
 * {@link positionIn}, and for a sensor of one asset.
 */
export function consumedIn(
  cursor: unknown,
  asset: string,
  log?: string
): { readonly events: number; readonly newest: number } | undefined {
  const place: unknown = placeIn(cursor, asset, log);
  if (!isStoredPositions(place)) return undefined;
  const positions = parsePositions(place);
  return { events: sizeOf(positions), newest: highOf(positions) };
}

/**
 * How many events that a sensor has read of an asset it tries again; of a sensor of several assets, matches with such an
 * event. Where logs have the same identity, only matches with events of all of them are known to be of this one.
 */
export function retriedIn(cursor: unknown, asset: string, log?: string): number {
  const place = placeIn(cursor, asset, log);
  if (place === undefined || !isObject(cursor)) return 0;
  const { retries, assets } = cursor as { readonly retries: readonly unknown[]; readonly assets?: unknown };
  const own = typeof place['log'] === 'string' ? place['log'] : '';
  const refs = retries.flatMap((each) => (isObject(each) && isObject(each['ref']) ? [each['ref']] : []));
  if (place === cursor)
    return refs.filter((ref) => (ref['asset'] ?? asset) === asset && (ref['log'] ?? '') === own).length;
  const alike = Object.values(assets ?? {}).filter((each) => isObject(each) && (each['log'] ?? '') === own);
  const isIn = (at: unknown): boolean => typeof at === 'string' && positionOf(own, at) !== undefined;
  return refs.filter((ref) => Object.values(ref).filter(isIn).length >= alike.length).length;
}

/** How many dead letters are events of an asset, or matches: all of a sensor of several assets are with events of them. */
export function parkedOf(letters: readonly Pick<DeadLetter, 'kind' | 'payload'>[], asset: string): number {
  return letters.filter(({ kind, payload }) => {
    if (kind !== 'event' || !isObject(payload)) return false;
    const { position, asset: of = asset } = payload;
    return typeof position === 'number' ? of === asset : isMatch(payload);
  }).length;
}

/** As `2.4`, or `tmqgz4.4`. */
const PLACE = /^(?:[0-9a-z]+\.)?[1-9]\d*$/;

function isMatch(ref: Readonly<Record<string, unknown>>): boolean {
  const places = Object.values(ref);
  return places.length > 0 && places.every((place) => typeof place === 'string' && PLACE.test(place));
}

function placeIn(cursor: unknown, asset: string, log?: string): Readonly<Record<string, unknown>> | undefined {
  if (!isObject(cursor) || !Array.isArray(cursor['retries'])) return undefined;
  const { position, assets } = cursor;
  const isOne = typeof position === 'number' && (cursor['asset'] ?? asset) === asset;
  const several = isObject(assets) && Object.hasOwn(assets, asset) ? assets[asset] : undefined;
  const place = isOne ? cursor : several;
  return isObject(place) && (log === undefined || (place['log'] ?? '') === log) ? place : undefined;
}
