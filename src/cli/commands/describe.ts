/**
 * `sensors describe`: why a sensor did or did not run.
 *
 * All but the loop's own details comes without any worker. Those are asked for with a short deadline, and left out
 * when nobody answers: the command is for the moment when something is wrong.
 */
import { isGone } from '../../client/gone-workers.js';
import type { SensorDescription, SensorState, SensorWorker, TickRecord } from '../../client/index.js';
import { describeTick } from '../../sensors/describe-tick.js';
import { explainError, isUnanswered } from '../errors.js';
import { latePendingText, lateText } from '../late-text.js';
import { colored, fields, type Colors, type Output } from '../output.js';
import type { Session } from '../session.js';
import { count, formatDuration, plain, relative, relativeNext } from '../../sensors/text.js';
import { positionIn } from '../../sensors/asset-position.js';
import { retriedText } from '../asset-text.js';
import { descriptionView, watchedViews, type DescriptionExtras } from '../views.js';

const STATE_TIMEOUT_MS = 3_000;
const SHOWN_LETTERS = 5;
const SHOWN_ASSETS = 5;

/** `sensors describe <sensor>` */
export async function describe(session: Session, output: Output, sensor: string): Promise<void> {
  const description = await session.call(() => session.sensors.describe(sensor));
  const workers = await session.call(() => session.sensors.workers(description.taskQueue));
  const answer = await askLoop(session, description, workers);
  const extras = { workers, ...answer, webUrl: session.webUrlOf(description) };
  output.result(descriptionView(description, extras), (colors) => descriptionLines(description, extras, colors));
}

/** What only the loop knows, or why it did not say it: no worker, or a broken loop. */
async function askLoop(
  session: Session,
  { sensor, taskQueue, watches }: SensorDescription,
  workers: readonly SensorWorker[]
): Promise<Pick<DescriptionExtras, 'state' | 'lastTick' | 'stateError' | 'lasts'>> {
  const [lastWorker] = workers;
  if (lastWorker === undefined) return { stateError: `no worker polls task queue '${taskQueue}'` };
  const timeoutMs = Math.min(STATE_TIMEOUT_MS, session.timeoutMs);
  try {
    const answer = await session.call(async () => {
      const state = await session.sensors.state(sensor);
      return { state, lastTick: (await session.sensors.ticks(sensor)).at(-1) };
    }, timeoutMs);
    const cursor = answer.state.cursor?.value;
    const read = watches.flatMap(({ asset }) => (positionIn(cursor, asset) === undefined ? [] : [asset]));
    return { ...answer, lasts: await session.call(() => session.sensors.lastPositions(read)) };
  } catch (error) {
    const nobody = `no worker answered within ${formatDuration(timeoutMs)}; the last poll of task queue '${taskQueue}' was ${relative(lastWorker.lastSeen)}`;
    return { stateError: isUnanswered(error) ? nobody : explainError(error, session).message };
  }
}

/** The lines of `describe`. */
export function descriptionLines(sensor: SensorDescription, extras: DescriptionExtras, colors: Colors): string[] {
  const { workers, state, lastTick, webUrl } = extras;
  const failing = sensor.health === 'failing';
  const known = sensor.unreadable !== true;
  const evaluates = known || sensor.evaluation !== undefined;
  const tags = Object.entries(sensor.tags).map(([key, value]) => `${key}=${value}`);
  const lines = [
    `${colors.bold(plain(sensor.sensor))}: ${why(sensor)}`,
    ...warnings(sensor, extras).map((warning) => `${colors.yellow('warning:')} ${warning}`),
    '',
    ...fields(
      [
        ['Status', known ? `${colored(sensor.status, colors)}, decided by ${decision(sensor)}${reasonOf(sensor)}` : ''],
        ['Health', known || sensor.health === 'notLoaded' ? healthLine(sensor, state, colors) : ''],
        ['Last skip reason', failing || sensor.status !== 'running' ? undefined : skipReason(sensor)],
        ['Attempt', attemptLine(sensor)],
        ['Next evaluation', evaluates ? nextLine(sensor) : ''],
        ['Last tick', lastTick === undefined ? lastTickOf(sensor) : tickLine(lastTick)],
        ['Idle', idleLine(sensor)],
        ['Interval', known ? `${formatDuration(sensor.intervalMs)}${timeoutLine(sensor)}` : ''],
        ['Watches', watchesLine(sensor, extras)],
        ['Behind', behindLine(sensor)],
        ['Jobs', plain(sensor.jobs.join(', '))],
        ['Pending', known ? pendingLine(sensor) : ''],
        ['Dead letters', known ? String(sensor.deadLetters) : ''],
        ['Totals', state === undefined ? undefined : totals(state)],
        ['Description', sensor.description === undefined ? undefined : plain(sensor.description)],
        ['Tags', plain(tags.join(', '))],
        ['Owners', plain(sensor.owners.join(', '))],
        ['Task queue', `${plain(sensor.taskQueue)}, ${workersLine(workers)}`],
        ['Workflow ID', plain(sensor.workflowId)],
        ['Temporal Web', webUrl],
      ],
      colors
    ),
    ...letters(state, colors),
  ];
  return lines;
}

