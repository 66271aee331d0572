/**
 * The rules of the loop as pure functions: each takes the state and `now` and returns the next state.
 *
 * The workflow function in `sensor-loop.ts` only sequences them, so that every rule can be tested without Temporal
 * and replays the same for ever.
 */
import { describeTick } from '../sensors/describe-tick.js';
import { cutText, jsonBytes, type Json } from '../sensors/json.js';
import {
  MAX_EVENT_BYTES,
  MAX_EVENTS_PER_TICK_BYTES,
  MAX_INBOX_BYTES,
  MAX_RECENT_KEYS,
  MAX_TEXT_BYTES,
} from '../sensors/limits.js';
import type {
  EvaluationInput,
  EvaluationResult,
  FailureDetails,
  LaunchRequest,
  LoopOptions,
  LoopState,
  Note,
  OperatorChoice,
  PushedEvent,
  Rejection,
  TickRecord,
  Trigger,
} from '../sensors/protocol.js';
import { addAudit, addDeadLetters, addTick, deadLetterRoom, noteOf } from './records.js';

/** A sensor that has never ticked. */
export function newState(options: LoopOptions, now: number): LoopState {
  return {
    options,
    startedAt: now,
    first: true,
    cursorEdits: 0,
    tick: 0,
    nextAt: now,
    inbox: [],
    inboxBytes: 0,
    eventSeq: 0,
    eventAttempts: 0,
    health: { status: 'ok', since: now, failures: 0 },
    recentKeys: [],
    ring: [],
    deadLetters: [],
    audit: [],
    counters: {
      ticks: 0,
      runs: 0,
      duplicates: 0,
      rejected: 0,
      failures: 0,
      events: 0,
      eventsDropped: 0,
      deadLettersDropped: 0,
    },
  };
}

// ---------------------------------------------------------------------------------------------------- status

/** The operator's choice if there is one, else the code's default. */
export function isRunning(state: LoopState): boolean {
  return (state.choice?.status ?? state.options.defaultStatus) === 'running';
}

/** Sets or (with `undefined`) forgets the operator's choice. Keeps everything else. */
export function choose(state: LoopState, choice: OperatorChoice | undefined, now: number): LoopState {
  const { choice: _, ...rest } = state;
  return started(state, choice === undefined ? rest : { ...rest, choice }, now);
}

/** New options from a worker that started; the newest worker start wins. */
export function configure(state: LoopState, options: LoopOptions, now: number): LoopState {
  // a shorter interval counts at once, from the last tick
  const nextAt = Math.min(state.nextAt, (state.lastTickAt ?? now) + options.intervalMs);
  return started(state, { ...state, options, nextAt }, now);
}

/** A stop with `until` ends by itself. */
export function resumeWhenDue(state: LoopState, now: number): LoopState {
  if (state.choice?.until === undefined || now < state.choice.until) return state;
  return choose(state, { status: 'running', at: now, reason: 'the stop ended by itself' }, now);
}

function started(before: LoopState, after: LoopState, now: number): LoopState {
  return isRunning(before) || !isRunning(after) ? after : { ...after, startedAt: now, first: true };
}

export function audit(state: LoopState, what: string, note: Note, now: number): LoopState {
  return { ...state, audit: addAudit(state.audit, what, note, now) };
}

/** What an operator's start or stop becomes. */
export function operatorChoice(status: 'running' | 'stopped', note: Note, now: number): OperatorChoice {
  const until = note.until === undefined ? Number.NaN : new Date(note.until).getTime();
  return { status, at: now, ...noteOf(note), ...(status === 'stopped' && until > now ? { until } : {}) };
}

// ---------------------------------------------------------------------------------------------------- rhythm

/** Asks for an evaluation before its time. A tick that somebody asked for is never replaced by another reason. */
export function wakeUp(state: LoopState, trigger: Trigger): LoopState {
  return state.wake === 'tick' ? state : { ...state, wake: trigger };
}

/** What the loop does next: an evaluation after a delay, or waiting for a message (at most `ms`). */
export type Step =
  { readonly kind: 'evaluate'; readonly delayMs: number } | { readonly kind: 'wait'; readonly ms?: number };

export function nextStep(state: LoopState, now: number): Step {
  if (state.wake === 'tick' && !isHolding(state)) return { kind: 'evaluate', delayMs: 0 };
  if (isRunning(state))
    return { kind: 'evaluate', delayMs: state.wake === undefined ? Math.max(0, state.nextAt - now) : 0 };
  return state.choice?.until === undefined
    ? { kind: 'wait' }
    : { kind: 'wait', ms: Math.max(1, state.choice.until - now) };
}

