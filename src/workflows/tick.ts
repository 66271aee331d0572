/** What an evaluation is told, and what its end does to the state. Pure. */
import { describeTick } from '../sensors/describe-tick.js';
import { cutText } from '../sensors/json.js';
import { ledgerView } from '../sensors/key-ledger.js';
import { MAX_TEXT_BYTES } from '../sensors/limits.js';
import { pauseMs } from '../sensors/rhythm.js';
import {
  PROTOCOL,
  STOPPED_BY_FAILURES,
  type EvaluationInput,
  type EvaluationResult,
  type FailureDetails,
  type Health,
  type LoopState,
  type PartitionChange,
  type QuietReason,
  type TickRecord,
  type Trigger,
} from '../sensors/protocol.js';
import { consumeEvents, failEvents, firstWaiting, takeEvents } from './inbox.js';
import { addDeadLetters, addTick, cursorBefore, deadLetterRoom, emptyRecord } from './records.js';
import { audit, choose, factsOf, isRunning, knownUntil, operatorChoice, wakeUp, type Evaluated } from './state.js';

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
  const { options, health } = state;
  const failing = health.status === 'failing';
  const input: EvaluationInput = {
    ...begin,
    protocol: PROTOCOL,
    tick: state.tick + 1,
    trigger,
    events,
    firstEvent: firstWaiting(state),
    ledger: ledgerView(state.ledger),
    rearmed: state.rearmed,
    deadLetters: state.deadLetters.map(({ id }) => id),
    foreignKeys: state.deadLetters.filter(({ kind }) => kind === 'owner').map(({ id }) => id),
    deadLetterRoom: deadLetterRoom(state.deadLetters),
    fold:
      !state.first &&
      events.length === 0 &&
      trigger !== 'tick' &&
      trigger !== 'cursor' &&
      // folded failures cannot be counted
      !(failing && options.stopAfterFailures !== undefined),
    failing,
    ...(failing ? { failingSince: health.since } : {}),
    ...(state.idleSince === undefined ? {} : { idleSince: state.idleSince }),
    ...(state.streak === undefined ? {} : { streak: state.streak }),
    intervalMs: options.intervalMs,
    ...(options.idleBackoff === undefined ? {} : { idleBackoff: options.idleBackoff }),
    ...(options.failureBackoff === undefined ? {} : { failureBackoff: options.failureBackoff }),
    timeoutMs: options.timeoutMs,
    definition: options.definition,
    isFirstTickSinceStart: state.first,
    sensorStartedAt: state.startedAt,
    ...(state.cursor === undefined ? {} : { cursor: state.cursor }),
    ...(state.lastTickAt === undefined ? {} : { lastTickAt: state.lastTickAt }),
    ...(state.lastRunKey === undefined ? {} : { lastRunKey: state.lastRunKey }),
    ...(last === undefined ? {} : { lastOutcome: outcomeOf(last) }),
    facts: factsOf(state),
  };
  return { state: rest, evaluated: { input, trigger, dueAt: now + begin.delayMs } };
}

/** What the last tick did. What it left pending is older than any evaluation, unless it was discarded. */
function outcomeOf(last: TickRecord): string {
  const since = last.pending > 0 ? ' (discarded since)' : '';
  return `tick ${last.tick}: ${last.status}: ${describeTick(last)}${since}`;
}

function newRecord({ input, trigger, dueAt }: Evaluated, details: FailureDetails, now: number): TickRecord {
  return {
    ...emptyRecord(input.tick, trigger, Math.max(dueAt, now - details.durationMs)),
    evaluationMs: details.durationMs,
    events: input.events.length,
    ...cursorBefore(input.cursor),
    ...(details.logs.length === 0 ? {} : { logs: details.logs }),
    ...(details.logLinesDropped === 0 ? {} : { logLinesDropped: details.logLinesDropped }),
    ...(details.quiet.length === 0 ? {} : { quiet: details.quiet }),
    ...(details.trace === undefined ? {} : { trace: details.trace }),
  };
}

/**
 * Takes over the result of an evaluation. From here on its requests will be started whatever crashes: they are in
 * `launch`, and the events it consumed have left the inbox.
 */
