/** What status sensors see of runs: real workflows that end in every way there is. */
import type { Client, WorkflowHandleWithFirstExecutionRunId, WorkflowStartOptions } from '@temporalio/client';
import { activityInfo, cancelled } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import Long from 'long';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { describeRun, listExecutions } from '../../src/client/executions.js';
import { statusOf, statusRunOf } from '../../src/client/read-run.js';
import type { RunStatus, StatusRun } from '../../src/sensors/status-run.js';
import { Harness, waitFor } from '../support/harness.js';
import { sealingCodec } from '../support/sealing-codec.js';

type Started = WorkflowHandleWithFirstExecutionRunId;

const LONG = 'x'.repeat(1_000_000);

async function greet(name: string): Promise<string> {
  if (name === 'nobody') {
    const cause = ApplicationFailure.nonRetryable('connection refused', 'Network', { host: 'a' });
    throw ApplicationFailure.create({ message: 'no answer', type: 'Unanswered', nonRetryable: true, cause });
  }
  if (name === 'everybody') throw ApplicationFailure.nonRetryable(LONG, 'Long');
  if (name === 'later') {
    if (activityInfo().attempt > 1) await cancelled();
    throw new Error('not now');
  }
  return name;
}

async function starter(options: Partial<ConstructorParameters<typeof Client>[0]> = {}) {
  const h = await Harness.create(options);
  await h.work([], { activities: { greet }, ...(options.dataConverter && { dataConverter: options.dataConverter }) });
  const start = (type: string, args: unknown[] = [], more: Partial<WorkflowStartOptions> = {}): Promise<Started> =>
    h.client.workflow.start(type, { taskQueue: h.taskQueue, workflowId: `${h.prefix}${randomUUID()}`, args, ...more });
  return { h, start };
}

/** The first run of a workflow, when it has ended. */
async function ended(client: Client, { workflowId, firstExecutionRunId: runId }: Started): Promise<StatusRun> {
  const execution = await waitFor(async () => {
    const found = await describeRun(client, { workflowId, runId });
    return found && statusOf(found) !== undefined ? found : undefined;
  }, `the end of ${workflowId}`);
  return await statusRunOf(client, execution, statusOf(execution) as RunStatus, { webUrl: 'http://web:8233/' });
}

