/**
 * What alerts say when the author does not: one structured message, which Slack, e-mail and webhooks each render.
 *
 * Types, IDs and errors are other people's text. Here they get short and lose control characters; what else could be
 * taken for markup is escaped where it is rendered.
 */
import { cutText } from '../sensors/json.js';
import type { FailedRun, HealthChangeKind, RunStatus, SensorHealthEvent } from '../sensors/status-run.js';
import { count, formatDuration, plain } from '../sensors/text.js';

/** What may become an alert. */
export type AlertEvent = FailedRun | SensorHealthEvent;

/** Events that had no message of their own, because there had been too many in a short time. */
export interface AlertDigest {
  readonly kind: 'digest';
  /** The same as long as it is about the same events. */
  readonly eventId: string;
  /** How many events it is about: all of `counts`, and `others`. */
  readonly count: number;
  /** When the first and the last of them happened. */
  readonly since: Date;
  readonly until: Date;
  /** Workflow types and what became of their runs, or sensors and how their health changed; the first 20. */
  readonly counts: readonly DigestCount[];
  /** Events of other types or sensors. */
  readonly others: number;
  /** The first 10 events, a line each. */
  readonly first: readonly string[];
}

export interface DigestCount {
  /** Workflow type, or full name of the sensor; at most 64 bytes of it. */
  readonly name: string;
  readonly what: RunStatus | HealthChangeKind;
  readonly count: number;
}

/** What a message is about. */
export type AlertSubject = AlertEvent | AlertDigest;

/** The default message. */
export interface AlertMessage {
  /** One line. */
  readonly title: string;
  /** Good news: a sensor has recovered. */
  readonly good: boolean;
  readonly lines: readonly AlertLine[];
  /** Temporal Web, where its address is known: `http:` or `https:`. */
  readonly link?: string;
}

export interface AlertLine {
  readonly label: string;
  /** Never empty. */
  readonly text: string;
  /** Several lines whose layout matters: an error, a list. */
  readonly block?: true;
}

/** What the author's functions get, and may give: `undefined` for the default. */
export type FromSubject<T> = (subject: AlertSubject, message: AlertMessage) => T | undefined | Promise<T | undefined>;

/** Of an error, in bytes. */
const MAX_ERROR_BYTES = 1024;
const MAX_TITLE_LENGTH = 140;
/** Workflow IDs have up to 1,000 bytes. */
const MAX_FACT_LENGTH = 300;

/** What became of a run, or how a sensor's health changed, after its name. */
const WORDS: Readonly<Record<RunStatus | HealthChangeKind, string>> = {
  started: 'started',
  completed: 'completed',
  failed: 'failed',
  timedOut: 'timed out',
  terminated: 'was terminated',
  canceled: 'was canceled',
  continuedAsNew: 'continued as new',
  failing: 'is failing',
  recovered: 'has recovered',
  notLoaded: 'is on no worker',
  late: 'is late',
  stoppedItself: 'has stopped itself',
  closed: 'was closed',
};

/** The default message about a run, a sensor, or many of them. */
export function describeSubject(subject: AlertSubject): AlertMessage {
  if (subject.kind === 'digest') return describeDigest(subject);
  const lines = subject.kind === 'run' ? runLines(subject) : sensorLines(subject);
  return {
    title: titleOf(subject),
    good: subject.kind === 'sensor' && subject.change === 'recovered',
    lines: lines.filter(({ text }) => text !== ''),
    ...(isWebUrl(subject.url) ? { link: subject.url } : {}),
  };
}

/** An event in one line, for lists. */
export function summarize(event: AlertEvent): string {
  const [which, why] = event.kind === 'run' ? [` (${event.workflowId})`, reasonOf(event)] : ['', event.message];
  return plain(`${titleOf(event)}${which}: ${cutText(why, MAX_ERROR_BYTES)}`);
}

