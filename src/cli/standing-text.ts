/** How a sensor stands, in a sentence that says what to do. Pure. */
import type { Standing } from '../client/index.js';
import { plain, relative, relativeNext } from '../sensors/text.js';
import { lateText } from './late-text.js';

export function when(at: Date | undefined): string {
  return at === undefined ? 'at an unknown time' : `${relative(at)} (${at.toISOString()})`;
}

export function stoppedText({
  from,
  by,
  reason,
  at,
  until,
}: Pick<Extract<Standing, { kind: 'stopped' }>, 'from' | 'by' | 'reason' | 'at' | 'until'>): string {
  const who = from === 'code' ? 'its code (defaultStatus)' : plain(by ?? 'an operator');
  return `The sensor was stopped by ${who}${reason === undefined ? '' : ` (${plain(reason, 300)})`}${at === undefined ? '' : ` at ${at.toISOString()}`}${until === undefined ? '' : `, until ${until.toISOString()}`}`;
}

/** Whether the sensor would see something new now. */
export function standingText(standing: Standing, name: string): string {
  switch (standing.kind) {
    case 'running': {
      const said = standing.lastOutcome === undefined ? '' : `, and last said: ${plain(standing.lastOutcome, 300)}`;
      const { nextAt, pendingUntil } = standing;
      const pending =
        pendingUntil === undefined
          ? ''
          : `, and evaluates after its pending requests (maxRunsPerTick), of which the next start ${relative(pendingUntil)}`;
      const next = nextAt === undefined ? pending : `, the next evaluation is ${relativeNext(nextAt)}`;
      return `The sensor is running${lateText(standing) ?? next}${said}.`;
    }
    case 'stopped':
      return `${stoppedText(standing)}. Start it with: sensors start ${name}`;
    case 'closed':
      return `The sensor's loop was cancelled or terminated. It comes back with: sensors start ${name}`;
    case 'broken':
      return `The sensor stands still: its loop's workflow task fails again and again (attempt ${standing.failedTaskAttempts}). Start workers whose code fits it.`;
    case 'notLoaded':
      return 'The sensor is not evaluated: no worker that was asked has its definition.';
    case 'noWorker': {
      const due = standing.dueSince === undefined ? '' : `, though it is due since ${standing.dueSince.toISOString()}`;
      const heard =
        standing.lastSeen === undefined ? 'for it' : `any more (last heard of ${relative(standing.lastSeen)})`;
      return `The sensor is not evaluated${due}: no worker polls task queue '${plain(standing.taskQueue)}' ${heard}.`;
    }
    case 'late':
      return `The sensor is not evaluated, though it is due since ${standing.dueSince.toISOString()}: task queue '${plain(standing.taskQueue)}' is polled, but no worker took it. All are busy, or they have just gone.`;
    case 'paused':
      return `The sensor is not evaluated: its evaluation was paused in Temporal Web. Unpause it there, or: sensors tick ${name}`;
    default:
      return `The sensor is failing${standing.since === undefined ? '' : ` since ${when(standing.since)}`}: ${plain(standing.error ?? '')}`;
  }
}
