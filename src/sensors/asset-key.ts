/** Keys of assets: paths such as `['sales', 'orders']`, whose name is `sales/orders`. Pure. */
import { DefinitionError, quote } from './errors.js';
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
