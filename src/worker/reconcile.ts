/**
 * Brings the loops on the cluster in line with the definitions of a worker that starts: a missing loop is started,
 * an existing one is told of changed options by signal and never restarted, a closed one comes back with its state.
 */
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { Runtime, type Worker } from '@temporalio/worker';
import { findLoop, recoverLoop, startLoop } from '../client/loops.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError } from '../sensors/errors.js';
import { PROTOCOL, SENSOR_MEMO, SIGNALS, type LoopOptions, type SensorMemo } from '../sensors/protocol.js';
import type { SensorRegistry } from '../sensors/registry.js';

const LOOKUPS_AT_ONCE = 20;

/**
 * Looks at every loop, and only if none belongs to another application brings them in line.
 *
 * @throws {@link DefinitionError} when a sensor of that name belongs to another application
 */
export async function reconcileAll(worker: Worker, registry: SensorRegistry): Promise<void> {
  const { client } = worker;
  const { taskQueue } = worker.options;
  if (client === undefined) return;
  const sensors = [...registry.sensors];
  await inBatches(sensors, async ([sensor]) => {
    const loop = await findLoop(client, sensor);
    if (loop?.status.name !== 'RUNNING' || loop.taskQueue === taskQueue) return;
    throw new DefinitionError(
      `sensor '${sensor}' already runs in namespace '${worker.options.namespace}' for another application, whose task queue is ` +
        `'${loop.taskQueue}' (this worker's is '${taskQueue}'). Give one of them a prefix: new SensorsPlugin({ prefix: 'my-app-', … }). ` +
        `If this application moved to another task queue, terminate workflow 'sensor/${sensor}' first; it comes back with its state`
    );
  });
  await inBatches(sensors, ([sensor, definition]) => reconcile(client, worker, sensor, definition));
}

async function reconcile(client: Client, worker: Worker, sensor: string, definition: SensorDefinition): Promise<void> {
  const { taskQueue } = worker.options;
  const options = loopOptions(definition);
  for (;;) {
    const loop = await findLoop(client, sensor);
    try {
      if (loop === undefined) return await startLoop(client, { sensor, taskQueue, options });
      if (loop.status.name !== 'RUNNING') return await recover(client, { sensor, taskQueue, options });
      const memo = loop.memo?.[SENSOR_MEMO] as SensorMemo | undefined;
      if (memo?.options === JSON.stringify(options) && memo.protocol >= PROTOCOL) return;
      return await client.workflow
        .getHandle(loop.workflowId)
        .signal(SIGNALS.configure, { options, protocol: PROTOCOL });
    } catch (error) {
      // another worker was faster, or the loop closed meanwhile: look again
      if (!(error instanceof WorkflowExecutionAlreadyStartedError || error instanceof WorkflowNotFoundError))
        throw error;
    }
  }
}

/** A closed loop that cannot be recovered stays closed, and never starts from nothing; the other sensors go on. */
async function recover(client: Client, loop: Parameters<typeof recoverLoop>[1]): Promise<void> {
  try {
    await recoverLoop(client, loop);
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw error;
    Runtime.instance().logger.error(`sensor '${loop.sensor}' is closed and could not be recovered from its history`, {
      error,
    });
  }
}

/** What the loop needs of a definition. Field order is fixed: the memo compares it as text. */
export function loopOptions(definition: SensorDefinition): LoopOptions {
  return {
    intervalMs: definition.intervalMs,
    timeoutMs: definition.timeoutMs,
    defaultStatus: definition.defaultStatus,
    maxEventAttempts: definition.maxEventAttempts,
    hooks: { onFailure: definition.onFailure !== undefined, onRecovered: definition.onRecovered !== undefined },
    jobs: definition.jobs.map(({ name }) => name),
    ...(definition.description === undefined ? {} : { description: definition.description }),
    tags: definition.tags,
    owners: definition.owners,
  };
}

async function inBatches<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let index = 0; index < items.length; index += LOOKUPS_AT_ONCE) {
    await Promise.all(items.slice(index, index + LOOKUPS_AT_ONCE).map(act));
  }
}
