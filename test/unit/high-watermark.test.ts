import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defineSensor, highWatermark, type WatermarkCursor } from '../../src/index.js';
import { checkCursor } from '../../src/sensors/cursor.js';
import { sameJson } from '../../src/sensors/json.js';

interface Row {
  readonly id: string;
  readonly at: number;
}

const MINUTE = 60_000;
const START = Date.parse('2026-01-01T00:00:00Z');
const position = highWatermark<Row>({ at: ({ at }) => at, tieBreak: ({ id }) => id, overlap: '1 minute' });
const sensor = defineSensor({ name: 's', cursor: position.schema, evaluate: () => null });
/** The position before the first tick. */
const first = position.schema.parse(undefined);
const nowAt = (minutes: number) => ({ now: new Date(START + minutes * MINUTE) });
const ids = (rows: readonly Row[]): string[] => rows.map(({ id }) => id);
const row = (id: string, minutes: number): Row => ({ id, at: START + minutes * MINUTE });

describe('a high watermark', () => {
  test('gives items by time and tie-break, and reads from an overlap before the newest', () => {
    expect(position.since(first)).toBeUndefined();
    const { items, cursor, more } = position.take(first, [row('b', 2), row('c', 1), row('a', 2)], nowAt(5));
    expect(ids(items)).toEqual(['c', 'a', 'b']);
    expect(more).toBe(false);
    expect(position.since(cursor)).toEqual(new Date(START + MINUTE));
  });

  test('gives items that show up late and at the same instant, and nothing twice', () => {
    const { cursor } = position.take(first, [row('a', 2)], nowAt(2));
    const second = position.take(cursor, [row('late', 1.1), row('a', 2), row('same instant', 2)], nowAt(3));
    expect(ids(second.items)).toEqual(['late', 'same instant']);
    // an index that loses sight of an item for one read
    const third = position.take(second.cursor, [row('new', 2.5)], nowAt(3));
    const fourth = position.take(third.cursor, [row('a', 2), row('late', 1.6), row('new', 2.5)], nowAt(4));
    expect(ids(fourth.items)).toEqual(['late']);
  });

  test('keeps the very same cursor when nothing is new', () => {
    const rows = [row('a', 1), row('b', 2)];
    const { cursor } = position.take(first, rows, nowAt(2));
    expect(position.take(cursor, rows, nowAt(900))).toEqual({ items: [], cursor, more: false });
    expect(position.take(cursor, rows, nowAt(900)).cursor).toBe(cursor);
  });

  test('is not blinded by an item from the future', () => {
    const { cursor } = position.take(first, [row('wrong clock', 1_000_000)], nowAt(1));
    const second = position.take(cursor, [row('a', 1), row('wrong clock', 1_000_000)], nowAt(2));
    expect(ids(second.items)).toEqual(['a']);
    const third = position.take(second.cursor, [row('wrong clock', 1_000_000)], nowAt(1_000_001));
    expect(ids(third.items)).toEqual([]);
  });

  test('takes dates from the beginning and the end of the calendar', () => {
    const rows = [
      { id: 'zero', at: Date.parse('0001-01-01T00:00:00Z') },
      { id: 'never', at: Date.parse('9999-12-31T23:59:59.999Z') },
      { id: 'beyond', at: 8.64e15 },
    ];
    const { items, cursor } = position.take(first, rows, nowAt(1));
    expect(ids(items).toSorted()).toEqual(['beyond', 'never', 'zero']);
    checkCursor(sensor, cursor);
    expect(position.take(cursor, rows, nowAt(2)).items).toEqual([]);
  });

  test('starts where an operator says', () => {
    const cursor = position.schema.parse({ since: new Date(START).toISOString() });
    expect(ids(position.take(cursor, [row('old', -1), row('new', 1)], nowAt(1)).items)).toEqual(['new']);
    expect(position.schema.safeParse({ since: 'yesterday' }).success).toBe(false);
    expect(position.schema.safeParse({ since: cursor.since, seen: { [cursor.since ?? '']: 'short' } }).success).toBe(
      false
    );
  });

  test('refuses what is no time, no duration, no limit', () => {
    expect(() => position.take(first, [{ id: 'a', at: Number.NaN }], nowAt(0))).toThrow(`'at' gave no time for item 0`);
    expect(() => position.take(first, [], { ...nowAt(0), limit: 0 })).toThrow('the limit is 0');
    const at = ({ at: time }: Row): number => time;
    expect(() => highWatermark({ at, tieBreak: String, overlap: 'soon' as '1s' })).toThrow(
      `highWatermark: overlap is 'soon'`
    );
    expect(() => highWatermark({ at: 'updated_at' as never, tieBreak: String, overlap: '1s' })).toThrow(
      `highWatermark: at is 'updated_at'; accepted: a function`
    );
    expect(() => highWatermark({ at, tieBreak: String, overlap: '1s', limit: 3 } as never)).toThrow(
      `unknown option 'limit'`
    );
  });
});

