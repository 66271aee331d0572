/**
 * Sensors that react to several assets together. Without a condition, `handle` is called with all of them and consumes
 * what it wants; with one (`when`), it is called for each complete match, on its own. The logs wake the sensor; its
 * interval is the safety net.
 */
import type { AssetCondition } from '../sensors/asset-condition.js';
import { matchRefSchema, multiAssetCursorSchema } from '../sensors/asset-cursor.js';
import type { AssetMatch, MatchOf } from '../sensors/asset-match.js';
import { isAsset } from '../sensors/define-asset.js';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import { defineSensor, type SensorDefinition, type Targets } from '../sensors/define-sensor.js';
import { checkName, DefinitionError, quote } from '../sensors/errors.js';
import type { EventContext, EventContextBase, EventHandlers } from '../sensors/event-handlers.js';
import { isObject, jsonBytes } from '../sensors/json.js';
import { MAX_ASSET_KEYS_BYTES, MAX_WATCHED_TOGETHER } from '../sensors/limits.js';
import type { Evaluation } from '../sensors/run-request.js';
import { boundTo, type MultiAssetTestContext } from '../sensors/test-context.js';
import { checkWhen } from './check-when.js';
import {
  checkFlags,
  checkHandling,
  checkOwnOptions,
  checkStartFrom,
  requireHandle,
  type EventSensorPart,
  type HandlingChoices,
} from './event-sensor.js';
import { handleAssets, type AssetsContext } from './handle-assets.js';
import { handleMatches } from './handle-matches.js';
import { MultiAssetFeed, type AssetMap } from './multi-asset-feed.js';

/** The context of a handler without a condition. */
export type MultiAssetContext<
  Keys extends string = string,
  Jobs extends readonly JobDefinition[] = readonly [],
  R extends Resources = {},
> = EventContext<Jobs, R> & AssetsContext<Keys>;

type KeyOf<A> = Extract<keyof A, string>;
/** Events of an asset that the condition does not name would never be consumed. */
type NamesAll<A, W> = [W] extends [AssetCondition<infer Named>]
  ? [KeyOf<A>] extends [Named]
    ? unknown
    : AssetCondition<KeyOf<A>> & { readonly isMissing: Exclude<KeyOf<A>, Named> }
  : unknown;
/** What a handler gets: all assets, or with a condition the match that it is called for. */
type HandlerArguments<A, W, Jobs extends readonly JobDefinition[], R extends Resources> = [W] extends [AssetCondition]
  ? readonly [ctx: EventContext<Jobs, R>, match: MatchOf<W>]
  : readonly [ctx: MultiAssetContext<KeyOf<A>, Jobs, R>];

export interface MultiAssetSensorOptions<
  A extends AssetMap,
  W extends AssetCondition<KeyOf<A>> | undefined,
  J extends JobDefinition,
  Js extends readonly JobDefinition[],
  R extends Resources,
  G extends Evaluation<never> = Evaluation<never>,
>
  extends EventSensorPart<J, Js, R>, HandlingChoices {
  /** The assets by names of your own, 1 to 20. */
  readonly assets: A;
  /**
   * `allOf(…)` or `anyOf(…)` of all names of the map: `handle` is called for each complete match, and is tried again and
   * parked like the handlers of other events.
   * @default `handle` is called once a tick while any event is not consumed, and says what it consumes
   */
  readonly when?: W & NamesAll<A, W>;
  /** Whether observations count too, and not only materializations. @default false */
  readonly observations?: boolean;
  /**
   * Where it begins in assets of which it has no position: what was recorded before does not count.
   * @default when the sensor was first started; for an asset that is added later, when it first looks at it
   */
  readonly startFrom?: Date;
  /** Requests without a run key get `match.eventId`; without a condition they are launched once per tick. */
  readonly handle: (...given: HandlerArguments<A, W, Targets<J, Js>, R>) => G;
}

/** A sensor of several assets: `Given` is what the author's `handle` returns. */
export interface MultiAssetSensor<
  A extends AssetMap = AssetMap,
  W extends AssetCondition | undefined = AssetCondition | undefined,
  Given = unknown,
> extends SensorDefinition {
  readonly assets: A;
  readonly when: W;
  readonly observations: boolean;
  /** The author's function. Tests call it with what `buildMultiAssetSensorContext` of `temporal-sensors/testing` gives. */
  readonly handle: (
    ctx: MultiAssetTestContext<KeyOf<A>>,
    ...match: [W] extends [AssetCondition] ? readonly [match: MatchOf<W>] : readonly []
  ) => Given;
}

