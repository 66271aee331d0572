/** One attempt of an evaluation on a virtual clock: what the evaluation activity does, without Temporal. */
import { CancelledFailure } from '@temporalio/common';
import { extendStreak } from '../activities/streak.js';
import {
  endOf,
  failedEvaluation,
  failureFolds,
  lastTickBefore,
  pauseAfter,
  type AttemptTimes,
} from '../sensors/attempt-end.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { describeError } from '../sensors/errors.js';
import { evaluateInput } from '../sensors/evaluate-input.js';
import type { EvaluationServices } from '../sensors/evaluation.js';
import { LogBook, type LogSink } from '../sensors/log-book.js';
import type {
  EvaluationInput,
  EvaluationResult,
  FailureDetails,
  RestResult,
  StreakRecord,
} from '../sensors/protocol.js';

/** What an attempt needs. */
export interface AttemptFacts {
  readonly definition: SensorDefinition;
  readonly input: EvaluationInput;
  readonly times: AttemptTimes;
  readonly now: number;
  readonly nonce: string;
  readonly streak: StreakRecord | undefined;
  readonly knownKeys: () => Promise<{ has(hash: string): boolean }>;
  readonly partitionKeys: (sets: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
  readonly services: Omit<EvaluationServices, 'book'>;
  readonly sink: LogSink;
}

/** `folded`: the next attempt comes after a pause, and no history says that there was this one. */
export type AttemptEnd =
  | { readonly kind: 'reported'; readonly result: EvaluationResult | RestResult }
  | {
      readonly kind: 'folded';
      readonly reason: string;
      readonly pauseMs: number;
      readonly streak: StreakRecord | undefined;
      /** What was thrown, unless the attempt was only quiet. */
      readonly failure?: Thrown;
    }
  | { readonly kind: 'failed'; readonly error: Error; readonly failure: Thrown }
  | { readonly kind: 'aborted'; readonly error: CancelledFailure };

/** What the author's code threw, or why what it gave cannot be. */
export interface Thrown {
  readonly message: string;
  readonly cause: unknown;
}

export async function simulateAttempt(facts: AttemptFacts): Promise<AttemptEnd> {
  const { definition, input, times, now, streak } = facts;
  const { signal } = facts.services;
  const book = new LogBook(facts.sink, () => now);
  const reported = (): FailureDetails => ({
    logs: book.lines,
    logLinesDropped: book.dropped,
    durationMs: 0,
    quiet: streak?.reasons ?? [],
  });
  let result: EvaluationResult;
  try {
    const checked = await evaluateInput(input, definition, {
      now: new Date(now),
      lastTickAt: lastTickBefore(input, times),
      nonce: facts.nonce,
      run: async (work) => {
        const outcome = await work({ ...facts.services, book });
        signal.throwIfAborted();
        return outcome;
      },
      knownKeys: facts.knownKeys,
      partitionKeys: facts.partitionKeys,
      prefix: '',
    });
    result = { ...checked, ...reported() };
  } catch (error) {
    if (signal.reason instanceof CancelledFailure) return { kind: 'aborted', error: signal.reason };
    book.traceback(error);
    const reason = describeError(error, 'evaluate');
    const failure = { message: reason, cause: error };
    if (!failureFolds(input))
      return { kind: 'failed', error: failedEvaluation(input, times, error, reported()), failure };
    const { nextRetryDelay } = failedEvaluation(input, times, error, reported());
    return {
      kind: 'folded',
      reason,
      pauseMs: Number(nextRetryDelay),
      streak: extendStreak(streak, reason, now) ?? streak,
      failure,
    };
  }
  const end = endOf(input, result, times);
  if (end === 'report') return { kind: 'reported', result };
  if (end === 'rest') return { kind: 'reported', result: { kind: 'rest' } };
  const reason = result.skipReason ?? '';
  const extended = extendStreak(streak, reason, now) ?? streak;
  return { kind: 'folded', reason, pauseMs: pauseAfter(input, times), streak: extended };
}
