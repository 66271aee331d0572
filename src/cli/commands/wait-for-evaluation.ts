/**
 * Waiting for an evaluation that a command asked for.
 *
 * It may legitimately take as long as its timeout, so a plain deadline would either cut it off or leave somebody
 * waiting for minutes with no worker alive. Therefore two looks run beside the wait: one asks the loop whether anyone
 * is there, one reads from Temporal whether the workers can evaluate the sensor.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SensorDescription } from '../../client/index.js';
import { GRACE_MS } from '../../sensors/limits.js';
import { isUnanswered, NoWorkerError, UnansweredError } from '../errors.js';
import type { Session } from '../session.js';
import { plain } from '../../sensors/text.js';
import { requireWorker } from './require-worker.js';

/** The loop's own bound of a wait for a tick, beyond timeout and grace, and time for its answer to arrive. */
const ANSWER_GRACE_MS = 65_000;
const DEFAULT_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 1_000;
/** One failure may be a worker that went away. */
const MAX_FAILED_TASKS = 3;

/**
 * @param unanswered what to say when it was asked for and no worker has taken it yet
 * @throws NoWorkerError when nobody can evaluate the sensor
 * @throws UnansweredError with `unanswered`
 */
export async function waitForEvaluation<T>(
  session: Session,
  sensor: string,
  act: () => Promise<T>,
  unanswered?: string
): Promise<{ readonly result: T; readonly description: SensorDescription }> {
  const description = await requireWorker(session, sensor);
  const timeoutMs = (description.timeoutMs ?? DEFAULT_TIMEOUT_MS) + GRACE_MS + ANSWER_GRACE_MS;
  const done = new AbortController();
  try {
    const acted = session.abortable(done.signal, () => session.ask(sensor, act, timeoutMs));
    const result = await Promise.race([
      acted,
      silence(session, sensor, done.signal),
      obstacle(session, description, done.signal),
    ]);
    return { result, description };
  } catch (error) {
    if (unanswered === undefined || !(error instanceof NoWorkerError) || !isUnanswered(error.cause)) throw error;
    throw new UnansweredError(unanswered, { cause: error });
  } finally {
    done.abort();
  }
}

/** @throws NoWorkerError when nobody answers for the loop; else it never ends */
async function silence(session: Session, sensor: string, signal: AbortSignal): Promise<never> {
  await sleep(LOOK_EVERY_MS, undefined, { signal });
  try {
    // a call that outlives the connection is tried again without one, and Node does not survive that
    await session.abortable(signal, () => session.ask(sensor, () => session.sensors.state(sensor)));
  } catch (error) {
    if (error instanceof NoWorkerError) throw error;
    // whatever else is wrong, the tick itself will say
  }
  return await new Promise<never>(() => undefined);
}

/** @throws NoWorkerError when the workers cannot evaluate the sensor; else it never ends */
async function obstacle(
  session: Session,
  { sensor, taskQueue }: SensorDescription,
  signal: AbortSignal
): Promise<never> {
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    const {
      evaluation,
      health,
      failedTaskAttempts = 1,
    } = await session.abortable(signal, () => session.call(() => session.sensors.describe(sensor)));
    if (health === 'notLoaded') {
      throw new NoWorkerError(
        `${plain(evaluation?.lastOutcome ?? '')}\nAdd it to the sensors of a SensorsPlugin on task queue '${taskQueue}' and start ` +
          `that worker; the tick takes place then`
      );
    }
    if (failedTaskAttempts > MAX_FAILED_TASKS) {
      throw new NoWorkerError(
        `the loop's workflow task fails again and again, so sensor '${sensor}' stands still; Temporal Web and the worker's ` +
          `log have the error`
      );
    }
  }
}
