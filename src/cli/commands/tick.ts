/**
 * `sensors tick`: evaluates now and waits for the tick.
 *
 * An evaluation may legitimately take as long as its timeout, so a plain deadline would either cut it off or leave
 * somebody waiting for minutes with no worker alive. Therefore a second look runs beside the wait: it asks the loop
 * whether anyone is there, and reads from Temporal whether any worker has the definition.
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

/** The loop's own bound of a wait for a tick, beyond timeout and grace, and time for its answer to arrive. */
const ANSWER_GRACE_MS = 65_000;
const DEFAULT_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 1_000;

/** `sensors tick <sensor>` */
export async function tick(
  session: Session,
  output: Output,
  sensor: string,
  { reason }: { readonly reason?: string }
): Promise<ExitCode> {
  const description = await session.call(() => session.sensors.describe(sensor));
  const workers = await session.call(() => session.sensors.workers(description.taskQueue));
  if (workers.length === 0) {
    throw new NoWorkerError(
      `no worker polls task queue '${description.taskQueue}', so sensor '${sensor}' cannot be evaluated; start one, and try again`
    );
  }
  const note = { by: operator(), ...(reason === undefined ? {} : { reason }) };
  const timeoutMs = (description.timeoutMs ?? DEFAULT_TIMEOUT_MS) + GRACE_MS + ANSWER_GRACE_MS;
  const done = new AbortController();
  try {
    const ticked = session.abortable(done.signal, () =>
      session.ask(sensor, () => session.sensors.tick(sensor, note), timeoutMs)
    );
    const record = await Promise.race([ticked, absence(session, description, done.signal)]);
    output.result(tickView(record), (colors) => text(sensor, record, session.webUrlOf(description), colors));
    return record.status === 'failure' ? EXIT.tickFailed : EXIT.ok;
  } finally {
    done.abort();
  }
}

/**
 * Never returns while a worker may still tick the sensor.
 *
 * @throws NoWorkerError when no worker answers, or none has the definition
 */
async function absence(
  session: Session,
  { sensor, taskQueue }: SensorDescription,
  signal: AbortSignal
): Promise<never> {
  await sleep(LOOK_EVERY_MS, undefined, { signal });
  await session.ask(sensor, () => session.sensors.state(sensor));
  for (;;) {
    const { evaluation, health } = await session.call(() => session.sensors.describe(sensor));
    if (health === 'notLoaded') {
      throw new NoWorkerError(
        `${plain(evaluation?.lastOutcome ?? '')}\nAdd it to the sensors of a SensorsPlugin on task queue '${taskQueue}' and start ` +
          `that worker; the tick takes place then`
      );
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal });
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
