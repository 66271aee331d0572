/** `sensors start` and `sensors stop`, of one sensor or many. */
import type { ExitCode } from '../exit-codes.js';
import { noteOf } from '../note.js';
import type { Output } from '../output.js';
import { onlyName } from '../select.js';
import type { Session } from '../session.js';
import { plain } from '../../sensors/text.js';
import { descriptionView } from '../views.js';
import { why } from './describe.js';
import { forMany } from './start-stop-many.js';
import { pendingReason, tellSensor, type Told, type Verb } from './tell-sensor.js';

export interface StartStopOptions {
  readonly reason?: string;
  /** `stop` only. */
  readonly until?: Date;
  /** `stop` only: the same, as a time from now. */
  readonly for?: Date;
  readonly tag?: Readonly<Record<string, string>>;
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** `sensors start <sensors...>` and `sensors stop <sensors...>` */
export async function startStop(
  session: Session,
  output: Output,
  verb: Verb,
  names: readonly string[],
  options: StartStopOptions
): Promise<ExitCode | void> {
  const { until = options.for, dryRun } = options;
  const selection = { names, tag: options.tag, all: options.all };
  const note = { ...noteOf(options), ...(until === undefined ? {} : { until: until.toISOString() }) };
  const tell = async (sensor: string): Promise<Told> => await tellSensor(session, verb, sensor, note);
  const only = onlyName(selection);
  if (only === undefined || dryRun === true) return await forMany(session, output, { verb, selection, tell }, options);
  print(session, output, verb, await tell(only));
}

function print(session: Session, output: Output, verb: Verb, told: Told): void {
  const { description, workers, applied } = told;
  const extras = { workers, webUrl: session.webUrlOf(description) };
  output.result({ ...descriptionView(description, extras), applied }, () => {
    if (applied) return [`${plain(description.sensor)} is ${why(description)}`];
    return [`The ${verb} is delivered to ${plain(description.sensor)}; ${pendingReason(told)}.`];
  });
}
