/** What an author's activity says of the assets it makes. */
import { Context } from '@temporalio/activity';
import { newAssetEvent, type RecordOptions } from '../client/asset-events.js';
import { chooseLogQueue } from '../client/asset-queue.js';
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
  run?: Promise<Run>;
}

/** The run of the activity. */
interface Run {
  readonly producer: AssetProducer;
  /** Of the workflow: a worker with activities alone runs no logs. */
  readonly taskQueue?: string;
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
  attempt.run ??= readRun(context);
  const { producer, taskQueue: workflowQueue = info.taskQueue } = await attempt.run;
  const event = await newAssetEvent(client, kind, asset, options, { eventId, producer });
  const queues = options.taskQueue === undefined ? [info.taskQueue, workflowQueue] : [options.taskQueue];
  await recordAssetEvents(client, [event], { taskQueue: await chooseLogQueue(client, event.asset, queues) });
}

/** What is known of the run, and of the sensor that started it. */
async function readRun({ client, info }: Context): Promise<Run> {
  const { workflowExecution: execution, workflowType } = info;
  if (execution === undefined) return { producer: {} };
  const { memo, taskQueue } = await client.workflow.getHandle(execution.workflowId, execution.runId).describe();
  const startedBy = memo?.[RUN_MEMO] as RunMemo | undefined;
  return { producer: producerOf({ ...execution, job: workflowType ?? '' }, startedBy), taskQueue };
}
