/**
 * `sensors backfill <job>`: starts one, or says what it would start. It is there once the server has it; whether it can be, only
 * a worker with the job says, and the command waits for that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backfill, BackfillOptions, BackfillPreview, BackfillProgress } from '../../client/index.js';
import { extentOf, type BackfillPartitions, type BackfillPolicy } from '../../sensors/backfill.js';
import type { Json } from '../../sensors/json.js';
import { count, plain, relative } from '../../sensors/text.js';
import { isUnanswered, NoWorkerError } from '../errors.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { operator } from '../operator.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { backfillView } from '../views.js';

const LOOK_EVERY_MS = 1_000;
/** Most answers come before anybody reads a line. */
const SAY_AFTER_MS = 1_000;

export interface BackfillCommandOptions {
  readonly partitions: BackfillPartitions;
  readonly policy?: BackfillPolicy;
  readonly concurrency?: number;
  readonly config?: Json;
  readonly tag?: Readonly<Record<string, string>>;
  readonly assets?: readonly string[];
  readonly id?: string;
  readonly taskQueue?: string;
  readonly reason?: string;
  readonly dryRun?: true;
  readonly wait?: true;
}

/** `sensors backfill <job>` */
export async function backfill(
  session: Session,
  output: Output,
  job: string,
  { tag, dryRun, wait, ...options }: BackfillCommandOptions
): Promise<ExitCode> {
  const request: BackfillOptions = { job, by: operator(), ...options, ...(tag === undefined ? {} : { tags: tag }) };
  if (dryRun === true) return await preview(session, output, request);
  const { backfills } = session.sensors;
  const { id, started, startTime, taskQueue } = await session.call(() => backfills.start(request));
  if (!started)
    output.note(
      `Backfill '${plain(id)}' is there already, started ${relative(startTime)}; nothing was started. ` +
        `Another one of the same partitions has another ID: --id, or none.`
    );
  const planned = await answered(output, () => plan(session, id, taskQueue));
  if (!planned) {
    output.note(`No worker has looked at it yet: whether it can be, 'sensors backfills show ${plain(id)}' will say.`);
  } else if (wait === true) {
    const ended = await follow(session, output, id);
    printBackfill(session, output, ended, { started });
    return ended.status === 'done' ? EXIT.ok : EXIT.tickFailed;
  }
  printBackfill(session, output, await session.call(() => latest(session, id)), { started });
  return EXIT.ok;
}

async function preview(session: Session, output: Output, request: BackfillOptions): Promise<ExitCode> {
  let shown: BackfillPreview;
  try {
    shown = await answered(output, () => session.call(() => session.sensors.backfills.preview(request)));
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    throw new NoWorkerError(`no worker answered for job '${request.job}'; start one with it, and try again`, {
      cause: error,
    });
  }
  const { job, policy, partitions, runs, concurrency } = shown;
  output.result(shown, () => [
    `A backfill of ${plain(job)} would start ${count(runs, 'run')} for ${count(partitions, 'partition')}, ` +
      `${plain(extentOf(shown, ' to '))} (policy ${policy}), ${concurrency} at a time. Nothing was started.`,
  ]);
  return EXIT.ok;
}

/** Whether a worker has said that it can be. */
async function plan(session: Session, id: string, taskQueue: string): Promise<boolean> {
  if (!(await hasWorker(session, taskQueue))) return false;
  try {
    await session.call(() => session.sensors.backfills.planned(id));
    return true;
  } catch (error) {
    if (isUnanswered(error)) return false;
    throw error;
  }
}

/** Shows how far it is until it is over. */
async function follow(session: Session, output: Output, id: string): Promise<Backfill> {
  for (;;) {
    const now = await session.call(() => latest(session, id));
    if (now.closeTime !== undefined) {
      output.status(undefined);
      return now;
    }
    output.status(describeProgress(now));
    await sleep(LOOK_EVERY_MS);
  }
}

/** The backfill with its numbers of this moment, if a worker tells them. */
export async function latest(session: Session, id: string): Promise<Backfill> {
  return (await look(session, id)).shown;
}

