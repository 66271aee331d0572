/** The activities of the loop: everything that touches the world. Registered by `SensorsPlugin`. */
import type { SensorRegistry } from '../sensors/registry.js';
import type { ResourceContainer } from '../sensors/resource-container.js';
import { createAssetActivities } from './assets.js';
import { createBackfillActivities } from './backfill.js';
import { createEvaluateActivity } from './evaluate.js';
import { createControlActivities } from './control.js';
import { createEvaluator } from './evaluator.js';
import { createPreviewActivities } from './preview.js';
import { createPageActivities } from './pages.js';
import { createPartitionActivities } from './partitions.js';
import { createRepeatActivities } from './repeat.js';
import { SearchAttributes } from './search-attributes.js';

export interface SensorActivityDependencies {
  readonly registry: SensorRegistry;
  readonly resources: ResourceContainer;
}

export function createSensorActivities(dependencies: SensorActivityDependencies) {
  const searchAttributes = new SearchAttributes();
  const evaluator = createEvaluator(dependencies, searchAttributes);
  return {
    ...createEvaluateActivity(dependencies, evaluator),
    ...createPreviewActivities(dependencies, evaluator, searchAttributes),
    ...createControlActivities(dependencies),
    ...createPageActivities(searchAttributes),
    ...createPartitionActivities(),
    ...createAssetActivities(dependencies),
    ...createBackfillActivities(dependencies, searchAttributes),
    ...createRepeatActivities(dependencies, searchAttributes),
  };
}

export type SensorActivities = ReturnType<typeof createSensorActivities>;
