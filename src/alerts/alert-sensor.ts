/** What all alert sensors have in common: the options of the sensor, grouping, and how they become a sensor. */
import type { SensorDefinition } from '../sensors/define-sensor.js';
import type { Duration } from '../sensors/duration.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import {
  failureSensorWith,
  type FailureStatus,
  type RunEventOptions,
  type RunSensorOptions,
} from '../sources/run-status.js';
import { healthSensorWith, type SensorHealth } from '../sources/sensor-health.js';
import { checkGroup, grouped, type Deliver, type GroupOptions } from './group.js';
import type { AlertEvent } from './message.js';

/** The options that are those of `defineRunFailureSensor`. */
const SENSOR_OPTIONS = [
  'name',
  'status',
  'monitor',
  'ownRuns',
  'startFrom',
  'maxAttempts',
  'handleTimeout',
  'webUrl',
  'interval',
  'jitter',
  'idleBackoff',
  'failureBackoff',
  'stopAfterFailures',
  'timeout',
  'defaultStatus',
  'renamedFrom',
  'description',
  'tags',
  'owners',
  'onFailure',
  'onRecovered',
] as const;

type SensorOption = Exclude<(typeof SENSOR_OPTIONS)[number], 'name' | 'status' | keyof RunEventOptions>;

/** Options of every alert sensor: those of `defineRunFailureSensor` without jobs and resources, and how messages are sent. */
export interface AlertOptions extends Omit<RunEventOptions, 'monitor'>, Pick<RunSensorOptions, SensorOption> {
  /** Runs to be told of, or `sensorHealth()`. @default the jobs of this worker's sensors */
  readonly monitor?: RunEventOptions['monitor'] | SensorHealth;
  /** Name of the sensor. @default the name of the function */
  readonly name?: string;
  /** What became of the runs to be told of. @default ['failed', 'timedOut', 'terminated'] */
  readonly status?: FailureStatus | readonly FailureStatus[];
  /**
   * At most so many messages in so long a time; what comes beyond is sent as one digest when the time is over. `false`
   * sends a message for each event, however many there are. @default { per: '5m', max: 20 }
   */
  readonly group?: GroupOptions | false;
  /** How long one message may take, 100 ms to 10 minutes; less than `handleTimeout`. @default '10s' */
  readonly sendTimeout?: Duration;
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
  refuseUnknownOptions(options, [...own, 'group', 'sendTimeout', ...SENSOR_OPTIONS], place);
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
  const handlers = alertHandlers(options, deliver);
  const given = Object.entries(options).filter(
    ([name, value]) => value !== undefined && (SENSOR_OPTIONS as readonly string[]).includes(name)
  );
  const chosen = { ...defaults, ...Object.fromEntries(given) };
  if (!isHealth(options.monitor)) return failureSensorWith(chosen, handlers);
  const aboutRuns = ABOUT_RUNS.find((name) => options[name] !== undefined);
  if (aboutRuns !== undefined) {
    throw new DefinitionError(
      `sensor '${chosen.name}' has '${aboutRuns}', which is about runs, and monitors the health of sensors; remove it`
    );
  }
  return healthSensorWith(chosen, handlers);
}

const ABOUT_RUNS = ['status', 'startFrom', 'ownRuns'] as const;

function isHealth(monitor: AlertOptions['monitor']): boolean {
  return typeof monitor === 'object' && monitor !== null && 'kind' in monitor;
}
