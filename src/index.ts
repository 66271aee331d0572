// jobs
export { defineJob } from './sensors/define-job.js';
export { validateRunConfig } from './sensors/validate-run-config.js';
export type { ConfigIssue } from './sensors/validate-run-config.js';
export {
  dailyPartitions,
  dynamicPartitions,
  hourlyPartitions,
  staticPartitions,
  weeklyPartitions,
} from './sensors/partitions.js';
export type {
  DailyOptions,
  DynamicPartitions,
  HourlyOptions,
  KnownPartitions,
  PartitionRequest,
  PartitionSet,
  WeeklyOptions,
} from './sensors/partitions.js';
export type { JobConfig, JobConfigInput, JobDefinition, JobOptions } from './sensors/define-job.js';
// assets
export { defineAsset } from './sensors/define-asset.js';
export type { AssetDefinition, AssetOptions, AssetUpstream } from './sensors/define-asset.js';
export type { BackfillPartitions, BackfillPolicy } from './sensors/backfill.js';
export type { PartitionMapping } from './sensors/partition-mapping.js';
export { defineAssetSensor } from './sources/asset-sensor.js';
export type { AssetSensor, AssetSensorOptions } from './sources/asset-sensor.js';
export type { AssetSensorEvent } from './sensors/asset-sensor-event.js';
export { defineMultiAssetSensor } from './sources/multi-asset-sensor.js';
export type { MultiAssetContext, MultiAssetSensor, MultiAssetSensorOptions } from './sources/multi-asset-sensor.js';
export { allOf, anyOf } from './sensors/asset-condition.js';
export type { AllOfOptions, AssetCondition } from './sensors/asset-condition.js';
export type { AssetMatch } from './sensors/asset-match.js';
export type { AssetView } from './sensors/asset-view.js';
export { materialize, observe } from './activities/materialize.js';
export { readAsset } from './client/assets.js';
export type { RecordOptions } from './client/asset-events.js';
export type { AssetReference } from './sensors/asset-name.js';
export type {
  AssetEvent,
  AssetEventOptions,
  AssetProducer,
  AssetState,
  Metadata,
  MetadataInput,
  MetadataValue,
  NewAssetEvent,
  TickAssetEvent,
} from './sensors/asset-event.js';
// sensors
export { defineSensor } from './sensors/define-sensor.js';
export type {
  BackoffOptions,
  CursorInput,
  CursorOf,
  HealthChange,
  InitialCursorContext,
  Sensor,
  SensorContext,
  SensorDefinition,
  SensorLog,
  SensorOptions,
} from './sensors/define-sensor.js';
// sensors of runs
export { defineRunFailureSensor, defineRunStatusSensor } from './sources/run-status.js';
export type {
  FailureStatus,
  RunFailureSensorOptions,
  RunStatusSensor,
  RunStatusSensorOptions,
} from './sources/run-status.js';
export { defineSensorHealthSensor, sensorHealth } from './sources/sensor-health.js';
export type {
  SensorHealth,
  SensorHealthOptions,
  SensorHealthSensor,
  SensorHealthSensorOptions,
} from './sources/sensor-health.js';
export type { RunMonitor } from './sources/run-monitor.js';
export type { EventContext, Handled } from './sensors/event-handlers.js';
export type {
  FailedRun,
  FailureCause,
  HealthChangeKind,
  RunFailure,
  RunStatus,
  SensorHealthEvent,
  StatusRun,
} from './sensors/status-run.js';
export type {
  EventTestContext,
  MultiAssetTestContext,
  RunStatusTestContext,
  SensorTestContext,
} from './sensors/test-context.js';
// resources
export { defineResource } from './sensors/define-resource.js';
export type {
  BuiltResources,
  ResourceDefinition,
  ResourceInit,
  ResourceOptions,
  Resources,
  ResourceScope,
  ResourceValue,
} from './sensors/define-resource.js';
export { buildResources } from './sensors/build-resources.js';
export type { BuildResourcesOptions, ResourceConfig, ResourceSet } from './sensors/build-resources.js';
export { withResources } from './sensors/with-resources.js';
export type { ActivitiesWithResources } from './sensors/with-resources.js';
export { env } from './sensors/env.js';
export type { Environment, EnvValue, WithEnv } from './sensors/env.js';
export type { Evaluation, More, RunRequest, SensorResult, SkipReason } from './sensors/run-request.js';
// cursors
export { highWatermark } from './sensors/high-watermark.js';
export type {
  HighWatermark,
  HighWatermarkOptions,
  Taken,
  TakeOptions,
  WatermarkCursor,
} from './sensors/high-watermark.js';
// values and errors
export type { Duration } from './sensors/duration.js';
export type { Json } from './sensors/json.js';
export { ResourceError } from './sensors/describe-error.js';
export { DefinitionError, EvaluationError } from './sensors/errors.js';
export { RetryAfterError } from './sensors/retry-after-error.js';
