/** Runs of jobs on a test environment, for tests of what reacts to them. */
import type { WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import type { Description } from '../client/executions.js';
import { checkRequests } from '../sensors/check-requests.js';
import type { JobConfigInput, JobDefinition } from '../sensors/define-job.js';
import { parseDuration, type Duration } from '../sensors/duration.js';
import { DefinitionError, EvaluationError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { Json } from '../sensors/json.js';
import { requestOf } from '../sensors/run-request.js';
import type { StatusRun } from '../sensors/status-run.js';
import type { SensorTestEnvironment } from './environment.js';

/** A workflow task that is tried for this time has failed before. */
const STUCK_ATTEMPTS = 2;
const MAX_TIMEOUT_MS = 60 * 60 * 1000;

export interface ExecuteJobOptions {
  /** How long the run may take; then it is terminated, and that is an error. At most an hour. @default '1m' */
  readonly timeout?: Duration;
}

/** A run of a job that has ended, in whatever way. */
export interface ExecutedJob {
  /** For `buildRunStatusSensorContext({ run })`. */
  readonly run: StatusRun;
  /** What the workflow returned; absent unless it completed. */
  readonly result?: unknown;
}

type Rest<J> =
  {} extends JobConfigInput<J>
    ? readonly [config?: JobConfigInput<J>, options?: ExecuteJobOptions]
    : readonly [config: JobConfigInput<J>, options?: ExecuteJobOptions];

/**
 * Runs a job's workflow on the environment's worker and waits for its end. A job that fails is no error here: its run
 * says why it failed. The config is checked and its defaults are filled as for a sensor's request; no sensor has
 * started the run, so its `runInfo()` is `undefined`.
 *
 * ```ts
 * const { run } = await executeJob(env, processFile, { path: 'broken.csv' });
 * const { ctx, run: failed } = buildRunStatusSensorContext({ run }).forRunFailure();
 * await onFailure.handle(ctx, failed);
 * ```
 *
 * @throws EvaluationError for a config that does not fit the job; Error when its workflow cannot begin, or takes too long
 */
export async function executeJob<const J extends JobDefinition>(
  env: Pick<SensorTestEnvironment, 'client' | 'taskQueue' | 'waitFor'>,
  job: J,
  ...[config, options = {}]: Rest<J>
): Promise<ExecutedJob> {
  if ((job as Partial<JobDefinition> | undefined)?.kind !== 'job')
    throw new DefinitionError(`executeJob is given ${quote(job)}; accepted: what defineJob returned`);
  refuseUnknownOptions(options, ['timeout'], 'executeJob');
  const timeoutMs = parseDuration(options.timeout ?? '1m', 'executeJob: timeout', 1, MAX_TIMEOUT_MS);
  const args = argsOf(job, config);
  const [{ describeRun, lookUpExecution }, { statusOf, statusRunOf }] = await Promise.all([
    import('../client/executions.js'),
    import('../client/read-run.js'),
  ]);
  const { client, taskQueue } = env;
  const workflowId = `${job.name}-${randomUUID()}`;
  const handle = await client.workflow.start(job.name, { ...job.start, workflowId, taskQueue, args });
  try {
    const { runId, status, problem } = await env.waitFor(
      async () => {
        const execution = await lookUpExecution(client, workflowId);
        if (execution === undefined) return undefined;
        const end = {
          runId: execution.runId,
          status: statusOf(execution),
          problem: await problemOf(execution, handle),
        };
        return end.status === undefined && end.problem === undefined ? undefined : end;
      },
      { timeout: timeoutMs, what: `the end of job '${job.name}'` }
    );
    if (problem !== undefined) throw new Error(`job '${job.name}' cannot go on: ${problem}`);
    const execution = await describeRun(client, { workflowId, runId });
    if (execution === undefined || status === undefined) throw new Error(`the run of job '${job.name}' is gone`);
    const run = await statusRunOf(client, execution, status);
    return status === 'completed' ? { run, result: await run.result() } : { run };
  } catch (error) {
    await handle.terminate('executeJob gave up').catch(() => undefined);
    throw error;
  }
}

/** Arguments of the workflow, as for a request of a sensor. */
function argsOf(job: JobDefinition, config: unknown): Json[] {
  const { accepted, rejected } = checkRequests([requestOf(job.name, { config })], {
    sensor: 'executeJob',
    jobs: [job],
    runIds: 'readable',
    isKnown: () => false,
    isForeign: () => false,
    rearmed: {},
    partitions: { changes: [], problem: () => undefined, has: () => false },
    now: new Date(),
    nonce: '',
  });
  const [launch] = accepted;
  if (launch === undefined) throw new EvaluationError(`executeJob: ${rejected[0]?.error}`);
  return [...launch.args];
}

/** Why its workflow task fails again and again: a workflow that is not in the bundle, or code that cannot run. */
async function problemOf({ raw }: Description, handle: WorkflowHandle): Promise<string | undefined> {
  if ((raw.pendingWorkflowTask?.attempt ?? 1) < STUCK_ATTEMPTS) return undefined;
  const { events } = await handle.fetchHistory();
  const messages = events?.map((event) => event.workflowTaskFailedEventAttributes?.failure?.message);
  return messages?.findLast((message) => message != null && message !== '') ?? undefined;
}
