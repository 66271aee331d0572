export { SensorClient, SensorNotFoundError, SensorRejectedError } from './sensor-client.js';
export type { SensorDescription, SensorRun, SensorSummary, SensorWorker } from './sensor-client.js';
export type { SensorFilter } from './sensor-filter.js';
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