describe('more items within the overlap than a cursor holds', () => {
  const burst = Array.from({ length: 20_000 }, (_, n) => row(`burst-${n}`, 1));

  test('fail, skip nothing, and go on when they are older than the overlap', () => {
    expect(() => position.take(first, burst, nowAt(1.5))).toThrow('20000 items are within the overlap of 60000 ms');
    const { items, cursor } = position.take(first, burst, nowAt(2.1));
    expect(items).toHaveLength(20_000);
    expect(ids(position.take(cursor, [...burst, row('next', 1.5)], nowAt(2.1)).items)).toEqual(['next']);
  });

  test('are never lost behind a limit', () => {
    let cursor: WatermarkCursor = first;
    const given = new Set<string>();
    expect(() => {
      for (;;) {
        const taken = position.take(cursor, burst, { ...nowAt(60), limit: 1_000 });
        for (const { id } of taken.items) given.add(id);
        cursor = taken.cursor;
      }
    }).toThrow('without a limit it goes on');
    const rest = position.take(cursor, burst, nowAt(60));
    expect(new Set([...given, ...ids(rest.items)]).size).toBe(20_000);
    expect(given.size + rest.items.length).toBe(20_000);
  });
});

/** Items with a time, the time they show up, and the seconds between ticks: all relative, in milliseconds. */
const worlds = fc.record({
  rows: fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 10 * MINUTE }).map((at) => at - (at % 1_000)),
      delay: fc.oneof(fc.constant(0), fc.integer({ min: -5 * MINUTE, max: MINUTE })),
    }),
    { maxLength: 60 }
  ),
  gaps: fc.array(fc.integer({ min: 1, max: 3 * MINUTE }), { minLength: 1, maxLength: 40 }),
  limit: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  readsTooMuch: fc.boolean(),
  order: fc.integer(),
});

test('every item is given exactly once, in whatever order and however late within the overlap items show up', () => {
  fc.assert(
    fc.property(worlds, ({ rows, gaps, limit, readsTooMuch, order }) => {
      const all = rows.map(({ at, delay }, n) => ({ id: `${n}`, at: START + at, visibleAt: START + at + delay }));
      let cursor: WatermarkCursor = first;
      const given: string[] = [];
      const tick = (now: number): void => {
        for (;;) {
          const since = position.since(cursor)?.getTime() ?? Number.NEGATIVE_INFINITY;
          const read = all
            .filter(({ at, visibleAt }) => visibleAt <= now && (readsTooMuch || at >= since))
            .sort((a, b) => ((Number(a.id) * order) % 7) - ((Number(b.id) * order) % 7));
          const taken = position.take(cursor, read, {
            now: new Date(now),
            ...(limit === undefined ? {} : { limit }),
          });
          given.push(...ids(taken.items));
          checkCursor(sensor, taken.cursor);
          if (taken.items.length === 0) expect(taken.cursor).toBe(cursor);
          // through JSON, as the loop keeps it
          cursor = JSON.parse(JSON.stringify(taken.cursor)) as WatermarkCursor;
          if (!taken.more) return;
        }
      };
      let now = START;
      for (const gap of gaps) tick((now += gap));
      tick((now = Math.max(now, START + 11 * MINUTE)));
      expect(given.toSorted()).toEqual(ids(all).toSorted());
      const idle = cursor;
      tick(now + MINUTE);
      expect(sameJson(cursor, idle)).toBe(true);
    })
  );
});