/** What the event is counted by in a digest. */
export function digestKeyOf(event: AlertEvent): Omit<DigestCount, 'count'> {
  return event.kind === 'run' ? { name: event.type, what: event.status } : { name: event.sensor, what: event.change };
}

function titleOf(event: AlertEvent): string {
  const title =
    event.kind === 'run' ? `${event.type} ${WORDS[event.status]}` : `Sensor ${event.sensor} ${WORDS[event.change]}`;
  return plain(title.toWellFormed(), MAX_TITLE_LENGTH);
}

function runLines(run: FailedRun): AlertLine[] {
  const { failure, startedBy, durationMs } = run;
  const { activity, childWorkflow } = failure;
  const after = durationMs === undefined ? '' : `, after ${formatDuration(durationMs)}`;
  return [
    { label: 'Why', text: lines(reasonOf(run)), block: true },
    fact('Activity', activity?.type),
    fact('Child workflow', childWorkflow && `${childWorkflow.type}, ${childWorkflow.workflowId}`),
    fact('Workflow', run.workflowId),
    fact('Run', run.runId),
    fact('Started', time(run.startTime)),
    fact('Ended', run.closeTime && `${time(run.closeTime)}${after}`),
    fact('Started by', startedBy && starterOf(startedBy)),
    fact('Retry', run.nextRunId && `Temporal retries it: run ${run.nextRunId}`),
  ];
}

function starterOf({ sensor, tick, backfill, runKey, by }: NonNullable<FailedRun['startedBy']>): string {
  return [
    ...(sensor === undefined ? [] : [`sensor ${sensor}`]),
    ...(tick === undefined ? [] : [`tick ${tick}`]),
    ...(backfill === undefined ? [] : [`backfill ${backfill}`]),
    ...(runKey === undefined ? [] : [`run key ${runKey}`]),
    ...(by === undefined ? [] : [`by ${by}`]),
  ].join(', ');
}

function reasonOf({ failure: { message, type } }: FailedRun): string {
  const named = type === undefined || type === 'Error' || message.startsWith(type);
  return named ? message : `${type}: ${message}`;
}

function sensorLines({ change, message, at, unhealthySince, workflowId }: SensorHealthEvent): AlertLine[] {
  const since =
    unhealthySince && `${time(unhealthySince)}, for ${formatDuration(at.getTime() - unhealthySince.getTime())}`;
  return [
    { label: change === 'recovered' ? 'Before' : 'Why', text: lines(message), block: true },
    fact('Noticed', time(at)),
    fact('Unhealthy since', since),
    fact('Workflow', workflowId),
  ];
}

function describeDigest({ count: all, since, until, counts, others, first }: AlertDigest): AlertMessage {
  const rows = counts.map(({ name, what, count }) => `${count} × ${name} ${WORDS[what]}`);
  if (others > 0) rows.push(`${others} × others`);
  const listed = first.length < all ? [...first, `… and ${all - first.length} more`] : first;
  return {
    title: `${count(all, 'more alert')} without a message of ${all === 1 ? 'its' : 'their'} own`,
    good: counts.every(({ what }) => what === 'recovered') && others === 0,
    lines: [
      { label: 'What', text: rows.join('\n'), block: true },
      fact('From', time(since)),
      fact('To', time(until)),
      { label: 'First', text: listed.join('\n'), block: true },
    ],
  };
}

/** A fact on one line; empty, and left out, when it is unknown. */
function fact(label: string, text: string | undefined): AlertLine {
  return { label, text: plain((text ?? '').toWellFormed(), MAX_FACT_LENGTH) };
}

function lines(text: string): string {
  const cut = cutText(text.trim(), MAX_ERROR_BYTES);
  return cut === ''
    ? '(no message)'
    : cut
        .split(/\r?\n/)
        .map((line) => plain(line))
        .join('\n');
}

function time(at: Date): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function isWebUrl(url: string | undefined): url is string {
  return url !== undefined && /^https?:\/\//i.test(url) && URL.canParse(url);
}
