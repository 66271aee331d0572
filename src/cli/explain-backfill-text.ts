/** Where a run of a backfill, or a backfill, came from. Pure. */
import type { BackfillOfRun, RunAnswer } from '../client/index.js';
import { BACKFILL_ID_PREFIX } from '../sensors/protocol.js';
import { plain } from '../sensors/text.js';
import { shellQuoted } from './shell.js';

type Known = Exclude<RunAnswer, { kind: 'unknown' }>;

/** @param asked when the sensor asked for it, such as `at tick 3, 2 min ago` */
export function backfillSentence(answer: Known, backfill: BackfillOfRun, name: string, asked: string): string {
  const { id, isIt, status } = backfill;
  const shown = `${plain(id)} (${status ?? 'forgotten by Temporal'})`;
  const { workflowId } = answer.kind === 'started' ? answer.run : answer;
  const runStatus = answer.kind === 'started' ? ` (${answer.run.status})` : '';
  const subject = isIt
    ? `Backfill ${shown} was`
    : `Run ${plain(workflowId)}${runStatus} is of backfill ${shown}, which was`;
  return `${subject} requested by ${askedBy(answer, backfill, name, asked)}.`;
}

function askedBy(answer: Known, { by }: BackfillOfRun, name: string, asked: string): string {
  if (answer.kind === 'started') return `${name} ${asked}`;
  const other =
    answer.sensor === undefined
      ? `an operator${by === undefined ? '' : ` (${plain(by)})`}`
      : `sensor ${plain(answer.sensor)}`;
  return `${other}, and not by ${name}`;
}

/** Why it went wrong, and where there is more: nowhere, of one that Temporal has forgotten. */
export function backfillDetails({ id, status, error }: BackfillOfRun): string[] {
  const command = ['sensors', 'backfills', 'show', id].map(shellQuoted).join(' ');
  return [
    ...(error === undefined ? [] : [`  Error of the backfill: ${plain(error)}`]),
    ...(status === undefined ? [] : [`  More of it: ${command}`]),
  ];
}

/** @param workflowId of a backfill, or a run of one, that Temporal does not know */
export function noBackfillSentence(workflowId: string): string {
  const [id = '', run] = workflowId.slice(BACKFILL_ID_PREFIX.length).split(':', 2);
  const what = run === undefined ? `backfill '${id}'` : `run '${workflowId}' of a backfill`;
  return `Temporal knows no ${what} (any more). Backfills that it knows: sensors backfills list`;
}
