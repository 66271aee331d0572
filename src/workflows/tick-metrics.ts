/**
 * What the loop measures: its recorded ticks, what became of their requests, and how many run keys it remembers.
 *
 * The SDK's meter drops what is measured while a workflow task is replayed. A task that the server refuses and gives out
 * anew is measured twice.
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

/** Measures what has happened since it was last asked, beginning with this state. */
export function createTickMetrics(sensor: string, begun: LoopState): (state: LoopState) => void {
  let { counters } = begun;
  return (state) => {
    const before = counters;
    ({ counters } = state);
    for (const [outcome, counter] of REQUESTS)
      count(metricMeter, 'sensors_requests_total', counters[counter] - before[counter], {
        sensor,
        outcome,
        folded: 'false',
      });
    const ticks = counters.ticks - before.ticks;
    if (ticks === 0) return;
    for (const { status } of state.ring.slice(-ticks))
      count(metricMeter, 'sensors_ticks_total', 1, { sensor, outcome: status, folded: 'false' });
    setGauge(metricMeter, 'sensors_run_keys', keyCount(state.ledger), { sensor });
  };
}
