/**
 * `sensors start` and `sensors stop`: signals, so they are accepted with no worker alive. Then they look whether the
 * sensor has taken it, because "delivered" is not yet "stopped".
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Note, SensorDescription } from '../../client/index.js';
import { cutText } from '../../sensors/json.js';
import { MAX_NOTE_BYTES } from '../../sensors/limits.js';
import { operator } from '../operator.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { plain } from '../../sensors/text.js';
import { descriptionView } from '../views.js';
import { why } from './describe.js';
import { requireWorker } from './require-worker.js';

const APPLY_TIMEOUT_MS = 2_000;
const LOOK_EVERY_MS = 100;

export interface StartStopOptions {
  readonly reason?: string;
  /** `stop` only. */
  readonly until?: Date;
}

/** `sensors start <sensor>` */
export async function start(
  session: Session,
  output: Output,
  sensor: string,
  { reason }: StartStopOptions
): Promise<void> {
  const { status } = await session.call(() => session.sensors.describe(sensor));
  // its state comes from a query to the closed loop
  if (status === 'closed') await requireWorker(session, sensor);
  const note = noteOf({ reason });
  await session.ask(sensor, () => session.sensors.start(sensor, note));
  await report(session, output, sensor, 'running', note);
}

/** `sensors stop <sensor>` */
export async function stop(
  session: Session,
  output: Output,
  sensor: string,
  { reason, until }: StartStopOptions
): Promise<void> {
  const note = noteOf({ reason, until });
  await session.call(() => session.sensors.stop(sensor, note));
  await report(session, output, sensor, 'stopped', note);
}

function noteOf({ reason, until }: { readonly reason?: string | undefined; readonly until?: Date | undefined }): Note {
  return {
    by: operator(),
    ...(reason === undefined ? {} : { reason }),
    ...(until === undefined ? {} : { until: until.toISOString() }),
  };
}

/** Waits until the sensor shows the choice, at most 2 s, and prints what it shows. */
async function report(
  session: Session,
  output: Output,
  sensor: string,
  status: 'running' | 'stopped',
  note: Note
): Promise<void> {
  const deadline = Date.now() + APPLY_TIMEOUT_MS;
  const look = (): Promise<SensorDescription> => session.call(() => session.sensors.describe(sensor));
  let description = await look();
  while (!shows(description, status, note) && Date.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    description = await look();
  }
  const applied = shows(description, status, note);
  const workers = await session.call(() => session.sensors.workers(description.taskQueue));
  const extras = { workers, webUrl: session.webUrlOf(description) };
  output.result({ ...descriptionView(description, extras), applied }, () => {
    if (applied) return [`${plain(sensor)} is ${why(description)}`];
    const nobody = `no worker polls task queue '${plain(description.taskQueue)}'`;
    const because = workers.length === 0 ? nobody : 'no worker has taken it yet';
    const verb = status === 'running' ? 'start' : 'stop';
    return [`The ${verb} is delivered to ${plain(sensor)}; ${because}, so it takes effect when a worker runs.`];
  });
}

function shows(description: SensorDescription, status: 'running' | 'stopped', { by, reason, until }: Note): boolean {
  return (
    description.status === status &&
    description.statusFrom === 'operator' &&
    description.statusBy === kept(by) &&
    description.statusReason === kept(reason) &&
    description.statusUntil?.getTime() === (until === undefined ? undefined : new Date(until).getTime())
  );
}

/** The loop cuts long notes. */
function kept(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cutText(text, MAX_NOTE_BYTES);
}
