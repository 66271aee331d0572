/** The JSON of what `explain` says of an event or a dead letter. Fields are listed one by one, as in views.ts. */
import type { EventAnswer } from '../client/index.js';
import { standingView } from './standing-view.js';
import { iso, runView } from './views.js';
import type { WebUrlOf } from './session.js';

export function eventView(answer: EventAnswer, webUrlOf: WebUrlOf) {
  const { kind } = answer;
  if (answer.kind === 'deadLetter') {
    const { id, what, job, runKey, error, tick, since, lastAt, count, retryable } = answer;
    return { kind, id, what, job, runKey, error, tick, since: iso(since), lastAt: iso(lastAt), count, retryable };
  }
  if (answer.kind === 'discarded') {
    const { id, at, by, reason } = answer;
    return { kind, id, at: iso(at), by, reason };
  }
  if (answer.kind === 'retried') {
    const { attempts, at, error, gone, standing } = answer;
    return { kind, attempts, at: iso(at), error, gone, standing: standingView(standing) };
  }
  const { event, asset, position, recordedAt, partitionKey, observation } = answer;
  const common = { kind, event, asset, position, recordedAt: iso(recordedAt), partitionKey, observation };
  switch (answer.kind) {
    case 'unread':
      return { ...common, readTo: answer.readTo, last: answer.last, standing: standingView(answer.standing) };
    case 'waiting':
      return { ...common, standing: standingView(answer.standing) };
    case 'read': {
      const { readTo, together, run, error, startedAt } = answer;
      const started = run === undefined ? undefined : runView(run, error, webUrlOf(run));
      return { ...common, readTo, together, run: started, startedAt: iso(startedAt) };
    }
    case 'notRead':
      return { ...common, reads: answer.reads };
    case 'absent':
      return { ...common, first: answer.first, last: answer.last };
    case 'otherLog':
      return { ...common, log: answer.log, last: answer.last };
    default:
      return common;
  }
}
