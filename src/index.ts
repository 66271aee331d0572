// jobs
export { defineJob } from './sensors/define-job.js';
export type { JobConfig, JobConfigInput, JobDefinition, JobOptions } from './sensors/define-job.js';
// sensors
export { defineSensor } from './sensors/define-sensor.js';
export type {
  CursorInput,
  CursorOf,
  HealthChange,
  SensorContext,
  SensorDefinition,
  SensorLog,
  SensorOptions,
} from './sensors/define-sensor.js';
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
export { DefinitionError, EvaluationError } from './sensors/errors.js';
