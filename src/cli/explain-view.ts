/**
 * The JSON of `explain`. As in views.ts, fields are listed one by one: a cursor's value is there only when it was asked
 * for.
 */
import type { BackfillOfRun, Explanation, KeyAnswer, RunAnswer, TimeAnswer } from '../client/index.js';
import { eventView } from './explain-event-view.js';
import type { WebUrlOf } from './session.js';
import { standingView } from './standing-view.js';
import { iso, runView, tickView } from './views.js';

/** What of an explanation is printed, and where Temporal Web has it. */
export interface ExplanationOptions {
  readonly showCursor: boolean;
  readonly webUrlOf: WebUrlOf;
}

/** The object of `explain`. */
export function explanationView(explanation: Explanation, options: ExplanationOptions) {
  const { sensor, about } = explanation;
  const common = { sensor, about, webUrl: options.webUrlOf(explanation) };
  switch (explanation.about) {
    case 'key':
      return {
        ...common,
        runKey: explanation.runKey,
        jobs: explanation.jobs,
        answers: explanation.answers.map((answer) => keyAnswerView(answer, options)),
        event: explanation.event === undefined ? undefined : eventView(explanation.event, options.webUrlOf),
      };
    case 'time':
      return { ...common, at: iso(explanation.at), answer: timeAnswerView(explanation.answer) };
    default:
      return { ...common, run: explanation.run, answer: runAnswerView(explanation.answer, options) };
  }
}

type RanAnswer = Extract<KeyAnswer, { kind: 'started' | 'duplicate' }>;

function keyAnswerView(answer: KeyAnswer, options: ExplanationOptions) {
  const { kind, job, rearmed, backfill } = answer;
  const common = { kind, job, rearmed, backfill };
  switch (answer.kind) {
    case 'started':
    case 'duplicate':
      return { ...common, ...ran(answer, options), again: mentionView(answer.again) };
    case 'expired':
      return { ...common, ...ran(answer, options), expiredAt: iso(answer.expiredAt), again: mentionView(answer.again) };
    case 'forgotten':
      return { ...common, workflowId: answer.workflowId, started: mentionView(answer.started) };
    case 'remembered':
      return {
        ...common,
        from: iso(answer.from),
        to: iso(answer.to),
        until: iso(answer.until),
        again: mentionView(answer.again),
        repeats: answer.repeats === undefined ? undefined : repeatsView(answer.repeats),
        run: answer.run === undefined ? undefined : runView(answer.run, undefined, options.webUrlOf(answer.run)),
      };
    case 'rejected': {
      const { what, error, tick, since, lastAt, count, deadLetter, discarded } = answer;
      const times = { since: iso(since), lastAt: iso(lastAt), count };
      return { ...common, what, error, tick, ...times, deadLetter, discarded: discardedView(discarded) };
    }
    case 'pending': {
      const { ahead, of, waitsFor, dueAt, standing, run } = answer;
      const earlier = run === undefined ? undefined : runView(run, undefined, options.webUrlOf(run));
      return { ...common, ahead, of, waitsFor, dueAt: iso(dueAt), standing: standingView(standing), run: earlier };
    }
    case 'discarded': {
      const { tick, requestedAt, at, by, reason, run } = answer;
      const earlier = run === undefined ? undefined : runView(run, undefined, options.webUrlOf(run));
      return { ...common, tick, requestedAt: iso(requestedAt), at: iso(at), by, reason, run: earlier };
    }
    default:
      return {
        ...common,
        since: iso(answer.since),
        standing: standingView(answer.standing),
        cursorChanged: mentionView(answer.cursorChanged),
        cursor: options.showCursor ? answer.cursor?.value : undefined,
        dedupeMs: answer.dedupeMs,
        discarded:
          answer.discarded === undefined
            ? undefined
            : { requests: answer.discarded.requests, at: iso(answer.discarded.at) },
      };
  }
}

function ran(
  {
    run,
    error,
    requestedAt,
    requestedAtTick,
    repeats,
  }: Pick<RanAnswer, 'run' | 'error' | 'requestedAt' | 'requestedAtTick' | 'repeats'>,
  { webUrlOf }: ExplanationOptions
) {
  return {
    run: runView(run, error, webUrlOf(run)),
    requestedAt: iso(requestedAt),
    requestedAtTick,
    repeats: repeats === undefined ? undefined : repeatsView(repeats),
  };
}

function discardedView(discarded: Extract<KeyAnswer, { kind: 'rejected' }>['discarded']) {
  if (discarded === undefined) return undefined;
  const { at, by, reason } = discarded;
  return { at: iso(at), by, reason };
}

function repeatsView({ how, at, by, reason, first }: NonNullable<RanAnswer['repeats']>) {
  return {
    how,
    at: iso(at),
    by,
    reason,
    first: first === undefined ? undefined : { tick: first.tick, at: iso(first.at) },
  };
}

function runAnswerView(answer: RunAnswer, options: ExplanationOptions) {
  if (answer.kind === 'unknown') return { kind: answer.kind };
  const backfill = backfillOfRunView(answer.backfill);
  if (answer.kind === 'started') return { kind: answer.kind, ...ran(answer, options), backfill };
  const { kind, workflowId, runId, sensor, deadLetter } = answer;
  return { kind, workflowId, runId, sensor, deadLetter, backfill, webUrl: options.webUrlOf(answer) };
}

function backfillOfRunView(backfill: BackfillOfRun | undefined) {
  if (backfill === undefined) return undefined;
  const { id, isIt, status, startTime, error, by } = backfill;
  return { id, isIt, status, startTime: iso(startTime), error, by };
}

function timeAnswerView(answer: TimeAnswer) {
  const { kind } = answer;
  switch (answer.kind) {
    case 'tick':
      return { kind, tick: tickView(answer.tick) };
    case 'quiet':
    case 'failing': {
      const { since, before, after } = answer;
      const said = answer.kind === 'quiet' ? { reason: answer.reason } : { error: answer.error };
      return { kind, ...said, since: iso(since), before: tickOf(before), after: tickOf(after) };
    }
    case 'stopped': {
      const { from, by, reason, at, until, startedAt } = answer;
      return { kind, from, by, reason, at: iso(at), until: iso(until), startedAt: iso(startedAt) };
    }
    case 'closed': {
      const { at, how, by, reason, until, standing } = answer;
      const now = standing === undefined ? undefined : standingView(standing);
      return { kind, at: iso(at), how, by, reason, until: iso(until), standing: now };
    }
    case 'waiting':
      return { kind, before: tickView(answer.before), dueAt: iso(answer.dueAt) };
    case 'notEvaluated': {
      const { dueAt, until, standing, after, uncertain, earlier } = answer;
      return {
        kind,
        dueAt: iso(dueAt),
        until: iso(until),
        standing: standing === undefined ? undefined : standingView(standing),
        after: tickOf(after),
        uncertain,
        earlier: earlier === undefined ? undefined : { reason: earlier.reason, since: iso(earlier.since) },
      };
    }
    case 'evaluating':
      return { kind, startedAt: iso(answer.startedAt) };
    case 'future':
      return { kind, standing: standingView(answer.standing) };
    default:
      return { kind, knownSince: iso(answer.knownSince) };
  }
}

function tickOf(tick: Parameters<typeof tickView>[0] | undefined) {
  return tick === undefined ? undefined : tickView(tick);
}

function mentionView(mention: { readonly tick: number; readonly at: Date } | undefined) {
  return mention === undefined ? undefined : { tick: mention.tick, at: iso(mention.at) };
}
