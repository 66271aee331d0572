/** `sensors dead-letters`: what was rejected, and what to do with it. Configs and events in them are not printed. */
import type { DeadLetter, RetryResult } from '../../client/index.js';
import { MAX_RETRIES_AT_ONCE } from '../../sensors/limits.js';
import { confirm } from '../confirm.js';
import { UsageError } from '../errors.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { noteOf, type ReasonOption } from '../note.js';
import { table, type Output } from '../output.js';
import type { Session } from '../session.js';
import { shellQuoted } from '../shell.js';
import { count, plain, relative } from '../../sensors/text.js';
import { deadLetterView } from '../views.js';
import { changeSensor } from './change-sensor.js';
import { requireWorker } from './require-worker.js';

export interface DeadLetterOptions extends ReasonOption {
  readonly yes?: boolean;
}

/** `sensors dead-letters list <sensor>` */
export async function listDeadLetters(session: Session, output: Output, sensor: string): Promise<void> {
  const letters = await readLetters(session, sensor);
  output.result(letters.map(deadLetterView), (colors) => {
    if (letters.length === 0) return [`${plain(sensor)} has no dead letters.`];
    const rows = letters.map(({ id, kind, job = '', runKey = '', tick, count: times, lastAt, error }) => [
      plain(id),
      kind,
      plain(job),
      plain(runKey, 60),
      String(tick),
      String(times),
      relative(lastAt),
      plain(error, 160),
    ]);
    return table(['ID', 'KIND', 'JOB', 'RUN KEY', 'TICK', 'TIMES', 'LAST', 'ERROR'], rows, colors);
  });
}

/** `sensors dead-letters retry <sensor> [ids...]`: in batches, as many as the sensor takes at once. */
export async function retryDeadLetters(
  session: Session,
  output: Output,
  sensor: string,
  ids: readonly string[],
  options: DeadLetterOptions
): Promise<ExitCode> {
  const letters = choose(await readLetters(session, sensor), ids);
  const chosen = letters.map(({ id }) => id);
  const done: string[] = [];
  const failed: { readonly id: string; readonly error: string }[] = [];
  let started = 0;
  const progress = output.progress(chosen.length, 'dead letters');
  try {
    for (let index = 0; index < chosen.length; index += MAX_RETRIES_AT_ONCE) {
      const batch = chosen.slice(index, index + MAX_RETRIES_AT_ONCE);
      const edit = { ...noteOf(options), ids: batch };
      const result = await changeSensor(session, output, sensor, () => session.sensors.retryDeadLetters(sensor, edit));
      done.push(...result.done);
      failed.push(...result.failed);
      started += result.started;
      progress.advance(batch.length);
    }
  } finally {
    progress.end();
  }
  const handedBack = done.filter((id) => letters.some((letter) => letter.id === id && letter.kind === 'event'));
  output.result({ sensor, done, handedBack, started, failed }, (colors) => [
    ...retriedLines(sensor, { done, handedBack, started, failed }),
    ...failed.map(({ id, error }) => `  ${colors.red(plain(id))}: ${plain(error)}`),
  ]);
  return failed.length === 0 ? EXIT.ok : EXIT.someFailed;
}

interface Retried extends Pick<RetryResult, 'done' | 'started' | 'failed'> {
  /** Of those that are done, the events: nothing has been tried of them yet. */
  readonly handedBack: readonly string[];
}

function retriedLines(sensor: string, { done, handedBack, started, failed }: Retried): readonly string[] {
  const others = done.length - handedBack.length;
  const name = plain(sensor);
  const runs = `${count(others, 'dead letter')} of ${name} done (${count(started, 'run')} started)`;
  const events = `${count(handedBack.length, 'event')} of ${name} handed back`;
  const all = [...(others > 0 || handedBack.length === 0 ? [runs] : []), ...(handedBack.length > 0 ? [events] : [])];
  return [
    `${all.join(', ')}, ${failed.length} stay.`,
    ...(handedBack.length > 0
      ? [
          `  The sensor's next tick tries what was handed back, and what fails for good is parked again: sensors ticks ${shellQuoted(sensor)}`,
        ]
      : []),
  ];
}

/** `sensors dead-letters discard <sensor> [ids...]` */
export async function discardDeadLetters(
  session: Session,
  output: Output,
  sensor: string,
  ids: readonly string[],
  options: DeadLetterOptions
): Promise<void> {
  const chosen = choose(await readLetters(session, sensor), ids).map(({ id }) => id);
  if (chosen.length > 0) {
    const action = `discard ${count(chosen.length, 'dead letter')} of sensor '${plain(sensor)}'`;
    await confirm({ action, yes: options.yes, readOnly: session.readOnly });
    // by their IDs, so that one that came meanwhile is not lost unseen
    const edit = { ...noteOf(options), ids: chosen };
    await changeSensor(session, output, sensor, () => session.sensors.discardDeadLetters(sensor, edit));
  }
  output.result({ sensor, discarded: chosen }, () => [
    `${count(chosen.length, 'dead letter')} of ${plain(sensor)} discarded.`,
  ]);
}

async function readLetters(session: Session, sensor: string): Promise<readonly DeadLetter[]> {
  await requireWorker(session, sensor);
  return (await session.ask(sensor, () => session.sensors.state(sensor))).deadLetters;
}

/** @throws UsageError for an ID that none has */
function choose(letters: readonly DeadLetter[], ids: readonly string[]): readonly DeadLetter[] {
  if (ids.length === 0) return letters;
  const unknown = ids.find((id) => !letters.some((letter) => letter.id === id));
  if (unknown === undefined) return letters.filter(({ id }) => ids.includes(id));
  throw new UsageError(`there is no dead letter '${plain(unknown, 100)}'; sensors dead-letters list shows their IDs`);
}
