import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allOf, anyOf } from '../../src/sensors/asset-condition.js';
import { matchKnown } from '../../src/sensors/match-known.js';
import { describeExpired, describeWaiting, matchEvents } from '../../src/sensors/match-events.js';

interface Recorded {
  readonly position: number;
  readonly recordedAt: Date;
  readonly partitionKey?: string;
}
type Log = Readonly<Record<'a' | 'b', readonly Recorded[]>>;

const HOUR_MS = 3_600_000;
const both = allOf('a', 'b', { by: 'partition', within: '24h' });

/** An event of each `[hour, partition]`. */
function log(...times: readonly (readonly [hour: number, partition?: string])[]): readonly Recorded[] {
  return times.map(([hour, partitionKey], index) => ({
    position: index + 1,
    recordedAt: new Date(hour * HOUR_MS),
    ...(partitionKey === undefined ? {} : { partitionKey }),
  }));
}

/** Matches as `a1+b2`, and what expired as `a1`. */
function found(condition: Parameters<typeof matchEvents>[0], events: Log, nowHour?: number): readonly string[] {
  const now = nowHour === undefined ? undefined : nowHour * HOUR_MS;
  return matchEvents(condition, events, { now }).outcomes.map((outcome) => {
    if (outcome.kind === 'replaced')
      return `(${outcome.done.map(({ key, positions }) => key + positions.join()).join()})`;
    if (outcome.kind === 'expired') return `${outcome.key}${outcome.event.position}`;
    return Object.entries(outcome.events)
      .map(([key, { position }]) => `${key}${position}`)
      .join('+');
  });
}

test('events match by partition in the order in which they were recorded, the newest of each asset', () => {
  const a = log([1, 'mon'], [2, 'tue'], [3, 'mon'], [6, 'mon']);
  const b = log([4, 'mon'], [5, 'wed'], [7, 'mon'], [8, 'tue']);
  expect(found(both, { a, b })).toEqual(['a3+b1', 'a4+b3', 'a2+b4']);
  const [first] = matchEvents(both, { a, b }).outcomes;
  expect(first?.done).toEqual([
    { key: 'a', positions: [1, 3] },
    { key: 'b', positions: [1] },
  ]);
});

test('without partitions any events match, and of anyOf each event is a match', () => {
  const events = { a: log([1, 'mon'], [4]), b: log([2, 'tue'], [3]) };
  expect(found(allOf('a', 'b'), events)).toEqual(['a1+b1', 'a2+b2'].toSorted());
  expect(found(anyOf('a', 'b'), events)).toEqual(['a1', 'b1', 'b2', 'a2']);
});

test('an event expires by the times of recording, however late somebody looks', () => {
  const events = { a: log([0, 'mon'], [0, 'tue']), b: log([24, 'mon'], [24.1, 'tue']) };
  expect(found(both, events, 24.2)).toEqual(['a1+b1', 'a2']);
  expect(found(both, events, 100)).toEqual(['a1+b1', 'a2', 'b2']);
  expect(found(both, events)).toEqual(['a1+b1', 'a2']);
});

test('an event whose place was taken is let go of when nothing older can still come', () => {
  const events = { a: log([1, 'mon'], [2, 'mon']), b: [] };
  expect(found(both, events, 2.001)).toEqual([]);
  expect(found(both, events, 3)).toEqual(['(a1)']);
});

test('newer events than all logs were read to are left alone', () => {
  const events = { a: log([1, 'mon'], [5, 'tue']), b: log([2, 'mon'], [4, 'tue']) };
  const { outcomes, waiting } = matchEvents(both, events, { until: 3 * HOUR_MS });
  expect(outcomes).toHaveLength(1);
  expect(waiting).toEqual([]);
});

test('what waits and what expired is said with its partition, its time and what is missing', () => {
  const events = { a: log([0, 'mon'], [1, 'tue'], [25, 'wed']), b: [] };
  const { outcomes, waiting } = matchEvents(both, events, { now: 25 * HOUR_MS });
  // read long after it was said
  expect(describeWaiting(waiting, both)).toBe(
    'waiting for b of tue (a came 1970-01-01T01:00:00.000Z, expires 1970-01-02T01:00:00.000Z); 1 more'
  );
  expect(outcomes.map((outcome) => (outcome.kind === 'expired' ? describeExpired(outcome, both) : ''))).toEqual([
    'a of mon (position 1) expired: no b within 1 d',
  ]);
});

/**
 * All events, looked at through windows of so many open ones, till nothing is left to do.
 *
 * @param rooms how many open events of each asset are known
 */
