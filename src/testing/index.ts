// without a server
export { buildSensorContext } from './context.js';
export type { SensorTestContextOptions } from './context.js';
export { buildRunStatusSensorContext } from './run-context.js';
export type { RunStatusTest, RunStatusTestOptions } from './run-context.js';
export type { RunFacts } from './run-facts.js';
export { buildAssetSensorContext } from './asset-context.js';
export type { AssetTest, AssetTestOptions } from './asset-context.js';
export { buildMultiAssetSensorContext } from './multi-asset-context.js';
export type { MultiAssetTest, MultiAssetTestOptions } from './multi-asset-context.js';
export type { AssetEventFacts } from './asset-facts.js';
export { evaluateTick } from './evaluate-tick.js';
export type { EvaluateTickOptions, StartedRun, TickOutcome } from './evaluate-tick.js';
export { simulate } from './simulate.js';
export type {
  QuietStretch,
  SimulatedAssetEvent,
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
export type { MadeAssetsOption } from './simulated-assets.js';
export type { KnownKeysOption, PartitionsOption } from './simulated-state.js';
export type { MockS3, MockS3Operation, MockS3Options } from './mock-s3.js';
export type {
  EventTestContext,
  MultiAssetTestContext,
  RunStatusTestContext,
  SensorTestContext,
} from '../sensors/test-context.js';
// with a server
export { createSensorTestEnvironment } from './environment.js';
export type { SensorTestEnvironment, SensorTestEnvironmentOptions } from './environment.js';
export { executeJob } from './execute-job.js';
export type { ExecutedJob, ExecuteJobOptions } from './execute-job.js';
