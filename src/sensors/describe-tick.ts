/** A tick in one line: for logs, Temporal Web and the CLI. Pure: the workflow bundle contains this file. */
import type { TickRecord } from './protocol.js';

/** One line that says what a tick did. */
export function describeTick(record: TickRecord): string {
  const {
    runs,
    handled = 0,
    duplicates,
    rejected,
    pending,
    partitions = [],
    assetEvents = 0,
    error,
    skipReason,
    waitsFor,
  } = record;
  if (waitsFor !== undefined) return waitsFor;
  const why = error ?? skipReason;
  // a reason for nothing at all says it all
  const nothing = runs.count === 0 && handled === 0 && pending === 0 && partitions.length === 0 && assetEvents === 0;
  if (why !== undefined && nothing) return why;
  const added = partitions.reduce((sum, each) => sum + each.added, 0);
  const deleted = partitions.reduce((sum, each) => sum + each.deleted, 0);
  const parts = [
    count(handled, 'event handled', 'events handled'),
    count(runs.count, 'run started', 'runs started'),
    count(duplicates.count, 'duplicate', 'duplicates'),
    count(rejected.count, 'rejected', 'rejected'),
    count(pending, 'pending', 'pending'),
    count(added, 'partition added', 'partitions added'),
    count(deleted, 'partition deleted', 'partitions deleted'),
    count(assetEvents, 'asset event recorded', 'asset events recorded'),
    why ?? '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const WAITING = 'waiting for the interval';

/** What an evaluation says while it waits for the interval: that, and what the last tick did. */
export function describeWait(lastOutcome: string | undefined): string {
  return lastOutcome === undefined ? WAITING : `${WAITING}; ${lastOutcome}`;
}

/** What the last tick did, from the text of {@link describeWait}. */
export function lastOutcomeOf(wait: string): string | undefined {
  return wait.startsWith(`${WAITING}; `) ? wait.slice(WAITING.length + 2) : undefined;
}

function count(n: number, one: string, many: string): string {
  return n === 0 ? '' : `${n} ${n === 1 ? one : many}`;
}
