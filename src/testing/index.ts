// without a server
export { buildSensorContext } from './context.js';
export type { SensorTestContextOptions } from './context.js';
export { evaluateTick } from './evaluate-tick.js';
export type { EvaluateTickOptions, StartedRun, TickOutcome } from './evaluate-tick.js';
export { simulate } from './simulate.js';
export type {
  QuietStretch,
  SimulatedFailure,
  SimulatedLogLine,
  SimulatedRun,
  SimulateOptions,
  Simulation,
  SimulationControl,
} from './simulate.js';
export { mockS3 } from './mock-s3.js';
export { SimulationError } from './simulated-loop.js';
export type { CrashPoint, Crashes, CrashStep } from './crashes.js';
export type { Change, Changes, TimedChanges } from './timeline.js';
export type { KnownKeysOption, PartitionsOption } from './simulated-state.js';
export type { MockS3, MockS3Operation, MockS3Options } from './mock-s3.js';
export type { SensorTestContext } from '../sensors/test-context.js';
// with a server
export { createSensorTestEnvironment } from './environment.js';
export type { SensorTestEnvironment, SensorTestEnvironmentOptions } from './environment.js';
