/** How late a sensor is that nobody has taken yet, where the server says it. Pure. */
import { relative } from '../sensors/text.js';

/** Everything takes a moment: nothing below it is late. */
const MOMENT_MS = 1_000;

/** `, but late: it was due 7 s ago, and no worker has taken it yet`; nothing when it is not late. */
export function lateText(
  { dueSince }: { readonly dueSince?: Date | undefined },
  now: number = Date.now()
): string | undefined {
  if (dueSince === undefined || now - dueSince.getTime() < MOMENT_MS) return undefined;
  return `, but late: it was due ${relative(dueSince, now)}, and no worker has taken it yet`;
}
