/** A tick of a sensor of several assets without a condition: one call of its handler, which consumes what it wants. */
import type { AssetRequest } from '../sensors/asset-requests.js';
import type { AssetView } from '../sensors/asset-view.js';
import { handlerContext } from '../sensors/call-handler.js';
import { EvaluationError } from '../sensors/errors.js';
import { collect } from '../sensors/evaluation.js';
import type { EventContextBase } from '../sensors/event-handlers.js';
import { feedOf } from '../sensors/feed-host.js';
import { sameJson } from '../sensors/json.js';
import { MAX_CONSUMED_BYTES } from '../sensors/limits.js';
import type {
  GivenBackfillRequest,
  GivenRequest,
  More,
  RunRequest,
  SensorResult,
  SkipReason,
} from '../sensors/run-request.js';
import { count } from '../sensors/text.js';
import {
  bytesAbove,
  describeFull,
  storedOf,
  tooManyOpen,
  type Cursor,
  type MultiAssetContext,
  type MultiAssetFeed,
  type Opened,
} from './multi-asset-feed.js';

/** What a handler of several assets gets beside the rest. */
export interface AssetsContext<Keys extends string> {
  /** The assets, by their names in the sensor's map. */
  readonly assets: { readonly [Key in Keys]: AssetView };
  /** Consumes everything of every asset. */
  advanceAll(): void;
  /** Whether each of these partitions has a materialization of every asset that is not consumed. */
  allMaterializedSince(partitions?: readonly string[]): boolean;
  /** Says why this tick starts nothing. Yield or return it. */
  skip(reason: string): SkipReason;
  /** Asks for the next evaluation at once instead of after the interval. Counts only if something was consumed. */
  more(): More;
}

/** For events that are open and leave no room for others. */
const CONSUME_MORE = 'call ctx.assets.….advanceAll() for those that are not needed';

type Runs = MultiAssetContext & {
  readonly run: (request?: GivenRequest) => RunRequest;
  readonly backfill: (request: GivenBackfillRequest) => RunRequest;
};

/**
 * Calls the handler, and stores what it consumed, whatever it gives.
 *
 * @throws whatever the handler throws; {@link EvaluationError} for requests without anything consumed
 */
export async function handleAssets(
  ctx: MultiAssetContext,
  feed: MultiAssetFeed,
  handle: (ctx: EventContextBase & AssetsContext<string>) => unknown
): Promise<readonly unknown[]> {
  const cursor = ctx.cursor as Cursor;
  const opened = await feed.open(ctx);
  const isNothing = opened.every(({ reading }) => reading.events.length === 0);
  const said: AssetRequest[] = [];
  const context = {
    ...handlerContext(ctx, ctx.signal, said),
    ...assetsContext(opened),
    run: (request?: GivenRequest) => (ctx as Runs).run(request),
    backfill: (request: GivenBackfillRequest) => (ctx as Runs).backfill(request),
    skip: (reason: string) => ctx.skip(reason),
    more: () => ctx.more(),
  };
  const given = isNothing ? [] : await collect(handle(context), ctx.signal);
  feedOf(ctx).record(said);
  const consumed = opened.some(({ asset }) => asset.advanced);
  const requests = requestsIn(given);
  const problem = consumed ? undefined : unconsumedProblem(requests);
  if (problem !== undefined) throw new EvaluationError(problem);
  const full = describeFull(opened);
  const problems = [
    ...opened.flatMap(({ reading }) => reading.problems),
    ...(full === undefined || consumed ? [] : [`${full}: ${CONSUME_MORE}`]),
  ];
  if (problems.length > 0) feedOf(ctx).report({ failure: problems.join('; '), failed: true });
  const assets = storedOf(opened);
  if (bytesAbove(assets) > MAX_CONSUMED_BYTES) throw tooManyOpen(opened, CONSUME_MORE);
  if (!sameJson(assets, cursor.assets)) ctx.setCursor({ ...cursor, assets });
  return [
    ...given,
    ...(full !== undefined && consumed ? [ctx.more()] : []),
    ...(requests > 0 || givesReason(given) ? [] : [ctx.skip(reasonOf(opened, feed.names))]),
  ];
}

/** The assets and what is asked of all of them. */
export function assetsContext(
  opened: readonly Pick<Opened, 'key' | 'asset'>[]
): Pick<AssetsContext<string>, 'assets' | 'advanceAll' | 'allMaterializedSince'> {
  return {
    assets: Object.freeze(Object.fromEntries(opened.map(({ key, asset }) => [key, asset]))),
    advanceAll: () => opened.forEach(({ asset }) => asset.advanceAll()),
    allMaterializedSince: (partitions) => opened.every(({ asset }) => asset.allMaterializedSince(partitions)),
  };
}

/** Why so many requests cannot be started when no event was consumed. */
export function unconsumedProblem(requests: number): string | undefined {
  if (requests === 0) return undefined;
  return (
    `handle requested ${count(requests, 'run')} and consumed no event, so the next tick would request the same again: ` +
    `call ctx.assets.….advance(event) for what the runs are about, or ctx.advanceAll()`
  );
}

function requestsIn(given: readonly unknown[]): number {
  return given.reduce<number>((sum, item) => {
    const { kind, runRequests } = (item ?? {}) as Partial<RunRequest & SensorResult>;
    return sum + (kind === 'run' ? 1 : (runRequests?.length ?? 0));
  }, 0);
}

function givesReason(given: readonly unknown[]): boolean {
  return given.some((item) => {
    const { kind, skipReason } = (item ?? {}) as Partial<SkipReason & SensorResult>;
    return kind === 'skip' || skipReason !== undefined;
  });
}

function reasonOf(opened: readonly Opened[], names: string): string {
  const left = opened.flatMap(({ key, asset }) =>
    asset.open.length === 0 ? [] : [`${count(asset.open.length, 'event')} of ${key}`]
  );
  const full = describeFull(opened);
  const what = left.length === 0 ? `no new events of assets ${names}` : `not consumed: ${left.join(', ')}`;
  return full === undefined ? what : `${what}; ${full}`;
}
