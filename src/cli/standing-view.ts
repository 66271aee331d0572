/** The JSON of how a sensor stands. Fields are listed one by one, as in views.ts. */
import type { Standing } from '../client/index.js';
import { iso } from './views.js';

export function standingView(standing: Standing) {
  const { kind } = standing;
  switch (standing.kind) {
    case 'running': {
      const { lastOutcome, nextAt, pendingUntil, dueSince } = standing;
      return { kind, lastOutcome, nextAt: iso(nextAt), pendingUntil: iso(pendingUntil), dueSince: iso(dueSince) };
    }
    case 'stopped': {
      const { from, by, reason, at, until } = standing;
      return { kind, from, by, reason, at: iso(at), until: iso(until) };
    }
    case 'broken':
      return { kind, failedTaskAttempts: standing.failedTaskAttempts };
    case 'noWorker': {
      const { taskQueue, dueSince, lastSeen } = standing;
      return { kind, taskQueue, dueSince: iso(dueSince), lastSeen: iso(lastSeen) };
    }
    case 'late':
      return { kind, taskQueue: standing.taskQueue, dueSince: iso(standing.dueSince) };
    case 'failing':
      return { kind, since: iso(standing.since), error: standing.error };
    default:
      return { kind };
  }
}
