export { SensorClient, SensorNotFoundError, SensorRejectedError } from './sensor-client.js';
export type { SensorDescription, SensorSummary, SensorWorker } from './sensor-client.js';
export type { Explanation, Question, RunAnswer } from './explain.js';
export type { KeyAnswer } from './explain-key.js';
export type { TimeAnswer } from './explain-time.js';
export type { Standing } from './standing.js';
export type { RunFilter, SensorRun } from './list-runs.js';
export type { SensorFilter } from './sensor-filter.js';
export type { TickHistoryOptions } from './read-ticks.js';
export type { RecentTicks } from './tick-facts.js';
export type { EvaluationStatus } from './describe-pending.js';
export type { Pruned } from './prune.js';
export type {
  DeadLetter,
  DeadLetterEdit,
  KeyEdit,
  Note,
  Preview,
  PreviewEdit,
  PreviewedRequest,
  RerunResult,
  RetryResult,
  SensorState,
  TickRecord,
  TickStatus,
} from '../sensors/protocol.js';
export {
  AssetLogBusyError,
  assetState,
  readAsset,
  recordAssetEvents,
  retainAsset,
  subscribeAsset,
  unsubscribeAsset,
} from './assets.js';
export type { AssetLogOptions } from './assets.js';
export type { ClientRecordOptions, RecordOptions } from './asset-events.js';
