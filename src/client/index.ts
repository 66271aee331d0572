export { SensorClient, SensorNotFoundError, SensorRejectedError } from './sensor-client.js';
export { BackfillClient, BackfillNotFoundError, BackfillRejectedError } from './backfills.js';
export type { Backfill, BackfillOptions, StartedBackfill, UntakenOrder } from './backfills.js';
export type {
  BackfillFailure,
  BackfillNote,
  BackfillPartitions,
  BackfillPolicy,
  BackfillPreview,
  BackfillProgress,
  BackfillRequest,
  BackfillResult,
  BackfillRun,
  BackfillStatus,
} from '../sensors/backfill.js';
export { ReadOnlyError } from './read-only.js';
export type { SensorClientOptions } from './read-only.js';
export type { CursorBeforeOptions, SensorDescription, SensorSummary, SensorWorker } from './sensor-client.js';
export { NoSuchJobError, type ExplainOptions, type Explanation, type Question } from './explain.js';
export type { EventAnswer } from './explain-event.js';
export type { BackfillOfRun, RunAnswer } from './explain-run.js';
export type { RunAgain } from './explain-again.js';
export type { KeyAnswer } from './explain-key.js';
export type { TimeAnswer } from './explain-time.js';
export type { Standing } from './standing.js';
export type { RunFilter, SensorRun } from './list-runs.js';
export type { SensorFilter } from './sensor-filter.js';
export type { OnHistory, TickHistoryOptions } from './read-ticks.js';
export type { RecentTicks } from './tick-facts.js';
export type { EvaluationStatus } from './describe-pending.js';
export type { Pruned, PrunedAsset, PruneOptions } from './prune.js';
export type { StoredCursor } from '../sensors/cursor.js';
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
  AssetLogUnavailableError,
  assetState,
  readAsset,
  recordAssetEvents,
  retainAsset,
  subscribeAsset,
  unsubscribeAsset,
} from './assets.js';
export type { AssetLogOptions } from './assets.js';
export { AssetNotFoundError } from './asset-catalog.js';
export type { AssetRecorded, AssetSummary } from './asset-catalog.js';
export type { AssetDescription, AssetLogFacts, AssetRelative, DescribeAssetOptions } from './describe-asset.js';
export type { AssetReader } from './asset-readers.js';
export type { LastPosition, WatchedAsset } from './watched-assets.js';
export type { AssetEventsOptions, ListedAssetEvent } from './list-asset-events.js';
export type { ClientRecordOptions, RecordOptions } from './asset-events.js';
