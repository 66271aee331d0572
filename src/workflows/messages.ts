/**
 * The messages of a loop: signals, updates and queries, as Temporal Web and the `temporal` CLI show them.
 *
 * All handlers are registered before the loop's first await (an update without a handler would be rejected), and take
 * whatever arrives: their input is parsed by the loop, never trusted.
 */
import { defineQuery, defineSignal, defineUpdate, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import type { Json } from '../sensors/json.js';
import { QUERIES, SIGNALS, UPDATES, type LoopState, type SensorState, type TickRecord } from '../sensors/protocol.js';

/** What the loop does for each message. */
export interface MessageHandlers {
  readonly start: (input: unknown) => SensorState;
  readonly stop: (input: unknown) => SensorState;
  readonly askForTick: (input: unknown) => void;
  readonly tick: (input: unknown) => Promise<TickRecord>;
  readonly push: (events: readonly Json[]) => void;
  readonly configure: (input: unknown) => void;
  readonly setCursor: (input: unknown) => Promise<SensorState>;
  readonly reset: (input: unknown) => SensorState;
  readonly discardDeadLetters: (input: unknown) => SensorState;
  readonly unknown: (signal: string) => void;
  readonly state: () => SensorState;
  readonly ticks: () => readonly TickRecord[];
  readonly abort: (evaluation: number) => 'stop' | 'cursor' | null;
  readonly carry: () => LoopState;
}

const START = 'Starts the sensor. Optional input: { "by": "...", "reason": "..." }';
const STOP = 'Stops the sensor; cursor and pending requests stay. Optional input: { "by", "reason", "until" }';

export function registerMessages(on: MessageHandlers): void {
  const signal = (name: string): ReturnType<typeof defineSignal<[unknown?]>> => defineSignal<[unknown?]>(name);
  const update = <T>(name: string): ReturnType<typeof defineUpdate<T, [unknown?]>> => defineUpdate<T, [unknown?]>(name);

  setHandler(signal(SIGNALS.start), (input) => void on.start(input), { description: START });
  setHandler(signal(SIGNALS.stop), (input) => void on.stop(input), { description: STOP });
  setHandler(signal(SIGNALS.tick), on.askForTick, {
    description: 'Evaluates now, also when stopped. Optional input: { "by": "...", "reason": "..." }',
  });
  setHandler(defineSignal<Json[]>(SIGNALS.push), (...events) => on.push(events), {
    description:
      'Hands events to the sensor (each input is one, at most 1 KB) and wakes it. Without input it only wakes.',
  });
  setHandler(signal(SIGNALS.configure), on.configure, {
    description: 'Sent by a worker at start: the options of its definition.',
  });
  setDefaultSignalHandler((name) => on.unknown(name));

  setHandler(update<SensorState>(UPDATES.start), on.start, { description: START });
  setHandler(update<SensorState>(UPDATES.stop), on.stop, { description: STOP });
  setHandler(update<TickRecord>(UPDATES.tick), on.tick, { description: 'Evaluates now and returns the tick.' });
  setHandler(update<SensorState>(UPDATES.setCursor), on.setCursor, {
    description: 'Sets the cursor: { "cursor": <JSON> } or { "clear": true }. The schema of the sensor checks it.',
  });
  setHandler(update<SensorState>(UPDATES.reset), on.reset, {
    description: 'Forgets the start or stop of an operator: the code decides again.',
  });
  setHandler(update<SensorState>(UPDATES.discardDeadLetters), on.discardDeadLetters, {
    description: 'Drops all dead letters on purpose.',
  });

  setHandler(defineQuery<SensorState>(QUERIES.state), on.state);
  setHandler(defineQuery<readonly TickRecord[]>(QUERIES.ticks), on.ticks);
  setHandler(defineQuery<'stop' | 'cursor' | null, [number]>(QUERIES.abort), on.abort);
  setHandler(defineQuery<LoopState>(QUERIES.carry), on.carry);
}
