/**
 * Starting runs: children in order, in a sliding window, each start awaited.
 *
 * - ABANDON: the close policy of a parent also fires when it continues as new.
 * - REJECT_DUPLICATE: the server refuses an ID that exists, running or closed. A refused ID is looked up, so that one
 *   that belongs to somebody else is never counted as a duplicate.
 * - the window is bounded in starts and bytes: one workflow task with more gets the loop terminated by the server.
 * - starts are not cancellable: cancelling the sensor must neither lose a start half-way nor cancel running jobs.
 */
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  log,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { SensorActivities } from '../activities/index.js';
import { jsonBytes } from '../sensors/json.js';
import { MAX_STARTING_BYTES, MAX_STARTS_IN_FLIGHT, MAX_STARTS_PER_RUN } from '../sensors/limits.js';
import { RUN_MEMO, type LaunchRequest, type LoopState, type RunMemo } from '../sensors/protocol.js';
import * as rules from './rules.js';

interface Holder {
  readonly get: () => LoopState;
  readonly set: (state: LoopState) => void;
  /** A stop holds back what is not yet started. */
  readonly held: () => boolean;
}

export interface Launcher {
  /** Starts what `state.launch` holds, as far as this run of the loop may. */
  readonly run: () => Promise<void>;
  /** Children started in this run of the loop. */
  readonly starts: () => number;
}

export function createLauncher(sensor: string, holder: Holder): Launcher {
  const { findOwners } = proxyActivities<Pick<SensorActivities, 'findOwners'>>({
    startToCloseTimeout: '30 seconds',
    scheduleToCloseTimeout: '2 minutes',
  });
  let starts = 0;

  async function run(): Promise<void> {
    const { launch } = holder.get();
    if (launch?.record === undefined) return;
    const open = new Set(launch.remaining);
    let inFlight = 0;
    let bytes = 0;
    for (const request of launch.remaining) {
      const size = jsonBytes(request);
      const fits = (): boolean =>
        inFlight === 0 || (inFlight < MAX_STARTS_IN_FLIGHT && bytes + size <= MAX_STARTING_BYTES);
      if (!fits()) await CancellationScope.nonCancellable(() => condition(fits));
      if (holder.held() || starts >= MAX_STARTS_PER_RUN || CancellationScope.current().consideredCancelled) break;
      starts++;
      inFlight++;
      bytes += size;
      void start(sensor, launch.record.tick, request).then((outcome) => {
        open.delete(request);
        holder.set(rules.settle(holder.get(), request, outcome));
        inFlight--;
        bytes -= size;
      });
    }
    await CancellationScope.nonCancellable(() => condition(() => inFlight === 0));
    const remaining = [...open];
    const after = holder.get();
    if (after.launch === undefined) return;
    if (remaining.length > 0 && !holder.held()) {
      holder.set({ ...after, launch: { ...after.launch, remaining } });
      return;
    }
    const foreign = await owners(after.launch.refused);
    holder.set(rules.endLaunch(holder.get(), remaining, foreign, Date.now()));
  }

  /** Which of the refused IDs are not this sensor's runs. */
  async function owners(refused: readonly LaunchRequest[]): Promise<ReadonlyMap<string, string>> {
    if (refused.length === 0) return new Map();
    try {
      const foreign = await CancellationScope.nonCancellable(() =>
        findOwners({ sensor, ids: refused.map(({ id }) => id) })
      );
      return new Map(Object.entries(foreign));
    } catch (error) {
      log.warn(
        `sensor '${sensor}' could not look up who owns ${refused.length} refused workflow IDs; counted as duplicates`,
        { error }
      );
      return new Map();
    }
  }

  return { run, starts: () => starts };
}

async function start(sensor: string, tick: number, request: LaunchRequest): Promise<'started' | 'refused'> {
  const memo: RunMemo = {
    sensor,
    job: request.job,
    tick,
    ...(request.runKey === undefined ? {} : { runKey: request.runKey }),
    ...(request.tags === undefined ? {} : { tags: request.tags }),
  };
  try {
    await CancellationScope.nonCancellable(() =>
      startChild(request.job, {
        workflowId: request.id,
        args: [...request.args],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        cancellationType: ChildWorkflowCancellationType.ABANDON,
        memo: { [RUN_MEMO]: memo },
        ...(request.taskQueue === undefined ? {} : { taskQueue: request.taskQueue }),
      })
    );
    return 'started';
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'refused';
    throw error;
  }
}
