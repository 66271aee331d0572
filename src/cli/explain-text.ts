/** An explanation in a few sentences. Pure. */
import type { Explanation, KeyAnswer, RunAnswer, SensorRun, TickRecord, TimeAnswer } from '../client/index.js';
import { describeTick } from '../sensors/describe-tick.js';
import { BACKFILL_ID_PREFIX } from '../sensors/protocol.js';
import { count, formatDuration, plain, relative } from '../sensors/text.js';
import { backfillDetails, backfillSentence, noBackfillSentence } from './explain-backfill-text.js';
import { eventLines } from './explain-event-text.js';
import type { ExplanationOptions } from './explain-view.js';
import { shellQuoted } from './shell.js';
import { standingText, stoppedText, when } from './standing-text.js';

/** Of a run key. */
const SHOWN_CHARACTERS = 100;

/** The answer first, then what belongs to it, then links. */
export function explanationLines(explanation: Explanation, options: ExplanationOptions): string[] {
  const { sensor } = explanation;
  const name = plain(sensor);
  const loop = link('Sensor', options.webUrlOf(explanation));
  switch (explanation.about) {
    case 'key':
      return [
        ...keysLines(explanation, options),
        ...(explanation.event === undefined ? [] : eventLines(explanation.event, explanation.runKey, sensor)),
        ...(explanation.answers.length > 0 || explanation.event !== undefined
          ? []
          : [`${name} has no jobs: it starts no runs, and run keys mean nothing.`]),
        ...loop,
      ];
    case 'time':
      return [`${name} at ${explanation.at.toISOString()}: ${timeSentence(explanation.answer, name)}`, ...loop];
    default:
      return [
        runSentence(explanation.answer, name, plain(explanation.run, 200)),
        ...runLinks(explanation.answer, options),
      ];
  }
}

type AboutKey = Extract<Explanation, { about: 'key' }>;

/** What no job of the sensor was asked for is said once. */
function keysLines(about: AboutKey, options: ExplanationOptions): string[] {
  const { answers, sensor, runKey } = about;
  const [first] = answers;
  const unknown =
    answers.length > 1 && answers.every(({ kind, rearmed }) => kind === 'notSeen' && rearmed === undefined);
  if (first === undefined || !unknown) return answers.flatMap((answer) => keyLines(answer, about, options));
  const jobs = plain(answers.map(({ job }) => job).join(', '), 300);
  return [
    `Key '${plain(runKey, SHOWN_CHARACTERS)}' of ${plain(sensor)} (jobs ${jobs}): ${keySentence(first, about)}`,
    ...keyDetails(first, plain(sensor), options),
  ];
}

function keyLines(answer: KeyAnswer, about: AboutKey, options: ExplanationOptions): string[] {
  const name = plain(about.sensor);
  return [
    `Key '${plain(about.runKey, SHOWN_CHARACTERS)}' of ${name} (job ${plain(answer.job)}): ${keySentence(answer, about)}`,
    ...keyDetails(answer, name, options),
  ];
}

/** The command for the key, to be pasted; nothing for one that cannot be shown as it is. */
function commandFor(
  command: 'rerun' | 'rearm',
  why: string,
  { job, backfill }: KeyAnswer,
  { sensor, runKey, jobs }: AboutKey
): string {
  if (backfill !== undefined) {
    return command === 'rerun'
      ? ` Its failed partitions run again with: sensors backfills retry ${plain(backfill)}`
      : ` It was a backfill; start another one: sensors backfill ${plain(job)} --partitions <partitions>`;
  }
  if (plain(runKey, SHOWN_CHARACTERS) !== runKey) return '';
  const option = jobs.length > 1 ? ['--job', job] : [];
  // else a key that begins with a dash would be an option
  const key = runKey.startsWith('-') ? ['--', runKey] : [runKey];
  return ` ${why}: ${['sensors', command, sensor, ...option, ...key].map(shellQuoted).join(' ')}`;
}

