/**
 * Changes that the loop makes itself and answers. One that it has accepted goes on after the command has given up, and
 * the same command again is another change: `rerun` would start the key once more. So a change is asked for only when
 * the loop answers at all, is given the time that the loop gives itself, and when that is over nobody is told to try again.
 */
import { isUnanswered, UnansweredError } from '../errors.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { formatDuration, plain } from '../../sensors/text.js';

/** What the loop looks up outside may take 2 min; then it has still to start runs and to answer. */
export const CHANGE_TIMEOUT_MS = 150_000;
/** Most answers come before anybody reads a line. */
const SHOW_AFTER_MS = 1_000;

/**
 * @param timeoutMs bound of the change, when it may take longer
 * @throws NoWorkerError when no worker answers for the loop; nothing was sent
 * @throws UnansweredError when the answer to the change did not come
 */
export async function changeSensor<T>(
  session: Session,
  output: Output,
  sensor: string,
  act: () => Promise<T>,
  timeoutMs = 0
): Promise<T> {
  // a worker that went away is listed for some minutes: this shows it, and changes nothing
  await session.ask(sensor, () => session.sensors.state(sensor));
  const boundMs = Math.max(CHANGE_TIMEOUT_MS, timeoutMs, session.timeoutMs);
  const waiting = `waiting for ${plain(sensor)} to answer, up to ${formatDuration(boundMs)}`;
  const shown = setTimeout(() => output.status(waiting), SHOW_AFTER_MS);
  try {
    return await session.call(act, boundMs);
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    throw new UnansweredError(
      `sensor '${sensor}' did not answer within ${formatDuration(boundMs)}, but what was asked for may still take effect. ` +
        `Look before you repeat it: sensors audit ${sensor}, sensors runs ${sensor}`,
      { cause: error }
    );
  } finally {
    clearTimeout(shown);
    output.status(undefined);
  }
}
