/**
 * Brings the loops on the cluster in line with the definitions of a worker that starts: a missing loop is started,
 * an existing one is told of changed options by signal and never restarted, a closed one comes back with its state.
 */
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type Client } from '@temporalio/client';
import { Runtime, type Worker } from '@temporalio/worker';
import { inBatches } from '../client/batches.js';
import { unsubscribeAsset } from '../client/assets.js';
import { findLedgerPages, openPages } from '../client/ledger-pages.js';
import {
  findLoop,
  recoverLoop,
  SensorPrunedError,
  SensorRenamedError,
  startLoop,
  takeOver,
  type NewLoop,
} from '../client/loops.js';
import { watchedBy } from '../client/prune.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError } from '../sensors/errors.js';
import { EMPTY_LEDGER, type KeyPage } from '../sensors/key-ledger.js';
import { registeredOptions } from '../sensors/run-interest.js';
import { PROTOCOL, SENSOR_MEMO, SIGNALS, type LoopState, type SensorMemo } from '../sensors/protocol.js';
import { earlierName, type SensorRegistry } from '../sensors/registry.js';
import { configure, newState } from '../workflows/state.js';

const LOOKUPS_AT_ONCE = 20;

/**
 * Looks at every loop, and only if none belongs to another application brings them in line.
 *
 * @throws {@link DefinitionError} when a sensor of that name belongs to another application, or the server does not
 *   understand what a sensor monitors
 */
export async function reconcileAll(worker: Worker, registry: SensorRegistry): Promise<void> {
  const { client } = worker;
  const { taskQueue } = worker.options;
  if (client === undefined) return;
  const sensors = [...registry.sensors];
  await inBatches(sensors, LOOKUPS_AT_ONCE, async ([sensor]) => {
    const loop = await findLoop(client, sensor);
    if (loop?.status.name !== 'RUNNING' || loop.taskQueue === taskQueue) return;
    throw new DefinitionError(
      `sensor '${sensor}' already runs in namespace '${worker.options.namespace}' for another application, whose task queue is ` +
        `'${loop.taskQueue}' (this worker's is '${taskQueue}'). Give one of them a prefix: new SensorsPlugin({ prefix: 'my-app-', … }). ` +
        `If this application moved to another task queue, terminate workflow 'sensor/${sensor}' first; it comes back with its state`
    );
  });
  const application = { jobs: [...registry.jobs.keys()], prefix: registry.prefix };
  await inBatches(sensors, LOOKUPS_AT_ONCE, async ([, { checkOnServer }]) => checkOnServer?.(client, application));
  const sealed = sealedKeys(client);
  await inBatches(sensors, LOOKUPS_AT_ONCE, ([sensor, definition]) =>
    reconcile({ client, taskQueue, registry, sealed }, sensor, definition)
  );
}

interface Cluster {
  readonly client: Client;
  readonly taskQueue: string;
  readonly registry: SensorRegistry;
  /** Run keys of an earlier life of a sensor, asked for only when a loop is missing. */
  readonly sealed: (sensor: string) => Promise<readonly KeyPage[]>;
}

function sealedKeys(client: Client): Cluster['sealed'] {
  let pages: ReturnType<typeof findLedgerPages> | undefined;
  return async (sensor) => {
    try {
      pages ??= findLedgerPages(client);
      return await openPages(client, (await pages).get(sensor) ?? []);
    } catch (error) {
      Runtime.instance().logger.warn(
        `sensor '${sensor}' is new here; whether it has run keys of an earlier life cannot be seen, because workflows cannot be listed`,
        { error }
      );
      return [];
    }
  };
}

async function reconcile(
  { client, taskQueue, registry, sealed }: Cluster,
  sensor: string,
  definition: SensorDefinition
): Promise<void> {
  const options = registeredOptions(registry, definition);
  for (;;) {
    const loop = await findLoop(client, sensor);
    try {
      if (loop === undefined) {
        const state = await firstState({ client, taskQueue, registry, sealed }, sensor, definition);
        if (state === 'unknown') return;
        return await startLoop(client, { sensor, taskQueue, options, ...(state === undefined ? {} : { state }) });
      }
      if (loop.status.name !== 'RUNNING') return await recover(client, { sensor, taskQueue, options });
      const memo = loop.memo?.[SENSOR_MEMO] as SensorMemo | undefined;
      if (memo?.options === JSON.stringify(options) && memo.protocol >= PROTOCOL) return;
      // first: once the loop is told, nobody knows any more what it watched
      const before = watchedBy(loop);
      const watches = definition.watches.map(({ name }) => name);
      for (const asset of before) if (!watches.includes(asset)) await unsubscribeAsset(client, asset, sensor);
      const handle = client.workflow.getHandle(loop.workflowId);
      // it begins in an asset when it first looks at it: what is recorded until its next interval would pass it by. A
      // worker that dies in between does it again: until the loop is told, its memo is not what is asked for
      const takesEvents = definition.events !== undefined;
      if (takesEvents && watches.some((asset) => !before.includes(asset))) await handle.signal(SIGNALS.push);
      await handle.signal(SIGNALS.configure, { options, protocol: PROTOCOL });
      return;
    } catch (error) {
      // another worker was faster, or the loop closed meanwhile: look again
      if (!(error instanceof WorkflowExecutionAlreadyStartedError || error instanceof WorkflowNotFoundError))
        throw error;
    }
  }
}

/** What a sensor that has no loop begins with: the state of its earlier name, or the run keys that outlived it. */
async function firstState(
  { client, taskQueue, registry, sealed }: Cluster,
  sensor: string,
  definition: SensorDefinition
): Promise<LoopState | undefined | 'unknown'> {
  const options = registeredOptions(registry, definition);
  const earlier = earlierName(sensor, definition);
  try {
    const moved = { from: earlier ?? '', to: sensor, taskQueue };
    const taken = earlier === undefined ? undefined : await takeOver(client, moved);
    if (taken !== undefined) return configure(taken, options, Date.now());
  } catch (error) {
    // from nothing it would run everything again
    Runtime.instance().logger.error(
      `sensor '${sensor}' was not started: what it was as '${earlier ?? ''}' could not be taken over`,
      { error }
    );
    return 'unknown';
  }
  const pages = await sealed(sensor);
  if (pages.length === 0) return undefined;
  return { ...newState(options, Date.now()), ledger: { ...EMPTY_LEDGER, pages } };
}

/** A closed loop that cannot be recovered stays closed, and never starts from nothing; the other sensors go on. */
async function recover(client: Client, loop: NewLoop): Promise<void> {
  try {
    await recoverLoop(client, loop);
  } catch (error) {
    if (error instanceof SensorPrunedError) return await startLoop(client, loop);
    if (error instanceof SensorRenamedError) return Runtime.instance().logger.warn(error.message);
    if (error instanceof WorkflowExecutionAlreadyStartedError || error instanceof WorkflowNotFoundError) throw error;
    Runtime.instance().logger.error(`sensor '${loop.sensor}' is closed and could not be recovered from its history`, {
      error,
    });
  }
}
