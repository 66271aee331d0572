/** A tick in one line: for logs, Temporal Web and the CLI. Pure: the workflow bundle contains this file. */
import type { TickRecord } from './protocol.js';

/** One line that says what a tick did. */
export function describeTick(tick: TickRecord): string {
  const parts = [
    tick.runs.count > 0 ? `${count(tick.runs.count, 'run')} started` : '',
    tick.duplicates.count > 0 ? `${count(tick.duplicates.count, 'duplicate')}` : '',
    tick.rejected.count > 0 ? `${tick.rejected.count} rejected` : '',
    tick.pending > 0 ? `${tick.pending} pending` : '',
    tick.error ?? tick.skipReason ?? '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
