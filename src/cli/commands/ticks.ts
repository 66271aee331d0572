import { describeTick } from '../../sensors/describe-tick.js';
import { colored, table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { formatDuration, plain, relative } from '../../sensors/text.js';
import { tickView } from '../views.js';
import { requireWorker } from './require-worker.js';

/** `sensors ticks <sensor>`: the recorded ticks, newest first. */
export async function ticks(
  session: Session,
  output: Output,
  sensor: string,
  { limit }: { readonly limit: number }
): Promise<void> {
  await requireWorker(session, sensor);
  const all = await session.ask(sensor, () => session.sensors.ticks(sensor));
  const shown = all.slice(-limit).reverse();
  output.result(shown.map(tickView), (colors) => {
    if (shown.length === 0) return [`${plain(sensor)} has no tick yet; sensors describe ${plain(sensor)} says why.`];
    const rows = shown.map((tick) => [
      String(tick.tick),
      colored(tick.status, colors),
      relative(tick.startedAt),
      tick.evaluationMs === undefined ? '' : formatDuration(tick.evaluationMs),
      tick.trigger,
      plain(describeTick(tick), 160),
    ]);
    return table(['TICK', 'STATUS', 'STARTED', 'TOOK', 'TRIGGER', 'WHAT'], rows, colors);
  });
  output.note(`Quiet evaluations leave no tick; sensors describe ${plain(sensor)} shows them.`);
}
