/** Whether a sensor would see something new now, and if not, why. Pure. */
import { LATE_MS } from '../sensors/limits.js';
import { isGone } from './gone-workers.js';
import type { SensorDescription, SensorWorker } from './sensor-client.js';

export type Standing =
  | {
      readonly kind: 'running';
      readonly lastOutcome?: string | undefined;
      readonly nextAt?: Date | undefined;
      /** Nothing is evaluated before the next of its pending requests start, at this time (`maxRunsPerTick`). */
      readonly pendingUntil?: Date | undefined;
      /** It is due for a moment, and no worker has taken it yet. */
      readonly dueSince?: Date | undefined;
    }
  | {
      readonly kind: 'stopped';
      /** Whose decision it is. */
      readonly from: 'operator' | 'code';
      readonly by?: string | undefined;
      readonly reason?: string | undefined;
      readonly at?: Date | undefined;
      readonly until?: Date | undefined;
    }
  /** Its loop was cancelled or terminated. */
  | { readonly kind: 'closed' }
  /** Its loop's workflow task fails again and again. */
  | { readonly kind: 'broken'; readonly failedTaskAttempts: number }
  /** No worker that was asked has its definition. */
  | { readonly kind: 'notLoaded' }
  /** Nobody polls its task queue. */
  | {
      readonly kind: 'noWorker';
      readonly taskQueue: string;
      readonly dueSince?: Date | undefined;
      /** When the last worker was heard of, while Temporal knows it. */
      readonly lastSeen?: Date | undefined;
    }
  /** Its task queue is polled, and yet nobody has taken what is due: all are busy, or have just gone. */
  | { readonly kind: 'late'; readonly taskQueue: string; readonly dueSince: Date }
  /** Its evaluation was paused in Temporal Web. */
  | { readonly kind: 'paused' }
  | { readonly kind: 'failing'; readonly since?: Date | undefined; readonly error?: string | undefined };

/** @param workers that have polled its task queue, seen last first */
export function standingOf(
  sensor: SensorDescription,
  workers: readonly SensorWorker[],
  now: number = Date.now()
): Standing {
  const { status, evaluation, dueSince, failedTaskAttempts, taskQueue } = sensor;
  if (status === 'closed') return { kind: 'closed' };
  if (status === 'stopped') {
    const { statusFrom: from, statusBy: by, statusReason: reason, statusAt: at, statusUntil: until } = sensor;
    return { kind: 'stopped', from, by, reason, at, until };
  }
  if (failedTaskAttempts !== undefined) return { kind: 'broken', failedTaskAttempts };
  if (sensor.health === 'notLoaded') return { kind: 'notLoaded' };
  if (workers.every((each) => isGone(each, now)))
    return { kind: 'noWorker', taskQueue, dueSince, lastSeen: workers[0]?.lastSeen };
  if (dueSince !== undefined && now - dueSince.getTime() > LATE_MS) return { kind: 'late', taskQueue, dueSince };
  if (evaluation?.paused === true) return { kind: 'paused' };
  if (sensor.health === 'failing')
    return { kind: 'failing', since: sensor.failingSince, error: evaluation?.lastOutcome ?? sensor.error };
  const pendingUntil = evaluation === undefined ? sensor.pendingUntil : undefined;
  return {
    kind: 'running',
    lastOutcome: evaluation?.lastOutcome,
    nextAt: evaluation?.nextAt,
    ...(pendingUntil === undefined ? {} : { pendingUntil }),
    dueSince,
  };
}