function keySentence(answer: KeyAnswer, about: AboutKey): string {
  switch (answer.kind) {
    case 'started':
      return answer.repeats === undefined
        ? `${requested(answer)} and started run ${runText(answer)}.`
        : `${requested(answer)}; this is run ${runText(answer)}.`;
    case 'duplicate':
      return (
        `duplicate of run ${runText(answer)}, ${answer.repeats === undefined ? 'first ' : ''}${requested(answer)}; requested ` +
        `again at tick ${answer.again?.tick} (${when(answer.again?.at)}), which started nothing.` +
        commandFor('rerun', 'To run it again', answer, about)
      );
    case 'expired':
      return (
        `${requested(answer)} and started run ${runText(answer)}.${
          answer.again === undefined
            ? ''
            : ` It was requested again at tick ${answer.again.tick} (${when(answer.again.at)}), which started nothing: the run was still known.`
        } It expired from the sensor's memory at or after ` +
        `${answer.expiredAt.toISOString()} (dedupe): once Temporal has forgotten the run, too, a request of the key runs again.`
      );
    case 'remembered':
      return (
        `it has run, and Temporal has forgotten the run since; the sensor remembers the key${span(answer)}` +
        (answer.rearmed === undefined
          ? `, and ${forgets(answer)}.${commandFor('rearm', 'To let its next request run', answer, about)}`
          : '.')
      );
    case 'forgotten':
      return (
        `it ran${answer.started === undefined ? '' : ` ${tickAt(answer.started.tick, answer.started.at)}`}, as ` +
        `${plain(answer.workflowId)}. Both Temporal and the sensor (dedupe) have forgotten the run since: the next request of the key runs again.`
      );
    case 'rejected': {
      const { what, error, tick, since, lastAt, count: times, deadLetter, discarded } = answer;
      const why = what === 'owner' ? 'its workflow ID is taken' : 'it cannot be accepted';
      const gone =
        discarded === undefined
          ? 'was discarded or found no room'
          : `was discarded ${byText(discarded)}, ${when(discarded.at)}`;
      const kept = deadLetter === undefined ? ` Its dead letter ${gone}; its next request is checked anew.` : '';
      return `rejected since ${when(since)}, ${count(times, 'time')}, the last ${relative(lastAt)} at tick ${tick}, because ${why}: ${plain(error)}.${kept}`;
    }
    case 'discarded': {
      const { tick, requestedAt, at, run } = answer;
      const ran = run === undefined ? '' : ` It ran before, as ${runText({ run })}.`;
      return (
        `requested ${requestedAt === undefined ? `at tick ${tick}` : tickAt(tick, requestedAt)}, accepted, and discarded ` +
        `before it was started, ${byText(answer)}, ${when(at)}.${ran} Its next request starts it; to have it requested ` +
        `again when the cursor has passed it: sensors cursor rewind ${plain(about.sensor)} ${tick}`
      );
    }
    case 'pending':
      return `accepted, and pending: ${pendingText(answer, plain(about.sensor))}`;
    default:
      return `not seen yet. ${standingText(answer.standing, plain(about.sensor))}`;
  }
}

function keyDetails(answer: KeyAnswer, name: string, options: ExplanationOptions): string[] {
  const { rearmed } = answer;
  const armed = rearmed === undefined ? [] : [`  Re-armed: its next request starts it again, as epoch ${rearmed}.`];
  if (answer.kind === 'remembered') return [...rememberedDetails(answer, options), ...armed];
  if (answer.kind === 'notSeen') return [...armed, ...notSeenDetails(answer, options)];
  if (answer.kind === 'rejected' && answer.deadLetter !== undefined)
    return [...armed, `  Decide on it: sensors dead-letters list ${name}`];
  return [
    ...armed,
    ...('run' in answer && answer.run !== undefined ? runDetails(answer.run, errorOf(answer), options) : []),
  ];
}

/** Of a run that is gone and was not the key's first. */
function rememberedDetails(
  { repeats, run }: Extract<KeyAnswer, { kind: 'remembered' }>,
  options: ExplanationOptions
): string[] {
  return [
    ...(repeats === undefined ? [] : [`  The run that is gone was not its first: ${repeatsText(repeats)}.`]),
    ...(run === undefined
      ? []
      : [`  Before that it ran as ${runText({ run })}.`, ...runDetails(run, undefined, options)]),
  ];
}

function notSeenDetails(
  { cursor, cursorChanged, dedupeMs, since, discarded }: Extract<KeyAnswer, { kind: 'notSeen' }>,
  { showCursor }: ExplanationOptions
): string[] {
  const value = showCursor
    ? `  Cursor: ${cursor === undefined ? 'none' : plain(JSON.stringify(cursor.value), 500)}`
    : undefined;
  const changed =
    cursorChanged === undefined
      ? 'in no tick that is known'
      : `at tick ${cursorChanged.tick}, ${when(cursorChanged.at)}`;
  return [
    `  No tick has asked for it since ${when(since)}; of older ones nothing is known.`,
    ...(discarded === undefined
      ? []
      : [
          `  But ${count(discarded.requests, 'pending request')} without their keys on record went with a discard ${when(discarded.at)}: it may be among them.`,
        ]),
    `  The cursor last changed ${changed}.`,
    ...(value === undefined ? [] : [value]),
    ...(dedupeMs === undefined
      ? []
      : [`  The sensor forgets keys after ${formatDuration(dedupeMs)} (dedupe): it may have run before that.`]),
  ];
}

