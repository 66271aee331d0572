/**
 * The workflow types of this package. Re-export them from your workflow module, since Temporal bundles one module:
 *
 * ```ts
 * export * from 'temporal-sensors/workflows';
 * ```
 */
export { sensorLoop } from './sensor-loop.js';
export { sensorPage } from './page.js';
export { sensorPartitions } from './partitions.js';
export { sensorAssetLog } from './asset-log.js';
export { sensorBackfill } from './backfill.js';
