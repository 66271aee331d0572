/** Why a run ended badly: from the last event of its history, since what lists of workflows have does not say. */
import type { Client } from '@temporalio/client';
import { rootCause } from '@temporalio/common';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { isNotFound } from './not-found.js';

/** `HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT` of Temporal's API. */
const CLOSE_EVENT = 2;

/** The innermost message of a failure, or the reason of a termination; undefined when the server does not say. */
export async function readRunError(
  client: Client,
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string }
): Promise<string | undefined> {
  const { namespace, loadedDataConverter } = client.options;
  const request = { namespace, execution: { workflowId, runId }, historyEventFilterType: CLOSE_EVENT };
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory(request);
    const last = history?.events?.at(-1);
    const { failure } = last?.workflowExecutionFailedEventAttributes ?? {};
    // a failure that somebody else's codec encoded stays unknown
    const error = await decodeOptionalFailureToOptionalError(loadedDataConverter, failure).catch(() => undefined);
    return rootCause(error) ?? (last?.workflowExecutionTerminatedEventAttributes?.reason || undefined);
  } catch (error) {
    // deleted since it was listed
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
