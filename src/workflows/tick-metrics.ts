/**
 * What the loop measures: its recorded ticks, what became of their requests, and how many run keys it remembers.
 *
 * The SDK's meter drops what is measured while a workflow task is replayed, but a task that the server refuses and gives
 * out anew is measured again. It refuses those that continue as new when a child has just closed, which is the rule
 * after a tick with short jobs. So a run of the loop measures only when it goes on, and leaves the rest to the next run.
 */
import { metricMeter } from '@temporalio/workflow';
import { keyCount } from '../sensors/key-ledger.js';
import { count, setGauge, type RequestOutcome } from '../sensors/metrics.js';
import type { Counters, LoopState } from '../sensors/protocol.js';

const REQUESTS: readonly (readonly [RequestOutcome, keyof Counters])[] = [
  ['started', 'runs'],
  ['duplicate', 'duplicates'],
  ['rejected', 'rejected'],
];

export interface TickMetrics {
  /** Measures what has happened since the last time. */
  readonly measure: (state: LoopState) => void;
  /** What the next run of the loop begins with. */
  readonly measured: () => Counters;
}

/** @param counters what has been measured before */
export function createTickMetrics(sensor: string, counters: Counters): TickMetrics {
  function measure(state: LoopState): void {
    const before = counters;
    ({ counters } = state);
    for (const [outcome, counter] of REQUESTS) {
      const labels = { sensor, outcome, folded: 'false' };
      count(metricMeter, 'sensors_requests_total', counters[counter] - before[counter], labels);
    }
    const ticks = counters.ticks - before.ticks;
    if (ticks <= 0) return;
    for (const { status } of state.ring.slice(-ticks))
      count(metricMeter, 'sensors_ticks_total', 1, { sensor, outcome: status, folded: 'false' });
    setGauge(metricMeter, 'sensors_run_keys', keyCount(state.ledger), { sensor });
  }

  return { measure, measured: () => counters };
}
