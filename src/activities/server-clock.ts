/**
 * The server's time as this worker knows it: an attempt that follows one of its own was scheduled a known pause after
 * that one ended. Until there was such a pair, the worker's clock is taken for right.
 */
import type { Info } from '@temporalio/activity';

type Attempt = Pick<Info, 'attempt' | 'currentAttemptScheduledTimestampMs'> & {
  readonly workflowExecution?: Info['workflowExecution'];
  readonly activityId: string;
};

export class ServerClock {
  readonly #ends = new Map<string, { readonly next: string; readonly endedAt: number; readonly pauseMs: number }>();
  #aheadMs = 0;

  /** To be told when an attempt begins. Gives the server's time. */
  begins(sensor: string, attempt: Attempt, now: number = Date.now()): number {
    const end = this.#ends.get(sensor);
    const { currentAttemptScheduledTimestampMs: scheduledAt } = attempt;
    if (end?.next === nameOf(attempt, attempt.attempt)) this.#aheadMs = end.endedAt - (scheduledAt - end.pauseMs);
    return now - this.#aheadMs;
  }

  /** To be told when one ends that is retried after `pauseMs`. */
  ends(sensor: string, attempt: Attempt, pauseMs: number, now: number = Date.now()): void {
    this.#ends.set(sensor, { next: nameOf(attempt, attempt.attempt + 1), endedAt: now, pauseMs });
  }
}

function nameOf({ workflowExecution, activityId }: Attempt, attempt: number): string {
  return `${workflowExecution?.runId ?? ''} ${activityId} ${attempt}`;
}
