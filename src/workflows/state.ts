/**
 * The loop's state: its beginning, the operator's choice, and when the next evaluation is due. Pure.
 *
 * These rules and those of `inbox.ts`, `tick.ts` and `launch-rules.ts` take the state and `now` and return the next
 * state; `sensor-loop.ts` only sequences them, so that every rule can be tested without Temporal and replays the same.
 */
import type {
  AuditEntry,
  EndedStreak,
  EvaluationInput,
  Health,
  LoopOptions,
  LoopState,
  Note,
  OperatorChoice,
  QuietReason,
  TickFacts,
  Trigger,
} from '../sensors/protocol.js';
import { EMPTY_LEDGER } from '../sensors/key-ledger.js';
import { pauseMs } from '../sensors/rhythm.js';
import { addAudit, noteOf } from './records.js';

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
    ledger: EMPTY_LEDGER,
    epochs: {},
    rearmed: {},
    released: [],
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
      eventsTooLarge: 0,
      deadLettersDropped: 0,
    },
  };
}

/** The operator's choice if there is one, else the code's default. */
export function isRunning(state: LoopState): boolean {
  return (state.choice?.status ?? state.options.defaultStatus) === 'running';
}

/** What `list` shows of its ticks. */
export function factsOf({ ring, runs }: LoopState): TickFacts {
  const last = ring.at(-1);
  return {
    ...(last === undefined ? {} : { lastTick: { tick: last.tick, status: last.status, at: last.startedAt } }),
    ...(runs === undefined ? {} : { runs }),
  };
}

/** A clock that is behind must not make a sensor start in the past. */
const MAX_ASKED_BEFORE_MS = 24 * 60 * 60_000;

/**
 * Sets or (with `undefined`) forgets the operator's choice. Keeps everything else.
 *
 * @param askedAt when that was asked for: a loop without a worker hears of it later
 */
export function choose(
  state: LoopState,
  choice: OperatorChoice | undefined,
  now: number,
  askedAt: number = now
): LoopState {
  const { choice: _, ...rest } = state;
  return started(
    state,
    choice === undefined ? rest : { ...rest, choice },
    Math.max(Math.min(askedAt, now), now - MAX_ASKED_BEFORE_MS)
  );
}

/** New options from a worker that started; the newest worker start wins. */
export function configure(state: LoopState, options: LoopOptions, now: number): LoopState {
  // a shorter interval counts at once, from the last tick; another option must not wake a source that asked for rest
  const shorter = options.intervalMs < state.options.intervalMs;
  const nextAt = shorter ? Math.min(state.nextAt, (state.lastTickAt ?? now) + options.intervalMs) : state.nextAt;
  return started(state, { ...state, options, nextAt }, now);
}

/** A stop with `until` ends by itself. */
export function resumeWhenDue(state: LoopState, now: number): LoopState {
  if (state.choice?.until === undefined || now < state.choice.until) return state;
  const reason = 'the stop ended by itself';
  return choose(audit(state, 'start', { reason }, now), { status: 'running', at: now, reason }, now);
}

function started(before: LoopState, after: LoopState, now: number): LoopState {
  if (isRunning(before) || !isRunning(after)) return after;
  return { ...after, startedAt: now, first: true, health: { ...after.health, failures: 0 } };
}

export function audit(
  state: LoopState,
  what: string,
  note: Note,
  now: number,
  more?: Pick<AuditEntry, 'discarded' | 'letters'>
): LoopState {
  return { ...state, audit: addAudit(state.audit, what, note, now, more) };
}

/** What an operator's start or stop becomes. */
export function operatorChoice(status: 'running' | 'stopped', note: Note, now: number): OperatorChoice {
  const until = note.until === undefined ? Number.NaN : new Date(note.until).getTime();
  return { status, at: now, ...noteOf(note), ...(status === 'stopped' && until > now ? { until } : {}) };
}

/** An evaluation that was scheduled. */
export interface Evaluated {
  readonly input: EvaluationInput;
  readonly trigger: Trigger;
  readonly dueAt: number;
}

/** An evaluation in progress, and `cursorEdits` of the state when it began. */
export interface Running {
  readonly evaluated: Evaluated;
  readonly cursorEdits: number;
}

/** Why the author's code should be aborted: for a stop or an edit of the cursor, and for nothing else. */
export function abortReason(state: LoopState, { evaluated, cursorEdits }: Running): 'stop' | 'cursor' | null {
  if (cursorEdits !== state.cursorEdits) return 'cursor';
  return isRunning(state) || evaluated.trigger === 'tick' ? null : 'stop';
}

