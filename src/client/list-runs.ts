/** The runs that a sensor started, as lists of workflows have them. */
import type { Client } from '@temporalio/client';
import { listExecutions, type Execution } from './executions.js';
import { loopId } from './loops.js';
import { quoted } from './query.js';
import { runMemoOf, statusOf } from './read-run.js';
import { readEnd } from './run-end.js';

/** A run that a sensor started. */
export interface SensorRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly job: string;
  readonly status: string;
  /** That started it. */
  readonly tick?: number;
  /** The tick that requested it, where that left it pending. Runs of older workers do not say so. */
  readonly requestedAtTick?: number;
  readonly runKey?: string;
  readonly partitionKey?: string;
  /** Names of the assets that it is to make; absent: all of its job's. */
  readonly assets?: readonly string[];
  /** A run that an operator asked for: of which epoch, by whom and why. */
  readonly epoch?: number;
  /** Workflow ID of its key's first run, if an operator ran that again. */
  readonly rerunOf?: string;
  readonly by?: string;
  readonly reason?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly startTime: Date;
  readonly closeTime?: Date;
}

export interface RunFilter {
  /** Temporal's name of it: `Running`, `Completed`, `Failed`, `Canceled`, `Terminated`, `TimedOut`, `ContinuedAsNew`. */
  readonly status?: string | undefined;
  /** Only runs that were started then or later. */
  readonly since?: Date | undefined;
  /** Only runs of this key, of whatever job. Found among the runs that match the rest. */
  readonly runKey?: string | undefined;
}

/** Newest first. */
export async function* listRuns(
  client: Client,
  sensor: string,
  { status, since, runKey }: RunFilter
): AsyncGenerator<SensorRun> {
  const query = [
    `ParentWorkflowId = ${quoted(loopId(sensor))}`,
    ...(status === undefined ? [] : [`ExecutionStatus = ${quoted(status)}`]),
    ...(since === undefined ? [] : [`StartTime >= ${quoted(since.toISOString())}`]),
  ].join(' AND ');
  for await (const execution of listExecutions(client, query)) {
    const run = runOf(execution);
    if (runKey === undefined || run.runKey === runKey) yield run;
  }
}

/** Whether Temporal knows a run that the sensor started, also when it has forgotten the sensor. */
export async function hasRuns(client: Client, sensor: string): Promise<boolean> {
  for await (const _ of listRuns(client, sensor, {})) return true;
  return false;
}

/** A workflow as the sensor's run that it is. */
export function runOf(
  execution: Pick<Execution, 'workflowId' | 'runId' | 'type' | 'status' | 'startTime' | 'closeTime' | 'memo'>
): SensorRun {
  const memo = runMemoOf(execution.memo ?? {});
  return {
    workflowId: execution.workflowId,
    runId: execution.runId,
    job: execution.type,
    status: execution.status.name,
    tags: memo?.tags ?? {},
    startTime: execution.startTime,
    ...(memo === undefined ? {} : { tick: memo.tick }),
    ...(memo?.requestedAtTick === undefined ? {} : { requestedAtTick: memo.requestedAtTick }),
    ...(memo?.runKey === undefined ? {} : { runKey: memo.runKey }),
    ...(memo?.partitionKey === undefined ? {} : { partitionKey: memo.partitionKey }),
    ...(memo?.assets === undefined ? {} : { assets: memo.assets }),
    ...(memo?.epoch === undefined ? {} : { epoch: memo.epoch }),
    ...(memo?.rerunOf === undefined ? {} : { rerunOf: memo.rerunOf }),
    ...(memo?.by === undefined ? {} : { by: memo.by }),
    ...(memo?.reason === undefined ? {} : { reason: memo.reason }),
    ...(execution.closeTime === undefined ? {} : { closeTime: execution.closeTime }),
  };
}

/** Why a run failed or was terminated, in one message; undefined for any other. */
export async function readRunError(client: Client, run: SensorRun): Promise<string | undefined> {
  const status = statusOf({ status: { name: run.status } });
  if (status !== 'failed' && status !== 'terminated') return undefined;
  return (await readEnd(client, run, status)).failure?.message;
}
