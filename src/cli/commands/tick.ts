import type { SensorDescription, TickRecord } from '../../client/index.js';
import { describeTick } from '../../sensors/describe-tick.js';
import type { LogLine } from '../../sensors/log-book.js';
import type { Rejection } from '../../sensors/protocol.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { noteOf, type ReasonOption } from '../note.js';
import { colored, type Colors, type Output } from '../output.js';
import type { Session } from '../session.js';
import { plain, plainLines } from '../../sensors/text.js';
import { tickView } from '../views.js';
import { waitForEvaluation } from './wait-for-evaluation.js';

/** `sensors tick <sensor>`: evaluates now and waits for the tick. */
export async function tick(session: Session, output: Output, sensor: string, options: ReasonOption): Promise<ExitCode> {
  const unanswered =
    `no worker has answered for sensor '${sensor}' yet; the tick was asked for, and may still take place when one comes, or ` +
    `be lost. Whether it took place: sensors ticks ${sensor}. If a worker runs: sensors describe ${sensor}`;
  const { result: record, description } = await waitForEvaluation(
    session,
    sensor,
    () => session.sensors.tick(sensor, noteOf(options)),
    unanswered
  );
  printTick(session, output, sensor, record, description);
  return record.status === 'failure' ? EXIT.tickFailed : EXIT.ok;
}

/** A tick and what it did. */
export function printTick(
  session: Session,
  output: Output,
  sensor: string,
  record: TickRecord,
  description: SensorDescription
): void {
  output.result(tickView(record), (colors) => text(sensor, record, session.webUrlOf(description), colors));
}

function text(sensor: string, record: TickRecord, webUrl: string | undefined, colors: Colors): string[] {
  const { runs, rejected, logs = [] } = record;
  const hidden = runs.count - runs.sample.length;
  return [
    `Tick ${record.tick} of ${plain(sensor)}: ${colored(record.status, colors)}: ${plain(describeTick(record))}`,
    ...runs.sample.map((id) => `  started ${plain(id)}`),
    ...(hidden > 0 ? [`  and ${hidden} more: sensors runs ${plain(sensor)}`] : []),
    ...rejectedLines(rejected.sample, colors),
    ...logLines(logs, colors),
    ...(webUrl === undefined ? [] : [`  ${colors.dim(webUrl)}`]),
  ];
}

export function rejectedLines(sample: readonly Rejection[], colors: Colors): string[] {
  return sample.map(({ kind, job, runKey, error }) => {
    const what = runKey === undefined ? kind : `key '${plain(runKey, 60)}'`;
    return `  ${colors.red('rejected')} ${what}${job === undefined ? '' : ` of ${plain(job)}`}: ${plain(error)}`;
  });
}

export function logLines(logs: readonly LogLine[], colors: Colors): string[] {
  return logs.flatMap(({ level, message }) => {
    const [first = '', ...rest] = plainLines(message);
    return [`  ${colors.dim(`log ${level}`)} ${first}`, ...rest.map((line) => `  ${line}`)];
  });
}
