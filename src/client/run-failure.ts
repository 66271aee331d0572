/** Temporal's failures as status sensors see them: a chain of causes, and what to read first. */
import type { Client } from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
  type LoadedDataConverter,
  type ProtoFailure,
} from '@temporalio/common';
import type { FailureCause, RunFailure } from '../sensors/status-run.js';
import { decodeFailure } from './decode-failure.js';

/** A failure that a workflow of this ID ended with. */
export async function failureOf(client: Client, failure: ProtoFailure, workflowId: string): Promise<RunFailure> {
  const { loadedDataConverter, namespace } = client.options;
  const context = { type: 'workflow', namespace, workflowId } as const;
  return runFailureOf(await decodeFailure(loadedDataConverter, failure, context), loadedDataConverter);
}

/** What a workflow ended with, as this converter gave it back. */
export function runFailureOf(ended: unknown, converter: LoadedDataConverter): RunFailure {
  const errors = chainOf(converter, ended);
  const causes = errors.map(causeOf);
  const type = causes.findLast((cause) => cause.type !== undefined)?.type;
  const activity = errors.find((error) => error instanceof ActivityFailure);
  const child = errors.find((error) => error instanceof ChildWorkflowFailure);
  return {
    message: causes.findLast(({ message }) => message !== '')?.message ?? type ?? 'failed without a message',
    causes,
    ...(type === undefined ? {} : { type }),
    ...(activity === undefined ? {} : { activity: { type: activity.activityType, id: activity.activityId ?? '' } }),
    ...(child === undefined
      ? {}
      : {
          childWorkflow: {
            type: child.workflowType,
            workflowId: child.execution.workflowId ?? '',
            runId: child.execution.runId ?? '',
          },
        }),
  };
}

/** An error and its causes, outermost first. */
function chainOf(converter: LoadedDataConverter, error: unknown): readonly Error[] {
  if (!(error instanceof Error)) return [];
  return [error, ...chainOf(converter, error.cause ?? lastAttemptOf(converter, error))];
}

/** What an activity that ran out of time had failed with before: the server says it, the SDK's error leaves it out. */
function lastAttemptOf({ failureConverter, payloadConverter }: LoadedDataConverter, error: Error): Error | undefined {
  const cause = error instanceof TimeoutFailure ? error.failure?.cause : undefined;
  return cause == null ? undefined : failureConverter.failureToError(cause, payloadConverter);
}

function causeOf(error: Error): FailureCause {
  const type = error instanceof ApplicationFailure ? error.type || undefined : undefined;
  return {
    message: error.message,
    kind: error.name,
    ...(type === undefined ? {} : { type }),
    ...(error.stack ? { stack: error.stack } : {}),
  };
}
