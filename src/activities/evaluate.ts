/**
 * The evaluation activity: the author's code under the rules of a tick.
 *
 * A quiet evaluation does not complete. It fails in a way that Temporal retries after the interval without writing
 * history, with the skip reason as its message: an idle sensor is one pending activity. Only news complete it: new
 * requests, a changed cursor, consumed events, a change of health, or a tick that somebody waits for.
 */
import { CancelledFailure, Context } from '@temporalio/activity';
import { endOf, failedEvaluation, failureFolds, quietEnd, quietFailure } from '../sensors/attempt-end.js';
import type { EvaluationInput, EvaluationResult, RestResult, StreakRecord } from '../sensors/protocol.js';
import { registeredOptions } from '../sensors/run-interest.js';
import { Evaluating, type Evaluator } from './evaluator.js';
import { measureAttempt, measureFolded } from './attempt-metrics.js';
import type { SensorActivityDependencies } from './index.js';
import { deferToNewer, refuseOutdated } from './newest.js';
import { interrupted, KeysUnavailableError, noKeys, notLoaded, waiting } from './postponed.js';
import { KnownStreaks } from './known-streaks.js';
import { ServerClock } from './server-clock.js';
import { addOutage, addReason, extendStreak, readStreak } from './streak.js';

const TIMER_SLACK_MS = 5;

export function createEvaluateActivity({ registry }: SensorActivityDependencies, evaluator: Evaluator) {
  const known = new KnownStreaks();
  const clock = new ServerClock();

  async function evaluateSensor(input: EvaluationInput): Promise<EvaluationResult | RestResult> {
    const { info } = Context.current();
    const waitedMs = info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs;
    const earlier = readStreak(info.heartbeatDetails) ?? known.before(input);
    if (waitedMs + TIMER_SLACK_MS < input.delayMs) {
      hand(earlier);
      throw waiting(input, input.delayMs - waitedMs);
    }
    const before = addOutage(earlier, info.currentAttemptScheduledTimestampMs, clock.begins(input.sensor, info));
    const definition = registry.sensors.get(input.sensor);
    if (definition === undefined) throw notLoaded(input, [...registry.sensors.keys()]);
    await refuseOutdated();
    const streak = deferToNewer(input, registeredOptions(registry, definition).definition, before);
    const times = { scheduledAt: info.currentAttemptScheduledTimestampMs, waitedMs };
    return await evaluateLoaded(new Evaluating(input, definition, times, streak));
  }

  async function evaluateLoaded(evaluating: Evaluating): Promise<EvaluationResult | RestResult> {
    const { input, times, attempt, book, streak } = evaluating;
    let result: EvaluationResult;
    try {
      evaluator.refuseOverlap(input);
      result = await evaluator.evaluate(evaluating, 'tick');
    } catch (error) {
      if (error instanceof CancelledFailure && error === attempt.signal.reason)
        throw attempt.isShutDown ? interrupted(input) : error;
      if (error instanceof KeysUnavailableError) throw noKeys(input, error);
      book.traceback(error);
      measureAttempt(evaluating);
      const failure = failedEvaluation(input, times, error, evaluating.report);
      if (failureFolds(input, error)) {
        measureFolded(evaluating);
        recordInStreak(evaluating, failure.message, Number(failure.nextRetryDelay));
      }
      throw failure;
    }
    measureAttempt(evaluating);
    const end = endOf(input, result, times);
    if (end === 'report') return result;
    measureFolded(evaluating, result);
    const { reason, pauseMs } = quietEnd(input, result, times);
    if (end === 'rest') return { kind: 'rest', quiet: addReason(streak, reason, Date.now()).reasons };
    recordInStreak(evaluating, reason, pauseMs);
    throw quietFailure(reason, pauseMs, input.facts);
  }

  /** Adds why this attempt folds to the record that the next one finds, if it says something new. */
  function recordInStreak({ input, times, streak, began }: Evaluating, reason: string, pauseMs: number): void {
    const now = Date.now();
    known.keep(input, addReason(streak, reason, now), times.scheduledAt + (now - began) + pauseMs);
    clock.ends(input.sensor, Context.current().info, pauseMs);
    const extended = extendStreak(streak, reason, now);
    if (extended === undefined) hand(streak);
    else Context.current().heartbeat(extended);
  }

  return { evaluateSensor };
}

/** Gives the record to the next attempt, unless it has it. */
function hand(streak: StreakRecord | undefined): void {
  const context = Context.current();
  if (streak !== undefined && context.info.heartbeatDetails === undefined) context.heartbeat(streak);
}
