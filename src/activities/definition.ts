import { ApplicationFailure } from '@temporalio/common';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import type { SensorRegistry } from '../sensors/registry.js';

/** The definition of a sensor; a worker without it lets another one try. */
export function definitionOf({ sensors }: SensorRegistry, sensor: string): SensorDefinition {
  const definition = sensors.get(sensor);
  if (definition !== undefined) return definition;
  throw ApplicationFailure.create({
    message: `sensor '${sensor}' is not loaded by this worker`,
    type: FAILURE_TYPES.notLoaded,
  });
}
