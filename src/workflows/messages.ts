/**
 * The messages of a loop: signals, updates and queries, as Temporal Web and the `temporal` CLI show them.
 *
 * All handlers are registered before the loop's first await (an update without a handler would be rejected), and take
 * whatever arrives: their input is parsed by the loop, never trusted.
 */
import {
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  setDefaultSignalHandler,
  setHandler,
} from '@temporalio/workflow';
import type { LedgerKeys } from '../sensors/key-ledger.js';
import {
  QUERIES,
  SIGNALS,
  UPDATES,
  type Preview,
  type RerunResult,
  type RetryResult,
  type SensorState,
  type TickRecord,
} from '../sensors/protocol.js';
import type { Edits } from './edits.js';

/** What the loop does for each message. */
export interface MessageHandlers extends Edits {
  /** Everything that changes the state at once. */
  readonly take: (kind: 'signal' | 'update', name: string, args: readonly unknown[]) => void;
  readonly tick: (input: unknown) => Promise<TickRecord>;
  readonly state: () => SensorState;
  readonly ticks: () => readonly TickRecord[];
  readonly abort: (evaluation: number) => 'stop' | 'cursor' | null;
  readonly keys: () => LedgerKeys;
}

const SIGNAL_DESCRIPTIONS: Readonly<Record<keyof typeof SIGNALS, string>> = {
  start: 'Starts the sensor. Optional input: { "by": "...", "reason": "..." }',
  stop: 'Stops the sensor; cursor and pending requests stay. Optional input: { "by", "reason", "until" }',
  tick: 'Evaluates now, also when stopped. Optional input: { "by": "...", "reason": "..." }',
  push: 'Hands events to the sensor (each input is one, at most 1 KB) and wakes it. Without input it only wakes.',
  configure: 'Sent by a worker at start: the options of its definition.',
};

export function registerMessages(handlers: MessageHandlers): void {
  const { take, tick, setCursor, rerun, rearm, retryDeadLetters, preview, apply, state, ticks, abort, keys } = handlers;
  // first, and for every name: signals that came before the run's first task are handed out as handlers are registered,
  // so with one handler after the other a stop followed by a start would be taken the other way round
  setDefaultSignalHandler((name, ...args) => {
    take('signal', name, args);
    if (Object.hasOwn(SIGNALS, name)) return;
    log.warn(`an unknown signal was ignored; known: ${Object.values(SIGNALS).join(', ')}`, { signal: name });
  });
  for (const [name, description] of Object.entries(SIGNAL_DESCRIPTIONS)) {
    setHandler(defineSignal<unknown[]>(name), (...args) => take('signal', name, args), { description });
  }

  const update = (name: string, description: string): void => {
    const handler = (input: unknown): SensorState => {
      take('update', name, [input]);
      return state();
    };
    setHandler(defineUpdate<SensorState, [unknown?]>(name), handler, { description });
  };
  update(UPDATES.start, SIGNAL_DESCRIPTIONS.start);
  update(UPDATES.stop, SIGNAL_DESCRIPTIONS.stop);
  update(UPDATES.reset, 'Forgets the start or stop of an operator: the code decides again.');
  update(UPDATES.discardDeadLetters, 'Drops dead letters on purpose. Optional input: { "ids": [...] }, else all.');
  update(UPDATES.discardPending, 'Drops the requests that wait to be started, on purpose.');
  setHandler(defineUpdate<TickRecord, [unknown?]>(UPDATES.tick), tick, {
    description: 'Evaluates now and returns the tick.',
  });
  setHandler(defineUpdate<SensorState, [unknown?]>(UPDATES.setCursor), setCursor, {
    description: 'Sets the cursor: { "cursor": <JSON> } or { "clear": true }. The schema of the sensor checks it.',
  });
  setHandler(defineUpdate<Preview, [unknown?]>(UPDATES.preview), preview, {
    description: 'Evaluates without committing. Optional input: { "cursor": <JSON> } or { "clear": true }',
  });
  setHandler(defineUpdate<TickRecord, [unknown?]>(UPDATES.apply), apply, {
    description: 'Commits exactly what a preview showed. { "id": "...", "by"?, "reason"? }',
  });
  setHandler(defineUpdate<RerunResult, [unknown?]>(UPDATES.rerun), rerun, {
    description: 'Runs a key again, now. { "runKey": "...", "job"?, "by"?, "reason"? }',
  });
  setHandler(defineUpdate<SensorState, [unknown?]>(UPDATES.rearm), rearm, {
    description: 'Lets the next request of a key run again. { "runKey": "...", "job"?, "by"?, "reason"? }',
  });
  setHandler(defineUpdate<RetryResult, [unknown?]>(UPDATES.retryDeadLetters), retryDeadLetters, {
    description: 'Tries dead letters again, up to 40 at once. Optional input: { "ids": [...] }',
  });

  setHandler(defineQuery<SensorState>(QUERIES.state), state);
  setHandler(defineQuery<readonly TickRecord[]>(QUERIES.ticks), ticks);
  setHandler(defineQuery<'stop' | 'cursor' | null, [number]>(QUERIES.abort), abort);
  setHandler(defineQuery<LedgerKeys>(QUERIES.keys), keys);
}
