/** Which of the workers that Temporal lists are still there. Pure. */
import type { SensorWorker } from './sensor-client.js';

/** A live worker asks again at least once a minute; one that is gone stays listed for up to five. */
const GONE_MS = 90_000;

/** Whether a worker has not asked for work for so long that it must be gone. */
export function isGone({ lastSeen }: SensorWorker, now: number = Date.now()): boolean {
  return now - lastSeen.getTime() > GONE_MS;
}
