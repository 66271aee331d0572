/**
 * What surrounds one attempt of an evaluation: the signal it can be aborted by, the keep-alive heartbeats, and the
 * question to the loop whether it should go on.
 *
 * A cancelled attempt cannot tell a stop from a pushed event. Aborting the author's code at every wake-up starves a
 * sensor that is pushed often, so the attempt asks the loop (a query) and aborts only for a stop or a cursor edit.
 */
import { CancelledFailure, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { EvaluationError } from '../sensors/errors.js';
import { SETTLE_MS } from '../sensors/limits.js';
import { QUERIES, type EvaluationInput, type StreakRecord } from '../sensors/protocol.js';

const KEEP_ALIVE_MS = 1_000;

export class Attempt {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  private readonly context = Context.current();
  private readonly timers: NodeJS.Timeout[] = [];
  private asking = false;
  private aliveAt = performance.now();
  /** Rejects when the author's code has not settled some seconds after it was aborted. */
  private abandon: (error: Error) => void = () => undefined;

  constructor(
    private readonly input: EvaluationInput,
    private readonly client: Client,
    private readonly streak: StreakRecord | undefined
  ) {
    this.signal = this.controller.signal;
  }

  /**
   * Runs the author's code under this attempt's rules.
   *
   * @param keeps whether what an aborted `work` gave still counts: of events that were handled, for instance
   * @throws {@link CancelledFailure} when it was aborted for a stop, a cursor edit or a shutdown;
   *   {@link EvaluationError} at the timeout; else whatever `work` throws
   */
  async run<T>(work: () => Promise<T>, keeps: (value: T) => boolean): Promise<T> {
    const { input, context } = this;
    const cancelled = (): void => this.cancelled();
    context.cancellationSignal.addEventListener('abort', cancelled);
    const timeout = setTimeout(
      () => this.abort(new EvaluationError(`the evaluation did not end within its timeout of ${input.timeoutMs} ms`)),
      input.timeoutMs
    );
    // a bare heartbeat would erase the record of the streak
    const keepAlive = setInterval(() => {
      this.aliveAt = performance.now();
      this.heartbeat();
      if (context.cancellationSignal.aborted) this.cancelled();
    }, KEEP_ALIVE_MS);
    this.timers.push(timeout, keepAlive);
    if (context.cancellationSignal.aborted) this.cancelled();
    const abandoned = new Promise<never>((_, reject) => (this.abandon = reject));
    abandoned.catch(() => undefined);
    try {
      const value = await Promise.race([work(), abandoned]);
      if (this.signal.aborted && !keeps(value)) throw this.signal.reason;
      return value;
    } catch (error) {
      // after a stop, a cursor edit or a shutdown it does not matter how the author's code ended, or whether it did
      const reason: unknown = this.signal.reason;
      // at the timeout, an error of ours that it caused says more: what did not end
      const caused = error instanceof EvaluationError && error.cause === reason;
      throw this.signal.aborted && (reason instanceof CancelledFailure || !caused) ? reason : error;
    } finally {
      for (const timer of this.timers) clearTimeout(timer);
      context.cancellationSignal.removeEventListener('abort', cancelled);
    }
  }

  /** How long the event loop has been blocked up to now; over the heartbeat timeout, the server has given up on us. */
  get blockedMs(): number {
    return performance.now() - this.aliveAt;
  }

  /** Whether it is over only because its worker goes. */
  get isShutDown(): boolean {
    const details = this.context.cancellationDetails;
    return details?.workerShutdown === true && !details.cancelRequested;
  }

  heartbeat(): void {
    if (this.streak === undefined) this.context.heartbeat();
    else this.context.heartbeat(this.streak);
  }

  private abort(reason: Error): void {
    if (this.signal.aborted) return;
    try {
      this.controller.abort(reason);
    } catch {
      // a listener of the author's that throws must not take the worker down
    }
    this.timers.push(
      setTimeout(
        () =>
          this.abandon(
            new EvaluationError(
              `${reason.message}; it ignores ctx.signal and still runs: pass ctx.signal on to what it awaits`,
              { cause: reason }
            )
          ),
        SETTLE_MS
      )
    );
  }

  private cancelled(): void {
    const details = this.context.cancellationDetails;
    if (details?.paused === true) return;
    if (details?.cancelRequested !== true)
      this.abort(new CancelledFailure('the attempt is over: worker shutdown, timeout or reset'));
    else void this.ask();
  }

  private async ask(): Promise<void> {
    if (this.asking || this.signal.aborted) return;
    this.asking = true;
    try {
      const { workflowId, runId } = this.context.info.workflowExecution ?? {};
      if (workflowId === undefined) return;
      const reason = await this.client.workflow
        .getHandle(workflowId, runId)
        .query<'stop' | 'cursor' | null, [number]>(QUERIES.abort, this.input.evaluation);
      if (reason !== null)
        this.abort(new CancelledFailure(reason === 'stop' ? 'the sensor was stopped' : 'the cursor was edited'));
    } catch {
      // asked again at the next keep-alive; until then the evaluation goes on, which is always safe
    } finally {
      this.asking = false;
    }
  }
}
