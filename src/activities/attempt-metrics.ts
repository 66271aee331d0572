/** What an attempt of an evaluation measures. A tick that folds is known only here: the loop never hears of it. */
import { Context } from '@temporalio/activity';
import type { CheckedOutcome } from '../sensors/check-outcome.js';
import { count, observe, type TickOutcome } from '../sensors/metrics.js';
import type { Evaluating } from './evaluator.js';

/** How long the attempt took, and how late it began. */
export function measureAttempt({ input: { sensor }, began, times }: Evaluating): void {
  const { metricMeter } = Context.current();
  observe(metricMeter, 'sensors_evaluation_duration_milliseconds', Date.now() - began, { sensor });
  observe(metricMeter, 'sensors_evaluation_lateness_milliseconds', began - times.scheduledAt, { sensor });
}

/** A tick that leaves no history. @param result of an evaluation that did not fail */
export function measureFolded({ input: { sensor } }: Evaluating, result?: CheckedOutcome): void {
  const { metricMeter } = Context.current();
  const outcome: TickOutcome = result === undefined || result.failure !== undefined ? 'failure' : 'skipped';
  count(metricMeter, 'sensors_ticks_total', 1, { sensor, outcome, folded: 'true' });
  const again = result?.duplicates.count ?? 0;
  count(metricMeter, 'sensors_requests_total', again, { sensor, outcome: 'duplicate', folded: 'true' });
}
