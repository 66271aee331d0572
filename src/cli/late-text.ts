/** How late a sensor is that nobody has taken yet, where the server says it. Pure. */
import { count, relative } from '../sensors/text.js';

/** Everything takes a moment: nothing below it is late. */
const MOMENT_MS = 1_000;

/** `, but late: it was due 7 s ago, and no worker has taken it yet`; nothing when it is not late. */
export function lateText(
  { dueSince }: { readonly dueSince?: Date | undefined },
  now: number = Date.now(),
  what = 'it'
): string | undefined {
  if (dueSince === undefined || now - dueSince.getTime() < MOMENT_MS) return undefined;
  return `, but late: ${what} was due ${relative(dueSince, now)}, and no worker has taken it yet`;
}

/** What a sensor may have that starts pending requests, and does not evaluate meanwhile. */
interface Pending {
  readonly pending: number;
  /** When the next of them start, if `maxRunsPerTick` left them over. */
  readonly pendingUntil?: Date | undefined;
  readonly dueSince?: Date | undefined;
}

/** `3 pending requests, but late: …`; nothing when they are not late. */
export function latePendingText({ pending, pendingUntil, dueSince }: Pending, now?: number): string | undefined {
  const late = lateText({ dueSince: pendingUntil ?? dueSince }, now, 'the next');
  return late === undefined ? undefined : `${count(pending, 'pending request')}${late}`;
}
