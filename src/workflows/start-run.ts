/** Starting one run of a job as a child, so that it is the only one of its workflow ID. */
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  startChild,
  WorkflowIdReusePolicy,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import {
  defineSearchAttributeKey,
  WorkflowExecutionAlreadyStartedError,
  type SearchAttributePair,
  type Workflow,
} from '@temporalio/common';
import { RUN_MEMO, type LaunchRequest, type RunMemo } from '../sensors/protocol.js';
import type { Tags } from '../sensors/tags.js';
import { describeRun } from './describe-run.js';

/**
 * Starts a run, and returns when the server has answered. Not cancellable: a start must not be lost half-way.
 *
 * - ABANDON: the close policy of a parent also fires when it continues as new.
 * - REJECT_DUPLICATE: the server refuses an ID that exists, running or closed.
 *
 * @param facts who asked for it; what the request says of itself is added
 * @returns the run, or `undefined` when its ID exists
 */
export async function startRun(
  request: LaunchRequest,
  facts: Omit<RunMemo, 'job'>
): Promise<ChildWorkflowHandle<Workflow> | undefined> {
  const { id, job, args, searchAttributes, taskQueue } = request;
  try {
    return await CancellationScope.nonCancellable(() =>
      startChild(job, {
        ...request.start,
        workflowId: id,
        args: [...args],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        memo: { [RUN_MEMO]: memoOf(request, facts) },
        ...describeRun(request, facts, workflowInfo().namespace),
        ...(taskQueue === undefined ? {} : { taskQueue }),
        ...(searchAttributes === undefined ? {} : { typedSearchAttributes: keywords(searchAttributes) }),
      })
    );
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

function memoOf(request: LaunchRequest, { sensor, ...facts }: Omit<RunMemo, 'job'>): RunMemo {
  const { job, runKey, tags, partitionKey, partitionKeys, assets, epoch, via } = request;
  return {
    ...(sensor === undefined ? {} : { sensor }),
    job,
    ...facts,
    ...(runKey === undefined ? {} : { runKey }),
    ...(tags === undefined ? {} : { tags }),
    ...(partitionKey === undefined ? {} : { partitionKey }),
    ...(partitionKeys === undefined ? {} : { partitionKeys }),
    ...(assets === undefined ? {} : { assets }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(via === undefined ? {} : { via }),
  };
}

function keywords(attributes: Tags): SearchAttributePair[] {
  return Object.entries(attributes).map(([name, value]) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value }));
}
