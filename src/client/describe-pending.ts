/** Reads the folded evaluation from Temporal's description of the loop: skip reason, attempts, next time. */
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';
import { lastOutcomeOf } from '../sensors/describe-tick.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import type { QuietReason, StreakRecord, TickFacts } from '../sensors/protocol.js';
import { decodeFailure } from './decode-failure.js';
import { recentTicks, type RecentTicks } from './tick-facts.js';

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** `PENDING_ACTIVITY_STATE_SCHEDULED` of Temporal's API. */
const SCHEDULED = 1;

/** `PENDING_ACTIVITY_STATE_STARTED` of Temporal's API. */
const STARTED = 2;

/** The evaluation that runs or waits for its next attempt. */
export interface EvaluationStatus {
  /** `running`: the author's code runs now, or a worker has still to take it; `waiting`: until `nextAt`. */
  readonly phase: 'running' | 'waiting';
  /** Attempts so far; an operator can set it back. */
  readonly attempt: number;
  readonly nextAt?: Date;
  readonly lastAttemptAt?: Date;
  /** A worker has been at it since then. */
  readonly startedAt?: Date;
  /** It is due since then, and no worker has taken it. */
  readonly dueSince?: Date;
  /** What the last evaluation said: the skip reason, or the error of a failing sensor. */
  readonly lastOutcome?: string;
  /** The last attempt found nothing new and cost no history. */
  readonly folded: boolean;
  /** What the last tick did, while there was no evaluation since: `tick 7: success: 2 runs started`. */
  readonly lastTickOutcome?: string;
  readonly notLoaded: boolean;
  /** Somebody paused the activity in Temporal Web: nothing is evaluated until it is unpaused (a push still works). */
  readonly paused: boolean;
  /** The reasons of this quiet streak, oldest first; the newest may be a minute late. */
  readonly streak: readonly QuietReason[];
  /** As it was when the evaluation began; absent while its first attempt runs. */
  readonly recent: RecentTicks;
}

/** Failures that carry them. */
const WITH_FACTS: readonly string[] = [
  FAILURE_TYPES.quiet,
  FAILURE_TYPES.waiting,
  FAILURE_TYPES.failed,
  FAILURE_TYPES.notLoaded,
  FAILURE_TYPES.noKeys,
  FAILURE_TYPES.outdated,
  FAILURE_TYPES.interrupted,
];

/** The loop's evaluation among its pending activities, if there is one. */
export async function describePending(
  client: Client,
  pending: readonly PendingActivity[]
): Promise<EvaluationStatus | undefined> {
  const activity = pending.find(({ activityType }) => activityType?.name === 'evaluateSensor');
  if (activity === undefined) return undefined;
  const { loadedDataConverter } = client.options;
  const { lastFailure } = activity;
  const failure = lastFailure == null ? undefined : await decodeFailure(loadedDataConverter, lastFailure);
  const [streak] = await decodeArrayFromPayloads(loadedDataConverter, activity.heartbeatDetails?.payloads).catch(
    () => []
  );
  const nextAt = optionalTsToDate(activity.nextAttemptScheduleTime);
  const lastAttemptAt = optionalTsToDate(activity.lastAttemptCompleteTime ?? activity.lastStartedTime);
  const startedAt = activity.state === STARTED ? optionalTsToDate(activity.lastStartedTime) : undefined;
  const dueAt = activity.state === SCHEDULED ? optionalTsToDate(activity.scheduledTime) : undefined;
  return {
    ...(dueAt !== undefined && dueAt.getTime() <= Date.now() ? { dueSince: dueAt } : {}),
    phase: nextAt !== undefined && nextAt.getTime() > Date.now() ? 'waiting' : 'running',
    attempt: activity.attempt ?? 1,
    ...(nextAt === undefined ? {} : { nextAt }),
    ...(lastAttemptAt === undefined ? {} : { lastAttemptAt }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...outcomeOf(failure),
    folded: isOfType(failure, FAILURE_TYPES.quiet),
    notLoaded: isOfType(failure, FAILURE_TYPES.notLoaded),
    paused: activity.paused === true,
    streak: (streak as StreakRecord | undefined)?.reasons ?? [],
    recent: recentTicks(factsIn(failure)),
  };
}

function factsIn(failure: Error | undefined): TickFacts | undefined {
  if (!WITH_FACTS.some((type) => isOfType(failure, type))) return undefined;
  return (failure as ApplicationFailure).details?.[0] as TickFacts | undefined;
}

/** An attempt that only waited says what the last tick did. */
function outcomeOf(failure: Error | undefined): Pick<EvaluationStatus, 'lastOutcome' | 'lastTickOutcome'> {
  if (failure === undefined) return {};
  if (!isOfType(failure, FAILURE_TYPES.waiting)) return { lastOutcome: failure.message };
  const lastTickOutcome = lastOutcomeOf(failure.message);
  return lastTickOutcome === undefined ? {} : { lastTickOutcome };
}

function isOfType(failure: Error | undefined, type: string): boolean {
  return failure instanceof ApplicationFailure && failure.type === type;
}
