/**
 * Sensors that react to the events of an asset: every event since the last tick, in order, each handled on its own. The
 * asset's log wakes the sensor; its interval is the safety net.
 */
import type { AssetDefinition } from '../sensors/define-asset.js';
import { isAsset } from '../sensors/define-asset.js';
import { assetCursorSchema, assetRefSchema } from '../sensors/asset-cursor.js';
import type { AssetSensorEvent } from '../sensors/asset-sensor-event.js';
import { checkName, DefinitionError, quote } from '../sensors/errors.js';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import { defineSensor, type SensorDefinition, type Targets } from '../sensors/define-sensor.js';
import type { EventContext, EventHandlers, Handled } from '../sensors/event-handlers.js';
import { boundTo, type EventTestContext } from '../sensors/test-context.js';
import { AssetFeed } from './asset-feed.js';
import {
  checkFlags,
  checkHandling,
  checkOwnOptions,
  checkStartFrom,
  requireHandle,
  type EventSensorPart,
  type HandlingChoices,
} from './event-sensor.js';

export interface AssetSensorOptions<
  J extends JobDefinition,
  Js extends readonly JobDefinition[],
  R extends Resources,
  G extends Handled = Handled,
>
  extends EventSensorPart<J, Js, R>, HandlingChoices {
  readonly asset: AssetDefinition;
  /** Whether observations are handled too, and not only materializations. @default false */
  readonly observations?: boolean;
  /** Whether only the newest event since the last tick is handled, and those before it are passed over. @default false */
  readonly latest?: boolean;
  /**
   * Where it begins when it has no position: what was recorded before is not handled.
   * @default when the sensor was first started; after its cursor was cleared, when it was last started; for another asset
   * than before, when it first looks at it
   */
  readonly startFrom?: Date;
  /** Called for each event in order, on its own. Requests without a run key get `event.eventId`. */
  readonly handle: (ctx: EventContext<Targets<J, Js>, R>, event: AssetSensorEvent) => G;
}

/** A sensor of an asset: `Given` is what the author's `handle` returns. */
export interface AssetSensor<Given = unknown> extends SensorDefinition {
  /** The author's function. Tests call it with what `buildAssetSensorContext` of `temporal-sensors/testing` gives. */
  readonly handle: (ctx: EventTestContext, event: AssetSensorEvent) => Given;
}

/**
 * Defines a sensor that reacts to the events of an asset, whoever recorded them: another job, another worker, another
 * application of the namespace.
 *
 * ```ts
 * export const onOrders = defineAssetSensor({
 *   name: 'onOrders',
 *   asset: orders,
 *   job: report,
 *   defaultStatus: 'running',
 *   handle: (ctx, event) => ctx.run({ config: { position: event.position } }),
 * });
 * ```
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function defineAssetSensor<
  J extends JobDefinition = never,
  const Js extends readonly JobDefinition[] = readonly [],
  const R extends Resources = {},
  G extends Handled = Handled,
>(options: AssetSensorOptions<J, Js, R, G>): AssetSensor<G> {
  const { handle, asset, observations, latest, startFrom, maxAttempts = 10, handleTimeout, ...sensor } = options;
  checkName(options.name, 'the name of a sensor');
  const place = `sensor '${options.name}'`;
  checkOwnOptions(sensor, place);
  if (!isAsset(asset))
    throw new DefinitionError(`${place}: asset is ${quote(asset)}; accepted: what defineAsset returned`);
  checkFlags({ observations, latest }, place);
  checkStartFrom(startFrom, place);
  requireHandle(handle, options.name, 'each event');
  const feed = new AssetFeed({
    handlers: { handle: handle as unknown as EventHandlers<AssetSensorEvent>['handle'] },
    asset: asset.name,
    observations: observations ?? false,
    latest: latest ?? false,
    startFrom,
    intervalMs: () => definition.intervalMs,
    ...checkHandling({ maxAttempts, handleTimeout, timeout: options.timeout }, place),
  });
  const definition: SensorDefinition = defineSensor({
    description: `Events of asset ${asset.name}`,
    ...(sensor as object as EventSensorPart<never, readonly [], {}>),
    watches: [asset],
    cursor: assetCursorSchema,
    events: assetRefSchema,
    initialCursor: (ctx) => feed.start(ctx),
    evaluate: (ctx) => feed.evaluate(ctx as never),
  });
  const fedSensor = Object.freeze({ ...definition, fed: true });
  return Object.freeze({
    ...fedSensor,
    handle: (ctx: EventTestContext, event: AssetSensorEvent) =>
      handle(boundTo<EventContext<Targets<J, Js>, R>>(fedSensor, ctx, event), event),
  });
}
