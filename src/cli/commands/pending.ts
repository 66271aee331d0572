/** `sensors pending`: requests that were accepted and wait for a start, or for the next tick. */
import type { SensorState } from '../../client/index.js';
import { confirm } from '../confirm.js';
import { noteOf, type ReasonOption } from '../note.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { count, plain } from '../../sensors/text.js';
import { changeSensor } from './change-sensor.js';
import { requireWorker } from './require-worker.js';

export interface PendingOptions extends ReasonOption {
  readonly yes?: boolean;
}

/** `sensors pending list <sensor>` */
export async function listPending(session: Session, output: Output, sensor: string): Promise<void> {
  const pending = await readPending(session, sensor);
  output.result({ sensor, ...pending }, () => {
    const hidden = pending.count - pending.sample.length;
    return [
      `${count(pending.count, 'pending request')} of ${plain(sensor)}${pending.count === 0 ? '.' : ':'}`,
      ...pending.sample.map(({ id }) => `  ${plain(id)}`),
      ...(hidden > 0 ? [`  and ${hidden} more`] : []),
    ];
  });
}

/** `sensors pending discard <sensor>` */
export async function discardPending(
  session: Session,
  output: Output,
  sensor: string,
  options: PendingOptions
): Promise<void> {
  const { count: waiting } = await readPending(session, sensor);
  if (waiting > 0) {
    const action = `discard ${count(waiting, 'pending request')} of sensor '${plain(sensor)}'`;
    await confirm({ action, yes: options.yes, readOnly: session.readOnly });
    await changeSensor(session, output, sensor, () => session.sensors.discardPending(sensor, noteOf(options)));
  }
  output.result({ sensor, discarded: waiting }, () => [
    `${count(waiting, 'pending request')} of ${plain(sensor)} discarded.`,
  ]);
}

async function readPending(session: Session, sensor: string): Promise<SensorState['pending']> {
  await requireWorker(session, sensor);
  return (await session.ask(sensor, () => session.sensors.state(sensor))).pending;
}