/** Whether an evaluation ends because of a message: one that may be waiting, or is no longer wanted. */
export function givesWay(state: LoopState, running: Running): boolean {
  const { fold, delayMs } = running.evaluated.input;
  return fold || delayMs > 0 || abortReason(state, running) !== null;
}

/** The hook that a change of health calls, if the definition has it. */
export function healthHook(
  { options, health }: LoopState,
  before: Health
): { readonly hook: 'onFailure' | 'onRecovered'; readonly error: string; readonly failingSince: number } | undefined {
  if (health.status === before.status) return undefined;
  const hook = before.status === 'ok' ? 'onFailure' : 'onRecovered';
  const failing = before.status === 'ok' ? health : before;
  return options.hooks[hook] ? { hook, error: failing.error ?? '', failingSince: failing.since } : undefined;
}

/** Asks for an evaluation before its time. A tick that somebody asked for is never replaced by another reason. */
export function wakeUp(state: LoopState, trigger: Trigger): LoopState {
  return state.wake === 'tick' ? state : { ...state, wake: trigger };
}

/** What the loop does next: an evaluation after a delay, or waiting for a message (at most `ms`). */
export type Step =
  { readonly kind: 'evaluate'; readonly delayMs: number } | { readonly kind: 'wait'; readonly ms?: number };

export function nextStep(state: LoopState, now: number): Step {
  const { dueAt } = state.launch ?? {};
  if (isHolding(state) && isRunning(state)) return { kind: 'wait', ms: Math.max(1, (dueAt ?? now) - now) };
  if (state.wake === 'tick' && !isHolding(state)) return { kind: 'evaluate', delayMs: 0 };
  if (isRunning(state))
    return { kind: 'evaluate', delayMs: state.wake === undefined ? Math.max(0, state.nextAt - now) : 0 };
  return state.choice?.until === undefined
    ? { kind: 'wait' }
    : { kind: 'wait', ms: Math.max(1, state.choice.until - now) };
}

/** Whether requests are pending: they come before the next evaluation. */
export function isHolding(state: LoopState): boolean {
  return state.launch !== undefined && state.launch.record === undefined;
}

/** Whether nobody can wait for a tick: a stop holds back requests that come before it. */
export function refusesTick(state: LoopState): boolean {
  return isHolding(state) && !isRunning(state);
}

/**
 * The state after an evaluation that was only interrupted. The loop does not hear of quiet attempts, so it continues
 * their rhythm; what the evaluation was asked for has still to happen.
 *
 * @param quiet whether the last attempt ran to its end and found nothing new
 */
export function interrupted(before: LoopState, evaluated: Evaluated, quiet: boolean, now: number): LoopState {
  const state = { ...before, ...interruptedStreak(before, evaluated, now) };
  const { trigger, dueAt } = evaluated;
  const { options, health, idleSince } = state;
  const [backoff, since] =
    health.status === 'failing' ? [options.failureBackoff, health.since] : [options.idleBackoff, idleSince ?? dueAt];
  const intervalMs = pauseMs(backoff, options.intervalMs, now - since);
  if (quiet) return { ...state, nextAt: now + intervalMs };
  const again = trigger === 'tick' || (trigger !== 'start' && trigger !== 'interval' && state.wake === undefined);
  const next = again ? wakeUp(state, trigger) : state;
  if (state.first || now < dueAt) return next;
  return { ...next, nextAt: dueAt + Math.max(1, Math.ceil((now - dueAt) / intervalMs)) * intervalMs };
}

/** Of an evaluation that waited for its next attempt, the loop is not told what the attempts before said. */
function interruptedStreak(
  { streak }: LoopState,
  { dueAt }: Evaluated,
  now: number
): { readonly streak?: EndedStreak } {
  // nothing was evaluated
  if (now < dueAt) return {};
  const { reasons, endedAt } = streak ?? { reasons: [], endedAt: now };
  return { streak: { reasons: knownUntil(reasons, endedAt), endedAt: now } };
}

/** The reasons when what came after them is not known. */
export function knownUntil(reasons: readonly QuietReason[], until: number): readonly QuietReason[] {
  const last = reasons.at(-1);
  return last === undefined ? [] : [...reasons.slice(0, -1), { until, ...last }];
}
