/**
 * Sensors that watch the other sensors: one that fails, recovers, is not loaded, is late, stopped itself or was closed.
 *
 * Each tick lists the sensors of the namespace and asks Temporal about each that should run, so that also a sensor
 * without any worker is told of. What is wrong is kept in the cursor, and only changes are events.
 */
import picomatch from 'picomatch';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import { defineSensor, type SensorDefinition, type Targets } from '../sensors/define-sensor.js';
import { parseDuration, type Duration } from '../sensors/duration.js';
import type { EnvValue } from '../sensors/env.js';
import type { EventContext, EventContextBase, EventHandlers, Handled } from '../sensors/event-handlers.js';
import { HEALTH_CHANGES, type HealthChangeKind, type SensorHealthEvent } from '../sensors/status-run.js';
import {
  checkHandling,
  checkOwnOptions,
  requireHandle,
  webUrlOf,
  type EventSensorPart,
  type HandlingChoices,
} from './event-sensor.js';
import { cursorSchema, HealthFeed, refSchema } from './health-feed.js';

const DAY_MS = 24 * 60 * 60_000;

/** Which sensors to watch, and what for. */
export interface SensorHealthOptions {
  /** Full names, `*` stands for any characters: `'orders-*'`. @default all of the namespace */
  readonly sensors?: string | readonly string[];
  /** @default all: failing, recovered, notLoaded, late, stoppedItself, closed */
  readonly changes?: readonly HealthChangeKind[];
  /** How long an evaluation may be due without a worker that takes it, 1 s to 1 day. @default '1m' */
  readonly lateAfter?: Duration;
}

/** What {@link sensorHealth} gives: for `monitor` of alerts. */
export interface SensorHealth {
  readonly kind: 'sensorHealth';
  readonly isWatched: (sensor: string) => boolean;
  readonly changes: readonly HealthChangeKind[];
  readonly lateAfterMs: number;
}

/**
 * The health of sensors as something to be alerted of: `slackOnRunFailure({ monitor: sensorHealth(), … })`.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function sensorHealth(options: SensorHealthOptions = {}): SensorHealth {
  refuseUnknownOptions(options, ['sensors', 'changes', 'lateAfter'], 'sensorHealth');
  const { sensors = '*', changes = HEALTH_CHANGES, lateAfter = '1m' } = options;
  const names: readonly unknown[] = Array.isArray(sensors) ? sensors : [sensors];
  const bad = names.find((name) => typeof name !== 'string' || name === '');
  if (names.length === 0 || bad !== undefined)
    throw new DefinitionError(`sensorHealth: sensors is ${quote(sensors)}; accepted: names of sensors, with * in them`);
  const unknown = (changes as readonly unknown[]).find((each) => !HEALTH_CHANGES.includes(each as HealthChangeKind));
  if (changes.length === 0 || unknown !== undefined)
    throw new DefinitionError(
      `sensorHealth: changes is ${quote(changes)}; accepted: some of ${HEALTH_CHANGES.map((each) => `'${each}'`).join(', ')}`
    );
  return Object.freeze({
    kind: 'sensorHealth',
    isWatched: picomatch([...(names as readonly string[])]),
    changes: [...changes],
    lateAfterMs: parseDuration(lateAfter, 'sensorHealth: lateAfter', 1_000, DAY_MS),
  });
}

export interface SensorHealthSensorOptions<
  J extends JobDefinition,
  Js extends readonly JobDefinition[],
  R extends Resources,
>
  extends EventSensorPart<J, Js, R>, HandlingChoices {
  /** @default every change of every sensor */
  readonly monitor?: SensorHealth;
  /** Where Temporal Web is, for `event.url`. @default none */
  readonly webUrl?: string | EnvValue;
  /** Called for each change, on its own. */
  readonly handle: (ctx: EventContext<Targets<J, Js>, R>, event: SensorHealthEvent) => Handled;
}

/** A sensor of the health of sensors; tests call its `handle`. */
export interface SensorHealthSensor<Ctx = EventContextBase> extends SensorDefinition {
  readonly handle: (ctx: Ctx, event: SensorHealthEvent) => Handled;
}

/**
 * Defines a sensor that is told when another sensor fails, recovers, is not loaded, is late, stopped itself or was
 * closed. It does not watch itself, and it needs a worker: let it run on another one than those it watches.
 *
 * ```ts
 * export const watchman = defineSensorHealthSensor({
 *   name: 'watchman',
 *   defaultStatus: 'running',
 *   handle: (ctx, { sensor, change, message }) => page(`${sensor} ${change}: ${message}`),
 * });
 * ```
 *
 * Each tick asks Temporal about each sensor that should run: give it an interval that fits their number.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function defineSensorHealthSensor<
  J extends JobDefinition = never,
  const Js extends readonly JobDefinition[] = readonly [],
  const R extends Resources = {},
>(options: SensorHealthSensorOptions<J, Js, R>): SensorHealthSensor<EventContext<Targets<J, Js>, R>> {
  const { handle, ...rest } = options;
  requireHandle(handle, options.name, 'each change');
  const handlers = { handle: handle as unknown as EventHandlers<SensorHealthEvent>['handle'] };
  return Object.freeze({ ...healthSensorWith(rest as object as HealthSensorOptions, handlers), handle });
}

/** Options of a sensor whose handlers are given apart. */
export type HealthSensorOptions = EventSensorPart<never, readonly [], {}> &
  HandlingChoices &
  Pick<SensorHealthSensorOptions<never, readonly [], {}>, 'monitor' | 'webUrl'>;

/** A sensor of the health of sensors with these handlers. */
export function healthSensorWith(
  options: HealthSensorOptions,
  handlers: EventHandlers<SensorHealthEvent>
): SensorDefinition {
  const { monitor = sensorHealth(), maxAttempts = 10, handleTimeout, webUrl, interval = '1m', ...sensor } = options;
  checkName(options.name, 'the name of a sensor');
  const place = `sensor '${options.name}'`;
  checkOwnOptions(sensor, place);
  if ((monitor as Partial<SensorHealth> | null)?.kind !== 'sensorHealth')
    throw new DefinitionError(`${place}: monitor is ${quote(monitor)}; accepted: what sensorHealth returned`);
  const feed = new HealthFeed({
    handlers,
    ...monitor,
    webUrl: webUrlOf(webUrl, place),
    intervalMs: () => definition.intervalMs,
    ...checkHandling({ maxAttempts, handleTimeout, timeout: options.timeout }, place),
  });
  const definition: SensorDefinition = defineSensor({
    description: 'The health of other sensors',
    ...sensor,
    interval,
    cursor: cursorSchema,
    events: refSchema,
    evaluate: (ctx) => feed.evaluate(ctx),
  });
  return Object.freeze({ ...definition, fed: true });
}
