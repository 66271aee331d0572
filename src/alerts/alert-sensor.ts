/** What all alert sensors have in common: the options of the sensor, grouping, and how they become a sensor. */
import type { EventHandlers } from '../sensors/event-handlers.js';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import { defineSensor, type SensorDefinition } from '../sensors/define-sensor.js';
import type { Duration } from '../sensors/duration.js';
import { checkGroup, grouped, type Deliver, type GroupOptions } from './group.js';
import type { AlertEvent } from './message.js';

/** The options of the sensor itself, for `defineRunFailureSensor`. */
const SENSOR_OPTIONS = [
  'name',
  'status',
  'monitor',
  'startFrom',
  'interval',
  'defaultStatus',
  'maxAttempts',
  'handleTimeout',
  'webUrl',
  'description',
  'tags',
  'owners',
] as const;

/** Options of every alert sensor. */
export interface AlertOptions {
  /** Name of the sensor. @default the name of the function */
  readonly name?: string;
  /** What became of the runs to be told of. @default failed, timed out and terminated ones */
  readonly status?: unknown;
  /** Runs to be told of, or `sensorHealth()`. @default the jobs of the plugin */
  readonly monitor?: unknown;
  readonly startFrom?: unknown;
  readonly interval?: Duration;
  /** @default 'stopped' */
  readonly defaultStatus?: 'running' | 'stopped';
  readonly maxAttempts?: number;
  readonly handleTimeout?: Duration;
  /** Address of Temporal Web, for the links in messages. @default what the worker knows of it */
  readonly webUrl?: string;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly owners?: readonly string[];
  /**
   * At most so many messages in so long a time; what comes beyond is sent as one digest when the time is over. `false`
   * sends a message for each event, however many there are. @default { per: '5m', max: 20 }
   */
  readonly group?: GroupOptions | false;
  /** How long one message may take, 100 ms to 10 minutes. @default '10s' */
  readonly timeout?: Duration;
}

/**
 * How errors name the sensor.
 *
 * @throws {@link DefinitionError} for a bad name, or an option that is not in `own` and not one of every alert sensor
 */
export function checkAlertOptions(options: AlertOptions, defaultName: string, own: readonly string[]): string {
  if (typeof options !== 'object' || options === null) {
    throw new DefinitionError(`${defaultName}: the options are ${quote(options)}; accepted: an object`);
  }
  const name = options.name ?? defaultName;
  checkName(name, 'the name of a sensor');
  const place = `sensor '${name}'`;
  refuseUnknownOptions(options, [...own, 'group', 'timeout', ...SENSOR_OPTIONS], place);
  checkGroup(options.group, `${place}: group`);
  return place;
}

/** Handlers of an alert sensor: each event is sent, or held for a digest. */
export function alertHandlers(options: AlertOptions, deliver: Deliver): EventHandlers<AlertEvent> {
  return grouped(checkGroup(options.group, 'group'), deliver);
}

/** A sensor that sends its events by `deliver`. */
export function alertSensor(
  options: AlertOptions,
  defaults: { readonly name: string; readonly description: string },
  deliver: Deliver
): SensorDefinition {
  const given = Object.entries(options).filter(([name]) => (SENSOR_OPTIONS as readonly string[]).includes(name));
  return engine({ ...defaults, ...Object.fromEntries(given) }, alertHandlers(options, deliver));
}

/** STUB: becomes `statusSensorWith`, or `healthSensorWith` for a `monitor` made by `sensorHealth`. */
function engine(
  { name, description }: AlertOptions & { readonly name: string },
  _handlers: EventHandlers<AlertEvent>
): SensorDefinition {
  return defineSensor({ name, ...(description === undefined ? {} : { description }), evaluate: () => null });
}
