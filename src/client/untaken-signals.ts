/** What a workflow was told and no worker has looked at: what its memo and its queries do not know of. */
import type { Client } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';
import type { Description } from './executions.js';
import { isNotFound } from './not-found.js';

/** A signal that waits for a worker. */
export interface UntakenSignal {
  readonly name: string;
  readonly at: Date;
}

/** The newest events of a history are read, and among these are most signals that wait. */
const MAX_EVENTS = 100;

/** Signals since a worker last completed a workflow task, oldest first. Costs a request only where a task waits. */
export async function untakenSignals(
  client: Client,
  { raw, workflowId, runId }: Pick<Description, 'raw' | 'workflowId' | 'runId'>
): Promise<readonly UntakenSignal[]> {
  if (raw.pendingWorkflowTask == null) return [];
  const signals: UntakenSignal[] = [];
  for (const event of await newestEvents(client, { workflowId, runId })) {
    if (event.workflowTaskCompletedEventAttributes != null) break;
    const name = event.workflowExecutionSignaledEventAttributes?.signalName;
    if (name) signals.unshift({ name, at: optionalTsToDate(event.eventTime) ?? new Date(0) });
  }
  return signals;
}

/** The newest first; none when the history is gone. */
async function newestEvents(client: Client, execution: { readonly workflowId: string; readonly runId: string }) {
  const request = { namespace: client.options.namespace, execution, maximumPageSize: MAX_EVENTS };
  try {
    return (await client.workflowService.getWorkflowExecutionHistoryReverse(request)).history?.events ?? [];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
