/** Keys of assets: paths such as `['sales', 'orders']`, whose name is `sales/orders`. Pure: the workflow bundle contains this file. */
import { DefinitionError, quote } from './errors.js';
import { rejected } from './failures.js';
import { MAX_ASSET_NAME_LENGTH } from './limits.js';

const MAX_PARTS = 10;
const PART = /^[A-Za-z0-9_.-]{1,100}$/;
const ACCEPTED = `a text such as 'orders' or a path such as ['sales', 'orders']: up to ${MAX_PARTS} parts, each 1 to 100 characters of A-Z a-z 0-9 _ . -, together up to ${MAX_ASSET_NAME_LENGTH}`;

/** Whether a text is the name of an asset: the parts of its key, joined by `/`. */
export function isAssetName(name: unknown): name is string {
  return typeof name === 'string' && isKey(name.split('/'));
}

/**
 * The parts of a key, frozen.
 *
 * @throws {@link DefinitionError} when it cannot be the key of an asset
 */
export function checkAssetKey(key: unknown, what: string): readonly string[] {
  const parts: unknown = typeof key === 'string' ? [key] : key;
  if (!isKey(parts)) throw new DefinitionError(`${what} is ${quote(key)}; accepted: ${ACCEPTED}`);
  return Object.freeze([...parts]);
}

function isKey(parts: unknown): parts is readonly string[] {
  return (
    Array.isArray(parts) &&
    parts.length >= 1 &&
    parts.length <= MAX_PARTS &&
    [...(parts as unknown[])].every((part) => typeof part === 'string' && PART.test(part)) &&
    parts.join('/').length <= MAX_ASSET_NAME_LENGTH
  );
}

/** An asset, by its definition, its name (`sales/orders`) or its key (`['sales', 'orders']`). */
export type AssetReference = { readonly kind: 'asset'; readonly name: string } | string | readonly string[];

/**
 * @throws `ApplicationFailure`, not retryable, when it cannot be the name of an asset
 */
export function assetNameOf(asset: AssetReference): string {
  const given: unknown = asset;
  if (typeof given === 'object' && given !== null && 'kind' in given && 'name' in given) return String(given.name);
  const name = Array.isArray(given) ? given.join('/') : given;
  if (!isAssetName(name)) {
    throw rejected(
      `the asset is ${quote(given)}; accepted: what defineAsset returned, a key such as ['sales', 'orders'], or its name ` +
        `'sales/orders' (parts of 1 to 100 characters of A-Z a-z 0-9 _ . -, together at most ${MAX_ASSET_NAME_LENGTH})`
    );
  }
  return name;
}
