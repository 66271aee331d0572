/** `sensors backfills …`: those that there are, and what an operator does with one. */
import type { Backfill, Note } from '../../client/index.js';
import { plain, relative } from '../../sensors/text.js';
import { noteOf, type ReasonOption } from '../note.js';
import { colored, table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { backfillView } from '../views.js';
import { latest, printBackfill } from './backfill.js';

/** `sensors backfills list`: newest first. */
export async function listBackfills(
  session: Session,
  output: Output,
  { limit }: { readonly limit: number }
): Promise<void> {
  const newest = await session.call(async () => {
    const found: Backfill[] = [];
    for await (const each of session.sensors.backfills.list()) {
      found.push(each);
      if (found.length === limit) break;
    }
    return found;
  });
  output.result(
    newest.map((each) => backfillView(each, session.webUrlOf(each))),
    (colors) => {
      if (newest.length === 0) return [`No backfills in namespace '${session.namespace}' that Temporal still knows.`];
      const rows = newest.map((each) => [
        relative(each.startTime),
        colored(each.status, colors),
        plain(each.job),
        each.first === undefined ? '' : plain(`${each.first}..${each.last}`, 60),
        String(each.runs),
        String(each.done),
        String(each.failed),
        String(each.running),
        plain(each.id),
      ]);
      return table(['STARTED', 'STATUS', 'JOB', 'PARTITIONS', 'RUNS', 'DONE', 'FAILED', 'RUNNING', 'ID'], rows, colors);
    }
  );
}

/** `sensors backfills show <id>` */
export async function showBackfill(session: Session, output: Output, id: string): Promise<void> {
  printBackfill(session, output, await session.call(() => latest(session, id)));
}

/** `sensors backfills pause <id>` and its like: signals, which take effect when a worker runs. */
export async function operateBackfill(
  session: Session,
  output: Output,
  id: string,
  what: 'pause' | 'resume' | 'cancel',
  options: ReasonOption & { readonly runs?: true }
): Promise<void> {
  const { backfills } = session.sensors;
  const note: Note & { readonly runs?: boolean } = {
    ...noteOf(options),
    ...(options.runs === true ? { runs: true } : {}),
  };
  await session.call(() => backfills[what](id, note));
  printBackfill(session, output, await session.call(() => latest(session, id)));
}

/** `sensors backfills retry <id>` */
export async function retryBackfill(
  session: Session,
  output: Output,
  id: string,
  options: ReasonOption
): Promise<void> {
  const again = await session.call(() => session.sensors.backfills.retry(id, noteOf(options)));
  printBackfill(session, output, again);
}
