/** Our long-lived workflows, each by its last run: what lists of sensors and of assets are made from. */
import type { Client } from '@temporalio/client';
import { inBatches } from './batches.js';
import { listExecutions, type Execution } from './executions.js';
import { PRUNED } from './loops.js';
import { readCloseEvent, type RunOfWorkflow } from './run-history.js';

const LOOKUPS_AT_ONCE = 20;

/**
 * The last run of each workflow of a type, as visibility shows it; closed ones too, but for those that were ended for
 * good.
 *
 * @param prefix of the workflow IDs
 */
export async function latestRuns(client: Client, type: string, prefix: string): Promise<readonly Execution[]> {
  const query = `WorkflowType = '${type}' AND ExecutionStatus != 'ContinuedAsNew'`;
  const latest = new Map<string, Execution>();
  // newest first: the first one of an ID is its last run
  for await (const execution of listExecutions(client, query)) {
    if (execution.workflowId.startsWith(prefix) && !latest.has(execution.workflowId))
      latest.set(execution.workflowId, execution);
  }
  const closed = [...latest.values()].filter(({ status }) => status.name !== 'RUNNING');
  await inBatches(closed, LOOKUPS_AT_ONCE, async (each) => {
    if (await isPruned(client, each)) latest.delete(each.workflowId);
  });
  return [...latest.values()];
}

/** Whether a closed workflow was ended for good. */
export async function isPruned(client: Client, run: RunOfWorkflow): Promise<boolean> {
  const closed = await readCloseEvent(client, run);
  return closed?.workflowExecutionTerminatedEventAttributes?.reason === PRUNED;
}
