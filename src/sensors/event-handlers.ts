/** How sensors that are fed by events handle them: types only. Each event is its own outcome. */
import type { SensorContextBase } from './define-sensor.js';
import type { Resources } from './define-resource.js';
import type { JobDefinition } from './define-job.js';
import type { Json } from './json.js';
import type { RunFunction, RunRequest } from './run-request.js';

/** What a handler gets, beside `run`. The signal is aborted when the handler has taken too long. */
export type EventContextBase<R extends Resources = {}> = Pick<
  SensorContextBase<undefined, undefined, R>,
  | 'sensor'
  | 'log'
  | 'resources'
  | 'now'
  | 'signal'
  | 'client'
  | 'heartbeat'
  | 'tick'
  | 'isFirstTickSinceStart'
  | 'sensorStartedAt'
  | 'materialize'
  | 'observe'
>;

/** The context of a handler: `ctx.run` is there with `job` or `jobs`. */
export type EventContext<
  Jobs extends readonly JobDefinition[] = readonly [],
  R extends Resources = {},
> = EventContextBase<R> & RunFunction<Jobs>;

type Item = RunRequest | null | undefined;

/** What a handler may give: nothing, or run requests; without a run key they get the event's ID. */
export type Handled =
  | Item
  | readonly Item[]
  | void
  | Promise<Item | readonly Item[] | void>
  | Generator<Item | readonly Item[], Item | readonly Item[] | void, void>
  | AsyncGenerator<Item | readonly Item[], Item | readonly Item[] | void, void>;

/** What a handler keeps from event to event, durably: at most 8 KB of JSON. */
export interface Memory {
  value: Json | undefined;
}

/** The functions a feed of events calls. */
export interface EventHandlers<T> {
  /** Called for each event. What it changed in `memory` is forgotten when it throws, and the event comes again. */
  readonly handle: (ctx: EventContextBase, event: T, memory: Memory) => unknown;
  /**
   * Called in each tick after the events while `memory` holds something; when it throws, it is called again after a
   * growing pause. It may give a time, in milliseconds since the epoch, at which it wants to be called.
   */
  readonly finish?: (ctx: EventContextBase, memory: Memory) => Promise<number | undefined>;
  /** What `memory` holds, for operators: the same text as long as it is the same. */
  readonly describe?: (memory: Json) => string | undefined;
}
