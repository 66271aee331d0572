/** Contexts for tests of asset sensors: what `handle` gets, without a worker or a server. */
import type { AssetSensorEvent } from '../sensors/asset-sensor-event.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { EvaluationError, refuseUnknownOptions } from '../sensors/errors.js';
import type { EventTestContext } from '../sensors/test-context.js';
import type { AssetSensor } from '../sources/asset-sensor.js';
import { assetEventOf, type AssetEventFacts } from './asset-facts.js';
import { EVENT_TEST_OPTIONS, eventContext, unboundContext, type EventTestOptions } from './event-context.js';

/** Options of {@link buildAssetSensorContext}; all may be left out. */
export interface AssetTestOptions extends EventTestOptions {
  /** What the handler is called for. @default the first materialization of the asset */
  readonly event?: AssetEventFacts;
  /** Says which asset it is, and has everything checked at once. @default learnt when `handle` is called */
  readonly sensor?: AssetSensor;
}

/** What a test calls `handle` with. */
export interface AssetTest {
  readonly ctx: EventTestContext;
  readonly event: AssetSensorEvent;
}

/**
 * Context and event for `sensor.handle(ctx, event)`.
 *
 * ```ts
 * const { ctx, event } = buildAssetSensorContext({ sensor: onOrders, event: { partitionKey: '2026-11-22', metadata: { rows: 120 } } });
 * await onOrders.handle(ctx, event);
 * expect(ctx.requests).toMatchObject([{ job: 'makeReport', runKey: event.eventId }]);
 * ```
 *
 * @throws DefinitionError for an unknown option or fact; EvaluationError, with `sensor`, for an event it does not get
 */
export function buildAssetSensorContext(options: AssetTestOptions = {}): AssetTest {
  refuseUnknownOptions(options, ['event', 'sensor', ...EVENT_TEST_OPTIONS], 'buildAssetSensorContext');
  const { event: facts = {}, sensor, ...rest } = options;
  const unbound = unboundContext(rest, 'buildAssetSensorContext');
  const { now } = unbound.parts.facts;
  const place = 'buildAssetSensorContext: event';
  const event = assetEventOf(facts, sensor?.watches[0], { position: 1, now, place });
  return {
    ctx: eventContext(unbound, event, sensor, checkAsset(facts.asset !== undefined || sensor !== undefined)),
    event,
  };
}

/** @param named whether the event is of an asset that the test named */
function checkAsset(named: boolean) {
  return ({ name, watches, fed }: SensorDefinition, { asset }: AssetSensorEvent): void => {
    const [watched] = watches;
    if (!fed || watched === undefined)
      throw new EvaluationError(`sensor '${name}' is not one of an asset: it is tested with buildSensorContext`);
    if (!named || watched.name === asset) return;
    throw new EvaluationError(
      `sensor '${name}' reacts to asset '${watched.name}', so it never gets this event of asset '${asset}'`
    );
  };
}
