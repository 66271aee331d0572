/** An explanation of an event, or of a dead letter, in a few sentences. Pure. */
import type { EventAnswer, Standing } from '../client/index.js';
import { count, plain, relative } from '../sensors/text.js';
import { shellQuoted } from './shell.js';
import { standingText, when } from './standing-text.js';

/** Of an ID or a key. */
const SHOWN_CHARACTERS = 200;

/** @param text what was asked about @param sensor its name */
export function eventLines(answer: EventAnswer, text: string, sensor: string): string[] {
  const name = plain(sensor);
  const shown = plain(text, SHOWN_CHARACTERS);
  switch (answer.kind) {
    case 'deadLetter':
      return deadLetterLines(answer, shown, sensor);
    case 'retried':
      return [
        `Event '${shown}' of ${name}: ${retriedText(answer)}`,
        answer.gone === true
          ? `  The log that it is of is gone: when the sensor looks next, it is parked (sensors dead-letters list ${name}).`
          : `  Mend the cause before its last try: after that it is parked (sensors dead-letters list ${name}).`,
        ...hindrance(answer.standing, name),
      ];
    case 'discarded': {
      const { id, at, by = 'an operator', reason } = answer;
      const subject = shown === id ? `Dead letter '${shown}'` : `Event '${shown}'`;
      const why = reason === undefined ? '' : ` (${plain(reason, 300)})`;
      return [
        `${subject} of ${name}: ${shown === id ? '' : `it was dead letter '${plain(id)}', which was `}discarded by ${plain(by)}${why}, ${when(at)}.`,
      ];
    }
    default:
      return assetEventLines(answer, sensor);
  }
}

function retriedText({ attempts, at, error, gone }: Extract<EventAnswer, { kind: 'retried' }>): string {
  if (gone === true) return `could not be handled, ${count(attempts, 'time')} so far: ${plain(error)}`;
  if (at === undefined) return 'was handed back, and is tried again with the next evaluation.';
  const next = at.getTime() <= Date.now() ? 'with the next evaluation' : when(at);
  return `could not be handled, ${count(attempts, 'time')} so far, and is tried again ${next}: ${plain(error)}`;
}

/** What keeps a sensor from trying again. */
function hindrance(standing: Standing, name: string): string[] {
  return standing.kind === 'running' || standing.kind === 'failing' ? [] : [`  ${standingText(standing, name)}`];
}

function deadLetterLines(
  {
    id,
    what,
    job,
    runKey,
    error,
    tick,
    since,
    lastAt,
    count: times,
    retryable,
  }: Extract<EventAnswer, { kind: 'deadLetter' }>,
  shown: string,
  sensor: string
): string[] {
  const of = [
    ...(job === undefined ? [] : [`job ${plain(job)}`]),
    ...(runKey === undefined ? [] : [`key '${plain(runKey, SHOWN_CHARACTERS)}'`]),
  ].join(', ');
  const request = `Dead letter '${plain(id)}' of ${plain(sensor)}: a request${of === '' ? '' : ` (${of})`} was rejected`;
  const event = `Event '${shown}' of ${plain(sensor)}: parked as dead letter '${plain(id)}'`;
  const subject =
    what !== 'event'
      ? request
      : shown === id
        ? `Dead letter '${shown}' of ${plain(sensor)}: an event was parked`
        : event;
  const why = what === 'owner' ? 'its workflow ID is taken: ' : '';
  const letters = (command: string): string =>
    ['sensors', 'dead-letters', command, sensor, id].map(shellQuoted).join(' ');
  // the error of an event says how often it was tried
  const often = times === 1 ? '' : `, ${count(times, 'time')}, the last ${relative(lastAt)}`;
  return [
    `${subject} ${when(since)}${often} at tick ${tick}: ${why}${plain(error)}`,
    ...(retryable
      ? [`  Once the cause is mended, try it again: ${letters('retry')}`, `  Or give it up: ${letters('discard')}`]
      : [
          `  Too much of it was too large to be kept, so it cannot be tried again${what === 'event' ? '' : ': let the sensor request it again'}. Give it up: ${letters('discard')}`,
        ]),
  ];
}