function pendingText(answer: Extract<KeyAnswer, { kind: 'pending' }>, name: string): string {
  const { ahead, of, waitsFor, dueAt, standing } = answer;
  const place = `${ahead === 0 ? 'it is the next' : `${ahead} start before it`} of ${count(of, 'request')}`;
  if (waitsFor === 'start')
    return `${place}. ${standing.kind === 'stopped' ? stoppedText(standing) : ''}, and they start when it is started.`;
  // a sensor that fails starts what it has accepted
  const starts = standing.kind === 'running' || standing.kind === 'failing';
  const hindrance = starts ? '' : ` ${standingText(standing, name)}`;
  if (waitsFor === 'turn')
    return starts ? `${place}, which are being started now.` : `${place}, which are not being started.${hindrance}`;
  return `${place} left over by maxRunsPerTick; the next start ${dueAt === undefined ? 'soon' : when(dueAt)}.${hindrance}`;
}

function timeSentence(answer: TimeAnswer, name: string): string {
  switch (answer.kind) {
    case 'tick':
      return `${tickText(answer.tick)}.`;
    case 'quiet':
      return answer.reason === undefined
        ? `its evaluations found nothing new; why is no longer known.${between(answer)}`
        : `its evaluations found nothing new: ${plain(answer.reason, 300)} (since ${when(answer.since)}).${between(answer)}`;
    case 'failing':
      return `it was failing since ${when(answer.since)}: ${plain(answer.error)}.${between(answer)}`;
    case 'stopped': {
      const again = answer.startedAt === undefined ? '' : ` It was started again at ${answer.startedAt.toISOString()}.`;
      return `${stoppedText(answer)}.${again}`;
    }
    case 'closed': {
      const { at, how, by, reason, until, standing } = answer;
      const who = by === undefined ? '' : ` ${byText({ by, ...(reason === undefined ? {} : { reason }) })}`;
      const back = until === undefined ? '' : `. It came back at ${until.toISOString()}`;
      const now = standing === undefined ? '' : ` ${standingText(standing, name)}`;
      return `its loop was closed${how === undefined ? '' : ` (${how})`} at ${at.toISOString()}${who}${back}.${now}`;
    }
    case 'waiting': {
      const { before, dueAt } = answer;
      const next =
        before.pending > 0
          ? `the ${count(before.pending, 'pending request')} came next, due`
          : 'the next evaluation was due';
      return `it waited for the interval after ${tickText(before)}; ${next} at ${dueAt.toISOString()}.`;
    }
    case 'notEvaluated': {
      const due = answer.dueAt === undefined ? '' : ` due since ${answer.dueAt.toISOString()}`;
      const until =
        answer.after === undefined
          ? ''
          : `; the next was ${tickText(answer.after)}. Most often no worker with the sensor was running`;
      const now = answer.standing === undefined ? '' : ` ${standingText(answer.standing, name)}`;
      if (answer.until !== undefined)
        return `it was not evaluated, though an evaluation was${due}: no worker took it until ${answer.until.toISOString()}.${between({ after: answer.after })}`;
      if (answer.earlier !== undefined) {
        const { reason, since } = answer.earlier;
        return `it was not evaluated, or still found nothing new: ${plain(reason, 300)} (since ${when(new Date(since))}).${now} Since when is not known.`;
      }
      if (answer.uncertain === true) {
        const next = answer.after === undefined ? '' : ` (the next was ${tickText(answer.after)})`;
        return `it found nothing new, or was not evaluated${next}: what evaluations said before was not kept, because something came in between.`;
      }
      return `it was not evaluated, though an evaluation was${due === '' ? ' due' : due}${until}.${now}`;
    }
    case 'evaluating':
      return `it was being evaluated, since ${answer.startedAt.toISOString()}; that evaluation has not ended yet.`;
    case 'future':
      return `that is still to come. ${standingText(answer.standing, name)}`;
    default:
      return answer.knownSince === undefined
        ? 'Temporal knows nothing of it any more.'
        : `Temporal knows of the sensor only since ${answer.knownSince.toISOString()}.`;
  }
}

function runSentence(answer: RunAnswer, name: string, id: string): string {
  if (answer.kind !== 'unknown' && answer.backfill !== undefined) {
    const asked = answer.kind === 'started' ? requestText(answer) : '';
    return backfillSentence(answer, answer.backfill, name, asked);
  }
  switch (answer.kind) {
    case 'started': {
      const { run } = answer;
      const key = run.runKey === undefined ? 'without a run key' : `with run key '${plain(run.runKey, 100)}'`;
      return answer.repeats === undefined
        ? `Run ${runText(answer)} was requested by ${name} ${requestText(answer)}, ${key}.`
        : `Run ${runText(answer)} of ${name}, ${key}: ${requested(answer)}; this is that run.`;
    }
    case 'foreign':
      return `Workflow ${plain(answer.workflowId)} was not started by ${name}, but by ${answer.sensor === undefined ? 'no sensor' : plain(answer.sensor)}.${
        answer.deadLetter === undefined
          ? ''
          : ` It has the ID of a run that was requested, which is dead letter '${plain(answer.deadLetter)}': sensors dead-letters list ${name}`
      }`;
    default:
      return id.startsWith(BACKFILL_ID_PREFIX) ? noBackfillSentence(id) : `Temporal knows no run '${id}' (any more).`;
  }
}

