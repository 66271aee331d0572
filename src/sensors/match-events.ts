/**
 * Finds the events of several assets that belong together. Pure: a function of the events that are not consumed, taken in
 * the order in which they were recorded, so it does not matter when or how often a sensor looks.
 */
import type { AssetCondition } from './asset-condition.js';
import { count, formatDuration } from './text.js';

/** What this file needs of an event. */
export interface Recorded {
  readonly position: number;
  readonly recordedAt: Date;
  readonly partitionKey?: string;
}

/** Positions of one asset that are done with an outcome. */
export interface Done {
  readonly key: string;
  readonly positions: readonly number[];
}

/** So long after it, every event that was recorded before another one can be read. */
const SETTLED_MS = 60_000;

/** A complete match, an event that waited too long, or one whose place a newer one took for good. */
export type MatchOutcome<E extends Recorded> =
  | { readonly kind: 'match'; readonly events: Readonly<Record<string, E>>; readonly done: readonly Done[] }
  | {
      readonly kind: 'expired';
      readonly key: string;
      readonly event: E;
      /** The assets it waited for. */
      readonly missing: readonly string[];
      readonly done: readonly Done[];
    }
  | { readonly kind: 'replaced'; readonly done: readonly Done[] };

/** A partial match. */
export interface Waiting<E extends Recorded> {
  readonly partitionKey: string | undefined;
  readonly events: Readonly<Record<string, E>>;
  readonly missing: readonly string[];
}

export interface Matched<E extends Recorded> {
  /** In the order of the events. */
  readonly outcomes: readonly MatchOutcome<E>[];
  /** The one that waits longest first. */
  readonly waiting: readonly Waiting<E>[];
}

interface Slot<E> {
  readonly event: E;
  /** The event, and those whose place it took. */
  readonly positions: number[];
}
type Group<E> = Map<string, Slot<E>>;

/** What is known, by times in milliseconds since the epoch. */
interface MatchTimes {
  /** Only events that were recorded up to then: of some asset, newer ones are not known yet. @default all */
  readonly until?: number;
  /** The server's clock, or the time up to which everything is known; without it, nothing that waits is given up. */
  readonly now?: number | undefined;
  /** Of assets of which newer events are not known yet: what waits for them is not given up for what came later. */
  readonly knownUntil?: Readonly<Record<string, number>>;
  /** Assets whose events are given up by the clock alone. @default none */
  readonly byClock?: readonly string[];
}

/**
 * @param events those of each asset that are not consumed, oldest first, by the name in the sensor's map
 */
export function matchEvents<E extends Recorded>(
  { kind, keys, byPartition, withinMs = Number.POSITIVE_INFINITY }: AssetCondition,
  events: Readonly<Record<string, readonly E[]>>,
  { until = Number.POSITIVE_INFINITY, now, knownUntil = {}, byClock = [] }: MatchTimes = {}
): Matched<E> {
  const outcomes: MatchOutcome<E>[] = [];
  const groups = new Map<string | undefined, Group<E>>();

  /** Up to when it is certain that nothing has come for an event of this asset. */
  function certainUntil(key: string, group: Group<E>, at: number): number {
    if (byClock.includes(key)) return at;
    return Math.min(at, ...keys.map((each) => (group.has(each) ? at : (knownUntil[each] ?? at))));
  }

  function expire(group: Group<E>, at: number): void {
    for (const [key, { event, positions }] of group) {
      if (certainUntil(key, group, at) - event.recordedAt.getTime() <= withinMs) continue;
      const missing = keys.filter((each) => !group.has(each));
      outcomes.push({ kind: 'expired', key, event, missing, done: [{ key, positions }] });
      group.delete(key);
    }
  }

  for (const { key, event } of inOrder(keys, events)) {
    const at = event.recordedAt.getTime();
    if (at > until) break;
    if (kind === 'anyOf') {
      outcomes.push({ kind: 'match', events: { [key]: event }, done: [{ key, positions: [event.position] }] });
      continue;
    }
    const of = byPartition ? event.partitionKey : undefined;
    const group: Group<E> = groups.get(of) ?? new Map<string, Slot<E>>();
    expire(group, at);
    let positions = group.get(key)?.positions ?? [];
    if (positions.length > 0 && now !== undefined && certainUntil(key, group, now) - at > SETTLED_MS) {
      outcomes.push({ kind: 'replaced', done: [{ key, positions }] });
      positions = [];
    }
    positions.push(event.position);
    group.set(key, { event, positions });
    groups.set(of, group);
    if (group.size < keys.length) continue;
    outcomes.push({
      kind: 'match',
      events: eventsOf(group, keys),
      done: [...group].map(([name, slot]) => ({ key: name, positions: slot.positions })),
    });
    groups.delete(of);
  }
  if (now !== undefined) for (const group of groups.values()) expire(group, now);
  const waiting = [...groups]
    .filter(([, group]) => group.size > 0)
    .map(([partitionKey, group]) => ({
      partitionKey,
      events: eventsOf(group, keys),
      missing: keys.filter((key) => !group.has(key)),
    }));
  return { outcomes, waiting: waiting.toSorted((a, b) => oldest(a) - oldest(b)) };
}

