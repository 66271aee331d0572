/**
 * What messages and ended evaluations do to the state: used by the loop as they happen, and by recovery when it folds
 * the history of a closed loop. Pure.
 */
import { cutText, type Json } from '../sensors/json.js';
import { epochOf } from '../sensors/key-ledger.js';
import { MAX_AUDITED_KEY_BYTES, MAX_DISCARDED_LETTERS } from '../sensors/limits.js';
import {
  SIGNALS,
  UPDATES,
  type CursorEdit,
  type KeyEdit,
  type LoopState,
  type Note,
  type RerunResult,
  type RetryResult,
} from '../sensors/protocol.js';
import { describeFailure, endedQuiet, isWakeUp, NOT_OURS } from './evaluation-end.js';
import { parseConfigure, parseDeadLetterEdit, parseEvaluationResult, parseNote, parsePreviewContent } from './parse.js';
import * as rules from './rules.js';

export interface Message {
  readonly kind: 'signal' | 'update';
  readonly name: string;
  readonly args: readonly unknown[];
  /** Of the loop that takes it, if it is one that must replay. */
  readonly protocol?: number;
}

/** A signal, or an update of the same effect. Whatever its input is, it is taken as far as it makes sense. */
export function applyMessage(state: LoopState, { kind, name, args, protocol }: Message, now: number): LoopState {
  const note = parseNote(args[0]);
  if (kind === 'signal' && !Object.hasOwn(SIGNALS, name))
    return rules.audit(state, `unknown signal '${name}' ignored`, {}, now);
  switch (name) {
    case SIGNALS.start:
      return rules.choose(
        rules.audit(state, 'start', note, now),
        rules.operatorChoice('running', note, now),
        now,
        note.at
      );
    case SIGNALS.stop: {
      const choice = rules.operatorChoice('stopped', note, now);
      const what = choice.until === undefined ? 'stop' : `stop until ${new Date(choice.until).toISOString()}`;
      return rules.choose(rules.audit(state, what, note, now), choice, now);
    }
    case UPDATES.reset:
      return rules.choose(rules.audit(state, 'reset', note, now), undefined, now);
    case SIGNALS.tick: {
      const refused = kind === 'update' && rules.refusesTick(state);
      const what = refused ? 'tick (refused: pending requests come first)' : 'tick';
      return rules.wakeUp(rules.audit(state, what, note, now), 'tick');
    }
    case SIGNALS.push:
      return rules.pushEvents(
        state,
        args.map((event) => (event ?? null) as Json),
        now,
        protocol
      );
    case SIGNALS.configure: {
      const { options } = parseConfigure(args[0]);
      return options === undefined ? state : rules.configure(state, options, now);
    }
    case UPDATES.discardDeadLetters: {
      const { ids } = parseDeadLetterEdit(args[0]);
      const deadLetters = ids === undefined ? [] : state.deadLetters.filter(({ id }) => !ids.includes(id));
      const gone = state.deadLetters.filter((letter) => !deadLetters.includes(letter)).map(({ id }) => id);
      const letters = gone.slice(0, MAX_DISCARDED_LETTERS).map((id) => cutText(id, MAX_AUDITED_KEY_BYTES));
      const named = gone.length === 0 ? {} : { letters };
      return { ...rules.audit(state, `discard ${gone.length} dead letters`, note, now, named), deadLetters };
    }
    case UPDATES.discardPending: {
      const count = rules.isHolding(state) && state.launch !== undefined ? rules.waitingRequests(state.launch) : 0;
      const { assetEvents } = rules.isHolding(state) ? (state.launch ?? {}) : {};
      const discarded = count === 0 ? {} : { discarded: rules.discardedRequests(state) };
      const also = assetEvents === undefined ? '' : ` and ${assetEvents.events.length} asset events`;
      return rules.discardPending(rules.audit(state, `discard ${count} pending requests${also}`, note, now, discarded));
    }
    default:
      return state;
  }
}

/** A cursor edit that was checked. An evaluation that began before it is overtaken. */
export function applyCursorEdit(state: LoopState, edit: CursorEdit, now: number): LoopState {
  const clear = 'clear' in edit;
  const set = clear ? 'clear cursor' : 'set cursor';
  const what = edit.beforeTick === undefined ? set : `rewind cursor to before tick ${edit.beforeTick}`;
  const { cursor: _, ...rest } = rules.audit(state, what, edit, now);
  const cursor = clear ? {} : { cursor: { value: edit.cursor } };
  return rules.wakeUp({ ...rest, ...cursor, cursorEdits: state.cursorEdits + 1 }, 'cursor');
}

