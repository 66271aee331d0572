/** How a run ended: why, and what came after it. What lists of workflows have does not say; its last event does. */
import type { Client } from '@temporalio/client';
import type { RunFailure, RunStatus } from '../sensors/status-run.js';
import { failureOf } from './run-failure.js';
import { GONE, readCloseEvent, type HistoryEvent, type RunOfWorkflow } from './run-history.js';
import { formatDuration } from '../sensors/text.js';

export interface RunEnd {
  /** Absent for a run that did not end badly. */
  readonly failure?: RunFailure;
  /** The run that Temporal made after this one: a retry, or what it continued as. */
  readonly nextRunId?: string;
}

/** As whom the server ends the run that a reset replaces. */
const RESETTER = 'history-resetter';

/** One request, or none where the status says it all. @param durationMs how long the run took, where it is known */
export async function readEnd(
  client: Client,
  run: RunOfWorkflow,
  status: RunStatus,
  durationMs?: number
): Promise<RunEnd> {
  if (status === 'started' || status === 'completed') return {};
  if (status === 'canceled') return { failure: plainly('canceled') };
  const event = await readCloseEvent(client, run);
  const nextRunId = successorOf(event);
  const next = nextRunId === undefined ? {} : { nextRunId };
  if (status === 'continuedAsNew') return next;
  if (status === 'failed') return { failure: await failureIn(client, event, run), ...next };
  if (status === 'terminated') return { failure: plainly(terminationIn(event)) };
  const message = durationMs === undefined ? 'timed out' : `timed out after ${formatDuration(durationMs)}`;
  return { failure: plainly(message), ...next };
}

async function failureIn(
  client: Client,
  event: HistoryEvent | undefined,
  { workflowId }: RunOfWorkflow
): Promise<RunFailure> {
  if (event === undefined) return plainly(`failed; ${GONE}`);
  const failure = attributesOf(event)?.failure;
  return failure == null ? plainly('failed without a failure') : await failureOf(client, failure, workflowId);
}

function terminationIn(event: HistoryEvent | undefined): string {
  if (event === undefined) return `terminated; ${GONE}`;
  const { reason, identity } = event.workflowExecutionTerminatedEventAttributes ?? {};
  const by = identity ? ` by ${identity}` : '';
  const what = identity === RESETTER ? 'reset, which continues it as another run' : `terminated${by}`;
  return reason ? `${what}: ${reason}` : what;
}

function plainly(message: string): RunFailure {
  return { message, causes: [] };
}

function attributesOf(event: HistoryEvent | undefined) {
  return event?.workflowExecutionFailedEventAttributes ?? event?.workflowExecutionContinuedAsNewEventAttributes;
}

function successorOf(event: HistoryEvent | undefined): string | undefined {
  const attributes = attributesOf(event) ?? event?.workflowExecutionTimedOutEventAttributes;
  return attributes?.newExecutionRunId || undefined;
}
