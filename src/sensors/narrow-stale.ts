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
import { staleAssets, type AssetLatest, type StalenessFacts } from './stale-assets.js';

const NAMED_PARTITIONS = 3;

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

/** A request that was dropped, because nothing that it asked for is out of date. */
export interface UpToDate {
  readonly job: string;
  /** Their names. */
  readonly assets: readonly string[];
  readonly partitionKey?: string;
}

export interface Narrowed {
  readonly requests: readonly RunRequest[];
  readonly upToDate: readonly UpToDate[];
}

/** @throws {@link EvaluationError} when the assets' logs cannot be read */
export async function narrowToStale(
  given: readonly RunRequest[],
  { jobs }: SensorDefinition,
  assets: AssetReader,
  now: Date
): Promise<Narrowed> {
  const selections = given.map((request) => selectionOf(request, jobs));
  if (selections.every((selected) => selected.length === 0)) return { requests: given, upToDate: [] };
  const facts = { ...(await read(assets, given, selections)), now };
  const requests: RunRequest[] = [];
  const upToDate: UpToDate[] = [];
  for (const [index, request] of given.entries()) {
    const selected = selections[index] ?? [];
    const { job, partitionKey } = request;
    const asked = partitionKey === undefined ? {} : { partitionKey };
    const stale = staleAssets(selected, { ...facts, ...asked });
    if (selected.length === 0) requests.push(request);
    else if (stale.length === 0) upToDate.push({ job, assets: selected.map(({ name }) => name), ...asked });
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

/** The assets of which only stale ones are to be made; none of a request that cannot be, which is rejected by itself. */
function selectionOf(request: RunRequest, jobs: SensorDefinition['jobs']): readonly AssetDefinition[] {
  const job = request.staleOnly === true ? jobs.find(({ name }) => name === request.job) : undefined;
  if (job === undefined) return [];
  const { partitionKey, backfill } = request as { readonly partitionKey: unknown; readonly backfill?: unknown };
  const fits =
    job.partitions === undefined || backfill !== undefined
      ? partitionKey === undefined
      : typeof partitionKey === 'string';
  const selected = fits ? selectedAssets(request, job) : [];
  return typeof selected === 'string' ? [] : selected;
}

/** Why these requests were dropped, in one line; nothing when there are none. */
export function describeUpToDate(dropped: readonly UpToDate[]): string {
  const groups = new Map<string, { readonly first: UpToDate; readonly keys: Set<string> }>();
  for (const each of dropped) {
    const id = JSON.stringify([each.job, each.assets, each.partitionKey === undefined]);
    const { first, keys } = groups.get(id) ?? { first: each, keys: new Set<string>() };
    if (each.partitionKey !== undefined) keys.add(each.partitionKey);
    groups.set(id, { first, keys });
  }
  return [...groups.values()]
    .map(({ first: { job, assets }, keys }) => {
      const are = assets.length === 1 ? 'is' : 'are';
      return `job '${job}' is not asked for: ${assets.join(', ')} ${are} up to date${partitionsText([...keys])}`;
    })
    .join('; ');
}

/** ` for partitions a, b and 27 more` */
function partitionsText(keys: readonly string[]): string {
  if (keys.length === 0) return '';
  const more = keys.length - NAMED_PARTITIONS;
  const named = keys.slice(0, NAMED_PARTITIONS).join(', ');
  return ` for partition${keys.length === 1 ? '' : 's'} ${named}${more > 0 ? ` and ${more} more` : ''}`;
}

/** What is known of the assets that were asked for, and of what they are made from. */
async function read(
  assets: AssetReader,
  given: readonly RunRequest[],
  selections: readonly (readonly AssetDefinition[])[]
): Promise<Pick<StalenessFacts, 'latest' | 'partitionKeys'>> {
  const selected = new Set(selections.flat());
  const names = new Set(
    [...selected].flatMap(({ name, upstream }) => [name, ...upstream.map(({ asset }) => asset.name)])
  );
  const whole = new Set(selections.flatMap((each, index) => (given[index]?.partitionKey === undefined ? each : [])));
  const sets = new Set([...whole].flatMap(({ partitions }) => (partitions?.type === 'dynamic' ? partitions.name : [])));
  try {
    return {
      latest: await assets.latest([...names]),
      partitionKeys: sets.size === 0 ? new Map() : await assets.partitionKeys([...sets]),
    };
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
  const forgotten = known.flatMap((each) =>
    each.partitionsForgotten ? (each.partitions[0]?.at ?? Math.max(...last)) : []
  );
  return {
    at: Math.max(...last),
    partitions,
    ...(whole.length === 0 ? {} : { wholeAt: Math.max(...whole) }),
    ...(forgotten.length === 0 ? {} : { forgottenUntil: Math.max(...forgotten) }),
  };
}
