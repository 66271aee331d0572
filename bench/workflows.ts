/** The workflows of the benchmarks: ours, and the same by hand on Temporal, as well as a good engineer would write them. */
import {
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  proxyActivities,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
export * from 'temporal-sensors/workflows';
import { materialize } from 'temporal-sensors/job';
import type { BenchActivities } from './activities.js';

const {
  look,
  requests,
  requestsFrom,
  stamp,
  lookAtEvents,
  break: breakDown,
  make,
} = proxyActivities<BenchActivities>({
  startToCloseTimeout: '60s',
});

export async function noop(): Promise<void> {}

/** A job whose first activity tells when it runs. */
export async function stamped({ id }: { id: string }): Promise<void> {
  await stamp(id);
}

/** Evaluate, sleep, repeat, continue as new: what everybody writes first. */
export async function timerLoop(intervalMs: number): Promise<void> {
  while (!workflowInfo().continueAsNewSuggested) {
    await look();
    await sleep(intervalMs);
  }
  await continueAsNew<typeof timerLoop>(intervalMs);
}

/** One activity that is retried for ever: the floor of what a folded tick can cost. */
export async function bareFolded(intervalMs: number): Promise<void> {
  const { lookAgain } = proxyActivities<BenchActivities>({
    startToCloseTimeout: '60s',
    heartbeatTimeout: '10s',
    retry: { initialInterval: 1000, backoffCoefficient: 1 },
  });
  await lookAgain(intervalMs);
}

/** One evaluation, then its runs in a sliding window. */
export async function windowLauncher(prefix: string, count: number, window: number): Promise<void> {
  const ids = await requests(prefix, count);
  let inFlight = 0;
  for (const workflowId of ids) {
    if (inFlight >= window) await condition(() => inFlight < window);
    inFlight++;
    void startChild(noop, {
      workflowId,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
    }).then(() => inFlight--);
  }
  await condition(() => inFlight === 0);
}

/** Many runs with config: batches from an activity, each in a sliding window, and a run of its own for each batch. */
export async function batchLauncher(prefix: string, from: number, count: number, window: number): Promise<void> {
  const BATCH = 500;
  let inFlight = 0;
  for (const { id, config } of await requestsFrom(prefix, from, BATCH)) {
    if (inFlight >= window) await condition(() => inFlight < window);
    inFlight++;
    void startChild('noop', {
      args: [config],
      workflowId: id,
      parentClosePolicy: ParentClosePolicy.ABANDON,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
    }).then(() => inFlight--);
  }
  await condition(() => inFlight === 0);
  if (from + BATCH < count) await continueAsNew<typeof batchLauncher>(prefix, from + BATCH, count, window);
}

/** Takes a signal, evaluates, starts the child. */
export async function signalLoop(): Promise<void> {
  const events: string[] = [];
  setHandler(defineSignal<[string]>('push'), (event) => void events.push(event));
  for (;;) {
    await condition(() => events.length > 0);
    for (const id of await lookAtEvents(events.splice(0))) {
      await startChild(stamped, {
        args: [{ id }],
        workflowId: `by-hand:${id}`,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
    }
  }
}

export async function fails(): Promise<void> {
  throw ApplicationFailure.nonRetryable('out of stock');
}

/** A job that ends with the failure of its activity. */
export async function breaks(id: string): Promise<void> {
  await breakDown(id);
}

/** The same, and it tells of it by a signal. */
export async function breaksAndTells(id: string): Promise<void> {
  try {
    await breakDown(id);
  } catch (error) {
    await getExternalWorkflowHandle('handler').signal('failed', id);
    throw error;
  }
}

/** Takes such signals and handles each. */
export async function failureHandler(): Promise<void> {
  const failed: string[] = [];
  setHandler(defineSignal<[string]>('failed'), (id) => void failed.push(id));
  for (;;) {
    await condition(() => failed.length > 0);
    for (const id of failed.splice(0)) await stamp(id);
  }
}

/** A job that makes an asset in an activity, and says so. */
export async function makesAsset(asset: string, id: string): Promise<void> {
  await make(id);
  await materialize(asset, { partition: id });
}

/** The same, and it tells a workflow that it knows. */
export async function makesAndTells(id: string): Promise<void> {
  await make(id);
  await getExternalWorkflowHandle('chain').signal('made', id);
}

/** Takes such signals and starts the job downstream for each. */
export async function startsDownstream(): Promise<void> {
  const made: string[] = [];
  setHandler(defineSignal<[string]>('made'), (id) => void made.push(id));
  for (;;) {
    await condition(() => made.length > 0);
    for (const id of made.splice(0)) {
      await startChild(stamped, {
        args: [{ id }],
        workflowId: `downstream:${id}`,
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
    }
  }
}

/** Takes batches by signal and only counts them: the floor of what a log can cost. */
export async function countsSignals(before = 0): Promise<void> {
  let count = before;
  setHandler(defineSignal<[readonly unknown[]]>('take'), (batch) => void (count += batch.length));
  setHandler(defineQuery<number>('count'), () => count);
  await condition(() => workflowInfo().continueAsNewSuggested);
  await continueAsNew<typeof countsSignals>(count);
}
