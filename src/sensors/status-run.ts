/** What status sensors see of a workflow. */
import type { TypedSearchAttributes } from '@temporalio/common';
import type { RunMemo } from './protocol.js';

/** What became of a workflow. */
export const RUN_STATUSES = [
  'started',
  'completed',
  'failed',
  'timedOut',
  'terminated',
  'canceled',
  'continuedAsNew',
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** The ID of the event that a run came to a status: the same whenever it is handled. */
export function eventIdOf(
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string },
  status: RunStatus
): string {
  return `${workflowId}/${runId}/${status}`;
}

/** One link of a chain of failures. */
export interface FailureCause {
  /** As it was thrown, whole. */
  readonly message: string;
  /** `ApplicationFailure`, `ActivityFailure`, `TimeoutFailure`, … */
  readonly kind: string;
  /** Type of an application failure: the name of the error's class unless the author named it. */
  readonly type?: string;
  readonly stack?: string;
}

/** Why a run ended badly. */
export interface RunFailure {
  /** What to read first: the innermost message, the reason of a termination, or what timed out. */
  readonly message: string;
  /** Type of the innermost application failure. */
  readonly type?: string;
  /** From the workflow's own failure to the innermost cause; empty for a timeout, a termination, a cancellation, and where the history is gone. */
  readonly causes: readonly FailureCause[];
  /** The activity whose failure ended the workflow. */
  readonly activity?: { readonly type: string; readonly id: string };
  /** The child workflow whose failure ended the workflow. */
  readonly childWorkflow?: { readonly type: string; readonly workflowId: string; readonly runId: string };
}

/** A workflow's run that started or ended, as Temporal knows it. */
export interface StatusRun {
  readonly kind: 'run';
  /** The same whenever this event is handled: `<workflow ID>/<run ID>/<status>`. For receivers that must not act twice. */
  readonly eventId: string;
  readonly status: RunStatus;
  /** When it started (status `started`) or ended, by the server's clock. */
  readonly at: Date;
  readonly workflowId: string;
  readonly runId: string;
  /** Workflow type; for runs of jobs the job's name. */
  readonly type: string;
  readonly taskQueue: string;
  readonly startTime: Date;
  readonly closeTime?: Date;
  /** How long it ran; what it waited before its first task, as a retry does, does not count. */
  readonly durationMs?: number;
  /** Decoded; empty when another application's codec encoded it. */
  readonly memo: Readonly<Record<string, unknown>>;
  readonly searchAttributes: TypedSearchAttributes;
  /** Sensor, tick, run key and tags; absent for runs that neither a sensor nor a backfill started. */
  readonly startedBy?: RunMemo;
  readonly parent?: { readonly workflowId: string; readonly runId: string };
  /** Absent for runs that did not end badly. */
  readonly failure?: RunFailure;
  /** Run ID of the run that Temporal made after this one: a retry, or what it continued as. Not known of a reset. */
  readonly nextRunId?: string;
  /** Temporal Web, where its address is known. */
  readonly url?: string;
  /** Arguments of the workflow, read from its history when asked for. @throws Error when its history is gone */
  readonly input: () => Promise<readonly unknown[]>;
  /** What a completed workflow returned, read when asked for. @throws Error when it did not complete, or its history is gone */
  readonly result: () => Promise<unknown>;
}

/** A run that ended badly. */
export interface FailedRun extends StatusRun {
  readonly failure: RunFailure;
}

/** What changed in a sensor's health. */
export const HEALTH_CHANGES = ['failing', 'recovered', 'notLoaded', 'late', 'stoppedItself', 'closed'] as const;
export type HealthChangeKind = (typeof HEALTH_CHANGES)[number];

/** A change in a sensor's health. */
export interface SensorHealthEvent {
  readonly kind: 'sensor';
  /** The same whenever this event is handled. */
  readonly eventId: string;
  /** Full name of the sensor. */
  readonly sensor: string;
  readonly change: HealthChangeKind;
  /** When it was noticed; the moment itself where it is known. */
  readonly at: Date;
  /** What is wrong, or (recovered) what was. */
  readonly message: string;
  /** Recovered: since when it had been unhealthy. */
  readonly unhealthySince?: Date;
  /** Workflow ID of the sensor's loop. */
  readonly workflowId: string;
  readonly url?: string;
}
