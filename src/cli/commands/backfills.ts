/** `sensors backfills …`: those that there are, and what an operator does with one. */
import type { Backfill } from '../../client/index.js';
import { extentOf } from '../../sensors/backfill.js';
import { count, plain, relative } from '../../sensors/text.js';
import { confirm } from '../confirm.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { noteOf, type ReasonOption } from '../note.js';
import { colored, table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { backfillView } from '../views.js';
import { answered, canRetry, look, printBackfill } from './backfill.js';

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
    newest.map((each) => backfillView(each, session.webUrlOf)),
    (colors) => {
      if (newest.length === 0) return [`No backfills in namespace '${session.namespace}' that Temporal still knows.`];
      const rows = newest.map((each) => [
        relative(each.startTime),
        colored(each.status, colors),
        plain(each.job),
        plain(extentOf(each, '..'), 60),
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
  const { shown, answered: isNow } = await answered(output, () => session.call(() => look(session, id)));
  printBackfill(session, output, shown);
  if (!isNow) output.note(`No worker of task queue '${plain(shown.taskQueue)}' has answered. ${asOf(shown)}`);
}

export interface OperateOptions extends ReasonOption {
  /** `cancel` only. */
  readonly runs?: true;
  /** `cancel` only. */
  readonly yes?: boolean;
}

/** `sensors backfills pause <id>` and its like: signals, which take effect when a worker runs. */
export async function operateBackfill(
  session: Session,
  output: Output,
  id: string,
  what: 'pause' | 'resume' | 'cancel',
  { runs, yes, ...options }: OperateOptions
): Promise<void> {
  const { backfills } = session.sensors;
  if (runs === true) await confirmRuns(session, id, yes);
  const note = { ...noteOf(options), ...(runs === true ? { runs } : {}) };
  await session.call(() => backfills[what](id, note));
  const { shown, answered: applied } = await answered(output, () => session.call(() => look(session, id)));
  printBackfill(session, output, shown, { applied });
  if (!applied)
    output.note(
      `The ${what} is delivered; no worker of task queue '${plain(shown.taskQueue)}' has answered, so it takes effect when one runs. ` +
        asOf(shown)
    );
}

function asOf({ at }: Backfill): string {
  return `What is shown was so ${relative(at)}.`;
}

/** A run that was cancelled cannot be resumed. */
async function confirmRuns(session: Session, id: string, yes: boolean | undefined): Promise<void> {
  const { running, at } = await session.call(() => session.sensors.backfills.describe(id));
  await confirm({
    action: `cancel backfill '${plain(id)}' and its runs that have not ended`,
    details: [`By its last word, ${relative(at)}, ${count(running, 'run')} of it had not ended.`],
    yes,
    readOnly: session.readOnly,
  });
}

/** `sensors backfills retry <id>`; of one that was retried already it shows that retry. */
export async function retryBackfill(
  session: Session,
  output: Output,
  id: string,
  options: ReasonOption
): Promise<ExitCode> {
  const again = await session.call(() => session.sensors.backfills.retry(id, noteOf(options)));
  const { started } = again;
  printBackfill(session, output, again, { started });
  if (started) return EXIT.ok;
  const then = canRetry(again)
    ? `Its failed partitions run again with: sensors backfills retry ${plain(again.id)}`
    : `To run partitions once more, start another one: sensors backfill ${plain(again.job)} --partitions <partitions>`;
  output.note(`Backfill '${plain(id)}' was retried already, as '${plain(again.id)}'; nothing was started. ${then}`);
  return EXIT.refused;
}
