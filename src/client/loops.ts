/** Finding, starting and recovering loops: what the worker plugin and the client share. */
import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import {
  LOOP_ID_PREFIX,
  LOOP_TYPE,
  PROTOCOL,
  SENSOR_MEMO,
  type LoopInput,
  type LoopOptions,
  type LoopState,
  type SensorMemo,
} from '../sensors/protocol.js';
import { configure } from '../workflows/state.js';
import { foldHistory } from './fold-history.js';
import { sensorMemo } from '../sensors/memo.js';

export function loopId(sensor: string): string {
  return LOOP_ID_PREFIX + sensor;
}

/** The last run of a sensor's loop, or `undefined` when there is none. */
export async function findLoop(client: Client, sensor: string): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(loopId(sensor)).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

interface Loop {
  readonly sensor: string;
  readonly taskQueue: string;
}

/**
 * @throws `WorkflowExecutionAlreadyStartedError` when the loop runs already
 */
export async function startLoop(
  client: Client,
  { sensor, taskQueue, options, state }: Loop & { readonly options: LoopOptions; readonly state?: LoopState }
): Promise<void> {
  const input: LoopInput = {
    sensor,
    protocol: PROTOCOL,
    options,
    ...(state === undefined ? {} : { state }),
  };
  await client.workflow.start(LOOP_TYPE, {
    workflowId: loopId(sensor),
    taskQueue,
    args: [input],
    memo: { [SENSOR_MEMO]: firstMemo(options, state) },
    workflowIdConflictPolicy: 'FAIL',
  });
}

/**
 * Starts a closed loop again with the cursor, keys, pending requests and status of its last run, folded from its
 * history; so no worker is needed. `options` are those of the definition; left out, those of the last run.
 */
export async function recoverLoop(
  client: Client,
  { sensor, taskQueue, options }: Loop & { readonly options?: LoopOptions }
): Promise<void> {
  const state = await foldHistory(client, await client.workflow.getHandle(loopId(sensor)).fetchHistory());
  const next = options === undefined ? state : configure(state, options, Date.now());
  await startLoop(client, { sensor, taskQueue, options: next.options, state: next });
}

/** What is known before the loop's first task. */
function firstMemo(options: LoopOptions, state: LoopState | undefined): SensorMemo {
  const { choice } = state ?? {};
  return sensorMemo({
    options,
    ...(choice === undefined ? {} : { choice }),
    health: state?.health ?? { status: 'ok', since: Date.now(), failures: 0 },
    deadLetters: state?.deadLetters ?? [],
    running: (choice?.status ?? options.defaultStatus) === 'running',
    pending: state?.launch?.remaining.length ?? 0,
  });
}
