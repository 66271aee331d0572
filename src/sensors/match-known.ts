/**
 * Matches where of some assets not everything is known: more of their events are not consumed than can be held. By the
 * order of recording as far as all assets are known. If that gives nothing, nothing would be consumed, and so no more be
 * read, for ever: then everything that is known may match, and what waits is given up if nothing can have come for it.
 * If that gives nothing either, because several assets are not known to their ends, their events are given up by the
 * clock alone. Pure.
 */
import type { AssetCondition } from './asset-condition.js';
import { matchEvents, type Matched, type Recorded } from './match-events.js';

export interface KnownTimes {
  /** The server's clock. Times are in milliseconds since the epoch. */
  readonly now: number;
  /** Of the assets that are not known to their ends: when the last event was recorded that is known. */
  readonly knownUntil: Readonly<Record<string, number>>;
}

/** @returns with `byClock`: events were given up for which something may have come that is not known */
export function matchKnown<E extends Recorded>(
  condition: AssetCondition,
  events: Readonly<Record<string, readonly E[]>>,
  { now, knownUntil }: KnownTimes
): Matched<E> & { readonly byClock: boolean } {
  const until = Math.min(...Object.values(knownUntil), Number.POSITIVE_INFINITY);
  const strict = matchEvents(condition, events, { until, now: Math.min(until, now) });
  if (strict.outcomes.length > 0 || until === Number.POSITIVE_INFINITY) return { ...strict, byClock: false };
  const certain = matchEvents(condition, events, { now, knownUntil });
  if (certain.outcomes.length > 0) return { ...certain, byClock: false };
  const givenUp = matchEvents(condition, events, { now, knownUntil, byClock: Object.keys(knownUntil) });
  return { ...givenUp, byClock: givenUp.outcomes.length > 0 };
}
