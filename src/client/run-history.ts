/**
 * The two events of a run's history that say the most, its first and its last, each with one small request. Histories
 * go when the namespace's retention ends or somebody deletes the run, so both may be gone.
 */
import type { Client } from '@temporalio/client';
import { isNotFound } from './not-found.js';

/** One run of a workflow. */
export interface RunOfWorkflow {
  readonly workflowId: string;
  readonly runId: string;
}

type HistoryRequest = Parameters<Client['workflowService']['getWorkflowExecutionHistory']>[0];
type History = Awaited<ReturnType<Client['workflowService']['getWorkflowExecutionHistory']>>['history'];
export type HistoryEvent = NonNullable<NonNullable<NonNullable<History>['events']>[number]>;

/** Why nothing can be read of a run any more. */
export const GONE = 'its history is no longer on the server (the retention ended, or somebody deleted it)';
/** `HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT` of Temporal's API. */
const CLOSE_EVENT = 2;

/** How the run was started; nothing when its history is gone. */
export async function readFirstEvent(client: Client, run: RunOfWorkflow): Promise<HistoryEvent | undefined> {
  return (await readEvents(client, run, { maximumPageSize: 1 }))?.at(0);
}

/**
 * How the run ended; nothing when its history is gone. The server tells clients of this kind that a run which has a
 * successor (by its retry policy or a cron schedule) continued as new, and puts failure and result there.
 *
 * @param options.wait for the end of a run that is open, as long as the client's deadline allows
 */
export async function readCloseEvent(
  client: Client,
  run: RunOfWorkflow,
  { wait }: { readonly wait: boolean } = { wait: false }
): Promise<HistoryEvent | undefined> {
  return (await readEvents(client, run, { historyEventFilterType: CLOSE_EVENT, waitNewEvent: wait }))?.at(-1);
}

async function readEvents(
  client: Client,
  { workflowId, runId }: RunOfWorkflow,
  options: HistoryRequest
): Promise<readonly HistoryEvent[] | undefined> {
  const { namespace } = client.options;
  const request = { namespace, execution: { workflowId, runId }, ...options };
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory(request);
    return history?.events ?? [];
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