/** The same, and whether these are the numbers of this moment: after whatever was signalled before. */
export async function look(
  session: Session,
  id: string
): Promise<{ readonly shown: Backfill; readonly answered: boolean }> {
  const described = await session.sensors.backfills.describe(id);
  if (described.closeTime !== undefined) return { shown: described, answered: true };
  if (!(await hasWorker(session, described.taskQueue))) return { shown: described, answered: false };
  try {
    const { status, startedAt: _, at, ...progress } = await session.sensors.backfills.progress(id);
    // what waited has been taken: it answers after that
    const { untaken: __, ...known } = described;
    return { shown: { ...known, ...progress, status, at: new Date(at) }, answered: true };
  } catch (error) {
    if (isUnanswered(error)) return { shown: described, answered: false };
    throw error;
  }
}

/** With no worker on the task queue, a question would wait for its deadline. */
async function hasWorker({ sensors }: Session, taskQueue: string): Promise<boolean> {
  return (await sensors.workers(taskQueue)).length > 0;
}

/** Says what it waits for when a worker takes its time: one that went away is listed for some minutes. */
export async function answered<T>(output: Pick<Output, 'note'>, ask: () => Promise<T>): Promise<T> {
  const shown = setTimeout(() => output.note('Waiting for a worker to answer …'), SAY_AFTER_MS);
  try {
    return await ask();
  } finally {
    clearTimeout(shown);
  }
}

/** One line: how far it is. */
export function describeProgress({
  status,
  runs,
  waiting,
  running,
  done,
  failed,
}: BackfillProgress | Backfill): string {
  if (status === 'planning' || status === 'rejected') return status;
  return `${status}: ${done + failed} of ${count(runs, 'run')} ended, ${failed} failed, ${running} running, ${waiting} waiting`;
}

/** Whether `retry` would take it: it is over as backfills are, some of its runs failed, and it could go on. */
export function canRetry({ status, failed, error }: Pick<Backfill, 'status' | 'failed' | 'error'>): boolean {
  return (status === 'failed' || status === 'cancelled') && failed > 0 && error === undefined;
}

/** What a command did to the backfill that it shows. */
interface Did {
  /** Whether it was started by the command, or had been before. */
  readonly started?: boolean;
  /** Whether it has taken what it was told just now. */
  readonly applied?: boolean;
}

export function printBackfill(session: Session, output: Output, shown: Backfill, did: Did = {}): void {
  const { webUrlOf } = session;
  const webUrl = webUrlOf(shown);
  output.result({ ...backfillView(shown, webUrlOf), ...did }, (colors) => {
    const { id, job, policy, partitions, failures, failed, waiting, note, status, error } = shown;
    const { running, runningRuns = [], untaken = [] } = shown;
    const hidden = failed - failures.length;
    const more = runningRuns.length === 0 ? 0 : running - runningRuns.length;
    return [
      `${plain(id)}: backfill of ${plain(job)}, ${plain(describeProgress(shown))}.`,
      ...(policy === undefined || partitions === 0
        ? []
        : [`  ${count(partitions, 'partition')}, ${plain(extentOf(shown, ' to '))}, policy ${policy}`]),
      ...(note === undefined
        ? []
        : [
            `  ${note.what}${plain(note.by === undefined ? '' : ` by ${note.by}`)}${plain(note.reason === undefined ? '' : ` (${note.reason})`)}`,
          ]),
      ...untaken.map(({ what, at }) => `  ${colors.yellow(`${what} waits for a worker`)}, told ${relative(at)}`),
      ...(error === undefined
        ? []
        : [`  ${colors.red(status === 'rejected' ? 'rejected:' : 'could not go on:')} ${plain(error)}`]),
      ...runningRuns.flatMap(({ partition, id: run }) => {
        const url = webUrlOf({ workflowId: run });
        return [
          `  running ${plain(partition)}: ${plain(run)}`,
          ...(url === undefined ? [] : [`    ${colors.dim(url)}`]),
        ];
      }),
      ...(more > 0 ? [`  and ${more} more that run`] : []),
      ...failures.map((each) => `  ${colors.red('failed')} ${plain(each.partition)}: ${plain(each.error)}`),
      ...(hidden > 0 ? [`  and ${hidden} more`] : []),
      ...(canRetry(shown) ? [`  Repeat them with: sensors backfills retry ${plain(id)}`] : []),
      ...(status === 'cancelled' && waiting > 0
        ? [`  ${count(waiting, 'run')} not started, which retry does not start either: start a new backfill for them`]
        : []),
      ...(webUrl === undefined ? [] : [`  ${colors.dim(webUrl)}`]),
    ];
  });
}