/**
 * Commits what a preview showed, through the same path as a tick. An evaluation that runs is overtaken.
 *
 * @returns the state, or why it cannot be committed
 */
export function applyPreview(state: LoopState, content: unknown, note: Note, now: number): LoopState | string {
  const preview = parsePreviewContent(content);
  if (preview === undefined) return 'it does not hold a preview';
  const { input, cursorEdits, result } = preview;
  if (state.launch !== undefined) return 'runs of the sensor are being started, or are pending; wait for their end';
  if (state.tick + 1 !== input.tick || state.cursorEdits !== cursorEdits)
    return `the sensor has gone on since (tick ${state.tick}); preview again`;
  const edited = {
    ...rules.audit(state, `apply preview of tick ${input.tick}`, note, now),
    cursorEdits: cursorEdits + 1,
  };
  return rules.commit(edited, { input, trigger: 'preview', dueAt: now }, result, now);
}

/** A key was run again because an operator said so. */
export function applyRerun(state: LoopState, edit: KeyEdit, result: RerunResult, now: number): LoopState {
  const next = rules.audit(
    state,
    `rerun ${cutText(edit.runKey, MAX_AUDITED_KEY_BYTES)} as epoch ${result.epoch}`,
    edit,
    now
  );
  return rules.remember(rules.countRuns(next, 1, now), result, now);
}

/** A key whose next request starts a run, whatever ran before. */
export function applyRearm(state: LoopState, edit: KeyEdit, hash: string, now: number): LoopState {
  const next = rules.audit(state, `rearm ${cutText(edit.runKey, MAX_AUDITED_KEY_BYTES)}`, edit, now);
  const epoch = epochOf(state, hash) + 1;
  return { ...next, rearmed: rules.withEpoch(state.rearmed, hash, epoch) };
}

/** Dead letters were tried again; those that worked go. */
export function applyRetry(state: LoopState, note: Note, { done, started, keys }: RetryResult, now: number): LoopState {
  const retried = state.deadLetters.filter(({ id }) => done.includes(id));
  const events = retried.flatMap(({ kind, payload }) => (kind === 'event' && payload !== undefined ? [payload] : []));
  const next = rules.audit(state, `retry ${done.length} dead letters`, note, now);
  const without: LoopState = {
    ...rules.countRuns(next, started, now),
    deadLetters: state.deadLetters.filter(({ id }) => !done.includes(id)),
  };
  const remembered = keys.reduce<LoopState>((each, key) => rules.remember(each, key, now), without);
  return events.length === 0 ? remembered : rules.pushEvents(remembered, events, now);
}

/** An evaluation in progress, and whether the loop has asked it to end. */
export interface InProgress extends rules.Running {
  readonly cancelled: boolean;
}

/** How the evaluation activity ended. */
export type ActivityEnd = { readonly value: unknown } | { readonly error: unknown };

/** `interrupted`: only a wake-up; `rested`: a long quiet streak ended; `ticked`: a tick that did something. */
export interface AfterEvaluation {
  readonly state: LoopState;
  readonly kind: 'interrupted' | 'rested' | 'ticked';
}

/** What an ended evaluation does: committed, recorded as a failure, dropped by a cursor edit, or nothing. */
export function endEvaluation(state: LoopState, progress: InProgress, end: ActivityEnd, now: number): AfterEvaluation {
  const { evaluated, cancelled } = progress;
  const overtaken = progress.cursorEdits !== state.cursorEdits;
  if ('error' in end && isWakeUp(end.error, cancelled, overtaken || !rules.isRunning(state))) {
    return { state: rules.interrupted(state, evaluated, endedQuiet(end.error), now), kind: 'interrupted' };
  }
  const result = 'value' in end ? parseEvaluationResult(end.value) : undefined;
  if (result?.kind === 'rest') return { state: rules.rest(state, evaluated, result.quiet ?? [], now), kind: 'rested' };
  if (overtaken) {
    const without = rules.release(state, result?.staged ?? []);
    return { state: rules.overtake(without, evaluated, now), kind: 'ticked' };
  }
  if (result !== undefined) return { state: rules.commit(state, evaluated, result, now), kind: 'ticked' };
  const { message, details } = describeFailure('error' in end ? end.error : NOT_OURS, evaluated, now);
  return { state: rules.fail(state, evaluated, message, details, now), kind: 'ticked' };
}
