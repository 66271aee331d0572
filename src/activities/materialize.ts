/** What an author's activity says of the assets it makes. */
import { Context } from '@temporalio/activity';
import { newAssetEvent, type RecordOptions } from '../client/asset-events.js';
import { recordAssetEvents } from '../client/assets.js';
import type { AssetEvent, AssetProducer } from '../sensors/asset-event.js';
import { producerOf } from '../sensors/asset-metadata.js';
import { assetNameOf, type AssetReference } from '../sensors/asset-name.js';
import { rejected } from '../sensors/failures.js';
import { RUN_MEMO, type RunMemo } from '../sensors/protocol.js';

/** What one attempt has recorded. */
interface Attempt {
  /** How often each event that looks the same came. */
  readonly counts: Map<string, number>;
  producer?: Promise<AssetProducer>;
}

/** Their attempts may record nothing by themselves: most of what they find is not committed. */
const EVALUATIONS = new Set(['evaluateSensor', 'previewSensor']);

const attempts = new WeakMap<Context, Attempt>();

/**
 * Records, from inside an activity, that the asset was made. Ends when the event is on record. An attempt that repeats
 * another records nothing twice: the event's ID is the run's, the activity's, the partition's and a number.
 *
 * @param asset its definition, key (`['sales', 'orders']`) or name (`'sales/orders'`)
 * @throws `ApplicationFailure`, not retryable, for a name, partition or metadata that cannot be recorded
 */
export async function materialize(asset: AssetReference, options: RecordOptions = {}): Promise<void> {
  await send('materialization', asset, options);
}

/** Records, from inside an activity, what was seen of the asset without making it; otherwise like {@link materialize}. */
export async function observe(asset: AssetReference, options: RecordOptions = {}): Promise<void> {
  await send('observation', asset, options);
}

async function send(kind: AssetEvent['kind'], asset: AssetReference, options: RecordOptions): Promise<void> {
  const context = Context.current();
  const { client, info } = context;
  if (EVALUATIONS.has(info.activityType))
    throw rejected(
      `${kind === 'materialization' ? 'materialize' : 'observe'} of temporal-sensors is for the activities of jobs; ` +
        `in a sensor, ctx.${kind === 'materialization' ? 'materialize' : 'observe'} records with the tick`
    );
  const attempt: Attempt = attempts.get(context) ?? { counts: new Map() };
  attempts.set(context, attempt);
  const same = JSON.stringify([kind, assetNameOf(asset), options.partition]);
  const count = attempt.counts.get(same) ?? 0;
  attempt.counts.set(same, count + 1);
  const eventId = JSON.stringify([
    info.workflowExecution?.runId,
    info.activityId,
    options.partition ?? '',
    kind,
    count,
  ]);
  attempt.producer ??= readProducer(context);
  const event = await newAssetEvent(client, kind, asset, options, { eventId, producer: await attempt.producer });
  await recordAssetEvents(client, [event], { taskQueue: info.taskQueue });
}

/** The run of the activity, and the sensor that started it. */
async function readProducer({ client, info }: Context): Promise<AssetProducer> {
  const { workflowExecution: execution, workflowType } = info;
  if (execution === undefined) return {};
  const { memo } = await client.workflow.getHandle(execution.workflowId, execution.runId).describe();
  const startedBy = memo?.[RUN_MEMO] as RunMemo | undefined;
  return producerOf({ ...execution, job: workflowType ?? '' }, startedBy);
}
