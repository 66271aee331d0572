/** Finding, starting and recovering loops: what the worker plugin and the client share. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import {
  LOOP_ID_PREFIX,
  LOOP_TYPE,
  PENDING_PAGES,
  PROTOCOL,
  SENSOR_MEMO,
  type LoopInput,
  type LoopOptions,
  type LoopState,
  type RequestPage,
} from '../sensors/protocol.js';
import type { KeyPage } from '../sensors/key-ledger.js';
import { audit, release } from '../workflows/rules.js';
import { configure, newState } from '../workflows/state.js';
import { withClosing } from './closings.js';
import { RENAMED_FROM } from './earlier-sensors.js';
import { describeExecution, type Description } from './executions.js';
import { isNotFound } from './not-found.js';
import { readPage, writePage } from './pages.js';
import { memoOf } from '../workflows/views.js';
import { foldHistory, type History } from './fold-history.js';

export function loopId(sensor: string): string {
  return LOOP_ID_PREFIX + sensor;
}

/**
 * The last run of a sensor's loop, or `undefined` when there is none.
 *
 * @throws when its memo cannot be decoded: whoever decides by it must not take it for an empty one
 */
export async function findLoop(client: Client, sensor: string): Promise<Description | undefined> {
  return await describeExecution(client, loopId(sensor));
}

interface Loop {
  readonly sensor: string;
  readonly taskQueue: string;
}

export interface NewLoop extends Loop {
  readonly options: LoopOptions;
  readonly state?: LoopState;
}

/**
 * @throws `WorkflowExecutionAlreadyStartedError` when the loop runs already
 */
export async function startLoop(client: Client, { sensor, taskQueue, options, state }: NewLoop): Promise<void> {
  const first = state ?? newState(options, Date.now());
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
    memo: { [SENSOR_MEMO]: memoOf(first) },
    workflowIdConflictPolicy: 'FAIL',
  });
}

/**
 * @param runId of one run of the loop. @default the last one
 * @throws `WorkflowNotFoundError` when the server has forgotten it
 */
export async function historyOf(client: Client, sensor: string, runId?: string): Promise<History> {
  try {
    return await client.workflow.getHandle(loopId(sensor), runId).fetchHistory();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new WorkflowNotFoundError((error as Error).message, loopId(sensor), undefined);
  }
}

/** The sensor goes on under another name. */
export class SensorRenamedError extends Error {
  override readonly name = 'SensorRenamedError';
  constructor(sensor: string, to: string) {
    super(`sensor '${sensor}' was renamed to '${to}', which has its cursor, keys and status now`);
  }
}

/** The sensor was forgotten on purpose. */
export class SensorPrunedError extends Error {
  override readonly name = 'SensorPrunedError';
  constructor(sensor: string) {
    super(`sensor '${sensor}' was pruned; it begins anew when a worker that has it starts`);
  }
}

/** The reason with which the loop of a pruned sensor is terminated. */
export const PRUNED = 'pruned';
/** Begins the reason with which the loop of a renamed sensor is terminated; the new name follows. */
const RENAMED_TO = 'renamed to ';

/** @param reason with which a loop was terminated */
export function isForGood(reason: string | undefined): boolean {
  return reason === PRUNED || reason?.startsWith(RENAMED_TO) === true;
}

/**
 * @throws {@link SensorRenamedError} or {@link SensorPrunedError} when the loop was ended for good
 */
function refuseEnded(sensor: string, history: History): void {
  const reason = endedFor(history) ?? '';
  if (reason === PRUNED) throw new SensorPrunedError(sensor);
  if (reason.startsWith(RENAMED_TO)) throw new SensorRenamedError(sensor, reason.slice(RENAMED_TO.length));
}

/** Why a loop was terminated. */
function endedFor({ events }: History): string | undefined {
  return events?.at(-1)?.workflowExecutionTerminatedEventAttributes?.reason ?? undefined;
}

/**
 * Ends the loop of a sensor's earlier name and gives its state, or nothing when there is no such loop. May be
 * repeated: until the loop of the new name runs, the closed one keeps everything.
 */
export async function takeOver(
  client: Client,
  { from, to, taskQueue }: { readonly from: string; readonly to: string; readonly taskQueue: string }
): Promise<LoopState | undefined> {
  const loop = await findLoop(client, from);
  // one on another task queue belongs to another application
  if (loop?.taskQueue !== taskQueue) return undefined;
  if (loop.status.name === 'RUNNING') {
    // one that cannot be folded must not be ended
    await foldHistory(client, await historyOf(client, from));
    await client.workflow.getHandle(loopId(from)).terminate(RENAMED_TO + to);
  }
  const history = await historyOf(client, from);
  const ended = endedFor(history);
  if (isForGood(ended) && ended !== RENAMED_TO + to) return undefined;
  const state = audit(await foldHistory(client, history), RENAMED_FROM + from, {}, Date.now());
  return await movePages(client, state, { sensor: to, taskQueue });
}

/** Pages belong to the sensor whose name is in their ID: the old ones are copied, and let go of by the new loop. */
async function movePages(
  client: Client,
  state: LoopState,
  owner: { readonly sensor: string; readonly taskQueue: string }
): Promise<LoopState> {
  const pages: KeyPage[] = [];
  for (const { id, ...memo } of state.ledger.pages) {
    const content = await readPage(client, id);
    pages.push({ id: await writePage(client, { ...owner, kind: 'keys', content, memo }), ...memo });
  }
  const staged: RequestPage[] = [];
  for (const { id, requests } of state.launch?.staged ?? []) {
    const content = await readPage(client, id);
    staged.push({ id: await writePage(client, { ...owner, kind: PENDING_PAGES, content }), requests });
  }
  const moved = { ...state, ledger: { ...state.ledger, pages } };
  return release(state.launch === undefined ? moved : { ...moved, launch: { ...state.launch, staged } }, [
    ...state.ledger.pages,
    ...(state.launch?.staged ?? []),
  ]);
}

/**
 * Starts a closed loop again with the cursor, keys, pending requests and status of its last run, folded from its
 * history; so no worker is needed. `options` are those of the definition; left out, those of the last run.
 */
export async function recoverLoop(
  client: Client,
  { sensor, taskQueue, options }: Loop & { readonly options?: LoopOptions }
): Promise<void> {
  const history = await historyOf(client, sensor);
  refuseEnded(sensor, history);
  const state = withClosing(await foldHistory(client, history), history, Date.now());
  const next = options === undefined ? state : configure(state, options, Date.now());
  await startLoop(client, { sensor, taskQueue, options: next.options, state: next });
}
