import { table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { plain, relative } from '../../sensors/text.js';
import { auditView } from '../views.js';
import { requireWorker } from './require-worker.js';

/** `sensors audit <sensor>`: who did what and why, newest first. */
export async function audit(session: Session, output: Output, sensor: string): Promise<void> {
  await requireWorker(session, sensor);
  const { audit: entries } = await session.ask(sensor, () => session.sensors.state(sensor));
  const newestFirst = [...entries].reverse();
  output.result(newestFirst.map(auditView), (colors) => {
    if (entries.length === 0) return [`Nobody has changed anything of ${plain(sensor)} yet.`];
    const rows = newestFirst.map(({ at, what, by = '', reason = '' }) => [
      `${new Date(at).toISOString()} (${relative(at)})`,
      plain(what, 160),
      plain(by, 60),
      plain(reason, 160),
    ]);
    return table(['AT', 'WHAT', 'BY', 'WHY'], rows, colors);
  });
}
