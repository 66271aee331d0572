/** `sensors rerun` and `sensors rearm`: the deliberate ways to run a key again. */
import type { KeyEdit } from '../../client/index.js';
import { noteOf, type ReasonOption } from '../note.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { plain } from '../../sensors/text.js';
import { changeSensor } from './change-sensor.js';
import { requireWorker } from './require-worker.js';

export interface KeyOptions extends ReasonOption {
  readonly job?: string;
}

/** `sensors rerun <sensor> <run key>` */
export async function rerun(
  session: Session,
  output: Output,
  sensor: string,
  runKey: string,
  options: KeyOptions
): Promise<void> {
  await requireWorker(session, sensor);
  const edit = editOf(runKey, options);
  const { workflowId, epoch } = await changeSensor(session, output, sensor, () => session.sensors.rerun(sensor, edit));
  output.result({ sensor, runKey, workflowId, epoch }, () => [`Started ${plain(workflowId)}.`]);
}

/** `sensors rearm <sensor> <run key>` */
export async function rearm(
  session: Session,
  output: Output,
  sensor: string,
  runKey: string,
  options: KeyOptions
): Promise<void> {
  await requireWorker(session, sensor);
  await changeSensor(session, output, sensor, () => session.sensors.rearm(sensor, editOf(runKey, options)));
  output.result({ sensor, runKey, rearmed: true }, () => [
    `The next request of ${plain(sensor)} for key '${plain(runKey, 200)}' starts a run, once.`,
  ]);
  output.note(
    `A sensor whose cursor is past the item does not ask again by itself: sensors cursor rewind ${plain(sensor)} <tick>`
  );
}

function editOf(runKey: string, options: KeyOptions): KeyEdit {
  return { ...noteOf(options), runKey, ...(options.job === undefined ? {} : { job: options.job }) };
}