/** One sentence: the reason that the sensor runs, or not. */
export function why(sensor: SensorDescription): string {
  const { status, health, evaluation, statusUntil, pending, pendingUntil, failedTaskAttempts } = sensor;
  const name = plain(sensor.sensor);
  if (status === 'closed') {
    return `closed: its loop was cancelled or terminated. It comes back with its state when a worker starts, or with: sensors start ${name}`;
  }
  if (status === 'stopped') {
    const until = statusUntil === undefined ? '' : ` until ${statusUntil.toISOString()}`;
    return `stopped by ${decision(sensor)}${reasonOf(sensor)}${until}. Start it with: sensors start ${name}`;
  }
  if (failedTaskAttempts !== undefined) return 'running, but it stands still: its workflow task fails again and again.';
  if (sensor.unreadable === true)
    return `encrypted: all but what Temporal itself says of it is encoded by a payload codec that this command does not have.`;
  const latePending = evaluation === undefined && pending > 0 ? latePendingText(sensor) : undefined;
  if (latePending !== undefined) return `running; ${latePending}.`;
  if (evaluation === undefined && pendingUntil !== undefined)
    return `running; ${count(pending, 'request')} of its last tick are pending (maxRunsPerTick); the next start ${relative(pendingUntil)}, or with: sensors tick ${name}`;
  const late = lateText(sensor);
  if (evaluation === undefined) return `running${late ?? '; it is between two evaluations'}.`;
  if (health === 'notLoaded') return 'running, but not evaluated: no worker that was asked has its definition.';
  if (evaluation.paused) {
    return `running, but its evaluation was paused in Temporal Web. Unpause it there, or evaluate now with: sensors tick ${name}`;
  }
  if (evaluation.phase === 'running')
    return `running${late ?? '; it is evaluated now, or as soon as a worker takes it'}.`;
  const next = evaluation.nextAt === undefined ? '' : `; next evaluation ${relativeNext(evaluation.nextAt)}`;
  return `running${health === 'failing' ? ' and failing' : ''}: ${plain(evaluation.lastOutcome ?? evaluation.lastTickOutcome ?? 'waiting', 300)}${next}.`;
}

/** What it costs while nothing happens. */
function idleLine({ status, unfolded, evaluation }: SensorDescription): string | undefined {
  if (status === 'closed') return undefined;
  if (unfolded !== undefined) return `each tick costs about 12 history events: ${unfolded}`;
  return evaluation?.folded === true ? 'costs no history' : undefined;
}

function decision({ statusFrom, statusBy }: SensorDescription): string {
  return statusFrom === 'code' ? 'its code (defaultStatus)' : plain(statusBy ?? 'an operator');
}

function warnings(
  { sensor, taskQueue, health, evaluation, failedTaskAttempts }: SensorDescription,
  { workers, state, stateError }: DescriptionExtras
): string[] {
  const queue = plain(taskQueue);
  const found: string[] = [];
  if (health === 'notLoaded') {
    found.push(
      `${plain(evaluation?.lastOutcome ?? '')}\n  Add it to the sensors of a SensorsPlugin on task queue '${queue}' and start that ` +
        `worker. If it is gone for good: sensors prune ${plain(sensor)} (forgets it; its runs stay), or sensors stop ${plain(sensor)}`
    );
  }
  if (failedTaskAttempts !== undefined) {
    found.push(
      `the loop's workflow task fails again and again (attempt ${failedTaskAttempts}), so the sensor stands still; Temporal Web and ` +
        `the worker's log have the error. Start workers whose code fits it`
    );
  }
  // one that has just answered is there, whatever the clocks say
  if (state === undefined && workers.every((each) => isGone(each)))
    found.push(`no worker polls task queue '${queue}'${heardOf(workers)}, so nothing is evaluated; start one`);
  else if (stateError !== undefined) found.push(`the loop's own details are missing: ${plain(stateError)}`);
  return found;
}

function healthLine({ health, evaluation }: SensorDescription, state: SensorState | undefined, colors: Colors): string {
  const word = colored(health, colors);
  if (health !== 'failing') return word;
  const since = state === undefined ? '' : ` since ${relative(state.health.since)}`;
  const error = state?.health.error ?? evaluation?.lastOutcome ?? evaluation?.lastTickOutcome;
  return `${word}${since}${error === undefined ? '' : `: ${plain(error)}`}`;
}

function skipReason({ evaluation, health }: SensorDescription): string | undefined {
  if (evaluation === undefined || health === 'notLoaded') return undefined;
  // one that was postponed or interrupted says something else
  const reason = evaluation.folded ? evaluation.lastOutcome : evaluation.streak.at(-1)?.reason;
  return reason === undefined ? undefined : plain(reason);
}

function attemptLine({ status, evaluation }: SensorDescription): string | undefined {
  if (status === 'closed' || evaluation === undefined) return undefined;
  const { attempt, lastAttemptAt } = evaluation;
  return `${attempt}${lastAttemptAt === undefined ? '' : `, the last ${relative(lastAttemptAt)}`}`;
}

