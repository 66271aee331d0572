/**
 * When the subscribers of an asset's log are woken. One that does not move, because it is stopped or without a worker,
 * is left alone for longer and longer while events come. In memory of the log's run only. Pure but for what it remembers.
 */
import type { AssetSubscriber } from '../sensors/asset-event.js';

/** Between two nudges of the same subscriber. */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 60_000;

type Reader = Pick<AssetSubscriber, 'sensor' | 'position'>;

interface Nudge {
  /** Position of the subscriber, and of the newest event, at that time. */
  readonly position: number;
  readonly last: number;
  readonly at: number;
  /** If it does not move. */
  readonly pauseMs: number;
}

export class Nudges {
  #nudges: ReadonlyMap<string, Nudge> = new Map();

  /** When the next of these subscribers is to be woken; `undefined` when none has anything new to read. */
  next(subscribers: readonly Reader[], last: number): number | undefined {
    const times = subscribers.flatMap((each) => this.#dueAt(each, last) ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** The subscribers that are to be woken now. They count as woken, whatever comes of it. */
  take(subscribers: readonly Reader[], last: number, now: number): readonly string[] {
    const due = subscribers.filter((each) => (this.#dueAt(each, last) ?? Number.POSITIVE_INFINITY) <= now);
    const nudges = new Map(
      subscribers.flatMap(({ sensor }) => {
        const known = this.#nudges.get(sensor);
        return known === undefined ? [] : [[sensor, known] as const];
      })
    );
    for (const each of due) {
      const { position, sensor } = each;
      nudges.set(sensor, { position, last, at: now, pauseMs: this.#pauseMs(each) });
    }
    this.#nudges = nudges;
    return due.map(({ sensor }) => sensor);
  }

  #dueAt({ sensor, position }: Reader, last: number): number | undefined {
    if (position >= last) return undefined;
    const before = this.#nudges.get(sensor);
    if (before === undefined) return Number.NEGATIVE_INFINITY;
    if (before.last >= last) return undefined;
    return before.at + (position > before.position ? MIN_PAUSE_MS : before.pauseMs);
  }

  #pauseMs({ sensor, position }: Reader): number {
    const before = this.#nudges.get(sensor);
    if (before === undefined || position > before.position) return MIN_PAUSE_MS;
    return Math.min(2 * before.pauseMs, MAX_PAUSE_MS);
  }
}
