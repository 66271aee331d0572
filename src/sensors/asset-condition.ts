/** When a sensor of several assets has something to handle, as data: `allOf('orders', 'customers', { by: 'partition' })`. */
import { isAsset } from './define-asset.js';
import { parseDuration, type Duration } from './duration.js';
import { DefinitionError, quote, refuseUnknownOptions } from './errors.js';
import { DAY_MS } from './days.js';

const MIN_WITHIN_MS = 100;
const MAX_WITHIN_MS = 366 * DAY_MS;

/** What `allOf` and `anyOf` give: `Keys` are names of the sensor's map of assets. */
export interface AssetCondition<Keys extends string = string, Kind extends 'allOf' | 'anyOf' = 'allOf' | 'anyOf'> {
  readonly kind: Kind;
  readonly keys: readonly Keys[];
  /** Whether the events of a match are of one partition. */
  readonly byPartition: boolean;
  /** How long an event waits for the others; absent: for ever. */
  readonly withinMs: number | undefined;
}

export interface AllOfOptions {
  /** Events match that are of the same partition; those without a partition match each other. @default any events match */
  readonly by?: 'partition';
  /**
   * How long an event waits for the others of its match, by the times at which they were recorded, 100 ms to 366 days.
   * Then it expires: it is consumed, and its tick says so. @default for ever
   */
  readonly within?: Duration;
}

/**
 * An event of each of these assets. A newer event of an asset takes the place of the one that waits.
 *
 * @throws {@link DefinitionError} for fewer than two names, one that comes twice, or a bad option
 */
export function allOf<Keys extends string>(
  ...given: readonly [Keys, Keys, ...(readonly Keys[])]
): AssetCondition<Keys, 'allOf'>;
export function allOf<Keys extends string>(
  ...given: readonly [Keys, Keys, ...(readonly Keys[]), AllOfOptions]
): AssetCondition<Keys, 'allOf'>;
export function allOf(...given: readonly unknown[]): AssetCondition<string, 'allOf'> {
  const last = given.at(-1);
  const options = typeof last === 'object' && last !== null && !isAsset(last) ? (last as AllOfOptions) : undefined;
  const keys = checkKeys(options === undefined ? given : given.slice(0, -1), 2, 'allOf');
  if (options !== undefined) refuseUnknownOptions(options, ['by', 'within'], 'allOf');
  const { by, within } = options ?? {};
  if (by !== undefined && by !== 'partition')
    throw new DefinitionError(`allOf: by is ${quote(by)}; accepted: 'partition'`);
  return Object.freeze({
    kind: 'allOf',
    keys,
    byPartition: by === 'partition',
    withinMs: within === undefined ? undefined : parseDuration(within, 'allOf: within', MIN_WITHIN_MS, MAX_WITHIN_MS),
  });
}

/**
 * Each event of any of these assets.
 *
 * @throws {@link DefinitionError} for no name, or one that comes twice
 */
export function anyOf<Keys extends string>(
  ...keys: readonly [Keys, ...(readonly Keys[])]
): AssetCondition<Keys, 'anyOf'> {
  checkKeys(keys, 1, 'anyOf');
  return Object.freeze({ kind: 'anyOf', keys: Object.freeze([...keys]), byPartition: false, withinMs: undefined });
}

function checkKeys(keys: readonly unknown[], least: number, place: string): readonly string[] {
  const bad = keys.find((key) => typeof key !== 'string');
  if (bad !== undefined) {
    const what = isAsset(bad) ? `the asset '${bad.name}' itself` : quote(bad);
    throw new DefinitionError(`${place} got ${what}; accepted: names in the sensor's map of assets, such as 'orders'`);
  }
  if (keys.length < least)
    throw new DefinitionError(`${place} got ${keys.length} names of assets; accepted: ${least} or more`);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new DefinitionError(`${place} has ${quote(twice)} twice`);
  return Object.freeze([...(keys as readonly string[])]);
}

export function isCondition(value: unknown): value is AssetCondition {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    (value.kind === 'allOf' || value.kind === 'anyOf') &&
    'keys' in value
  );
}
