/** Where a run came from: which sensor asked for it, alone or with a backfill. */
import type { Client } from '@temporalio/client';
import { aliasesOf } from '../sensors/earlier-names.js';
import { isObject } from '../sensors/json.js';
import { BACKFILL_ID_PREFIX, BACKFILL_TYPE, LOOP_ID_PREFIX, type LoopState } from '../sensors/protocol.js';
import { BackfillClient, BackfillNotFoundError, type Backfill } from './backfills.js';
import { sensorNames } from './earlier-sensors.js';
import { describeExecution, listExecutions, type Execution } from './executions.js';
import { requestOf, runAgain, type RequestOfRun, type RunAgain } from './explain-again.js';
import { findRun } from './find-run.js';
import { foldRun, ticksOf, type FoldedRun } from './fold-history.js';
import { readRunError, runOf, type SensorRun } from './list-runs.js';
import { historyOf } from './loops.js';
import { quoted } from './query.js';
import { runMemoOf } from './read-run.js';
import { isRunId } from './run-id.js';

/** Where a run came from. */
export type RunAnswer =
  | (RequestOfRun & {
      readonly kind: 'started';
      readonly run: SensorRun;
      /** Why it failed. */
      readonly error?: string;
      /** It is not its key's first run. */
      readonly repeats?: RunAgain;
      /** The sensor asked for this backfill, of which the run is one, or which it is. */
      readonly backfill?: BackfillOfRun;
    })
  /** It is a workflow that this sensor did not start; which one did, if one did, or which backfill. */
  | {
      readonly kind: 'foreign';
      readonly workflowId: string;
      readonly runId: string;
      readonly sensor?: string;
      readonly backfill?: BackfillOfRun;
      /** ID of the dead letter of a request that it keeps from starting: the workflow has its ID. */
      readonly deadLetter?: string;
    }
  /** Temporal knows no such workflow. */
  | { readonly kind: 'unknown' };

/** A backfill as far as Temporal still knows it. */
export interface BackfillOfRun {
  readonly id: string;
  /** The workflow is the backfill, and not one of its runs. */
  readonly isIt: boolean;
  readonly status?: Backfill['status'];
  readonly startTime?: Date;
  /** Why it was rejected, or could not go on. */
  readonly error?: string;
  /** The operator who asked for it. */
  readonly by?: string;
}

/** @param id workflow ID or run ID */
export async function explainRun(client: Client, sensor: string, id: string): Promise<RunAnswer> {
  const execution = isRunId(id) ? await withRunId(client, id) : await describeExecution(client, id);
  if (execution === undefined || execution.workflowId.startsWith(LOOP_ID_PREFIX)) return { kind: 'unknown' };
  const memo = runMemoOf(execution.memo ?? {});
  const { workflowId, runId } = execution;
  const found = await backfillOfRun(client, execution);
  const backfill = found === undefined ? {} : { backfill: found };
  const loop = await foldRun(client, await historyOf(client, sensor));
  if (memo?.sensor === undefined || !sensorNames(sensor, loop.state).includes(memo.sensor))
    return {
      kind: 'foreign',
      workflowId,
      runId,
      ...(memo?.sensor === undefined ? {} : { sensor: memo.sensor }),
      ...backfill,
      ...blockedBy(loop.state, workflowId),
    };
  const run = runOf(execution);
  const error = await readRunError(client, run);
  const repeats = await howAgain(client, sensor, run, loop);
  return {
    kind: 'started',
    run,
    ...requestOf(run, ticksOf(loop)),
    ...(found?.startTime === undefined ? {} : { requestedAt: found.startTime }),
    ...(repeats === undefined ? {} : { repeats }),
    ...(error === undefined ? {} : { error }),
    ...backfill,
  };
}

/** The dead letter of a request that would start a workflow of this ID; one too large to be kept only names it. */
function blockedBy({ deadLetters }: LoopState, workflowId: string): { readonly deadLetter?: string } {
  const letter = deadLetters.findLast(
    ({ kind, id, payload, error }) =>
      kind === 'owner' &&
      (id === workflowId ||
        (isObject(payload) ? payload['id'] === workflowId : error.startsWith(`the workflow ID '${workflowId}'`)))
  );
  return letter === undefined ? {} : { deadLetter: letter.id };
}

/** Nothing for the first run of a key. */
async function howAgain(
  client: Client,
  sensor: string,
  run: SensorRun,
  loop: FoldedRun
): Promise<RunAgain | undefined> {
  const { epoch, runKey, job } = run;
  if (epoch === undefined || runKey === undefined) return undefined;
  const { state } = loop;
  const names = [job, ...aliasesOf(state.options, job)];
  const first = await findRun(client, sensorNames(sensor, state), { names, runKey, state, newest: 1 });
  return runAgain(run, { runKey, audit: state.audit, ticks: ticksOf(loop), first });
}

/** The backfill that a workflow is, or is part of. */
async function backfillOfRun(
  client: Client,
  { workflowId, type, memo = {} }: Pick<Execution, 'workflowId' | 'type' | 'memo'>
): Promise<BackfillOfRun | undefined> {
  const isIt = type === BACKFILL_TYPE && workflowId.startsWith(BACKFILL_ID_PREFIX);
  const id = isIt ? workflowId.slice(BACKFILL_ID_PREFIX.length) : runMemoOf(memo)?.backfill;
  if (id === undefined) return undefined;
  try {
    const { status, startTime, error, by } = await new BackfillClient(client).describe(id);
    const told = { ...(error === undefined ? {} : { error }), ...(by === undefined ? {} : { by }) };
    return { id, isIt, status, startTime, ...told };
  } catch (error) {
    if (error instanceof BackfillNotFoundError) return { id, isIt };
    throw error;
  }
}

async function withRunId(client: Client, runId: string) {
  for await (const execution of listExecutions(client, `RunId = ${quoted(runId)}`)) return execution;
  return undefined;
}
