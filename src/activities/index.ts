/** The activities of the loop: everything that touches the world. Registered by `SensorsPlugin`. */
import type { SensorRegistry } from '../sensors/registry.js';
import type { ResourceContainer } from '../sensors/resource-container.js';
import { createEvaluateActivity } from './evaluate.js';
import { createControlActivities } from './control.js';
import { createPageActivities } from './pages.js';
import { createPartitionActivities } from './partitions.js';
import { createRepeatActivities } from './repeat.js';

export interface SensorActivityDependencies {
  readonly registry: SensorRegistry;
  readonly resources: ResourceContainer;
}

export function createSensorActivities(dependencies: SensorActivityDependencies) {
  return {
    ...createEvaluateActivity(dependencies),
    ...createControlActivities(dependencies),
    ...createPageActivities(),
    ...createPartitionActivities(),
    ...createRepeatActivities(dependencies),
  };
}

export type SensorActivities = ReturnType<typeof createSensorActivities>;
