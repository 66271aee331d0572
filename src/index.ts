// jobs
export { defineJob } from './sensors/define-job.js';
export type { JobConfig, JobConfigInput, JobDefinition, JobOptions } from './sensors/define-job.js';
// sensors
export { defineSensor } from './sensors/define-sensor.js';
export type {
  BackoffOptions,
  CursorInput,
  CursorOf,
  HealthChange,
  InitialCursorContext,
  SensorContext,
  SensorDefinition,
  SensorLog,
  SensorOptions,
} from './sensors/define-sensor.js';
export type { Evaluation, More, RunRequest, SensorResult, SkipReason } from './sensors/run-request.js';
// values and errors
export type { Duration } from './sensors/duration.js';
export type { Json } from './sensors/json.js';
export { DefinitionError, EvaluationError } from './sensors/errors.js';
export { RetryAfterError } from './sensors/retry-after-error.js';