/**
 * Defines a sensor that reacts to several assets together.
 *
 * ```ts
 * export const dailyReport = defineMultiAssetSensor({
 *   name: 'dailyReport',
 *   assets: { orders, customers },
 *   when: allOf('orders', 'customers', { by: 'partition', within: '24h' }),
 *   job: makeReport,
 *   handle: (ctx, match) => ctx.run({ config: { day: match.partitionKey } }),
 * });
 * ```
 *
 * Without `when` the handler looks for itself, and what it consumes is stored whatever it gives back:
 *
 * ```ts
 *   handle(ctx) {
 *     if (!ctx.allMaterializedSince(['eu', 'us'])) return ctx.skip('not all regions yet');
 *     ctx.advanceAll();
 *     return ctx.run();
 *   },
 * ```
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function defineMultiAssetSensor<
  const A extends AssetMap,
  const W extends AssetCondition<KeyOf<A>> | undefined = undefined,
  J extends JobDefinition = never,
  const Js extends readonly JobDefinition[] = readonly [],
  const R extends Resources = {},
  G extends Evaluation<never> = Evaluation<never>,
>(options: MultiAssetSensorOptions<A, W, J, Js, R, G>): MultiAssetSensor<A, W, G> {
  const { handle, assets, when, observations = false, startFrom, maxAttempts = 10, handleTimeout, ...sensor } = options;
  checkName(options.name, 'the name of a sensor');
  const place = `sensor '${options.name}'`;
  checkOwnOptions(sensor, place);
  const watches = checkAssetMap(assets, place);
  checkWhen(when, assets, place);
  checkFlags({ observations }, place);
  checkStartFrom(startFrom, place);
  requireHandle(handle, options.name, when === undefined ? 'all assets' : 'each match');
  const given = handle as unknown;
  const tries = checkHandling({ maxAttempts, handleTimeout, timeout: options.timeout }, place);
  const feed = new MultiAssetFeed(assets, { observations, startFrom });
  const definition: SensorDefinition = defineSensor({
    description: `Events of assets ${feed.names}`.slice(0, 1_000),
    ...(sensor as object as EventSensorPart<never, readonly [], {}>),
    watches,
    cursor: multiAssetCursorSchema,
    events: matchRefSchema,
    initialCursor: (ctx) => feed.start(ctx),
    evaluate: async (ctx) => {
      const context = ctx as never;
      const started = await feed.startNew(context);
      if (started !== undefined) return started;
      if (when === undefined) return (await handleAssets(context, feed, given as AnyHandle)) as readonly never[];
      const handlers = { handle: given as EventHandlers<AssetMatch>['handle'] };
      return await handleMatches(context, feed, {
        handlers,
        condition: when,
        intervalMs: () => definition.intervalMs,
        ...tries,
      });
    },
  });
  return Object.freeze({
    ...definition,
    fed: when !== undefined,
    assets: Object.freeze({ ...assets }),
    when: when as W,
    observations,
    handle: (ctx: MultiAssetTestContext<KeyOf<A>>, ...match: readonly unknown[]) =>
      (given as (...given: readonly unknown[]) => G)(boundTo(definition, ctx, match[0]), ...match),
  });
}

type AnyHandle = (ctx: EventContextBase & AssetsContext<string>) => unknown;

function checkAssetMap(assets: unknown, place: string): AssetMap[string][] {
  const accepted = `accepted: 1 to ${MAX_WATCHED_TOGETHER} assets by names of your own, such as { orders, customers }`;
  if (!isObject(assets) || isAsset(assets))
    throw new DefinitionError(`${place}: assets is ${quote(assets)}; ${accepted}`);
  const entries = Object.entries(assets);
  if (entries.length === 0 || entries.length > MAX_WATCHED_TOGETHER)
    throw new DefinitionError(`${place}: assets has ${entries.length} assets; ${accepted}`);
  const bytes = jsonBytes(entries.map(([key]) => key));
  if (bytes > MAX_ASSET_KEYS_BYTES)
    throw new DefinitionError(
      `${place}: the names in assets are ${bytes} bytes together; at most ${MAX_ASSET_KEYS_BYTES}`
    );
  const keys = new Map<string, string>();
  return entries.map(([key, asset]) => {
    if (!isAsset(asset))
      throw new DefinitionError(`${place}: assets.${key} is ${quote(asset)}; accepted: what defineAsset returned`);
    const other = keys.get(asset.name);
    if (other !== undefined)
      throw new DefinitionError(`${place}: assets.${other} and assets.${key} are both asset '${asset.name}'`);
    keys.set(asset.name, key);
    return asset;
  });
}
