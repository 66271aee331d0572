/** The workflow module of the integration tests: the loop, and jobs that end in every way. */
import {
  condition,
  continueAsNew,
  executeChild,
  proxyActivities,
  setHandler,
  defineSignal,
  sleep,
  workflowInfo,
  ApplicationFailure,
} from '@temporalio/workflow';
export * from '../../src/workflows/index.js';
import { materialize, observe, runInfo, type RunInfo } from '../../src/job/index.js';

/** Returns its config and who asked for it. */
export async function echo(config: unknown): Promise<{ config: unknown; info: RunInfo | undefined }> {
  return { config, info: runInfo() };
}

export async function noop(): Promise<void> {}

export async function positional(first: string, second: number): Promise<string> {
  return `${first}/${second}/${workflowInfo().workflowId}`;
}

export async function slow(): Promise<void> {
  await sleep('1 hour');
}

export async function failing(): Promise<void> {
  throw ApplicationFailure.nonRetryable('this job fails');
}

/** Runs until it is told to end. */
export async function waiting(): Promise<void> {
  let done = false;
  setHandler(defineSignal('finish'), () => void (done = true));
  await condition(() => done);
}

const { greet } = proxyActivities<{ greet(name: string): Promise<string> }>({ startToCloseTimeout: '10s' });

/** Calls an activity of the user's. */
export async function greeting({ name }: { name: string }): Promise<string> {
  return await greet(name);
}

/** Ends in the way it is told, at once or when it is told to finish. */
export async function ends(how: 'complete' | 'fail' | 'continue' | 'wait'): Promise<void> {
  if (how === 'wait') await waiting();
  if (how === 'fail') throw ApplicationFailure.nonRetryable('this workflow fails');
  if (how === 'continue') await continueAsNew<typeof ends>('complete');
}

/** Fails with what its child failed with. */
export async function parent(name: string): Promise<void> {
  await executeChild(greeting, { args: [{ name }], workflowId: `${workflowInfo().workflowId}/child` });
}

/** Continues as new until there is nothing left. */
export async function counting(left: number): Promise<void> {
  if (left > 0) await continueAsNew<typeof counting>(left - 1);
}

/** Fails at its first attempt. */
export async function flaky(): Promise<void> {
  if (workflowInfo().attempt === 1) throw ApplicationFailure.retryable('not yet', 'TooEarly');
}

const { greet: greetSoon } = proxyActivities<{ greet(name: string): Promise<string> }>({
  scheduleToCloseTimeout: '1s',
  retry: { initialInterval: '100ms', backoffCoefficient: 1 },
});

/** Calls the activity again until there is no time left. */
export async function hasty(name: string): Promise<void> {
  await greetSoon(name);
}

const { make } = proxyActivities<{ make(asset: string): Promise<void> }>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '10ms' },
});

/** Makes an asset by itself, and once more in an activity of the user's. */
export async function makes(asset: string): Promise<void> {
  await materialize(asset, { partition: '2026-01-01', metadata: { rows: 3 } });
  await observe(asset, { metadata: { seen: 'late' } });
  await make(asset);
}

/** Has an asset made by an activity of another worker. */
export async function makesElsewhere(asset: string, taskQueue: string): Promise<void> {
  const elsewhere = proxyActivities<{ make(name: string): Promise<void> }>({ taskQueue, startToCloseTimeout: '10s' });
  await elsewhere.make(asset);
}

/** Makes the part of an asset that has the item's number, and says much of it. */
export async function makesItem({ asset, item }: { asset: string; item: number }): Promise<void> {
  await materialize(asset, { partition: String(item), metadata: { text: 'x'.repeat(7_900) } });
}

/** Says something of an asset that cannot be recorded. */
export async function misnames(): Promise<void> {
  await materialize('sales/orders', { metadata: { rows: Number.NaN } });
}

/** Says what it is for; waits until it is told to finish, or fails, for the partitions that its config names. */
export async function partitioned(config: { wait: readonly string[]; fail: readonly string[] }): Promise<RunInfo> {
  const info = runInfo();
  if (info === undefined) throw ApplicationFailure.nonRetryable('nobody asked for this run');
  const isFor = (keys: readonly string[]): boolean => keys.includes(info.partitionKey ?? '') || keys.includes('*');
  if (isFor(config.wait)) await waiting();
  if (isFor(config.fail)) throw ApplicationFailure.nonRetryable('this partition fails');
  return info;
}
