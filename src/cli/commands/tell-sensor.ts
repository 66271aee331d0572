/**
 * Tells one sensor to start or stop: a signal, so it is accepted with no worker alive. Then it looks whether the sensor
 * has taken it, because "delivered" is not yet "stopped".
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Note, SensorDescription, SensorWorker } from '../../client/index.js';
import { cutText } from '../../sensors/json.js';
import { MAX_NOTE_BYTES } from '../../sensors/limits.js';
import type { Session } from '../session.js';
import { plain } from '../../sensors/text.js';

const APPLY_TIMEOUT_MS = 2_000;
const LOOK_EVERY_MS = 100;

export type Verb = 'start' | 'stop';

/** What became of one sensor. */
export interface Told {
  readonly description: SensorDescription;
  readonly workers: readonly SensorWorker[];
  /** Whether the sensor shows it. */
  readonly applied: boolean;
}

export async function tellSensor(session: Session, verb: Verb, sensor: string, note: Note): Promise<Told> {
  if (verb === 'stop') await session.call(() => session.sensors.stop(sensor, note));
  else await session.ask(sensor, () => session.sensors.start(sensor, note));
  return await shown(session, verb, sensor, note);
}

/** Waits until the sensor shows the choice, at most 2 s; what nobody here can read is not waited for. */
async function shown(session: Session, verb: Verb, sensor: string, note: Note): Promise<Told> {
  const deadline = Date.now() + APPLY_TIMEOUT_MS;
  const look = (): Promise<SensorDescription> => session.call(() => session.sensors.describe(sensor));
  let description = await look();
  while (description.unreadable !== true && !shows(description, verb, note) && Date.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    description = await look();
  }
  const workers = await session.call(() => session.sensors.workers(description.taskQueue));
  return { description, workers, applied: shows(description, verb, note) };
}

/** Why a sensor does not show yet what it was told. */
export function pendingReason({ description, workers }: Told): string {
  const nobody = `no worker polls task queue '${plain(description.taskQueue)}'`;
  if (workers.length > 0 && description.unreadable === true)
    return 'whether it has taken effect cannot be seen, because its memo is encoded by a payload codec that this command does not have';
  return `${workers.length === 0 ? nobody : 'no worker has taken it yet'}, so it takes effect when a worker runs`;
}

function shows(description: SensorDescription, verb: Verb, { by, reason, until }: Note): boolean {
  return (
    description.status === (verb === 'start' ? 'running' : 'stopped') &&
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
