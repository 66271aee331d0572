/** What webhooks are sent: all facts as JSON, or a card for Teams. */
import { cutText, type Json } from '../sensors/json.js';
import type { FailedRun, SensorHealthEvent } from '../sensors/status-run.js';
import type { AlertDigest, AlertLine, AlertMessage, AlertSubject } from './message.js';

/** Of an error, in bytes. */
const MAX_ERROR_BYTES = 4 * 1024;

/** The facts of a run, a sensor or a digest, and the default message. Times are ISO 8601. */
export function jsonBody(subject: AlertSubject, { title, lines, link }: AlertMessage): Json {
  const text = lines.map(({ label, text }) => `${label}: ${text}`).join('\n');
  return { ...factsOf(subject), ...(link === undefined ? {} : { url: link }), title, text };
}

function factsOf(subject: AlertSubject): { readonly [name: string]: Json | undefined } {
  if (subject.kind === 'run') return runFacts(subject);
  return subject.kind === 'sensor' ? sensorFacts(subject) : digestFacts(subject);
}

function runFacts(run: FailedRun): { readonly [name: string]: Json | undefined } {
  const { kind, eventId, status, workflowId, runId, type, taskQueue, durationMs, nextRunId } = run;
  const { message, type: errorType, activity, childWorkflow } = run.failure;
  const error = cutText(message, MAX_ERROR_BYTES);
  return {
    kind,
    eventId,
    status,
    at: run.at.toISOString(),
    workflowId,
    runId,
    type,
    taskQueue,
    startTime: run.startTime.toISOString(),
    closeTime: run.closeTime?.toISOString(),
    durationMs,
    failure: {
      message: error,
      type: errorType,
      activity: activity && { ...activity },
      childWorkflow: childWorkflow && { ...childWorkflow },
    },
    startedBy: run.startedBy && { ...run.startedBy },
    parent: run.parent && { ...run.parent },
    nextRunId,
  };
}

function sensorFacts(event: SensorHealthEvent): { readonly [name: string]: Json | undefined } {
  const { kind, eventId, sensor, change, at, message, unhealthySince, workflowId } = event;
  return {
    kind,
    eventId,
    sensor,
    change,
    at: at.toISOString(),
    message: cutText(message, MAX_ERROR_BYTES),
    unhealthySince: unhealthySince?.toISOString(),
    workflowId,
  };
}

function digestFacts(digest: AlertDigest): { readonly [name: string]: Json | undefined } {
  const { kind, eventId, count, since, until, counts, others, first } = digest;
  return {
    kind,
    eventId,
    count,
    since: since.toISOString(),
    until: until.toISOString(),
    counts: counts.map((each) => ({ ...each })),
    others,
    first,
  };
}

/**
 * A card for Microsoft Teams, for the address of a workflow 'post to a channel when a webhook request is received'. Nothing
 * in it is read as Markdown.
 *
 * ```ts
 * webhookOnRunFailure({ url: env('TEAMS_URL'), body: teamsCard });
 * ```
 */
export function teamsCard(_subject: AlertSubject, { title, good, lines, link }: AlertMessage): Json {
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    msteams: { width: 'Full' },
    body: [
      textRuns({ text: title, weight: 'Bolder', size: 'Medium', color: good ? 'Good' : 'Attention' }),
      ...lines.map((line) => textRuns({ text: `${line.label}: `, weight: 'Bolder' }, valueOf(line))),
    ],
    actions: link === undefined ? [] : [{ type: 'Action.OpenUrl', title: 'Open in Temporal Web', url: link }],
  };
  const attachment = { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content };
  return { type: 'message', attachments: [attachment] };
}

function valueOf({ text, block }: AlertLine): { readonly text: string; readonly fontType?: string } {
  return block === true ? { text: `\n${text}`, fontType: 'Monospace' } : { text };
}

/** Text blocks and fact sets of cards are Markdown; runs of a rich text block are not. */
function textRuns(...runs: readonly { readonly [name: string]: Json }[]): Json {
  return { type: 'RichTextBlock', inlines: runs.map((run) => ({ type: 'TextRun', ...run })) };
}
