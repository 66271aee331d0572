/** Pushed events: they wait in a bounded inbox, and leave it when a tick that had them ends well. Pure. */
import { cutText, jsonBytes, type Json } from '../sensors/json.js';
import { MAX_EVENT_BYTES, MAX_EVENTS_PER_TICK_BYTES, MAX_INBOX_BYTES, MAX_TEXT_BYTES } from '../sensors/limits.js';
import type { EvaluationInput, LoopState, PushedEvent, Rejection } from '../sensors/protocol.js';
import { addDeadLetters } from './records.js';
import { wakeUp } from './state.js';

/** Appends pushed events; what does not fit is kept as a stub or counted, never lost without a word. */
export function pushEvents(state: LoopState, events: readonly Json[], now: number): LoopState {
  let next = state;
  for (const event of events) next = pushEvent(next, event, now);
  // events that failed wait for the interval, whatever is pushed behind them
  return state.eventAttempts > 0 || state.singlyUntil !== undefined ? next : wakeUp(next, 'push');
}

function pushEvent(state: LoopState, event: Json, now: number): LoopState {
  const seq = state.eventSeq + 1;
  const bytes = jsonBytes(event);
  const { counters } = state;
  if (bytes > MAX_EVENT_BYTES) {
    const error = `a pushed event is ${bytes} bytes; at most ${MAX_EVENT_BYTES} (1 KB): push a reference to it`;
    const stub: Rejection = { id: `event-${seq}`, kind: 'event', error, payload: cutText(JSON.stringify(event), 512) };
    const { letters, refused } = addDeadLetters(state.deadLetters, [stub], state.tick, now);
    const deadLettersDropped = counters.deadLettersDropped + refused.length;
    return { ...state, eventSeq: seq, deadLetters: letters, counters: { ...counters, deadLettersDropped } };
  }
  const pushed: PushedEvent = { seq, at: now, event };
  const inboxBytes = state.inboxBytes + entryBytes(pushed);
  if (inboxBytes > MAX_INBOX_BYTES) {
    return { ...state, eventSeq: seq, counters: { ...counters, eventsDropped: counters.eventsDropped + 1 } };
  }
  return { ...state, eventSeq: seq, inbox: [...state.inbox, pushed], inboxBytes };
}

/** What an event takes in the inbox, its envelope included: small events are many. */
function entryBytes(pushed: PushedEvent): number {
  return jsonBytes(pushed) + 1;
}

/** The events of the next tick: up to 128 KB; those of a batch that failed one at a time, so that a bad one stops no other. */
export function takeEvents(state: LoopState): readonly PushedEvent[] {
  if ((state.inbox[0]?.seq ?? Number.POSITIVE_INFINITY) <= (state.singlyUntil ?? -1)) return state.inbox.slice(0, 1);
  let bytes = 0;
  let count = 0;
  for (const pushed of state.inbox) {
    bytes += entryBytes(pushed);
    if (bytes > MAX_EVENTS_PER_TICK_BYTES) break;
    count++;
  }
  return state.inbox.slice(0, count);
}

/** Takes the events of a tick that ended well out of the inbox. */
export function consumeEvents(state: LoopState, input: EvaluationInput): LoopState {
  const last = input.events.at(-1)?.seq;
  if (last === undefined) return state;
  const inbox = state.inbox.filter(({ seq }) => seq > last);
  const inboxBytes = inbox.reduce((sum, pushed) => sum + entryBytes(pushed), 0);
  const { singlyUntil, ...rest } = state;
  const singly = singlyUntil !== undefined && last < singlyUntil ? { singlyUntil } : {};
  const next = { ...rest, ...singly, inbox, inboxBytes, eventAttempts: 0 };
  return inbox.length > 0 ? wakeUp(next, 'push') : next;
}

/** Counts a failed delivery; the last one parks the events in the dead letters, if there is room. */
export function failEvents(state: LoopState, input: EvaluationInput, error: string, now: number): LoopState {
  const last = input.events.at(-1)?.seq;
  if (input.events.length > 1 && last !== undefined) return { ...state, singlyUntil: last };
  const eventAttempts = state.eventAttempts + 1;
  if (eventAttempts < state.options.maxEventAttempts) return { ...state, eventAttempts };
  const parked = input.events.map(({ seq, event }): Rejection => ({
    id: `event-${seq}`,
    kind: 'event',
    error: cutText(`${eventAttempts} evaluations with this event failed, the last with: ${error}`, MAX_TEXT_BYTES),
    payload: event,
  }));
  const { letters, refused } = addDeadLetters(state.deadLetters, parked, input.tick, now);
  if (refused.length > 0) return { ...state, eventAttempts };
  return consumeEvents({ ...state, deadLetters: letters }, input);
}
