import { noteOf, type ReasonOption } from '../note.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { plain } from '../../sensors/text.js';
import { changeSensor } from './change-sensor.js';
import { requireWorker } from './require-worker.js';

/** `sensors reset <sensor>`: forgets an operator's start or stop, so that the code decides. */
export async function reset(session: Session, output: Output, sensor: string, options: ReasonOption): Promise<void> {
  await requireWorker(session, sensor);
  const { status } = await changeSensor(session, output, sensor, () => session.sensors.reset(sensor, noteOf(options)));
  output.result({ sensor, status, statusFrom: 'code' }, () => [
    `${plain(sensor)} is ${status}, decided by its code (defaultStatus).`,
  ]);
}
