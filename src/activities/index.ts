/** The activities of the loop: everything that touches the world. Registered by `SensorsPlugin`. */
import type { SensorRegistry } from '../sensors/registry.js';
import type { ResourceContainer } from '../sensors/resource-container.js';
import { createEvaluateActivity } from './evaluate.js';
import { createControlActivities } from './control.js';
import { createEvaluator } from './evaluator.js';
import { createPreviewActivities } from './preview.js';
import { createPageActivities } from './pages.js';
import { createPartitionActivities } from './partitions.js';
import { createRepeatActivities } from './repeat.js';

export interface SensorActivityDependencies {
  readonly registry: SensorRegistry;
  readonly resources: ResourceContainer;
}

export function createSensorActivities(dependencies: SensorActivityDependencies) {
  const evaluator = createEvaluator(dependencies);
  return {
    ...createEvaluateActivity(dependencies, evaluator),
    ...createPreviewActivities(dependencies, evaluator),
    ...createControlActivities(dependencies),
    ...createPageActivities(),
    ...createPartitionActivities(),
    ...createRepeatActivities(dependencies),
  };
}

export type SensorActivities = ReturnType<typeof createSensorActivities>;
