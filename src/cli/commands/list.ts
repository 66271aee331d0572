/** `sensors list`: what there is, how it is, and what each sensor did last. No query, so it needs no worker. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SensorDescription, SensorFilter } from '../../client/index.js';
import { count, formatDuration, plain, relative, relativeNext } from '../../sensors/text.js';
import { explainError, UsageError } from '../errors.js';
import { latePendingText } from '../late-text.js';
import { colored, table, type Colors, type Output } from '../output.js';
import type { Session } from '../session.js';
import { listView, nextAt } from '../views.js';

const REDRAW_EVERY_MS = 2_000;
const MAX_SAID = 100;

export interface ListOptions extends Pick<SensorFilter, 'status' | 'health'> {
  readonly tag?: Readonly<Record<string, string>>;
  readonly watch?: true;
  readonly json?: true | undefined;
}

/** `sensors list [name]` @param name a name or a pattern of names */
export async function list(
  session: Session,
  output: Output,
  name: string | undefined,
  { status, health, tag: tags, watch }: ListOptions
): Promise<void> {
  const filter: SensorFilter = { name, status, health, tags };
  if (watch === true) return await redraw(session, output, filter);
  const sensors = await session.sensors.describeAll(filter);
  output.result(sensors.map(listView), (colors) => listLines(sensors, filter, session, colors));
}

/** @throws UsageError where nothing can be drawn again and again */
export function checkWatch({ watch, json }: ListOptions): void {
  if (watch !== true) return;
  const instead = 'in a script, call sensors list --json as often as you need it';
  if (json === true) throw new UsageError(`--watch does not go with --json; ${instead}`);
  if (!process.stdout.isTTY) throw new UsageError(`--watch draws on a terminal, and stdout is none; ${instead}`);
}

/** Until Ctrl-C. A server that does not answer for a while is said, and asked again. */
async function redraw(session: Session, output: Output, filter: SensorFilter): Promise<never> {
  for (;;) {
    try {
      const sensors = await session.sensors.describeAll(filter);
      output.screen((colors) => [
        colors.dim(`${session.namespace} on ${session.address}, ${new Date().toISOString()}, Ctrl-C ends`),
        ...listLines(sensors, filter, session, colors),
      ]);
    } catch (error) {
      const { message } = explainError(error, session);
      output.screen((colors) => [`${colors.red('error:')} ${plain(message)}`, 'Trying again …']);
    }
    await sleep(REDRAW_EVERY_MS);
  }
}

/** The table of `list`. */
export function listLines(
  sensors: readonly SensorDescription[],
  filter: SensorFilter,
  { namespace, address }: Pick<Session, 'namespace' | 'address'>,
  colors: Colors
): string[] {
  if (sensors.length === 0) {
    if (Object.values(filter).some((value) => value !== undefined)) return ['No sensor matches.'];
    return [`No sensors in namespace '${namespace}' on ${address}. A sensor appears when a worker with it starts.`];
  }
  const header = ['SENSOR', 'STATUS', 'HEALTH', 'LAST TICK', 'NEXT', 'RUNS 24 H', 'LAG', 'PENDING', 'DEAD LETTERS'];
  const rows = sensors.map((each) => {
    const known = each.unreadable !== true;
    return [
      plain(each.sensor),
      known || each.status === 'closed' ? colored(each.status, colors) : 'encrypted',
      known || each.health === 'notLoaded' ? colored(each.health, colors) : '',
      each.lastTick === undefined ? '' : `${relative(each.lastTick.at)} ${colored(each.lastTick.status, colors)}`,
      known || each.evaluation !== undefined ? next(each) : '',
      each.runsLastDay === undefined ? '' : String(each.runsLastDay),
      lag(each),
      known ? String(each.pending) : '',
      known ? String(each.deadLetters) : '',
      said(each),
    ];
  });
  return table([...header, 'LAST SAID'], rows, colors);
}

function next(sensor: SensorDescription): string {
  if (sensor.status === 'running' && sensor.evaluation?.phase === 'running') return 'now';
  const at = nextAt(sensor);
  return at === undefined ? '' : relativeNext(at);
}

/** How far it is behind: with events that it has still to handle, or with an evaluation that no worker takes. */
function lag({ status, behindSince, dueSince }: SensorDescription): string {
  const due = status === 'closed' ? undefined : dueSince;
  const since = Math.min(behindSince?.getTime() ?? Infinity, due?.getTime() ?? Infinity);
  return since === Infinity ? '' : formatDuration(Math.max(0, Date.now() - since));
}

/** Its last skip reason, its error, or why it does nothing. */
function said(sensor: SensorDescription): string {
  const { status, statusFrom, statusBy, statusReason, evaluation, error, failedTaskAttempts } = sensor;
  const { pending, pendingUntil } = sensor;
  if (status === 'closed') return 'its loop was cancelled or terminated';
  if (failedTaskAttempts !== undefined) return 'its workflow task fails again and again, so it stands still';
  if (status === 'stopped') {
    const by = statusFrom === 'code' ? 'its code' : (statusBy ?? 'an operator');
    return plain(`stopped by ${by}${statusReason === undefined ? '' : `: ${statusReason}`}`, MAX_SAID);
  }
  if (evaluation?.paused === true) return 'its evaluation was paused in Temporal Web';
  if (evaluation === undefined && pending > 0) {
    const when =
      pendingUntil === undefined ? ' being started' : `, the next of them ${relative(pendingUntil)} (maxRunsPerTick)`;
    return latePendingText(sensor) ?? `${count(pending, 'pending request')}${when}`;
  }
  return plain(evaluation?.lastOutcome ?? error ?? evaluation?.lastTickOutcome ?? '', MAX_SAID);
}