/** All events by the time they were recorded; of the same time, as the condition names the assets. */
function inOrder<E extends Recorded>(
  keys: readonly string[],
  events: Readonly<Record<string, readonly E[]>>
): readonly { readonly key: string; readonly event: E }[] {
  const all = keys.flatMap((key) => (events[key] ?? []).map((event) => ({ key, event })));
  return all.toSorted((a, b) => a.event.recordedAt.getTime() - b.event.recordedAt.getTime());
}

function eventsOf<E>(group: Group<E>, keys: readonly string[]): Readonly<Record<string, E>> {
  return Object.fromEntries(
    keys.flatMap((key) => {
      const slot = group.get(key);
      return slot === undefined ? [] : [[key, slot.event]];
    })
  );
}

function oldest<E extends Recorded>({ events }: Waiting<E>): number {
  return Math.min(...Object.values(events).map(({ recordedAt }) => recordedAt.getTime()));
}

/**
 * `waiting for customers of mon (orders came 2026-11-21T08:00:00.000Z, expires 2026-11-22T08:00:00.000Z); 2 more`: it is
 * kept, and read later, so it has times.
 */
export function describeWaiting<E extends Recorded>(
  waiting: readonly Waiting<E>[],
  { withinMs }: AssetCondition
): string | undefined {
  const [first] = waiting;
  if (first === undefined) return undefined;
  const came = Object.entries(first.events).map(([key, { recordedAt }]) => `${key} came ${recordedAt.toISOString()}`);
  const expires = withinMs === undefined ? [] : [`expires ${new Date(oldest(first) + withinMs).toISOString()}`];
  const more = waiting.length === 1 ? '' : `; ${waiting.length - 1} more`;
  return `waiting for ${first.missing.join(', ')}${ofPartition(first.partitionKey)} (${[...came, ...expires].join(', ')})${more}`;
}

/** `orders of 2026-11-21 (position 7) expired: no customers within 24 h` */
export function describeExpired<E extends Recorded>(
  { key, event, missing }: Extract<MatchOutcome<E>, { kind: 'expired' }>,
  { withinMs = 0 }: AssetCondition
): string {
  return `${key}${ofPartition(event.partitionKey)} (position ${event.position}) expired: no ${missing.join(', ')} within ${formatDuration(withinMs)}`;
}

/** The first of them, and how many there are. */
export function summarizeExpired(texts: readonly string[]): string | undefined {
  const [first] = texts;
  return first === undefined || texts.length === 1 ? first : `${count(texts.length, 'event')} expired: ${first}; …`;
}

function ofPartition(partitionKey: string | undefined): string {
  return partitionKey === undefined ? '' : ` of ${partitionKey}`;
}