function throughWindows(
  condition: Parameters<typeof matchKnown>[0],
  events: Log,
  rooms: Readonly<Record<'a' | 'b', number>>,
  now: number
) {
  const left = { a: [...events.a], b: [...events.b] };
  const outcomes: ReturnType<typeof matchEvents<Recorded>>['outcomes'][number][] = [];
  for (;;) {
    const known = { a: left.a.slice(0, rooms.a), b: left.b.slice(0, rooms.b) };
    const knownUntil: Record<string, number> = {};
    for (const key of ['a', 'b'] as const) {
      const last = known[key].at(-1)?.recordedAt.getTime();
      if (last !== undefined && left[key].length > rooms[key]) knownUntil[key] = last;
    }
    const matched = matchKnown(condition, known, { now, knownUntil });
    if (matched.outcomes.length === 0) return { outcomes, left };
    outcomes.push(...matched.outcomes);
    for (const { key, positions } of matched.outcomes.flatMap(({ done }) => done)) {
      const open = left[key as 'a' | 'b'];
      const still = open.filter(({ position }) => !positions.includes(position));
      expect(open.length - still.length).toBe(positions.length);
      left[key as 'a' | 'b'] = still;
    }
  }
}

test('events that fill their window match what was recorded after it, and expire if that is not to come', () => {
  const a = log([1, 'mon'], [2, 'tue'], [3, 'wed'], [4, 'thu']);
  const b = log([10, 'wed'], [11, 'tue'], [12, 'fri'], [13, 'thu']);
  const kinds = (all: ReturnType<typeof throughWindows>): readonly string[] =>
    all.outcomes.map(
      ({ kind, done }) => `${kind} ${done.map(({ key, positions }) => key + positions.join()).join('+')}`
    );
  const full = { a: 3, b: 9 };
  expect(kinds(throughWindows(both, { a, b }, full, 20 * HOUR_MS))).toEqual([
    'match a3+b1',
    'match a2+b2',
    'match a4+b4',
  ]);
  const short = allOf('a', 'b', { by: 'partition', within: '1h' });
  const { outcomes, left } = throughWindows(short, { a, b }, full, 20 * HOUR_MS);
  expect([outcomes.length, outcomes.every(({ kind }) => kind === 'expired'), left]).toEqual([
    8,
    true,
    { a: [], b: [] },
  ]);
  // without a limit of time they wait, as far as is known for what is not known
  const stuck = throughWindows(
    allOf('a', 'b', { by: 'partition' }),
    { a, b: b.slice(2) },
    { a: 2, b: 9 },
    99 * HOUR_MS
  );
  expect(stuck).toEqual({ outcomes: [], left: { a, b: b.slice(2) } });
});

test('windows that are full lose no event, and one alone gives up none whose partner has come', () => {
  const HOURS = 200;
  const times = fc.array(fc.tuple(fc.nat(HOURS), fc.constantFrom('mon', 'tue', 'wed', 'thu')), { maxLength: 16 });
  const logOf = times.map((all) => log(...all.toSorted(([x], [y]) => x - y)));
  fc.assert(
    fc.property(logOf, logOf, fc.integer({ min: 1, max: 4 }), fc.boolean(), (a, b, room, isOne) => {
      const now = (HOURS + 100) * HOUR_MS;
      const { outcomes, left } = throughWindows(both, { a, b }, { a: room, b: isOne ? 99 : room }, now);
      expect(left).toEqual({ a: [], b: [] });
      if (!isOne) return;
      const alone = outcomes.flatMap((outcome) => (outcome.kind === 'expired' ? [outcome] : []));
      const pairs = alone.filter(({ key, event }) =>
        alone.some(
          (other) =>
            other.key !== key &&
            other.event.partitionKey === event.partitionKey &&
            Math.abs(other.event.recordedAt.getTime() - event.recordedAt.getTime()) <= 24 * HOUR_MS
        )
      );
      expect(pairs).toEqual([]);
    }),
    { numRuns: 300 }
  );
});

test('every event is matched, given up or waits, once; and it does not matter how often somebody looks', () => {
  const times = fc.array(fc.tuple(fc.nat(60), fc.constantFrom('mon', 'tue', undefined)), { maxLength: 12 });
  const logs = fc.tuple(times, times).map(([a, b]) => {
    const inOrder = (each: typeof a): readonly Recorded[] =>
      log(
        ...each
          .toSorted(([x], [y]) => x - y)
          .map(([hour, of]) => (of === undefined ? ([hour] as const) : ([hour, of] as const)))
      );
    return { a: inOrder(a), b: inOrder(b) };
  });
  fc.assert(
    fc.property(logs, fc.nat(60), (events, look) => {
      const matches = (all: readonly string[]): readonly string[] => all.filter((each) => each.includes('+'));
      const until = look * HOUR_MS;
      const first = matchEvents(both, events, { until, now: until });
      const done = new Set(
        first.outcomes.flatMap((outcome) =>
          outcome.done.flatMap(({ key, positions }) => positions.map((position) => `${key}${position}`))
        )
      );
      const count = first.outcomes.reduce(
        (sum, outcome) => sum + outcome.done.reduce((n, { positions }) => n + positions.length, 0),
        0
      );
      expect(count).toBe(done.size);
      const left = (key: 'a' | 'b') => events[key].filter(({ position }) => !done.has(`${key}${position}`));
      const early = first.outcomes.flatMap((outcome) =>
        outcome.kind === 'match' ? [`a${outcome.events['a']?.position}+b${outcome.events['b']?.position}`] : []
      );
      const late = matches(found(both, { a: left('a'), b: left('b') }));
      expect([...early, ...late].toSorted()).toEqual([...matches(found(both, events))].toSorted());
    })
  );
});
