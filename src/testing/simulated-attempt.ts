/** One attempt of an evaluation on a virtual clock: what the evaluation activity does, without Temporal. */
import { CancelledFailure } from '@temporalio/common';
import { setMaxListeners } from 'node:events';
import { addReason, extendStreak } from '../activities/streak.js';
import { endOf, failedEvaluation, failureFolds, quietEnd, type AttemptTimes } from '../sensors/attempt-end.js';
import type { CheckedOutcome } from '../sensors/check-outcome.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { describeError } from '../sensors/describe-error.js';
import { evaluateInput } from '../sensors/evaluate-input.js';
import type { EvaluationServices } from '../sensors/evaluation.js';
import { LogBook, type LogSink } from '../sensors/log-book.js';
import type { AssetReader } from '../sensors/narrow-stale.js';
import type {
  EvaluationInput,
  EvaluationResult,
  FailureDetails,
  RestResult,
  StreakRecord,
} from '../sensors/protocol.js';

/** An abort signal that is made when it is looked at: most code of authors never does, and it costs more than a tick. */
export class Abort {
  #controller: AbortController | undefined;
  #reason: CancelledFailure | undefined;

  /** @param outer aborts too, from outside */
  constructor(private readonly outer: AbortSignal | undefined) {}

  get signal(): AbortSignal {
    if (this.outer !== undefined) return this.outer;
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // it serves many attempts, and an author may leave listeners behind in each
      setMaxListeners(0, this.#controller.signal);
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get reason(): unknown {
    return this.#reason ?? this.outer?.reason;
  }

  abort(reason: CancelledFailure): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }
}

/** What an attempt needs. */
export interface AttemptFacts {
  readonly definition: SensorDefinition;
  readonly input: EvaluationInput;
  readonly times: AttemptTimes;
  readonly now: number;
  readonly nonce: string;
  readonly streak: StreakRecord | undefined;
  readonly knownKeys: () => Promise<{ has(hash: string): boolean }>;
  readonly assets: AssetReader;
  readonly services: Omit<EvaluationServices, 'book' | 'signal'>;
  readonly abort: Abort;
  readonly sink: LogSink;
}

/**
 * `folded`: the next attempt comes after a pause, and no history says that there was this one. `rested`: as quiet, but
 * the streak ends, so that the loop can continue as new.
 */
export type AttemptEnd =
  | { readonly kind: 'reported'; readonly result: EvaluationResult }
  | { readonly kind: 'rested'; readonly result: RestResult; readonly reason: string }
  | {
      readonly kind: 'folded';
      readonly reason: string;
      readonly pauseMs: number;
      readonly streak: StreakRecord | undefined;
      /** What was thrown, unless the attempt was only quiet. */
      readonly failure: Thrown | undefined;
    }
  | { readonly kind: 'failed'; readonly error: Error; readonly failure: Thrown }
  | { readonly kind: 'aborted'; readonly error: CancelledFailure };

/** What the author's code threw, or why what it gave cannot be. */
export interface Thrown {
  readonly message: string;
  readonly cause: unknown;
}

/** What the author's code may use. */
class AttemptServices implements EvaluationServices {
  readonly client: EvaluationServices['client'];
  readonly resources: EvaluationServices['resources'];
  readonly heartbeat: () => void;

  constructor(
    { client, resources, heartbeat }: Omit<EvaluationServices, 'book' | 'signal'>,
    readonly book: LogBook,
    private readonly abort: Abort
  ) {
    this.client = client;
    this.resources = resources;
    this.heartbeat = heartbeat;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }
}

// no spreads of objects until there is something to report: they cost more than the evaluation of a quiet tick
export async function simulateAttempt(facts: AttemptFacts): Promise<AttemptEnd> {
  const { definition, input, times, now, streak, abort } = facts;
  const book = new LogBook(facts.sink, () => now);
  const reported = (): FailureDetails => ({
    logs: book.lines,
    logLinesDropped: book.dropped,
    durationMs: 0,
    quiet: streak?.reasons ?? [],
  });
  let checked: CheckedOutcome;
  try {
    checked = await evaluateInput(input, definition, {
      now: new Date(now),
      nonce: facts.nonce,
      run: async (work) => {
        const outcome = await work(new AttemptServices(facts.services, book, abort));
        if (abort.reason !== undefined) throw abort.reason;
        return outcome;
      },
      knownKeys: facts.knownKeys,
      assets: facts.assets,
      prefix: '',
      times,
      jobs: definition.jobs.map(({ name }) => name),
      preview: false,
    });
  } catch (error) {
    if (abort.reason instanceof CancelledFailure) return { kind: 'aborted', error: abort.reason };
    book.traceback(error);
    const reason = describeError(error, 'evaluate');
    const failure = { message: reason, cause: error };
    const ended = failedEvaluation(input, times, error, reported());
    if (!failureFolds(input, error)) return { kind: 'failed', error: ended, failure };
    const pauseMs = Number(ended.nextRetryDelay);
    return { kind: 'folded', reason, pauseMs, streak: extendStreak(streak, reason, now) ?? streak, failure };
  }
  const end = endOf(input, checked, times);
  if (end === 'report') return { kind: 'reported', result: { ...checked, ...reported() } };
  const { reason, pauseMs } = quietEnd(input, checked, times);
  if (end === 'rest') {
    const quiet = addReason(streak, reason, now).reasons;
    return { kind: 'rested', result: { kind: 'rest', quiet }, reason };
  }
  const extended = extendStreak(streak, reason, now) ?? streak;
  return { kind: 'folded', reason, pauseMs, streak: extended, failure: undefined };
}
