/**
 * `sensors tick`: evaluates now and waits for the tick.
 *
 * An evaluation may legitimately take as long as its timeout, so a plain deadline would either cut it off or leave
 * somebody waiting for minutes with no worker alive. Therefore two looks run beside the wait: one asks the loop
 * whether anyone is there, one reads from Temporal whether the workers can evaluate it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SensorDescription, TickRecord } from '../../client/index.js';
import { describeTick } from '../../sensors/describe-tick.js';
import { GRACE_MS } from '../../sensors/limits.js';
import { NoWorkerError } from '../errors.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { operator } from '../operator.js';
import { colored, type Colors, type Output } from '../output.js';
import type { Session } from '../session.js';
import { plain } from '../text.js';
import { tickView } from '../views.js';
import { requireWorker } from './require-worker.js';

/** The loop's own bound of a wait for a tick, beyond timeout and grace, and time for its answer to arrive. */
const ANSWER_GRACE_MS = 65_000;
const DEFAULT_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 1_000;
/** One failure may be a worker that went away. */
const MAX_FAILED_TASKS = 3;

/** `sensors tick <sensor>` */
export async function tick(
  session: Session,
  output: Output,
  sensor: string,
  { reason }: { readonly reason?: string }
): Promise<ExitCode> {
  const description = await requireWorker(session, sensor);
  const note = { by: operator(), ...(reason === undefined ? {} : { reason }) };
  const timeoutMs = (description.timeoutMs ?? DEFAULT_TIMEOUT_MS) + GRACE_MS + ANSWER_GRACE_MS;
  const done = new AbortController();
  try {
    const ticked = session.abortable(done.signal, () =>
      session.ask(sensor, () => session.sensors.tick(sensor, note), timeoutMs)
    );
    const record = await Promise.race([
      ticked,
      silence(session, sensor, done.signal),
      obstacle(session, description, done.signal),
    ]);
    output.result(tickView(record), (colors) => text(sensor, record, session.webUrlOf(description), colors));
    return record.status === 'failure' ? EXIT.tickFailed : EXIT.ok;
  } finally {
    done.abort();
  }
}

/** @throws NoWorkerError when nobody answers for the loop; else it never ends */
async function silence(session: Session, sensor: string, signal: AbortSignal): Promise<never> {
  await sleep(LOOK_EVERY_MS, undefined, { signal });
  try {
    await session.ask(sensor, () => session.sensors.state(sensor));
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
    const { evaluation, health, failedTaskAttempts = 1 } = await session.call(() => session.sensors.describe(sensor));
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

function text(sensor: string, record: TickRecord, webUrl: string | undefined, colors: Colors): string[] {
  const { runs, rejected, logs = [] } = record;
  const hidden = runs.count - runs.sample.length;
  return [
    `Tick ${record.tick} of ${plain(sensor)}: ${colored(record.status, colors)}: ${plain(describeTick(record))}`,
    ...runs.sample.map((id) => `  started ${plain(id)}`),
    ...(hidden > 0 ? [`  and ${hidden} more: sensors runs ${plain(sensor)}`] : []),
    ...rejected.sample.map(({ kind, job, runKey, error }) => {
      const what = runKey === undefined ? kind : `key '${plain(runKey, 60)}'`;
      return `  ${colors.red('rejected')} ${what}${job === undefined ? '' : ` of ${plain(job)}`}: ${plain(error)}`;
    }),
    ...logs.map(({ level, message }) => `  ${colors.dim(`log ${level}`)} ${plain(message)}`),
    ...(webUrl === undefined ? [] : [`  ${colors.dim(webUrl)}`]),
  ];
}
