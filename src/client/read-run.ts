/** The facts of a run that started or ended, from what lists of workflows have and as few requests as will do. */
import type { Client } from '@temporalio/client';
import {
  decodeArrayFromPayloads,
  decodeFromPayloadsAtIndex,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import { RUN_MEMO, type RunMemo } from '../sensors/protocol.js';
import { eventIdOf, type RunStatus, type StatusRun } from '../sensors/status-run.js';
import type { Execution } from './executions.js';
import { readEnd } from './run-end.js';
import { GONE, readCloseEvent, readFirstEvent, type RunOfWorkflow } from './run-history.js';
import { webLink } from './web-url.js';

const STATUSES: Readonly<Record<string, RunStatus>> = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  TIMED_OUT: 'timedOut',
  TERMINATED: 'terminated',
  CANCELLED: 'canceled',
  CONTINUED_AS_NEW: 'continuedAsNew',
};

/** How a run ended, by the names that Temporal's client has for it; nothing while it runs. */
export function statusOf({ status }: { readonly status: { readonly name: string } }): RunStatus | undefined {
  return STATUSES[status.name];
}

/**
 * A run as status sensors see it. Asks the server for its last event, unless it `started`, `completed` or was
 * `canceled`; a history that is gone or that another application's codec encoded costs only what it would have said.
 *
 * @param options.webUrl where Temporal Web is, for the link
 */
export async function statusRunOf(
  client: Client,
  execution: Execution,
  status: RunStatus,
  { webUrl }: { readonly webUrl?: string | undefined } = {}
): Promise<StatusRun> {
  const { workflowId, runId, startTime, executionTime, closeTime, parentExecution: parent } = execution;
  const memo = execution.memo ?? {};
  const startedBy = runMemoOf(memo);
  // one that waits for its time, as a retry does, begins after its start
  const begin = executionTime ?? startTime;
  const durationMs = closeTime && Math.max(0, closeTime.getTime() - begin.getTime());
  return {
    kind: 'run',
    eventId: eventIdOf(execution, status),
    status,
    at: status === 'started' ? startTime : (closeTime ?? startTime),
    workflowId,
    runId,
    type: execution.type,
    taskQueue: execution.taskQueue,
    startTime,
    ...(closeTime === undefined ? {} : { closeTime }),
    ...(durationMs === undefined ? {} : { durationMs }),
    memo,
    searchAttributes: execution.typedSearchAttributes,
    ...(startedBy === undefined ? {} : { startedBy }),
    ...(parent === undefined ? {} : { parent: { workflowId: parent.workflowId ?? '', runId: parent.runId ?? '' } }),
    ...(await readEnd(client, execution, status, durationMs)),
    ...(webUrl === undefined ? {} : { url: webLink(webUrl, client.options.namespace, execution) }),
    input: () => readInput(client, { workflowId, runId }),
    result: () => readResult(client, { workflowId, runId }, status),
  };
}

/** What the sensor or backfill that started the run wrote into its memo; memos of other applications hold anything. */
export function runMemoOf(memo: Readonly<Record<string, unknown>>): RunMemo | undefined {
  const value = memo[RUN_MEMO];
  if (typeof value !== 'object' || value === null) return undefined;
  const { sensor, job, tick, backfill, runKey, tags } = value as { readonly [Key in keyof RunMemo]?: unknown };
  const ours =
    (typeof sensor === 'string' ? typeof tick === 'number' : sensor === undefined && typeof backfill === 'string') &&
    typeof job === 'string' &&
    (runKey === undefined || typeof runKey === 'string') &&
    (tags === undefined || (typeof tags === 'object' && tags !== null));
  return ours ? (value as RunMemo) : undefined;
}

async function readInput(client: Client, run: RunOfWorkflow): Promise<readonly unknown[]> {
  const event = await readFirstEvent(client, run);
  if (event === undefined) throw goneError('input', run);
  const payloads = event.workflowExecutionStartedEventAttributes?.input?.payloads;
  return await decoded('input', run, () =>
    decodeArrayFromPayloads(client.options.loadedDataConverter, payloads, contextOf(client, run))
  );
}

async function readResult(client: Client, run: RunOfWorkflow, status: RunStatus): Promise<unknown> {
  if (status !== 'completed')
    throw new Error(`${nameOf(run)} has no result: its status is '${status}', and only 'completed' runs have one`);
  const event = await readCloseEvent(client, run);
  if (event === undefined) throw goneError('result', run);
  const { result } = event.workflowExecutionCompletedEventAttributes ?? {};
  const { lastCompletionResult } = event.workflowExecutionContinuedAsNewEventAttributes ?? {};
  const payloads = (result ?? lastCompletionResult)?.payloads;
  return await decoded('result', run, () =>
    decodeFromPayloadsAtIndex(client.options.loadedDataConverter, 0, payloads, contextOf(client, run))
  );
}

function contextOf(client: Client, { workflowId }: RunOfWorkflow) {
  return { type: 'workflow', namespace: client.options.namespace, workflowId } as const;
}

async function decoded<T>(what: string, run: RunOfWorkflow, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    throw new Error(`the ${what} of ${nameOf(run)} cannot be decoded with this client's data converter`, {
      cause: error,
    });
  }
}

function goneError(what: string, run: RunOfWorkflow): Error {
  return new Error(`the ${what} of ${nameOf(run)} cannot be read: ${GONE}`);
}

function nameOf({ workflowId, runId }: RunOfWorkflow): string {
  return `workflow '${workflowId}' (run ${runId})`;
}
