/** How late a sensor is that nobody has taken yet, where the server says it. Pure. */
import { relative } from '../sensors/text.js';

/** Everything takes a moment: nothing below it is late. */
const MOMENT_MS = 1_000;

/** Since when a sensor is due that has pending requests, also where the server does not say it yet. */
export function pendingDue(
  { dueSince, pendingUntil }: { readonly dueSince?: Date | undefined; readonly pendingUntil?: Date | undefined },
  now: number = Date.now()
): { readonly dueSince?: Date | undefined } {
  return {
    dueSince: dueSince ?? (pendingUntil !== undefined && pendingUntil.getTime() <= now ? pendingUntil : undefined),
  };
}

/** `, but late: it was due 7 s ago, and no worker has taken it yet`; nothing when it is not late. */
export function lateText(
  { dueSince }: { readonly dueSince?: Date | undefined },
  now: number = Date.now()
): string | undefined {
  if (dueSince === undefined || now - dueSince.getTime() < MOMENT_MS) return undefined;
  return `, but late: it was due ${relative(dueSince, now)}, and no worker has taken it yet`;
}
