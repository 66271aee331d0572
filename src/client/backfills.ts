/**
 * Backfills from outside: starting, looking at and operating them.
 *
 * `list` and `describe` read what the server knows, so they answer with no worker alive, though with numbers that may be 10 s
 * old. Pausing, resuming and cancelling are signals. What is to be done, only a worker with the job can tell.
 */
import {
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import { ApplicationFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import {
  asDecided,
  backfillProblem,
  type BackfillPreview,
  type BackfillProgress,
  type BackfillRequest,
  type BackfillResult,
  type BackfillStatus,
  type DecidedBackfill,
} from '../sensors/backfill.js';
import { quote } from '../sensors/errors.js';
import { sameJson } from '../sensors/json.js';
import {
  BACKFILL_ID_PREFIX,
  BACKFILL_MEMO,
  BACKFILL_PLAN_UPDATE,
  BACKFILL_PROGRESS_QUERY,
  BACKFILL_SIGNALS,
  BACKFILL_TYPE,
  LOOP_TYPE,
  RUN_MEMO,
  SENSOR_MEMO,
  type Note,
  type RunMemo,
  type SensorMemo,
} from '../sensors/protocol.js';
import { newBackfill, progressOf } from '../workflows/backfill-state.js';
import type { BackfillInput } from '../workflows/parse-backfill.js';
import { LOOPS_PER_PAGE, describeExecution, listExecutions, type Description } from './executions.js';
import { eachLast, listEnds } from './latest-runs.js';
import { namePartitions } from './name-partition.js';
import { readInput } from './pages.js';
import { processed } from './processed.js';
import { refuseChange, type SensorClientOptions } from './read-only.js';
import { statusOf } from './read-run.js';
import { untakenSignals } from './untaken-signals.js';

const ID = /^[A-Za-z0-9_.-]{1,200}$/;

/** What a backfill is started with. */
export interface BackfillOptions extends Omit<BackfillRequest, 'retryOf'> {
  /**
   * 1 to 200 characters of `A-Z a-z 0-9 _ . -`. With the same ID and request a backfill is started once; one that was
   * terminated goes on. The ID of one that was rejected before it started anything is free, for another request, too. @default the job's name and a random part
   */
  readonly id?: string;
  /** Of a worker with a sensor of the job. @default that of such a sensor, as far as all of them have one */
  readonly taskQueue?: string;
}

/** A backfill as the server knows it. */
export interface Backfill extends Omit<BackfillProgress, 'status' | 'startedAt' | 'at'> {
  readonly id: string;
  /** `terminated` and `timedOut`: somebody ended its workflow; started again with the same ID and request it goes on. */
  readonly status: BackfillStatus | 'terminated' | 'timedOut';
  /** The sensor that asked for it. */
  readonly sensor?: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly taskQueue: string;
  readonly startTime: Date;
  readonly closeTime?: Date;
  /** When the numbers were so. */
  readonly at: Date;
  /** What it was told and no worker has taken yet, oldest first; absent in lists, and where nothing waits. */
  readonly untaken?: readonly UntakenOrder[];
}

/** It takes effect when a worker runs. */
export interface UntakenOrder {
  readonly what: keyof typeof BACKFILL_SIGNALS;
  readonly at: Date;
}

/** A backfill that somebody asked for. */
export interface StartedBackfill extends Backfill {
  /** `false`: one with this ID and request was there already, and is left as it is; one that was terminated goes on. */
  readonly started: boolean;
}

/** There is no such backfill on this namespace. */
export class BackfillNotFoundError extends Error {
  override readonly name = 'BackfillNotFoundError';
  constructor(
    readonly id: string,
    namespace: string
  ) {
    super(
      `there is no backfill '${id}' in namespace '${namespace}' ('sensors backfills' lists those that Temporal still knows)`
    );
  }
}

/** The backfill cannot be, or cannot do this; the message says why. */
export class BackfillRejectedError extends Error {
  override readonly name = 'BackfillRejectedError';
}

export class BackfillClient {
  /** @param client a Temporal client of the cluster and namespace, with the data converter of the workers */
  constructor(
    private readonly client: Client,
    private readonly options: SensorClientOptions = {}
  ) {}

  /**
   * Starts a backfill, and returns when the server has it: needs no worker. {@link planned} says whether it can be, and
   * {@link StartedBackfill.started} whether there was one already.
   *
   * @throws {@link BackfillRejectedError} for a request that cannot be, an ID that another one has, or no task queue
   */
  async start({ id: given, taskQueue, ...request }: BackfillOptions): Promise<StartedBackfill> {
    refuseChange(this.options, 'start a backfill');
    check(request);
    const id = given ?? `${request.job}-${randomUUID()}`;
    if (!ID.test(id))
      throw new BackfillRejectedError(
        `the ID of a backfill is ${quote(id)}; accepted: 1 to 200 characters of A-Z a-z 0-9 _ . -`
      );
    return await this.startAs(id, request, taskQueue);
  }

  /**
   * What a backfill would start; nothing is started. Asks a worker.
   *
   * @throws {@link BackfillRejectedError} when it cannot be
   */
  async preview({ id: _, taskQueue, ...request }: BackfillOptions): Promise<BackfillPreview> {
    refuseChange(this.options, 'preview a backfill');
    check(request);
    const handle = await this.client.workflow.start(BACKFILL_TYPE, {
      workflowId: `backfill-preview/${randomUUID()}`,
      taskQueue: taskQueue ?? (await this.taskQueueOf(request.job)),
      args: [{ request, dryRun: true } satisfies BackfillInput],
    });
    try {
      return (await handle.result()) as BackfillPreview;
    } catch (error) {
      if (error instanceof WorkflowFailedError) throw explained(error, request);
      // nobody answered: nobody will want to know later
      await handle.terminate('the preview was given up').catch(() => undefined);
      throw error;
    }
  }

  /**
   * Waits until it is known what a backfill does. Asks a worker.
   *
   * @throws {@link BackfillRejectedError} when it cannot be
   */
  async planned(id: string): Promise<BackfillProgress> {
    try {
      return await processed(() => this.handle(id).executeUpdate<BackfillProgress, []>(BACKFILL_PLAN_UPDATE));
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) throw explained(error, await this.asked(id));
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      return await this.progress(id);
    }
  }

  /**
   * All backfills that Temporal still knows, newest first; not those of an operator that were rejected at once. An error
   * names places in the request, such as `partitions[1]`; {@link describe} also says what is there.
   */
  async *list(): AsyncIterable<Backfill> {
    for await (const execution of eachLast(listEnds(this.client, BACKFILL_TYPE), BACKFILL_ID_PREFIX)) {
      const shown = backfillOf(execution);
      if (shown.sensor !== undefined || !isNeverPlanned(execution)) yield shown;
    }
  }

  /** @throws {@link BackfillNotFoundError} */
  async describe(id: string): Promise<Backfill> {
    const execution = await describeExecution(this.client, BACKFILL_ID_PREFIX + id);
    if (execution === undefined) throw new BackfillNotFoundError(id, this.client.options.namespace);
    const untaken = await this.untaken(execution);
    const shown = { ...backfillOf(execution), ...(untaken.length === 0 ? {} : { untaken }) };
    if (shown.status !== 'rejected' || shown.error === undefined) return shown;
    return { ...shown, error: namePartitions(shown.error, await this.asked(id)) };
  }

  /**
   * How far it is at this moment, with the first 20 failures and the first 20 runs that run. Asks a worker, unless the backfill is over.
   *
   * @throws {@link BackfillNotFoundError}; {@link BackfillRejectedError} when it could not be
   */
  async progress(id: string): Promise<BackfillProgress> {
    const { status } = await this.describe(id);
    if (status === 'rejected' || isOver(status)) return await this.result(id);
    return await this.handle(id).query<BackfillProgress>(BACKFILL_PROGRESS_QUERY);
  }

  /**
   * Waits for the end.
   *
   * @throws {@link BackfillRejectedError} when it could not be, or somebody ended its workflow
   */
  async result(id: string): Promise<BackfillResult> {
    try {
      return (await this.handle(id).result()) as BackfillResult;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw new BackfillNotFoundError(id, this.client.options.namespace);
      if (!(error instanceof WorkflowFailedError)) throw error;
      const { cause } = error;
      // it could not go on: the rest of what it tells is with the reason
      const [result] = cause instanceof ApplicationFailure ? (cause.details ?? []) : [];
      if (result === undefined) throw explained(error, await this.asked(id));
      return result as BackfillResult;
    }
  }

  /** It starts no more runs until it is resumed; those that run go on. */
  async pause(id: string, note: Note = {}): Promise<void> {
    refuseChange(this.options, 'pause');
    await this.signal(id, BACKFILL_SIGNALS.pause, note);
  }

  async resume(id: string, note: Note = {}): Promise<void> {
    refuseChange(this.options, 'resume');
    await this.signal(id, BACKFILL_SIGNALS.resume, note);
  }

  /** It starts no more runs, and ends when those that run have ended. @param note.runs cancels these, too */
  async cancel(id: string, note: Note & { readonly runs?: boolean } = {}): Promise<void> {
    refuseChange(this.options, 'cancel');
    await this.signal(id, BACKFILL_SIGNALS.cancel, note);
  }

  /**
   * Runs the partitions of its failed runs again, as a backfill of its own: `<id>.retry1`, and those of that one as `<id>.retry2`, …
   * One that was retried already is not started again: {@link StartedBackfill.started} is `false`.
   *
   * @throws {@link BackfillRejectedError} when it is not over, or nothing failed
   */
  async retry(id: string, { by, reason }: Note = {}): Promise<StartedBackfill> {
    refuseChange(this.options, 'retry');
    const { status, taskQueue } = await this.describe(id);
    if (!isOver(status))
      throw new BackfillRejectedError(`backfill '${id}' is ${status}; its failed runs are repeated when it is over`);
    const result = await this.result(id);
    if (result.error !== undefined)
      throw new BackfillRejectedError(
        `backfill '${id}' could not go on (${result.error}); start it again with the same ID and request, and it does`
      );
    if (result.failed === 0)
      throw new BackfillRejectedError(`no run of backfill '${id}' failed; there is nothing to repeat`);
    if (result.failedPartitionsDropped > 0) {
      throw new BackfillRejectedError(
        `${result.failed} runs of backfill '${id}' failed, more than it keeps the partitions of (64 KB); start a new one of its partitions`
      );
    }
    const decided = decidedOf(result) ?? { policy: 'perPartition', first: '', last: '' };
    const { by: _, reason: __, ...request } = await this.requestOf(id);
    const again: BackfillRequest = {
      ...asDecided(request, decided),
      ...(decided.policy === 'perPartition' ? { partitions: result.failedPartitions } : {}),
      retryOf: id,
      ...(by === undefined ? {} : { by }),
      ...(reason === undefined ? {} : { reason }),
    };
    return await this.startAs(nextAttempt(id), again, taskQueue);
  }

  private async untaken(execution: Description): Promise<readonly UntakenOrder[]> {
    const orders = Object.keys(BACKFILL_SIGNALS) as UntakenOrder['what'][];
    return (await untakenSignals(this.client, execution)).flatMap(({ name, at }) => {
      const what = orders.find((each) => BACKFILL_SIGNALS[each] === name);
      return what === undefined ? [] : [{ what, at }];
    });
  }

  private handle(id: string) {
    return this.client.workflow.getHandle(BACKFILL_ID_PREFIX + id);
  }

  private async startAs(id: string, request: BackfillRequest, taskQueue: string | undefined): Promise<StartedBackfill> {
    const last = await describeExecution(this.client, BACKFILL_ID_PREFIX + id);
    // one that was rejected before it was planned has started nothing
    const isNothing = last !== undefined && isNeverPlanned(last);
    if (last !== undefined && !isNothing) await this.refuseOther(id, request);
    const decided = last === undefined ? undefined : decidedOf(backfillOf(last));
    const asked = last?.memo?.[RUN_MEMO];
    const now = Date.now();
    const queue = taskQueue ?? last?.taskQueue ?? (await this.taskQueueOf(request.job));
    let started = true;
    try {
      await this.client.workflow.start(BACKFILL_TYPE, {
        workflowId: BACKFILL_ID_PREFIX + id,
        taskQueue: queue,
        args: [{ request, ...(decided === undefined ? {} : { decided }) } satisfies BackfillInput],
        memo: {
          // who asked for it first: of a sensor's it stays the sensor
          ...(asked === undefined ? {} : { [RUN_MEMO]: asked }),
          [BACKFILL_MEMO]: progressOf(newBackfill(now, decided), request, now),
        },
        workflowIdConflictPolicy: 'FAIL',
        // one that was terminated, or could not go on, goes on: its runs have the same IDs
        workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
        staticSummary: `backfill of ${request.job}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      // somebody else was faster, or it has run: the same request is the same backfill
      await this.refuseOther(id, request);
      started = false;
    }
    return { ...(await this.describe(id)), started };
  }

  /** @throws {@link BackfillRejectedError} when the backfill of this ID is for something else */
  private async refuseOther(id: string, request: BackfillRequest): Promise<void> {
    const bare = ({ by: _, reason: __, ...rest }: BackfillRequest): object => rest;
    if (sameJson(bare(await this.requestOf(id)), bare(request))) return;
    throw new BackfillRejectedError(
      `there is a backfill '${id}' already, of other partitions or with other options; give this one another ID`
    );
  }

  private async requestOf(id: string): Promise<BackfillRequest> {
    const workflowId = BACKFILL_ID_PREFIX + id;
    // of the present run: the server may have forgotten the first one, and all have it
    const [input] = await readInput(this.client, { workflowId });
    return (input as BackfillInput).request;
  }

  /** What names the partitions in an error: without it the error is as the worker wrote it. */
  private async asked(id: string): Promise<Pick<BackfillRequest, 'partitions'>> {
    return await this.requestOf(id).catch(() => ({ partitions: 'all' }) as const);
  }

  /** The one task queue of the running sensors that have the job. */
  private async taskQueueOf(job: string): Promise<string> {
    const queues = new Set<string>();
    const query = `WorkflowType = '${LOOP_TYPE}' AND ExecutionStatus = 'Running'`;
    for await (const { memo, taskQueue } of listExecutions(this.client, query, LOOPS_PER_PAGE)) {
      const { jobs = [] } = (memo?.[SENSOR_MEMO] ?? {}) as Partial<SensorMemo>;
      if (jobs.includes(job)) queues.add(taskQueue);
    }
    const [queue, ...others] = queues;
    if (queue === undefined)
      throw new BackfillRejectedError(
        `no sensor in namespace '${this.client.options.namespace}' has a job '${job}'; start a worker with one, or give the task queue of a worker that has it`
      );
    if (others.length === 0) return queue;
    throw new BackfillRejectedError(
      `sensors on several task queues have a job '${job}' (${[...queues].sort().join(', ')}); say which: the task queue`
    );
  }

  private async signal(id: string, name: string, note: object): Promise<void> {
    try {
      await this.handle(id).signal(name, note);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      const { status } = await this.describe(id);
      throw new BackfillRejectedError(`backfill '${id}' is over (${status}), so nobody can ${name} it`, {
        cause: error,
      });
    }
  }
}

function check(request: BackfillRequest): void {
  const problem = backfillProblem(request);
  if (problem !== undefined) throw new BackfillRejectedError(problem);
}

function explained(
  error: WorkflowFailedError | WorkflowUpdateFailedError,
  request: Pick<BackfillRequest, 'partitions'>
): Error {
  const { cause } = error;
  return new BackfillRejectedError(
    cause instanceof ApplicationFailure
      ? namePartitions(cause.message, request)
      : `the backfill was ended: ${cause?.message ?? error.message}`,
    { cause: error }
  );
}

/** Whether it has ended as backfills do. */
function isOver(status: Backfill['status']): boolean {
  return status === 'done' || status === 'failed' || status === 'cancelled';
}

/** What it has decided, once a worker has looked at it. */
function decidedOf({ policy, first, last }: Partial<DecidedBackfill>): DecidedBackfill | undefined {
  return policy === undefined || first === undefined || last === undefined ? undefined : { policy, first, last };
}

/** Whether it was rejected before it knew what to do: it has started nothing. */
function isNeverPlanned(execution: Execution): boolean {
  return execution.status.name === 'FAILED' && decidedOf(backfillOf(execution)) === undefined;
}

function nextAttempt(id: string): string {
  const [, base = id, number = '0'] = /^(.*)\.retry(\d+)$/.exec(id) ?? [];
  return `${base}.retry${Number(number) + 1}`;
}

type Execution = Pick<
  WorkflowExecutionDescription,
  'workflowId' | 'runId' | 'taskQueue' | 'startTime' | 'closeTime' | 'status' | 'memo'
>;

function backfillOf({ workflowId, runId, taskQueue, startTime, closeTime, status, memo = {} }: Execution): Backfill {
  const told = memo[BACKFILL_MEMO] as BackfillProgress | undefined;
  const { startedAt, at, ...progress } =
    told ?? progressOf(newBackfill(startTime.getTime()), { job: '', partitions: 'all' }, startTime.getTime());
  const { sensor } = (memo[RUN_MEMO] ?? {}) as Partial<RunMemo>;
  const ended = statusOf({ status });
  return {
    ...progress,
    id: workflowId.slice(BACKFILL_ID_PREFIX.length),
    status: ended === undefined || ended === 'completed' ? progress.status : endedAs(ended, progress.status),
    ...(sensor === undefined ? {} : { sensor }),
    workflowId,
    runId,
    taskQueue,
    startTime: new Date(startedAt),
    ...(closeTime === undefined ? {} : { closeTime }),
    at: new Date(at),
  };
}

/** Of a workflow that did not complete. @param told its last word */
function endedAs(status: string, told: BackfillStatus): Backfill['status'] {
  if (status === 'failed') return told === 'failed' ? told : 'rejected';
  if (status === 'canceled') return 'cancelled';
  return status === 'timedOut' ? 'timedOut' : 'terminated';
}
