/** Temporal Web's current details of a sensor: all of it in one look, and what to do next. Pure. */
import { describeTick } from '../sensors/describe-tick.js';
import { jsonBytes } from '../sensors/json.js';
import { keyCount } from '../sensors/key-ledger.js';
import type { LoopState } from '../sensors/protocol.js';
import { count, formatDuration } from '../sensors/text.js';
import { waitingRequests } from './launch-rules.js';
import { commands, escaped, iso, table } from './markdown.js';
import { isHolding, isRunning } from './state.js';

const SHOWN_TICKS = 20;
const SHOWN_DEAD_LETTERS = 10;
const SHOWN_PENDING = 5;

/** Markdown of at most about 40 KB, usually 2 KB. It has neither the cursor's value nor any config. */
export function detailsOf(sensor: string, state: LoopState): string {
  const waits = escaped(state.launch?.record?.waitsFor);
  const facts = [healthOf(state), cursorOf(state), countersOf(state), eventsOf(state), pendingOf(state), waits];
  return [
    `${statusOf(sensor, state)} ${escaped(state.options.description ?? '', 500)}`,
    '',
    ...facts.flatMap((fact) => (fact === '' ? [] : [`- ${fact}`])),
    ...(isRunning(state) ? ['- A quiet sensor shows its skip reason under *Pending Activities*.'] : []),
    '',
    ...section('Last ticks', ticksOf(state)),
    ...section('Dead letters', deadLettersOf(state)),
    ...section('What to do next', commands(nextSteps(sensor, state))),
  ].join('\n');
}

/** What a timer of the loop is for. */
export function waitsFor(state: LoopState): string {
  return isRunning(state) ? 'the next pending runs' : 'the stop ends by itself';
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`### ${title}`, '', ...lines, ''];
}

function statusOf(sensor: string, state: LoopState): string {
  const { choice, options } = state;
  const status = `**${escaped(sensor)}** is **${isRunning(state) ? 'running' : 'stopped'}**`;
  const every = `, evaluated every ${formatDuration(options.intervalMs)}`;
  if (choice === undefined) return `${status} by its code${every}.`;
  const why = choice.reason === undefined ? '' : ` (${escaped(choice.reason)})`;
  const until = choice.until === undefined ? '' : ` until ${iso(choice.until)}`;
  return `${status} by ${escaped(choice.by ?? 'an operator')}${why} since ${iso(choice.at)}${until}${every}.`;
}

function healthOf({ health }: LoopState): string {
  if (health.status === 'failing')
    return `**Failing** since ${iso(health.since)}: ${escaped(health.error ?? 'it does not say why', 1_000)}`;
  if (health.failingBefore === undefined) return '';
  return `Recovered at ${iso(health.since)}; it had been failing since ${iso(health.failingBefore)}.`;
}

/** A value may be secret, and is shown to those who ask for it: `sensors cursor get`. */
function cursorOf({ cursor, ring, audit }: LoopState): string {
  if (cursor === undefined) return 'Cursor: none.';
  const tick = ring.findLast(({ cursorChanged }) => cursorChanged === true);
  const edit = audit.findLast(({ what }) => what === 'set cursor');
  const size = `Cursor: ${count(jsonBytes(cursor.value), 'byte')} of JSON`;
  if (edit !== undefined && edit.at >= (tick?.endedAt ?? tick?.startedAt ?? 0))
    return `${size}, set by ${escaped(edit.by ?? 'an operator')} at ${iso(edit.at)}.`;
  if (tick !== undefined) return `${size}, changed by tick ${tick.tick} at ${iso(tick.endedAt ?? tick.startedAt)}.`;
  return `${size}, unchanged for the last ${count(ring.length, 'tick')}.`;
}

function countersOf(state: LoopState): string {
  const { runs, duplicates, rejected, failures } = state.counters;
  return (
    `Runs started ${runs} · duplicates ${duplicates} · rejected ${rejected} · failures ${failures}` +
    ` · dead letters ${state.deadLetters.length} · run keys ${keyCount(state.ledger)}`
  );
}

/** What became of pushed events; nothing for a sensor that is not pushed. */
function eventsOf({ counters, inbox }: LoopState): string {
  const { events, eventsDropped, eventsTooLarge } = counters;
  if (events + inbox.length + eventsDropped + eventsTooLarge === 0) return '';
  return `Pushed events: taken ${events} · waiting ${inbox.length} · dropped ${eventsDropped} · too large ${eventsTooLarge}`;
}

function pendingOf(state: LoopState): string {
  const { launch } = state;
  if (launch === undefined || !isHolding(state)) return '';
  const keys = launch.remaining.slice(0, SHOWN_PENDING).map(({ id, runKey }) => escaped(runKey ?? id, 100));
  const waiting = waitingRequests(launch);
  const when = isRunning(state) && launch.dueAt !== undefined ? `until ${iso(launch.dueAt)}` : 'for a start';
  return `**Pending**: ${count(waiting, 'request')} waiting ${when}: ${keys.join(', ')}${waiting > keys.length ? ', …' : ''}`;
}

function ticksOf({ ring }: LoopState): string[] {
  const rows = ring
    .slice(-SHOWN_TICKS)
    .reverse()
    .map((tick) => [tick.tick, tick.status, tick.trigger, iso(tick.startedAt), describeTick(tick)]);
  return table(['tick', 'status', 'because of', 'at', 'what'], rows);
}

function deadLettersOf({ deadLetters }: LoopState): string[] {
  const rows = deadLetters
    .slice(-SHOWN_DEAD_LETTERS)
    .reverse()
    .map(({ id, kind, job, runKey, count: times, lastAt, error }) => [
      id,
      kind,
      job,
      runKey,
      times,
      iso(lastAt),
      error,
    ]);
  const hidden = deadLetters.length - rows.length;
  return [
    ...table(['id', 'what', 'job', 'run key', 'times', 'last at', 'why'], rows),
    ...(hidden > 0 ? ['', `and ${hidden} older ones`] : []),
  ];
}

function nextSteps(sensor: string, state: LoopState): string[] {
  const running = isRunning(state);
  return [
    `sensors explain ${sensor} '<run key, time or run ID>'`,
    ...(state.health.status === 'failing' ? [`sensors logs ${sensor}`, `sensors tick ${sensor}`] : []),
    ...(state.deadLetters.length > 0
      ? [`sensors dead-letters list ${sensor}`, `sensors dead-letters retry ${sensor}`]
      : []),
    ...(isHolding(state) ? [`sensors pending list ${sensor}`] : []),
    running ? `sensors stop ${sensor} --reason '<why>'` : `sensors start ${sensor}`,
  ];
}