function runLinks(answer: RunAnswer, options: ExplanationOptions): string[] {
  if (answer.kind === 'unknown') return [];
  const { backfill } = answer;
  return [
    ...(answer.kind === 'started'
      ? runDetails(answer.run, backfill?.isIt === true ? undefined : answer.error, options)
      : link('Workflow', options.webUrlOf(answer))),
    ...(backfill === undefined ? [] : backfillDetails(backfill)),
  ];
}

function runDetails(run: SensorRun, error: string | undefined, { webUrlOf }: ExplanationOptions): string[] {
  return [...(error === undefined ? [] : [`  Error: ${plain(error)}`]), ...link('Run', webUrlOf(run))];
}

function errorOf(answer: KeyAnswer): string | undefined {
  return 'error' in answer ? answer.error : undefined;
}

function link(what: string, url: string | undefined): string[] {
  return url === undefined ? [] : [`  ${what}: ${url}`];
}

function runText({ run }: { readonly run: SensorRun }): string {
  return `${plain(run.workflowId)} (${run.status})`;
}

type Requested = Pick<
  Extract<KeyAnswer, { kind: 'started' | 'duplicate' }>,
  'run' | 'requestedAt' | 'requestedAtTick' | 'repeats'
>;

function requested(answer: Requested): string {
  const { repeats } = answer;
  if (repeats === undefined) return `requested ${requestText(answer)}`;
  return `${repeatsText(repeats)}${repeats.how === 'rerun' ? '' : `; requested again ${requestText(answer)}`}`;
}

function repeatsText(repeats: NonNullable<Requested['repeats']>): string {
  const { how, at, first } = repeats;
  const began = first === undefined ? '' : `first requested ${tickAt(first.tick, first.at)}; `;
  if (how === 'rerun') return `${began}run again ${byText(repeats)}, ${when(at)}`;
  return `${began}${at === undefined ? 're-armed by an operator' : `re-armed ${byText(repeats)}, ${when(at)}`}`;
}

/** By which tick, when, and which one started it, where that is another one. */
function requestText({ run, requestedAt, requestedAtTick = run.tick }: Requested): string {
  if (requestedAtTick === run.tick) return tickAt(run.tick, requestedAt);
  const startedAt = when(run.startTime);
  // of a tick that is not on record only its number is known
  return requestedAt.getTime() === run.startTime.getTime()
    ? `at tick ${requestedAtTick}, pending until tick ${run.tick} (${startedAt})`
    : `${tickAt(requestedAtTick, requestedAt)}, pending until tick ${run.tick} (${startedAt})`;
}

/** Which operator, and why. */
function byText({ by, reason }: { readonly by?: string; readonly reason?: string }): string {
  return `by ${plain(by ?? 'an operator')}${reason === undefined ? '' : ` (${plain(reason, 300)})`}`;
}

function tickAt(tick: number | undefined, at: Date): string {
  return `${tick === undefined ? '' : `at tick ${tick}, `}${when(at)}`;
}

function tickText(tick: TickRecord): string {
  const what = plain(describeTick(tick), 300);
  const { startedAt, status } = tick;
  return `tick ${tick.tick} (${new Date(startedAt).toISOString()}): ${status}${what === '' ? '' : `: ${what}`}`;
}

function between({
  before,
  after,
}: {
  readonly before?: TickRecord | undefined;
  readonly after?: TickRecord | undefined;
}): string {
  const earlier = before === undefined ? '' : ` The tick before: ${tickText(before)}.`;
  return `${earlier}${after === undefined ? '' : ` The next: ${tickText(after)}.`}`;
}

function forgets({ until }: { readonly until?: Date }): string {
  if (until === undefined) return 'starts it never again';
  // keys are forgotten between ticks
  if (until.getTime() < Date.now()) return 'forgets it with its next tick (dedupe)';
  return `starts it not again before ${until.toISOString()}`;
}

function span({ from, to }: { readonly from?: Date; readonly to?: Date }): string {
  if (from === undefined || to === undefined) return '';
  return from.getTime() === to.getTime()
    ? ` from ${from.toISOString()}`
    : ` from between ${from.toISOString()} and ${to.toISOString()}`;
}
