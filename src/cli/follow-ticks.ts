/** New ticks as they end, for `--follow`: the loop is asked again and again, until Ctrl-C. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TickRecord } from '../client/index.js';
import { explainError, isUnanswered } from './errors.js';
import type { Output } from './output.js';
import type { Session } from './session.js';

const LOOK_EVERY_MS = 1_000;

/**
 * @param after number of the last tick that is known
 * @param since without ticks that began before
 */
export async function* followTicks(
  session: Session,
  output: Output,
  sensor: string,
  after: number,
  since?: Date
): AsyncGenerator<TickRecord> {
  const from = since?.getTime() ?? 0;
  let last = after;
  let silent = false;
  for (;;) {
    try {
      const ticks = await session.call(() => session.sensors.ticks(sensor));
      silent = false;
      for (const tick of ticks.filter(({ tick, startedAt }) => tick > last && startedAt >= from)) {
        last = tick.tick;
        yield tick;
      }
    } catch (error) {
      if (!isUnanswered(error) && explainError(error, session).code !== 'server-unreachable') throw error;
      // once, not at every look
      if (!silent) output.note('No answer at the moment; still looking.');
      silent = true;
    }
    await sleep(LOOK_EVERY_MS);
  }
}
