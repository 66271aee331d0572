/** What all alert sensors have in common: the options of the sensor, grouping, and how they become a sensor. */
import type { EventHandlers } from '../sensors/event-handlers.js';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import type { EnvValue } from '../sensors/env.js';
import type { HandlingChoices } from '../sources/event-sensor.js';
import type { RunMonitor } from '../sources/run-monitor.js';
import { failureSensorWith, type FailureStatus, type RunEventOptions } from '../sources/run-status.js';
import { healthSensorWith, type SensorHealth } from '../sources/sensor-health.js';
import type { Duration } from '../sensors/duration.js';
import { checkGroup, grouped, type Deliver, type GroupOptions } from './group.js';
import type { AlertEvent } from './message.js';

/** Options of the sensor itself, whatever it monitors. */
const SENSOR_OPTIONS = [
  'name',
  'interval',
  'defaultStatus',
  'maxAttempts',
  'handleTimeout',
  'description',
  'tags',
  'owners',
] as const;

/** Options of every alert sensor. */
export interface AlertOptions extends HandlingChoices, Pick<RunEventOptions, 'startFrom' | 'webUrl'> {
  /** Name of the sensor. @default the name of the function */
  readonly name?: string;
  /** What became of the runs to be told of. @default failed, timed out and terminated ones */
  readonly status?: FailureStatus | readonly FailureStatus[];
  /** Runs to be told of, or `sensorHealth()`. @default the jobs of this worker's sensors */
  readonly monitor?: 'all' | RunMonitor | SensorHealth;
  /** @default '30s'; '1m' for the health of sensors */
  readonly interval?: Duration | EnvValue;
  /** @default 'stopped' */
  readonly defaultStatus?: 'running' | 'stopped';
  /** For display. */
  readonly description?: string;
  /** For display and filters. */
  readonly tags?: Readonly<Record<string, string>>;
  /** For display. */
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
  const common = ['group', 'timeout', 'monitor', 'status', 'startFrom', 'webUrl'];
  refuseUnknownOptions(options, [...own, ...common, ...SENSOR_OPTIONS], place);
  checkGroup(options.group, `${place}: group`);
  return place;
}

/** Handlers of an alert sensor: each event is sent, or held for a digest. */
export function alertHandlers(options: AlertOptions, deliver: Deliver): EventHandlers<AlertEvent> {
  return grouped(checkGroup(options.group, 'group'), deliver);
}

/**
 * A sensor that sends its events by `deliver`: failed runs, or what `sensorHealth()` watches.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function alertSensor(
  options: AlertOptions,
  defaults: { readonly name: string; readonly description: string },
  deliver: Deliver
): SensorDefinition {
  const handlers = alertHandlers(options, deliver);
  const chosen = pick({ ...defaults, ...options }, SENSOR_OPTIONS);
  const { monitor, status, startFrom } = options;
  if (!isHealth(monitor)) {
    const runs = { ...pick(options, ['status', 'startFrom', 'webUrl']), ...(monitor === undefined ? {} : { monitor }) };
    return failureSensorWith({ ...chosen, ...runs }, handlers);
  }
  for (const [name, value] of Object.entries({ status, startFrom })) {
    if (value === undefined) continue;
    throw new DefinitionError(
      `sensor '${chosen.name}' has '${name}', which is about runs, and monitors the health of sensors; remove it`
    );
  }
  return healthSensorWith({ ...chosen, monitor, ...pick(options, ['webUrl']) }, handlers);
}

function isHealth(monitor: AlertOptions['monitor']): monitor is SensorHealth {
  return typeof monitor === 'object' && 'kind' in monitor;
}

/** The fields that are there. */
function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]]))) as Pick<
    T,
    K
  >;
}
