/** Names of assets: their keys, joined by `/`. Pure: the workflow bundle contains this file. */
import { isAssetName } from './asset-key.js';
import { quote } from './errors.js';
import { rejected } from './failures.js';
import { MAX_ASSET_NAME_LENGTH } from './limits.js';

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
