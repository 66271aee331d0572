/** Which attempt may evaluate: the current one, on a worker with the newest definition. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { withoutStack } from '../sensors/failures.js';
import { HEARTBEAT_TIMEOUT_MS } from '../sensors/limits.js';
import type { EvaluationInput, StreakRecord } from '../sensors/protocol.js';

/** How soon a newer worker is tried when this one has an older definition, and how long it is waited for. */
const OUTDATED_RETRY_MS = 500;
const OUTDATED_FOR_MS = 30_000;

/**
 * During a rolling deploy the newest definition wins: a worker with another one lets the newer worker have the
 * attempt, and evaluates only if none comes for 30 s. Gives the record of the quiet streak to go on with.
 *
 * @param definition of this worker: what `LoopOptions.definition` would be
 * @param streak as the attempt before left it
 */
export function deferToNewer(
  input: EvaluationInput,
  definition: string,
  streak: StreakRecord | undefined
): StreakRecord | undefined {
  const context = Context.current();
  const { outdatedSince, ...rest } = streak ?? { reasons: [], at: 0 };
  if (definition === input.definition) {
    if (outdatedSince === undefined) return streak;
    context.heartbeat(rest);
    return rest;
  }
  const now = context.info.currentAttemptScheduledTimestampMs;
  if (outdatedSince !== undefined && now - outdatedSince >= OUTDATED_FOR_MS) return streak;
  if (outdatedSince === undefined) context.heartbeat({ ...rest, outdatedSince: now });
  throw withoutStack(
    ApplicationFailure.create({
      message: `waiting for a worker with the newest definition of sensor '${input.sensor}'; this one has an older one`,
      type: FAILURE_TYPES.outdated,
      details: [input.facts],
      category: ApplicationFailureCategory.BENIGN,
      nextRetryDelay: OUTDATED_RETRY_MS,
    })
  );
}

/** An attempt that the server has given up (this process was blocked) must not evaluate beside its successor. */
export async function refuseOutdated(): Promise<void> {
  const { client, info } = Context.current();
  const { workflowExecution: execution } = info;
  if (
    execution === undefined ||
    Math.abs(Date.now() - info.currentAttemptScheduledTimestampMs) < HEARTBEAT_TIMEOUT_MS / 2
  )
    return;
  const { raw } = await client.workflow.getHandle(execution.workflowId, execution.runId).describe();
  const pending = raw.pendingActivities?.find(({ activityId }) => activityId === info.activityId);
  if (pending?.attempt === info.attempt) return;
  throw ApplicationFailure.create({
    message: `attempt ${info.attempt} is outdated and did not evaluate`,
    type: FAILURE_TYPES.outdated,
  });
}
