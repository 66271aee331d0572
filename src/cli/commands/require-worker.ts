/** A first look for what only a worker can answer: with none on the task queue it would wait for its deadline. */
import type { SensorDescription } from '../../client/index.js';
import { NoWorkerError } from '../errors.js';
import type { Session } from '../session.js';

/**
 * The sensor, when a worker polled its task queue in the last minutes.
 *
 * @throws NoWorkerError at once when none did
 */
export async function requireWorker(session: Session, sensor: string): Promise<SensorDescription> {
  const description = await session.call(() => session.sensors.describe(sensor));
  const { taskQueue } = description;
  if ((await session.call(() => session.sensors.workers(taskQueue))).length > 0) return description;
  throw new NoWorkerError(
    `no worker polls task queue '${taskQueue}', and only a worker can answer for sensor '${sensor}'; start one, and try again`
  );
}