function nextLine({ status, evaluation, statusUntil, pendingUntil }: SensorDescription): string {
  if (status === 'closed') return 'none';
  if (status === 'stopped') return statusUntil === undefined ? 'none while it is stopped' : at(statusUntil);
  if (evaluation?.phase === 'waiting' && evaluation.nextAt !== undefined)
    return `${relativeNext(evaluation.nextAt)} (${evaluation.nextAt.toISOString()})`;
  if (evaluation === undefined && pendingUntil !== undefined)
    return `after the pending requests${pendingUntil.getTime() > Date.now() ? `, ${at(pendingUntil)}` : ''}`;
  return 'now';
}

function at(date: Date): string {
  return `${relative(date)} (${date.toISOString()})`;
}

function tickLine(tick: TickRecord): string {
  const what = plain(describeTick(tick), 300);
  return `${tick.tick}, ${relative(tick.startedAt)}: ${tick.status}${what === '' ? '' : `: ${what}`}`;
}

/** As much as is known without the loop. */
function lastTickOf({ evaluation }: SensorDescription): string | undefined {
  return evaluation?.lastTickOutcome === undefined
    ? undefined
    : plain(evaluation.lastTickOutcome.replace(/^tick /, ''), 300);
}

function reasonOf({ statusReason }: SensorDescription): string {
  return statusReason === undefined ? '' : ` (${plain(statusReason, 300)})`;
}

function timeoutLine({ timeoutMs }: SensorDescription): string {
  return timeoutMs === undefined ? '' : `, timeout ${formatDuration(timeoutMs)}`;
}

function pendingLine({ pending }: SensorDescription): string {
  return pending === 0 ? '0' : `${pending}; they run first when the sensor runs`;
}

function watchesLine(sensor: SensorDescription, { state, lasts }: DescriptionExtras): string | undefined {
  const all = watchedViews(sensor, state, lasts);
  if (all.length === 0) return undefined;
  const shown = all.slice(0, SHOWN_ASSETS).map(({ asset, position, last, open, retried, old, anew }) => {
    const how = old === true ? ' (counted up to a minute ago)' : anew === true ? ' (a log that began anew)' : '';
    const more = `${retriedText(retried)}${how}`;
    if (open !== undefined) return `${plain(asset)}: ${open} of ${last} open${more}`;
    if (position !== undefined) return `${plain(asset)}: at ${position} of ${last ?? position}${more}`;
    return last === undefined ? plain(asset) : `${plain(asset)} (${count(last, 'event')})`;
  });
  const hidden = all.length - shown.length;
  return `${shown.join(', ')}${hidden > 0 ? ` and ${hidden} more` : ''}`;
}

function behindLine({ behindSince }: SensorDescription): string | undefined {
  return behindSince === undefined
    ? undefined
    : `the oldest event that it has still to handle is of ${at(behindSince)}`;
}

function totals({ counters, eventsWaiting }: SensorState): string {
  const { ticks, runs, duplicates, rejected, failures } = counters;
  const refused = counters.eventsDropped + counters.eventsTooLarge;
  const waiting = eventsWaiting === 0 ? '' : `, ${count(eventsWaiting, 'pushed event')} waiting`;
  const dropped = refused === 0 ? '' : `, ${count(refused, 'pushed event')} dropped`;
  return `${count(ticks, 'tick')}, ${count(runs, 'run')}, ${count(duplicates, 'duplicate')}, ${rejected} rejected, ${count(failures, 'failure')}${waiting}${dropped}`;
}

function heardOf([last]: readonly SensorWorker[]): string {
  return last === undefined ? '' : ` any more (last heard of ${relative(last.lastSeen)})`;
}

function workersLine(workers: readonly SensorWorker[]): string {
  const [last] = workers;
  if (last === undefined) return 'no worker';
  const who = `(${plain(last.identity, 60)} ${relative(last.lastSeen)})`;
  const alive = workers.filter((each) => !isGone(each)).length;
  return alive === 0 ? `no worker any more ${who}` : `polled by ${count(alive, 'worker')} ${who}`;
}

function letters(state: SensorState | undefined, colors: Colors): string[] {
  if (state === undefined || state.deadLetters.length === 0) return [];
  const shown = state.deadLetters.slice(-SHOWN_LETTERS);
  const hidden = state.deadLetters.length - shown.length;
  return [
    '',
    `Dead letters${hidden === 0 ? '' : ` (the last ${shown.length}; --json has all)`}:`,
    ...shown.map(({ kind, job, runKey, error, tick, count: times, lastAt }) => {
      const what = runKey === undefined ? kind : `key '${plain(runKey, 60)}'`;
      const where = job === undefined ? '' : ` of ${plain(job)}`;
      return `  ${colors.red(what)}${where}, tick ${tick}, ${count(times, 'time')}, last ${relative(lastAt)}: ${plain(error)}`;
    }),
  ];
}