test('runs that end in every way there is say why', async () => {
  const { h, start } = await starter();
  const memo = { sensorRun: { sensor: 'orders', job: 'greeting', tick: 3, runKey: 'k' } };
  const policy = { retry: { maximumAttempts: 2, initialInterval: '1s' } } as const;
  const [ok, failed, child, long, hasty, late, waiting, slow, counting, flaky, reset, cron, foreign] =
    await Promise.all([
      start('positional', ['a', 2], { memo }),
      start('greeting', [{ name: 'nobody' }], { memo }),
      start('parent', ['nobody']),
      start('greeting', [{ name: 'everybody' }]),
      start('hasty', ['later']),
      start('slow', [], { workflowRunTimeout: '1s', ...policy }),
      start('waiting'),
      start('slow'),
      start('counting', [1]),
      start('flaky', [], policy),
      start('waiting'),
      start('positional', ['c', 1], { cronSchedule: '@every 1s' }),
      start('noop', [], { memo: { sensorRun: 'mine' } }),
    ]);
  await h.client.workflow.getHandle(waiting.workflowId).terminate('no longer wanted');
  await h.client.workflow.getHandle(slow.workflowId).cancel();
  await waitFor(async () => ((await reset.fetchHistory()).events?.length ?? 0) >= 4, 'the first workflow task');
  const { runId: resetTo } = await h.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: reset.workflowId, runId: reset.firstExecutionRunId },
    workflowTaskFinishEventId: Long.fromNumber(4),
    reason: 'a bad deployment',
    requestId: randomUUID(),
  });
  const read = (started: Started): Promise<StatusRun> => ended(h.client, started);

  const completed = await read(ok);
  expect(completed).toMatchObject({
    kind: 'run',
    eventId: `${ok.workflowId}/${ok.firstExecutionRunId}/completed`,
    status: 'completed',
    at: completed.closeTime,
    type: 'positional',
    taskQueue: h.taskQueue,
    startedBy: memo.sensorRun,
    memo,
    url: `http://web:8233/namespaces/default/workflows/${ok.workflowId}/${ok.firstExecutionRunId}/history`,
  });
  expect(completed).not.toHaveProperty('failure');
  expect(completed.durationMs).toBe(Number(completed.closeTime) - Number(completed.startTime));
  expect(await completed.input()).toEqual(['a', 2]);
  expect(await completed.result()).toBe(`a/2/${ok.workflowId}`);

  const causes = [
    { kind: 'ActivityFailure', message: 'Activity task failed' },
    { kind: 'ApplicationFailure', type: 'Unanswered', message: 'no answer', stack: expect.stringContaining(' at ') },
    { kind: 'ApplicationFailure', type: 'Network', message: 'connection refused' },
  ];
  const why = { message: 'connection refused', type: 'Network', activity: { type: 'greet', id: '1' } };
  const broken = await read(failed);
  expect(broken).toMatchObject({ status: 'failed', failure: { ...why, causes } });
  expect(broken.failure).not.toHaveProperty('childWorkflow');
  expect(await broken.input()).toEqual([{ name: 'nobody' }]);
  await expect(broken.result()).rejects.toThrow(/^workflow '.+' \(run .+\) has no result: its status is 'failed'/);

  const { failure } = await read(child);
  const childWorkflow = { type: 'greeting', workflowId: `${child.workflowId}/child`, runId: expect.any(String) };
  expect(failure).toMatchObject({ ...why, childWorkflow, causes: [{ kind: 'ChildWorkflowFailure' }, ...causes] });
  const { runId = '' } = failure?.childWorkflow ?? {};
  const ofChild = await describeRun(h.client, { workflowId: childWorkflow.workflowId, runId });
  expect(ofChild && (await statusRunOf(h.client, ofChild, 'started'))).toMatchObject({
    parent: { workflowId: child.workflowId, runId: child.firstExecutionRunId },
    at: ofChild?.startTime,
  });

  const longFailure = (await read(long)).failure;
  expect(longFailure?.type).toBe('Long');
  expect(longFailure?.message === LONG).toBe(true);

  // what it had failed with, not only that there was no time left
  expect((await read(hasty)).failure).toMatchObject({
    message: 'not now',
    causes: [{ kind: 'ActivityFailure' }, { kind: 'TimeoutFailure' }, { kind: 'ApplicationFailure', type: 'Error' }],
  });

  expect((await read(late)).failure).toEqual({
    message: expect.stringMatching(/^timed out after 1(\.\d)? s$/),
    causes: [],
  });
  expect((await read(waiting)).failure).toEqual({
    message: expect.stringMatching(/^terminated by \d+@.+: no longer wanted$/),
    causes: [],
  });
  expect(await read(slow)).toMatchObject({ status: 'canceled', failure: { message: 'canceled', causes: [] } });
  expect(await read(reset)).toMatchObject({
    status: 'terminated',
    failure: { message: 'reset, which continues it as another run: a bad deployment' },
  });
  expect(statusOf(await h.client.workflow.getHandle(reset.workflowId, resetTo).describe())).toBeUndefined();

  // successors
  const lastOf = async ({ workflowId }: Started) => (await h.client.workflow.getHandle(workflowId).describe()).runId;
  const continued = await read(counting);
  expect(continued).toMatchObject({ status: 'continuedAsNew', nextRunId: await lastOf(counting) });
  expect(continued).not.toHaveProperty('failure');
  expect(await read(flaky)).toMatchObject({
    status: 'failed',
    failure: { message: 'not yet', type: 'TooEarly' },
    nextRunId: await lastOf(flaky),
  });
  expect(await read(late)).toMatchObject({ status: 'timedOut', nextRunId: await lastOf(late) });
  // the server calls its end a continue-as-new
  expect(await (await read(cron)).result()).toBe(`c/1/${cron.workflowId}`);
  await h.client.workflow.getHandle(cron.workflowId).terminate();

  // another application uses our memo key
  expect(await read(foreign)).not.toHaveProperty('startedBy');

  // rows of a list say the same
  const listed = await waitFor(async () => {
    for await (const execution of listExecutions(h.client, `WorkflowId = '${failed.workflowId}'`))
      if (statusOf(execution) === 'failed') return execution;
    return undefined;
  }, 'visibility');
  const again = await statusRunOf(h.client, listed, 'failed', { webUrl: 'http://web:8233' });
  expect(JSON.stringify(again)).toBe(JSON.stringify(broken));
});

test("what another application's codec encoded costs only what it would have said", async () => {
  const { h, start } = await starter({
    dataConverter: {
      payloadCodecs: [sealingCodec],
      failureConverterPath: fileURLToPath(new URL('../support/failure-converter.cjs', import.meta.url)),
    },
  });
  const [failed, ok] = await Promise.all([
    start('greeting', [{ name: 'nobody' }]),
    start('echo', ['secret'], { memo: { note: 'secret' } }),
  ]);
  const read = await ended(h.client, failed);
  expect(read.failure).toMatchObject({ message: 'connection refused', type: 'Network' });
  expect(await read.input()).toEqual([{ name: 'nobody' }]);

  const { client } = await Harness.create();
  const blind = await ended(client, failed);
  const unreadable = "the message cannot be decoded with this client's data converter";
  expect(blind.failure).toEqual({
    message: unreadable,
    type: 'Network',
    activity: { type: 'greet', id: '1' },
    causes: [
      { kind: 'ActivityFailure', message: 'Activity task failed' },
      { kind: 'ApplicationFailure', message: unreadable, type: 'Unanswered' },
      { kind: 'ApplicationFailure', message: unreadable, type: 'Network' },
    ],
  });
  await expect(blind.input()).rejects.toThrow(
    `the input of workflow '${failed.workflowId}' (run ${failed.firstExecutionRunId}) cannot be decoded`
  );
  const completed = await ended(client, ok);
  expect(completed.memo).toEqual({});
  await expect(completed.result()).rejects.toThrow(/^the result of workflow .+ cannot be decoded/);
});
