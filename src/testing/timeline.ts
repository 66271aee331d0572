/** What a simulation plans: changes of the world before each evaluation, and at given virtual times. */
import { parseDuration, type Duration } from '../sensors/duration.js';
import type { SimulatedLoop } from './simulated-loop.js';
import type { SimulationControl } from './simulate.js';

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;

/** Changes the world that the sensor looks at, or does what an operator would. */
export type Change<W> = (now: Date, world: W, control: SimulationControl) => void | Promise<void>;
/** Changes by the time since the start: `{ '2h': … }`. */
export type TimedChanges<W> = { readonly [Time in Extract<Duration, string>]?: Change<W> };
export type Changes<W> = Change<W> | TimedChanges<W> | readonly (Change<W> | TimedChanges<W>)[];

export class Timeline<W> {
  /** Called before each evaluation. */
  private readonly always: readonly Change<W>[];
  /** The others, in their order. */
  private readonly timed: { readonly at: number; readonly change: Change<W> }[];

  /**
   * @param start milliseconds since the epoch
   * @throws DefinitionError for a time that is no duration
   */
  constructor(changes: Changes<W> | undefined, start: number) {
    const all =
      changes === undefined
        ? []
        : Array.isArray(changes)
          ? (changes as readonly (Change<W> | TimedChanges<W>)[])
          : [changes as Change<W> | TimedChanges<W>];
    this.always = all.filter((each) => typeof each === 'function');
    this.timed = all
      .filter((each) => typeof each === 'object')
      .flatMap((each) => Object.entries<Change<W> | undefined>(each))
      .flatMap(([time, change]) =>
        change === undefined ? [] : [{ at: start + parseDuration(time, 'simulate: a time of at', 0, YEAR_MS), change }]
      )
      .sort((a, b) => a.at - b.at);
  }

  prepare(now: number, world: W, control: SimulationControl): Promise<void> | void {
    if (this.always.length > 0) return this.change(now, world, control);
  }

  /** Time passes up to `to`, or until a change that sends the sensor a message. */
  advance(loop: SimulatedLoop, to: number, world: W, control: SimulationControl): Promise<void> | void {
    const [next] = this.timed;
    if (next === undefined || next.at > to) loop.now = Math.max(loop.now, to);
    else return this.advanceBy(loop, to, world, control);
  }

  private async advanceBy(loop: SimulatedLoop, to: number, world: W, control: SimulationControl): Promise<void> {
    const { messages } = loop;
    for (let [next] = this.timed; next !== undefined && next.at <= to; [next] = this.timed) {
      this.timed.shift();
      loop.now = Math.max(loop.now, next.at);
      await next.change(new Date(loop.now), world, control);
      if (loop.messages !== messages) return;
    }
    loop.now = Math.max(loop.now, to);
  }

  private async change(now: number, world: W, control: SimulationControl): Promise<void> {
    for (const change of this.always) await change(new Date(now), world, control);
  }
}
