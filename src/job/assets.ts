/** What a job workflow says of the assets it makes. */
import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { SensorActivities } from '../activities/index.js';
import type { AssetEvent, AssetEventOptions } from '../sensors/asset-event.js';
import { checkMetadata, checkPartitionKey, producerOf } from '../sensors/asset-metadata.js';
import { assetNameOf, type AssetReference } from '../sensors/asset-name.js';
import { RUN_MEMO, type RunMemo } from '../sensors/protocol.js';

/**
 * Records that this run has made the asset. Ends when the event is on record; once, however often the run is replayed.
 *
 * @param asset its key (`['sales', 'orders']`) or name (`'sales/orders'`)
 * @throws `ApplicationFailure`, not retryable, for a name, partition or metadata that cannot be recorded
 */
export async function materialize(asset: AssetReference, options: AssetEventOptions = {}): Promise<void> {
  await send('materialization', asset, options);
}

/** Records what this run has seen of the asset, without making it; otherwise like {@link materialize}. */
export async function observe(asset: AssetReference, options: AssetEventOptions = {}): Promise<void> {
  await send('observation', asset, options);
}

async function send(
  kind: AssetEvent['kind'],
  asset: AssetReference,
  { partition, metadata }: AssetEventOptions
): Promise<void> {
  const name = assetNameOf(asset);
  const place = `asset '${name}'`;
  checkPartitionKey(partition, place);
  const { workflowId, runId, workflowType, memo } = workflowInfo();
  const run = memo?.[RUN_MEMO] as RunMemo | undefined;
  const { recordAssetEvent } = proxyActivities<Pick<SensorActivities, 'recordAssetEvent'>>({
    startToCloseTimeout: '20 seconds',
    summary: `${kind} of ${name}`,
    retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
  });
  await recordAssetEvent({
    asset: name,
    kind,
    ...(partition === undefined ? {} : { partitionKey: partition }),
    metadata: checkMetadata(metadata, place),
    producer: producerOf({ workflowId, runId, job: workflowType }, run),
  });
}