export function commit(before: LoopState, evaluated: Evaluated, result: EvaluationResult, now: number): LoopState {
  const { input, trigger } = evaluated;
  // a first cursor was resolved and nothing was evaluated: the events wait for that
  const initial = result.initialCursor === true;
  const state = initial ? before : consumeEvents(before, input);
  const events = initial ? 0 : input.events.length;
  const { letters, refused } = addDeadLetters(
    state.deadLetters.filter(({ id }) => !result.cleared.includes(id)),
    result.rejected,
    input.tick,
    now
  );
  const { partitions, assetEvents } = result;
  const { cursor: _, idleSince: __, streak: ___, ...rest } = state;
  const cursor =
    result.cursor.kind === 'keep'
      ? state.cursor
      : result.cursor.kind === 'set'
        ? { value: result.cursor.value }
        : undefined;
  const failure = result.failure === undefined ? undefined : cutText(result.failure, MAX_TEXT_BYTES);
  const error = result.failed === true ? failure : undefined;
  const record: TickRecord = {
    ...newRecord(evaluated, result, now),
    events,
    duplicates: result.duplicates,
    rejected: { count: result.rejected.length, sample: result.rejected.slice(0, 5) },
    ...(result.skipReason === undefined ? {} : { skipReason: cutText(result.skipReason, MAX_TEXT_BYTES) }),
    ...(cursor === undefined ? {} : { cursorAfter: cursor }),
    ...(result.cursor.kind === 'keep' ? {} : { cursorChanged: true as const }),
    ...(partitions === undefined ? {} : { partitions: partitions.map(countChange) }),
    ...(assetEvents === undefined ? {} : { assetEvents: assetEvents.events.length }),
    ...(result.handled === undefined ? {} : { handled: result.handled }),
    ...(result.behindSince === undefined ? {} : { behindSince: result.behindSince }),
    ...(error === undefined ? {} : { error }),
  };
  const next: LoopState = {
    ...rest,
    ...(cursor === undefined ? {} : { cursor }),
    tick: input.tick,
    first: initial && state.first,
    lastTickAt: now,
    nextAt: now + Math.min(state.options.intervalMs, result.againInMs ?? Number.POSITIVE_INFINITY),
    deadLetters: letters,
    launch: {
      remaining: [...(state.launch?.remaining ?? []), ...result.requests],
      staged: [...(state.launch?.staged ?? []), ...result.staged],
      refused: [],
      ...(partitions === undefined ? {} : { partitions }),
      ...(assetEvents === undefined ? {} : { assetEvents }),
      record,
    },
    ...(result.lastRunKey === undefined ? {} : { lastRunKey: result.lastRunKey }),
    health:
      failure === undefined ? recovered(state.health, now) : failing(state.health, failure, now, error !== undefined),
    counters: {
      ...state.counters,
      duplicates: state.counters.duplicates + result.duplicates.count,
      rejected: state.counters.rejected + result.rejected.length,
      events: state.counters.events + events,
      deadLettersDropped: state.counters.deadLettersDropped + refused.length,
      failures: state.counters.failures + (error === undefined ? 0 : 1),
    },
  };
  if (error !== undefined) return stopIfFailingTooOften(result.more ? wakeUp(next, 'more') : next, error, now);
  if (!result.more) return next;
  // who asked for a tick has still to get it
  return wakeUp(next, initial && trigger === 'tick' ? 'tick' : 'more');
}

function countChange({ set, add, delete: gone }: PartitionChange): NonNullable<TickRecord['partitions']>[number] {
  return { set, added: add.length, deleted: gone.length };
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
  // what ended from outside, such as by a timeout, says nothing of the evaluations before it
  const quiet = details.quiet.length > 0 ? details.quiet : streakBefore(state);
  const record: TickRecord = {
    ...newRecord(evaluated, { ...details, quiet }, now),
    status: 'failure',
    endedAt: now,
    error: text,
  };
  const { idleSince: _, streak: __, ...rest } = state;
  const { options } = state;
  const health = failing(state.health, text, now);
  const next: LoopState = {
    ...rest,
    tick: input.tick,
    first: false,
    lastTickAt: now,
    nextAt: now + (details.retryAfterMs ?? pauseMs(options.failureBackoff, options.intervalMs, now - health.since)),
    ring: addTick(state.ring, record),
    health,
    counters: { ...state.counters, ticks: state.counters.ticks + 1, failures: state.counters.failures + 1 },
  };
  const stopped = stopIfFailingTooOften(next, text, now);
  return input.events.length === 0 ? stopped : failEvents(stopped, input, text, now);
}

/** What is known of the evaluations before one that left nothing but its end. */
function streakBefore({ streak }: LoopState): readonly QuietReason[] {
  return streak === undefined ? [] : knownUntil(streak.reasons, streak.endedAt);
}

/** @param counts whether something failed now, and does not only wait for another try */
function failing(health: Health, error: string, now: number, counts = true): Health {
  const since = health.status === 'failing' ? health.since : now;
  return { status: 'failing', since, error, failures: health.failures + (counts ? 1 : 0) };
}

function recovered(health: Health, now: number): Health {
  return health.status === 'ok' ? health : { status: 'ok', since: now, failures: 0, failingBefore: health.since };
}

/** The author's limit of failures in a row is reached: the sensor stops itself, as an operator would. */
function stopIfFailingTooOften(state: LoopState, error: string, now: number): LoopState {
  const { stopAfterFailures } = state.options;
  if (stopAfterFailures === undefined || state.health.failures < stopAfterFailures || !isRunning(state)) return state;
  const note = { by: STOPPED_BY_FAILURES, reason: `${state.health.failures} failures in a row, the last: ${error}` };
  return choose(audit(state, 'stop', note, now), operatorChoice('stopped', note, now), now);
}

/** A long quiet streak rests: the loop continues as new, so that an idle sensor has five history events. */
export function rest(state: LoopState, { dueAt }: Evaluated, quiet: readonly QuietReason[], now: number): LoopState {
  const { idleBackoff, intervalMs } = state.options;
  const idleSince = state.idleSince ?? dueAt;
  const nextAt = now + pauseMs(idleBackoff, intervalMs, now - idleSince);
  return { ...state, idleSince, streak: { reasons: quiet, endedAt: now }, lastTickAt: now, nextAt };
}

/** Drops the result of an evaluation that a cursor edit overtook: nothing of it takes effect, and it is repeated. */
export function overtake(state: LoopState, evaluated: Evaluated, now: number): LoopState {
  const { streak: _, ...before } = state;
  const durationMs = Math.max(0, now - evaluated.dueAt);
  const details = { logs: [], logLinesDropped: 0, durationMs, quiet: streakBefore(state) };
  // a preview that was applied meanwhile had its number
  const tick = Math.max(state.tick + 1, evaluated.input.tick);
  const record: TickRecord = {
    ...newRecord(evaluated, details, now),
    tick,
    status: 'skipped',
    endedAt: now,
    skipReason: 'the cursor was edited while this tick was evaluated; its result was dropped and it is evaluated again',
  };
  const counters = { ...state.counters, ticks: state.counters.ticks + 1 };
  const next = { ...before, tick, ring: addTick(state.ring, record), counters };
  return wakeUp(next, evaluated.trigger === 'tick' ? 'tick' : 'cursor');
}
