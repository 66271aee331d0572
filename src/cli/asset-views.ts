/** The JSON of `sensors assets … --json`; see views.ts for its rules. */
import type { AssetDescription, AssetReader, AssetSummary, ListedAssetEvent } from '../client/index.js';
import type { AssetEvent } from '../sensors/asset-event.js';
import { keyOf } from '../sensors/asset-sensor-event.js';
import type { WebUrlOf } from './session.js';
import { iso } from './views.js';

/** One element of `assets list`. */
export function assetView(asset: AssetSummary) {
  const { recorded } = asset;
  return {
    asset: asset.asset,
    owners: asset.owners,
    watchers: asset.watchers,
    upstream: asset.upstream,
    downstream: asset.downstream,
    partitions: asset.partitions,
    description: asset.description,
    metadata: asset.metadata,
    log: asset.log,
    recorded:
      recorded === undefined
        ? undefined
        : {
            last: recorded.last,
            materializations: recorded.materializations,
            observations: recorded.observations,
            partitions: recorded.partitions,
            partitionsForgotten: recorded.partitionsForgotten,
            materializedAt: iso(recorded.materializedAt),
            observedAt: iso(recorded.observedAt),
          },
    unknown: asset.unknown,
    problems: asset.problems,
  };
}

/** The object of `assets show`. */
export function assetDescriptionView(asset: AssetDescription, webUrlOf: WebUrlOf) {
  const { state, stateError, taskQueue, workflowId, runId, ancestors, descendants } = asset;
  const latest = (event: AssetEvent | undefined) =>
    event === undefined ? undefined : assetEventView({ ...event, key: keyOf(event, state?.id ?? '') }, webUrlOf);
  return {
    ...assetView(asset),
    ancestors,
    descendants,
    readers: asset.readers.map(readerView),
    taskQueue,
    workflowId,
    state:
      state === undefined
        ? undefined
        : {
            id: state.id,
            first: state.first,
            last: state.last,
            materializations: state.materializations,
            observations: state.observations,
            duplicates: state.duplicates,
            refused: state.refused,
            latestMaterialization: latest(state.latestMaterialization),
            latestObservation: latest(state.latestObservation),
            partitions: state.partitions.map(({ partitionKey, position, at }) => ({
              partitionKey,
              position,
              at: iso(at),
            })),
            partitionsForgotten: state.partitionsForgotten,
            retention: state.retention,
            droppedSubscribers: state.droppedSubscribers.map(({ sensor, position, at, droppedAt, reason }) => ({
              sensor,
              position,
              at: iso(at),
              droppedAt: iso(droppedAt),
              reason,
            })),
          },
    stateError,
    webUrl: workflowId === undefined || runId === undefined ? undefined : webUrlOf({ workflowId, runId }),
  };
}

function readerView({ sensor, status, reads, position, lag, open, retried, parked, at, keptAfter }: AssetReader) {
  return { sensor, status, reads, position, lag, open, retried, parked, at: iso(at), keptAfter };
}

/** One element of `assets events`. */
export function assetEventView(event: ListedAssetEvent, webUrlOf: WebUrlOf) {
  const { position, key, kind, eventId, at, partitionKey, metadata, producer } = event;
  const { workflowId, runId, job, sensor, tick, runKey } = producer;
  return {
    position,
    key,
    kind,
    at: iso(at),
    partitionKey,
    metadata,
    producer: { workflowId, runId, job, sensor, tick, runKey },
    eventId,
    webUrl: workflowId === undefined || runId === undefined ? undefined : webUrlOf({ workflowId, runId }),
  };
}
