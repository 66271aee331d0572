/** Updates that reach the workflow, whatever else its worker is asked at the same time. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';

/**
 * How the server refuses an update that it sent with a workflow task and that the answer says nothing of. Workers do so
 * now and then when a query comes with it and the workflow is not in their cache; nothing of the update takes place.
 */
const UNPROCESSED = 'UnprocessedUpdate';
const TIMES = 5;

/** Sends it again as long as no worker saw it. */
export async function processed<T>(send: () => Promise<T>): Promise<T> {
  for (let time = 1; ; time++) {
    try {
      return await send();
    } catch (error) {
      const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
      if (!(cause instanceof ApplicationFailure) || cause.type !== UNPROCESSED || time === TIMES) throw error;
    }
  }
}
