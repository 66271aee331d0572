/** When a loop was closed and how, as its audit says it once it is back. Pure. */
import { tsToMs } from '@temporalio/common/lib/time.js';
import type { AuditEntry, LoopState } from '../sensors/protocol.js';
import { audit } from '../workflows/state.js';
import type { History } from './fold-history.js';

/** Begins an entry of the audit; how it was closed follows. */
const CLOSED = 'closed';
/** The entry when it came back. */
const RECOVERED = 'recovered';

/** The state of a closed loop as it goes on. @param history of the loop, to its end */
export function withClosing(state: LoopState, { events }: History, now: number): LoopState {
  const last = events?.at(-1);
  const terminated = last?.workflowExecutionTerminatedEventAttributes;
  const canceled = last?.workflowExecutionCanceledEventAttributes;
  const how = terminated != null ? 'terminated' : canceled != null ? 'cancelled' : 'ended';
  const note = {
    ...(terminated?.identity ? { by: terminated.identity } : {}),
    ...(terminated?.reason ? { reason: terminated.reason } : {}),
  };
  const closed = audit(state, `${CLOSED} (${how})`, note, tsToMs(last?.eventTime));
  return audit(closed, RECOVERED, {}, now);
}

/** That the loop was closed at a time, and came back since. */
export interface Closing {
  readonly at: Date;
  /** `terminated`, `cancelled`, or `ended` where the history does not say. */
  readonly how: string;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
  /** When it came back. */
  readonly until: Date;
}

/** The closing that covers a time, if the audit has one. */
export function closingAt(entries: readonly AuditEntry[], time: number): Closing | undefined {
  const last = entries.findLast(({ what, at }) => at <= time && (what === RECOVERED || what.startsWith(`${CLOSED} (`)));
  const back = entries.find(({ what, at }) => at > time && what === RECOVERED);
  if (last === undefined || last.what === RECOVERED || back === undefined) return undefined;
  const { what, at, by, reason } = last;
  return { at: new Date(at), how: what.slice(CLOSED.length + 2, -1), by, reason, until: new Date(back.at) };
}