type AssetEventAnswer = Exclude<EventAnswer, { kind: 'deadLetter' | 'retried' | 'discarded' }>;

function assetEventLines(answer: AssetEventAnswer, sensor: string): string[] {
  const { event, recordedAt, partitionKey, observation } = answer;
  const facts = [
    ...(observation === true ? ['an observation'] : []),
    ...(partitionKey === undefined ? [] : [`partition ${plain(partitionKey, SHOWN_CHARACTERS)}`]),
    ...(recordedAt === undefined ? [] : [`recorded ${when(recordedAt)}`]),
  ].join(', ');
  const subject = `Event '${plain(event, SHOWN_CHARACTERS)}' of ${plain(sensor)}${facts === '' ? '' : ` (${facts})`}: `;
  const [first = '', ...others] = assetEventSentences(answer, plain(sensor));
  return [subject + first, ...others.map((each) => `  ${each}`)];
}

function assetEventSentences(answer: AssetEventAnswer, name: string): readonly string[] {
  const { asset, position } = answer;
  const log = `the log of asset ${plain(asset)}`;
  const events = `sensors assets events ${plain(asset)}`;
  switch (answer.kind) {
    case 'unread': {
      const { readTo, last, standing } = answer;
      const end =
        last === undefined ? `${log} did not answer, so whether there is such an event is not known` : `of ${last}`;
      const at = readTo === 0 ? 'none yet' : `up to ${readTo}`;
      return [
        `not read yet: the sensor has read ${at}${last === undefined ? '; ' : ' '}${end}.`,
        standingText(standing, name),
      ];
    }
    case 'waiting':
      return [
        'most likely read, and not consumed yet: it waits for events of the other assets or for room among those that wait, ' +
          'or the handler has passed it over.',
        standingText(answer.standing, name),
      ];
    case 'read':
      return readSentences(answer);
    case 'notRead':
      return [
        `${name} does not read asset ${plain(asset)}; it reads ${plain(answer.reads.join(', '), SHOWN_CHARACTERS)}. As a run key, nothing has asked for it.`,
      ];
    case 'absent':
      if (position === 0)
        return [`there is none: events count from 1, and ${log} has them up to ${answer.last}. See them: ${events}`];
      return [
        answer.last < position
          ? `there is none: ${log} has events up to ${answer.last}. See them: ${events}`
          : `${log} has let go of it: it has events ${answer.first} to ${answer.last}. See them: ${events}`,
      ];
    case 'otherLog':
      return [
        `it is of another log than the asset has now ('${plain(answer.log)}', with events up to ${answer.last}): that one was ` +
          `deleted, and nobody can handle its events any more, or the ID is a slip. See the present ones: ${events}`,
      ];
    case 'noLog':
      return [`asset ${plain(asset)} has no log: nothing was recorded of it yet, or it was pruned.`];
    default:
      return [
        `it is of another log of the asset than the one that the sensor reads, and ${log} did not answer. Start a worker, and ask again.`,
      ];
  }
}

function readSentences({
  readTo,
  run,
  error,
  observation,
  together,
  recordedAt,
  startedAt,
}: Extract<AssetEventAnswer, { kind: 'read' }>): readonly string[] {
  if (run !== undefined) {
    const key = run.runKey === undefined ? '' : `, whose key is '${plain(run.runKey, SHOWN_CHARACTERS)}'`;
    return [
      `consumed by a match, which started run ${plain(run.workflowId)} (${run.status})${key}.`,
      ...(error === undefined ? [] : [`Error: ${plain(error)}`]),
    ];
  }
  const passed =
    observation === true
      ? ' Sensors pass over observations unless they say `observations: true`.'
      : recordedAt !== undefined && recordedAt < startedAt
        ? ` It was recorded before the sensor was last started (${startedAt.toISOString()}), and may have been passed over.`
        : '';
  const why = together
    ? 'has it in its key: the handler consumed it without one or gave its run another key, a newer event took its place, it expired, or it was parked and given up.'
    : 'has its ID as key: the handler asked for none or gave its run another key, it was parked and given up, or it was not the newest (`latest`).';
  return [`done, the sensor has read up to ${readTo}. No run that is known ${why}${passed}`];
}
