/**
 * Run requests with `staleOnly`: narrowed to those of their assets that are out of date, and dropped when none is.
 * Knows nothing of Temporal.
 */
import { selectedAssets } from './check-requests.js';
import type { AssetState } from './asset-event.js';
import type { AssetDefinition } from './define-asset.js';
import type { SensorDefinition } from './define-sensor.js';
import { EvaluationError } from './errors.js';
import type { RunRequest } from './run-request.js';
import { staleAssets, type AssetLatest } from './stale-assets.js';

/** What an evaluation reads of assets. */
export interface AssetReader {
  /** An asset by its name, as this worker knows it. */
  readonly definitionOf: (name: string) => AssetDefinition | undefined;
  /** When something was last made of each of them, by name; those that are missing were never made. */
  readonly latest: (names: readonly string[]) => Promise<ReadonlyMap<string, AssetLatest>>;
  /** The keys of these dynamic partition sets, which are named without the prefix. */
  readonly partitionKeys: (sets: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
}

/** Where no asset is known, and nothing was made of any: tests without a server. */
export const NO_ASSETS: AssetReader = {
  definitionOf: () => undefined,
  latest: async () => new Map(),
  partitionKeys: async () => new Map(),
};

/** Requests that are left, and why others are not. */
export interface Narrowed {
  readonly requests: readonly RunRequest[];
  readonly upToDate: readonly string[];
}

/** @throws {@link EvaluationError} when the assets' logs cannot be read */
export async function narrowToStale(
  given: readonly RunRequest[],
  { jobs }: SensorDefinition,
  assets: AssetReader,
  now: Date
): Promise<Narrowed> {
  // a request that cannot be is rejected by itself
  const selectionOf = (request: RunRequest): readonly AssetDefinition[] => {
    const job = request.staleOnly === true ? jobs.find(({ name }) => name === request.job) : undefined;
    const selected = job === undefined ? undefined : selectedAssets(request, job);
    return typeof selected === 'string' || selected === undefined ? [] : selected;
  };
  const selections = given.map(selectionOf);
  const names = new Set(
    selections.flat().flatMap(({ name, upstream }) => [name, ...upstream.map(({ asset }) => asset.name)])
  );
  if (names.size === 0) return { requests: given, upToDate: [] };
  const latest = await read(assets, [...names]);
  const requests: RunRequest[] = [];
  const upToDate: string[] = [];
  for (const [index, request] of given.entries()) {
    const selected = selections[index] ?? [];
    const { job, partitionKey } = request;
    const facts = { latest, now, ...(typeof partitionKey === 'string' ? { partitionKey } : {}) };
    const stale = staleAssets(selected, facts);
    if (selected.length > 0 && stale.length === 0)
      upToDate.push(
        `job '${job}' is not asked for: ${selected.map(({ name }) => name).join(', ')} ${selected.length === 1 ? 'is' : 'are'} up to date` +
          (partitionKey === undefined ? '' : ` for partition ${String(partitionKey)}`)
      );
    else if (selected.length === 0) requests.push(request);
    // all of them: as it was asked for
    else
      requests.push({
        ...request,
        staleOnly: undefined,
        ...(stale.length === selected.length ? {} : { assets: stale }),
      });
  }
  return { requests, upToDate };
}

async function read(assets: AssetReader, names: readonly string[]): Promise<ReadonlyMap<string, AssetLatest>> {
  try {
    return await assets.latest(names);
  } catch (error) {
    throw new EvaluationError(`staleOnly cannot tell which assets are out of date: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * When something was last made of an asset, by its log.
 *
 * @param made whether a job makes it; otherwise what was observed of it counts too
 */
export function latestOf(state: AssetState, made: boolean): AssetLatest | undefined {
  const { latestMaterialization, latestObservation, observed } = state;
  const last = [latestMaterialization, made ? undefined : latestObservation].flatMap((event) => event?.at ?? []);
  if (last.length === 0) return undefined;
  const known = made ? [state] : [state, observed];
  const partitions = new Map<string, number>();
  for (const { partitionKey, at } of known.flatMap((each) => each.partitions))
    partitions.set(partitionKey, Math.max(partitions.get(partitionKey) ?? 0, at));
  const whole = known.flatMap(({ wholeAt }) => wholeAt ?? []);
  // the newest are last
  const forgotten = known.flatMap((each) => (each.partitionsForgotten ? (each.partitions[0]?.at ?? Math.max(...last)) : []));
  return {
    at: Math.max(...last),
    partitions,
    ...(whole.length === 0 ? {} : { wholeAt: Math.max(...whole) }),
    ...(forgotten.length === 0 ? {} : { forgottenUntil: Math.max(...forgotten) }),
  };
}
