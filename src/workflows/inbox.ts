/**
 * Pushed events: they wait in a bounded inbox, and leave it when a tick that had them ends well. Pure.
 *
 * One workflow task may bring thousands of pushes, and has seconds for all of them: each costs a copy of a list of
 * references, and never a look at the events that already wait.
 */
import { cutText, isObject, jsonBytes, type Json } from '../sensors/json.js';
import {
  MAX_EVENT_BYTES,
  MAX_EVENTS_PER_TICK_BYTES,
  MAX_INBOX_BYTES,
  MAX_TEXT_BYTES,
  MIN_EVENT_BYTES,
} from '../sensors/limits.js';
import { PROTOCOL, type EvaluationInput, type LoopState, type Rejection } from '../sensors/protocol.js';
import { addDeadLetters } from './records.js';
import { wakeUp } from './state.js';

const MAX_FIELDS_BYTES = 200;

/**
 * Appends pushed events; what does not fit is kept as a stub or counted, never lost without a word.
 *
 * @param protocol that this run of the loop was started with
 */
export function pushEvents(
  state: LoopState,
  events: readonly Json[],
  now: number,
  protocol: number = PROTOCOL
): LoopState {
  const taken: Json[] = [];
  let { inboxBytes } = state;
  let eventsDropped = 0;
  let next = state;
  for (const event of events) {
    const json = jsonBytes(event);
    const bytes = entryBytes(json);
    if (json > MAX_EVENT_BYTES) next = refuseLarge(next, { event, bytes: json, protocol }, now);
    else if (inboxBytes + bytes > MAX_INBOX_BYTES) eventsDropped++;
    else {
      taken.push(event);
      inboxBytes += bytes;
    }
  }
  if (taken.length > 0)
    next = { ...next, inbox: next.inbox.concat(taken), inboxBytes, eventSeq: next.eventSeq + taken.length };
  if (eventsDropped > 0) {
    const { counters } = next;
    next = { ...next, counters: { ...counters, eventsDropped: counters.eventsDropped + eventsDropped } };
  }
  // events that failed wait for the interval, whatever is pushed behind them
  return state.eventAttempts > 0 || state.singlyUntil !== undefined ? next : wakeUp(next, 'push');
}

/** Keeps a stub of an event that is too large in the dead letters. */
function refuseLarge(
  state: LoopState,
  { event, bytes, protocol }: { readonly event: Json; readonly bytes: number; readonly protocol: number },
  now: number
): LoopState {
  const eventsTooLarge = state.counters.eventsTooLarge + 1;
  // how many letters fit shows in the memo, and an older loop's must replay
  const what = protocol < 3 ? `It begins: ${cutText(JSON.stringify(event), 512)}` : `It is ${kindOf(event)}`;
  const error = `a pushed event is ${bytes} bytes; at most ${MAX_EVENT_BYTES} (1 KB): push a reference to it. ${what}`;
  const stub: Rejection = { id: `large-event-${eventsTooLarge}`, kind: 'event', error };
  const { letters, refused } = addDeadLetters(state.deadLetters, [stub], state.tick, now);
  const deadLettersDropped = state.counters.deadLettersDropped + refused.length;
  return { ...state, deadLetters: letters, counters: { ...state.counters, eventsTooLarge, deadLettersDropped } };
}

/** Enough to know who pushed it; its values are nobody's to read. */
function kindOf(event: Json): string {
  if (Array.isArray(event)) return `a list of ${event.length}`;
  if (!isObject(event)) return `a ${typeof event}`;
  return `an object with ${cutText(Object.keys(event).join(', '), MAX_FIELDS_BYTES)}`;
}

/** What an event of so many bytes of JSON counts for in the inbox: with its comma, tiny ones as more than they are. */
function entryBytes(json: number): number {
  return Math.max(MIN_EVENT_BYTES, json + 1);
}

/** What the inbox counts for. */
export function bytesOf(events: readonly Json[]): number {
  return events.reduce<number>((sum, event) => sum + entryBytes(jsonBytes(event)), 0);
}

/** Number of the event at the head of the inbox, or of the next one to come. */
export function firstWaiting(state: LoopState): number {
  return state.eventSeq - state.inbox.length + 1;
}

/** The events of the next tick: up to 128 KB; those of a batch that failed one at a time, so that a bad one stops no other. */
export function takeEvents(state: LoopState): readonly Json[] {
  if (firstWaiting(state) <= (state.singlyUntil ?? -1)) return state.inbox.slice(0, 1);
  let bytes = 0;
  let count = 0;
  for (const event of state.inbox) {
    bytes += entryBytes(jsonBytes(event));
    if (bytes > MAX_EVENTS_PER_TICK_BYTES) break;
    count++;
  }
  return state.inbox.slice(0, count);
}

/** Takes the events of a tick that ended well out of the inbox. */
export function consumeEvents(state: LoopState, input: EvaluationInput): LoopState {
  const last = lastEvent(input);
  if (last === undefined) return state;
  const leaving = Math.max(0, last - firstWaiting(state) + 1);
  const inbox = state.inbox.slice(leaving);
  const inboxBytes = state.inboxBytes - bytesOf(state.inbox.slice(0, leaving));
  const { singlyUntil, ...rest } = state;
  const singly = singlyUntil !== undefined && last < singlyUntil ? { singlyUntil } : {};
  const next = { ...rest, ...singly, inbox, inboxBytes, eventAttempts: 0 };
  return inbox.length > 0 ? wakeUp(next, 'push') : next;
}

/** Number of the last event that an evaluation was given. */
function lastEvent({ firstEvent, events }: EvaluationInput): number | undefined {
  return events.length === 0 ? undefined : firstEvent + events.length - 1;
}

/** Counts a failed delivery; the last one parks the events in the dead letters, if there is room. */
export function failEvents(state: LoopState, input: EvaluationInput, error: string, now: number): LoopState {
  const last = lastEvent(input);
  if (input.events.length > 1 && last !== undefined) return { ...state, singlyUntil: last };
  const eventAttempts = state.eventAttempts + 1;
  if (eventAttempts < state.options.maxEventAttempts) return { ...state, eventAttempts };
  const parked = input.events.map((event, index): Rejection => ({
    id: `event-${input.firstEvent + index}`,
    kind: 'event',
    error: cutText(`${eventAttempts} evaluations with this event failed, the last with: ${error}`, MAX_TEXT_BYTES),
    payload: event,
  }));
  const { letters, refused } = addDeadLetters(state.deadLetters, parked, input.tick, now);
  if (refused.length > 0) return { ...state, eventAttempts };
  return consumeEvents({ ...state, deadLetters: letters }, input);
}
