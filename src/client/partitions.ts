/** Dynamic partition sets from outside: reading and changing the workflow that holds one. */
import { WithStartWorkflowOperation, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure, type Workflow } from '@temporalio/common';
import {
  PARTITION_KEYS_QUERY,
  PARTITIONS_ID_PREFIX,
  PARTITIONS_TYPE,
  PARTITIONS_UPDATE,
  type PartitionChange,
} from '../sensors/protocol.js';
import { lookUpExecution } from './executions.js';
import { isNotFound } from './not-found.js';
import { processed } from './processed.js';

/** The keys of a set in the order they were added; none for a set that nobody has added to. Asks a worker. */
export async function readPartitions(client: Client, set: string): Promise<readonly string[]> {
  try {
    return await client.workflow.getHandle(PARTITIONS_ID_PREFIX + set).query<readonly string[]>(PARTITION_KEYS_QUERY);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/**
 * Changes a set, and starts it if nobody has: one that was terminated comes back with the keys it had.
 *
 * @returns how many keys it has now
 * @throws {@link ApplicationFailure} when the set would be too large
 */
export async function changePartitions(
  client: Client,
  { set, add, delete: gone }: PartitionChange,
  taskQueue: string
): Promise<number> {
  const workflowId = PARTITIONS_ID_PREFIX + set;
  const last = await lookUpExecution(client, workflowId);
  const closed = last !== undefined && last.status.name !== 'RUNNING';
  const held = closed ? await readPartitions(client, set) : [];
  const send = async (): Promise<number> => {
    const startWorkflowOperation = new WithStartWorkflowOperation(PARTITIONS_TYPE, {
      workflowId,
      taskQueue,
      args: [held],
      workflowIdConflictPolicy: 'USE_EXISTING',
      staticSummary: `keys of partition set ${set}`,
    });
    return await client.workflow.executeUpdateWithStart<Workflow, number, [unknown]>(PARTITIONS_UPDATE, {
      startWorkflowOperation,
      args: [{ add, delete: gone }],
    });
  };
  try {
    return await processed(send);
  } catch (error) {
    throw error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure ? error.cause : error;
  }
}
