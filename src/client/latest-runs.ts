/** Our long-lived workflows, each by its last run: what lists of sensors and of assets are made from. */
import type { Client } from '@temporalio/client';
import { inBatches } from './batches.js';
import { LOOPS_PER_PAGE, listExecutions, type Execution } from './executions.js';
import { isForGood, PRUNED } from './loops.js';
import { readCloseEvent, type RunOfWorkflow } from './run-history.js';

const LOOKUPS_AT_ONCE = 20;

/**
 * The last run of each workflow of a type, as visibility shows it; closed ones too, but for those that were ended for
 * good.
 *
 * @param prefix of the workflow IDs
 */
export async function latestRuns(client: Client, type: string, prefix: string): Promise<readonly Execution[]> {
  const latest = await lastOf(listEnds(client, type), prefix);
  const closed = latest.filter(({ status }) => status.name !== 'RUNNING');
  const gone = new Set<Execution>();
  await inBatches(closed, LOOKUPS_AT_ONCE, async (each) => {
    if (await isEndedForGood(client, each)) gone.add(each);
  });
  return latest.filter((each) => !gone.has(each));
}

/** The runs of a type that no other run continues, newest first; also of workflows that were ended for good. */
export function listEnds(client: Client, type: string): AsyncIterable<Execution> {
  return listExecutions(client, `WorkflowType = '${type}' AND ExecutionStatus != 'ContinuedAsNew'`, LOOPS_PER_PAGE);
}

/** The last run of each workflow. @param listed newest first */
export async function lastOf(listed: AsyncIterable<Execution>, prefix: string): Promise<readonly Execution[]> {
  const latest: Execution[] = [];
  for await (const execution of eachLast(listed, prefix)) latest.push(execution);
  return latest;
}

/** The same one after the other, reading no further than is asked for. */
export async function* eachLast(listed: AsyncIterable<Execution>, prefix: string): AsyncIterable<Execution> {
  const seen = new Set<string>();
  for await (const execution of listed) {
    if (!execution.workflowId.startsWith(prefix) || seen.has(execution.workflowId)) continue;
    seen.add(execution.workflowId);
    yield execution;
  }
}

/** Whether a closed workflow was pruned, or its sensor goes on under another name. */
export async function isEndedForGood(client: Client, run: RunOfWorkflow): Promise<boolean> {
  return isForGood(await terminationOf(client, run));
}

/** Whether a closed workflow was pruned. */
export async function isPruned(client: Client, run: RunOfWorkflow): Promise<boolean> {
  return (await terminationOf(client, run)) === PRUNED;
}

/** With which reason it was terminated, if it was. */
async function terminationOf(client: Client, run: RunOfWorkflow): Promise<string | undefined> {
  const closed = await readCloseEvent(client, run);
  return closed?.workflowExecutionTerminatedEventAttributes?.reason ?? undefined;
}