/** Whether a stop holds back requests: they come first when the sensor is started again. */
export function isHolding(state: LoopState): boolean {
  return state.launch !== undefined && state.launch.record === undefined;
}

/**
 * The state after an evaluation that was only interrupted. The loop does not hear of quiet attempts, so it continues
 * their rhythm; what the evaluation was asked for has still to happen.
 *
 * @param quiet whether the last attempt ran to its end and found nothing new
 */
export function interrupted(state: LoopState, { trigger, dueAt }: Evaluated, quiet: boolean, now: number): LoopState {
  const { intervalMs } = state.options;
  if (quiet) return { ...state, nextAt: now + intervalMs };
  const again = trigger === 'tick' || (trigger !== 'start' && trigger !== 'interval' && state.wake === undefined);
  const next = again ? wakeUp(state, trigger) : state;
  if (state.first || now < dueAt) return next;
  return { ...next, nextAt: dueAt + Math.max(1, Math.ceil((now - dueAt) / intervalMs)) * intervalMs };
}

// ---------------------------------------------------------------------------------------------------- events

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
function takeEvents(state: LoopState): readonly PushedEvent[] {
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

function consumeEvents(state: LoopState, input: EvaluationInput): LoopState {
  const last = input.events.at(-1)?.seq;
  if (last === undefined) return state;
  const inbox = state.inbox.filter(({ seq }) => seq > last);
  const inboxBytes = inbox.reduce((sum, pushed) => sum + entryBytes(pushed), 0);
  const { singlyUntil, ...rest } = state;
  const singly = singlyUntil !== undefined && last < singlyUntil ? { singlyUntil } : {};
  const next = { ...rest, ...singly, inbox, inboxBytes, eventAttempts: 0 };
  return inbox.length > 0 ? wakeUp(next, 'push') : next;
}

// ---------------------------------------------------------------------------------------------------- ticks

/** An evaluation that was scheduled. */
export interface Evaluated {
  readonly input: EvaluationInput;
  readonly trigger: Trigger;
  readonly dueAt: number;
}

/** What the evaluation is told, and the reason it takes place. */
export function beginEvaluation(
  state: LoopState,
  begin: Pick<EvaluationInput, 'sensor' | 'evaluation' | 'delayMs' | 'rest'>,
  now: number
): { readonly state: LoopState; readonly evaluated: Evaluated } {
  const { wake, ...rest } = state;
  const trigger: Trigger = wake ?? (state.first ? 'start' : 'interval');
  const events = takeEvents(state);
  const last = state.ring.at(-1);
  const input: EvaluationInput = {
    ...begin,
    tick: state.tick + 1,
    events,
    knownKeys: state.recentKeys,
    deadLetters: state.deadLetters.map(({ id }) => id),
    foreignKeys: state.deadLetters.filter(({ kind }) => kind === 'owner').map(({ id }) => id),
    deadLetterRoom: deadLetterRoom(state.deadLetters),
    fold: !state.first && events.length === 0 && trigger !== 'tick' && trigger !== 'cursor',
    failing: state.health.status === 'failing',
    intervalMs: state.options.intervalMs,
    timeoutMs: state.options.timeoutMs,
    isFirstTickSinceStart: state.first,
    sensorStartedAt: state.startedAt,
    ...(state.cursor === undefined ? {} : { cursor: state.cursor }),
    ...(state.lastTickAt === undefined ? {} : { lastTickAt: state.lastTickAt }),
    ...(state.lastRunKey === undefined ? {} : { lastRunKey: state.lastRunKey }),
    ...(last === undefined ? {} : { lastOutcome: `tick ${last.tick}: ${last.status}: ${describeTick(last)}` }),
  };
  return { state: rest, evaluated: { input, trigger, dueAt: now + begin.delayMs } };
}

function newRecord({ input, trigger, dueAt }: Evaluated, details: FailureDetails, now: number): TickRecord {
  return {
    tick: input.tick,
    status: 'started',
    trigger,
    startedAt: Math.max(dueAt, now - details.durationMs),
    evaluationMs: details.durationMs,
    runs: { count: 0, sample: [] },
    duplicates: { count: 0, sample: [] },
    rejected: { count: 0, sample: [] },
    pending: 0,
    events: input.events.length,
    ...(input.cursor === undefined ? {} : { cursorBefore: input.cursor }),
    ...(details.logs.length === 0 ? {} : { logs: details.logs }),
    ...(details.logLinesDropped === 0 ? {} : { logLinesDropped: details.logLinesDropped }),
    ...(details.quiet.length === 0 ? {} : { quiet: details.quiet }),
  };
}

/**
 * Takes over the result of an evaluation. From here on its requests will be started whatever crashes: they are in
 * `launch`, and the events it consumed have left the inbox.
 */
export function commit(before: LoopState, evaluated: Evaluated, result: EvaluationResult, now: number): LoopState {
  const { input } = evaluated;
  const state = consumeEvents(before, input);
  const { letters, refused } = addDeadLetters(
    state.deadLetters.filter(({ id }) => !result.requests.some(({ hash }) => hash === id)),
    result.rejected,
    input.tick,
    now
  );
  const { cursor: _, ...rest } = state;
  const cursor =
    result.cursor.kind === 'keep'
      ? state.cursor
      : result.cursor.kind === 'set'
        ? { value: result.cursor.value }
        : undefined;
  const record: TickRecord = {
    ...newRecord(evaluated, result, now),
    duplicates: result.duplicates,
    rejected: { count: result.rejected.length, sample: result.rejected.slice(0, 5) },
    ...(result.skipReason === undefined ? {} : { skipReason: cutText(result.skipReason, MAX_TEXT_BYTES) }),
    ...(cursor === undefined ? {} : { cursorAfter: cursor }),
  };
  const next: LoopState = {
    ...rest,
    ...(cursor === undefined ? {} : { cursor }),
    tick: input.tick,
    first: false,
    lastTickAt: now,
    nextAt: now + state.options.intervalMs,
    deadLetters: letters,
    launch: {
      remaining: [...(state.launch?.remaining ?? []), ...result.requests],
      refused: state.launch?.refused ?? [],
      record,
    },
    ...(result.lastRunKey === undefined ? {} : { lastRunKey: result.lastRunKey }),
    ...(state.health.status === 'ok' ? {} : { health: { status: 'ok' as const, since: now, failures: 0 } }),
    counters: {
      ...state.counters,
      duplicates: state.counters.duplicates + result.duplicates.count,
      rejected: state.counters.rejected + result.rejected.length,
      events: state.counters.events + input.events.length,
      deadLettersDropped: state.counters.deadLettersDropped + refused.length,
    },
  };
  return result.more ? wakeUp(next, 'more') : next;
}

/** Records a failed evaluation: nothing started, cursor and events stay. */
export function fail(
  state: LoopState,
  evaluated: Evaluated,
  error: string,
  details: FailureDetails,
  now: number
): LoopState {
  const { input } = evaluated;
  const text = cutText(error, MAX_TEXT_BYTES);
  const record: TickRecord = { ...newRecord(evaluated, details, now), status: 'failure', endedAt: now, error: text };
  const failing = state.health.status === 'failing';
  const next: LoopState = {
    ...state,
    tick: input.tick,
    first: false,
    lastTickAt: now,
    nextAt: now + state.options.intervalMs,
    ring: addTick(state.ring, record),
    health: {
      status: 'failing',
      since: failing ? state.health.since : now,
      error: text,
      failures: state.health.failures + 1,
    },
    counters: { ...state.counters, ticks: state.counters.ticks + 1, failures: state.counters.failures + 1 },
  };
  return input.events.length === 0 ? next : failEvents(next, input, text, now);
}

/** Counts a failed delivery; the last one parks the events in the dead letters, if there is room. */
function failEvents(state: LoopState, input: EvaluationInput, error: string, now: number): LoopState {
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

/** A long quiet streak rests: the loop continues as new, so that an idle sensor has five history events. */
export function rest(state: LoopState, now: number): LoopState {
  return { ...state, lastTickAt: now, nextAt: now + state.options.intervalMs };
}

/** Drops the result of an evaluation that a cursor edit overtook: nothing of it takes effect, and it is repeated. */
export function overtake(state: LoopState, evaluated: Evaluated, now: number): LoopState {
  const details = { logs: [], logLinesDropped: 0, durationMs: Math.max(0, now - evaluated.dueAt), quiet: [] };
  const record: TickRecord = {
    ...newRecord(evaluated, details, now),
    status: 'skipped',
    endedAt: now,
    skipReason: 'the cursor was edited while this tick was evaluated; its result was dropped and it is evaluated again',
  };
  const counters = { ...state.counters, ticks: state.counters.ticks + 1 };
  const next = { ...state, tick: evaluated.input.tick, ring: addTick(state.ring, record), counters };
  return wakeUp(next, evaluated.trigger === 'tick' ? 'tick' : 'cursor');
}

// ---------------------------------------------------------------------------------------------------- launch

/** A record for requests that were held back by a stop and are started now. */
export function resumeLaunch(state: LoopState, now: number): LoopState {
  if (!isHolding(state) || state.launch === undefined) return state;
  const tick = state.tick + 1;
  const input = { tick, events: [] } as unknown as EvaluationInput;
  const details = { logs: [], logLinesDropped: 0, durationMs: 0, quiet: [] };
  const record = newRecord({ input, trigger: 'pending', dueAt: now }, details, now);
  return { ...state, tick, launch: { ...state.launch, record } };
}

/** One request is settled: started, or refused because its ID exists. */
export function settle(state: LoopState, request: LaunchRequest, outcome: 'started' | 'refused'): LoopState {
  const { launch } = state;
  if (launch?.record === undefined) return state;
  const recentKeys =
    request.hash === undefined ? state.recentKeys : [...state.recentKeys, request.hash].slice(-MAX_RECENT_KEYS);
  if (outcome === 'refused')
    return { ...state, recentKeys, launch: { ...launch, refused: [...launch.refused, request] } };
  const runs = { count: launch.record.runs.count + 1, sample: [...launch.record.runs.sample, request.id].slice(0, 20) };
  return {
    ...state,
    recentKeys,
    launch: { ...launch, record: { ...launch.record, runs } },
    counters: { ...state.counters, runs: state.counters.runs + 1 },
  };
}

/**
 * Ends the launch: everything is started, refused or (after a stop) held back.
 *
 * @param foreign IDs among the refused ones that belong to someone else, with what owns them
 */
export function endLaunch(
  state: LoopState,
  remaining: readonly LaunchRequest[],
  foreign: ReadonlyMap<string, string>,
  now: number
): LoopState {
  const { launch, ...rest } = state;
  if (launch?.record === undefined) return state;
  const rejections = launch.refused.flatMap((request): Rejection[] => {
    const owner = foreign.get(request.id);
    if (owner === undefined) return [];
    const error = `the workflow ID '${cutText(request.id, 300)}' belongs to ${owner}, which this sensor did not start`;
    return [
      {
        id: request.hash ?? request.id,
        kind: 'owner',
        job: request.job,
        error,
        ...(request.runKey === undefined ? {} : { runKey: cutText(request.runKey, 256) }),
      },
    ];
  });
  const ours = launch.refused.filter(({ id }) => !foreign.has(id));
  const { letters, refused } = addDeadLetters(state.deadLetters, rejections, launch.record.tick, now);
  const foreignHashes = new Set(rejections.map(({ id }) => id));
  const { record } = launch;
  const duplicates = {
    count: record.duplicates.count + ours.length,
    sample: [
      ...record.duplicates.sample,
      ...ours.map(({ id, runKey }) => ({ id, ...(runKey === undefined ? {} : { runKey: cutText(runKey, 256) }) })),
    ].slice(0, 20),
  };
  const rejected = {
    count: record.rejected.count + rejections.length,
    sample: [...record.rejected.sample, ...rejections],
  };
  const ended: TickRecord = {
    ...record,
    duplicates,
    rejected,
    pending: remaining.length,
    endedAt: now,
    ...outcome({ ...record, duplicates, rejected }, remaining.length),
  };
  return {
    ...rest,
    recentKeys: state.recentKeys.filter((hash) => !foreignHashes.has(hash)),
    deadLetters: letters,
    ring: addTick(state.ring, ended),
    ...(remaining.length > 0 ? { launch: { remaining, refused: [] } } : {}),
    counters: {
      ...state.counters,
      ticks: state.counters.ticks + 1,
      duplicates: state.counters.duplicates + ours.length,
      rejected: state.counters.rejected + rejections.length,
      deadLettersDropped: state.counters.deadLettersDropped + refused.length,
    },
  };
}

function outcome(record: TickRecord, pending: number): Pick<TickRecord, 'status' | 'skipReason' | 'error'> {
  if (record.runs.count > 0) return { status: 'success' };
  if (pending > 0) return { status: 'skipped', skipReason: `the sensor was stopped; ${pending} requests are pending` };
  if (record.skipReason !== undefined) return { status: 'skipped' };
  if (record.rejected.count > 0) {
    const [first] = record.rejected.sample;
    return {
      status: 'failure',
      error: `all ${record.rejected.count} new requests were rejected; the first: ${first?.error ?? ''}`,
    };
  }
  const reason =
    record.duplicates.count > 0 ? `${record.duplicates.count} requests, all already run` : 'evaluate asked for nothing';
  return { status: 'skipped', skipReason: reason };
}
