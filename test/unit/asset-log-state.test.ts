import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StoredAssetEvent } from '../../src/sensors/asset-event.js';
import { jsonBytes } from '../../src/sensors/json.js';
import { MAX_ASSET_PAGES, MAX_SUBSCRIBERS, MAX_TAIL_BYTES } from '../../src/sensors/limits.js';
import {
  applySeal,
  newLog,
  NEW_LOG,
  pagePrefix,
  planSeal,
  readLog,
  record,
  stateOf,
  subscribe,
  trim,
  unsubscribe,
  type LogState,
  woken,
} from '../../src/workflows/asset-log-state.js';
import { placeText, positionOf } from '../../src/sensors/asset-sensor-event.js';
import { assetDetailsOf, assetMemoOf } from '../../src/workflows/asset-log-views.js';
import { eventHash, HASH_CHARS } from '../../src/workflows/event-hash.js';
import { parseAssetEvents, parseLogState, parseRead } from '../../src/workflows/parse-asset-log.js';

const DAY_MS = 24 * 60 * 60 * 1000;

function event(id: number | string, text = '', partitionKey?: string): Omit<StoredAssetEvent, 'at'> {
  return {
    kind: 'materialization',
    eventId: `event-${id}`,
    ...(partitionKey === undefined ? {} : { partitionKey }),
    metadata: { text: { type: 'text', value: text } },
    producer: {},
  };
}

/** A log beside its pages, as the server would keep them. */
class World {
  log: LogState = NEW_LOG;
  readonly pages = new Map<string, readonly StoredAssetEvent[]>();
  now = 1_000;

  record(events: readonly Omit<StoredAssetEvent, 'at'>[]): void {
    this.set(record(this.log, 'a', events, this.now));
  }

  set(log: LogState): void {
    this.log = trim(log, 'a', this.now);
    for (let seal = planSeal(this.log); seal !== undefined; seal = planSeal(this.log)) {
      const hash = `page-${seal.from}-`.padEnd(22, '0');
      this.pages.set(pagePrefix('a') + hash, seal.events);
      this.log = trim(applySeal(this.log, seal, hash), 'a', this.now);
    }
    // as it travels to the next run
    this.log = parseLogState(JSON.parse(JSON.stringify(this.log))) ?? NEW_LOG;
  }

  /** Everything that is kept, as a reader finds it. */
  read(limit = 50): { readonly position: number; readonly eventId: string }[] {
    const all: { position: number; eventId: string }[] = [];
    for (let after = 0; ; after = all.at(-1)?.position ?? after) {
      const { pages, events } = readLog(this.log, 'a', { after, limit });
      const found = [
        ...pages.flatMap(({ id, from }) =>
          (this.pages.get(id) ?? []).map(({ eventId }, index) => ({ position: from + index, eventId }))
        ),
        ...events.map(({ position, eventId }) => ({ position, eventId })),
      ].filter(({ position }) => position > after);
      if (found.length === 0) return all;
      all.push(...found.slice(0, limit));
    }
  }
}

describe('the log of an asset', () => {
  test('gives positions without gaps, drops what it knows, and reads back everything from pages and tail', () => {
    const batches = fc.array(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 6_000 })), { maxLength: 40 }),
      { minLength: 1, maxLength: 30 }
    );
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 100 }), (batches, limit) => {
        const world = new World();
        const ids: string[] = [];
        for (const batch of batches) {
          world.record(batch.map(([id, size]) => event(id, 'x'.repeat(size))));
          for (const [id] of batch) if (!ids.includes(`event-${id}`)) ids.push(`event-${id}`);
          expect(world.log.tailBytes).toBe(jsonBytes(world.log.tail) + (world.log.tail.length === 0 ? 0 : 1));
          expect(world.log.tailBytes).toBeLessThanOrEqual(MAX_TAIL_BYTES);
        }
        expect(world.read(limit)).toEqual(ids.map((eventId, index) => ({ position: index + 1, eventId })));
        expect(world.log.duplicates).toBe(batches.flat().length - ids.length);
      }),
      { numRuns: 30 }
    );
  });

  test('lets go of nothing that a subscriber has not read, and of everything else beyond the retention', () => {
    const step = fc.record({
      events: fc.integer({ min: 0, max: 60 }),
      reader: fc.constantFrom('first', 'second'),
      reads: fc.double({ min: 0, max: 1, noNaN: true }),
      pause: fc.integer({ min: 0, max: 5 * DAY_MS }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 200 }),
        (steps, events) => {
          const world = new World();
          world.log = { ...world.log, retention: { events } };
          const said = new Map<string, { position: number; at: number }>();
          let id = 0;
          for (const { events: count, reader, reads, pause } of steps) {
            world.now += pause;
            world.record(Array.from({ length: count }, () => event(id++, 'x'.repeat(4_000))));
            const before = said.get(reader)?.position ?? 0;
            const position = Math.max(
              stateOf(world.log, 'a').first - 1,
              Math.floor(before + (world.log.last - before) * reads)
            );
            said.set(reader, { position, at: world.now });
            world.set(subscribe(world.log, reader, position, world.now));
            const { first, subscribers, last } = stateOf(world.log, 'a');
            for (const [sensor, { position, at }] of said) {
              if (world.now - at > 30 * DAY_MS) said.delete(sensor);
              else {
                expect(first).toBeLessThanOrEqual(position + 1);
                expect(subscribers).toContainEqual({ sensor, position, at });
              }
            }
            expect(world.read()).toHaveLength(last - first + 1);
            expect(last - first + 1).toBeGreaterThanOrEqual(Math.min(events, last));
            // whole pages of at most 65 events, and the tail
            const wanted = Math.max(events, ...[...said.values()].map(({ position }) => last - position));
            expect(last - first + 1).toBeLessThanOrEqual(wanted + 65 + world.log.tail.length);
          }
        }
      ),
      { numRuns: 30 }
    );
  });

  test('drops a subscriber that is silent for 30 days, on record, and by age what is old', () => {
    const world = new World();
    world.log = { ...world.log, retention: { events: 1_000_000, ageMs: DAY_MS } };
    world.record([event('first')]);
    world.set(subscribe(world.log, 'silent', 0, world.now));
    const many = (from: number): void =>
      world.record(Array.from({ length: 50 }, (_, n) => event(from + n, 'x'.repeat(6_000))));
    many(0);
    world.now += 29 * DAY_MS;
    many(100);
    expect(stateOf(world.log, 'a').first).toBe(1);
    world.now += 2 * DAY_MS;
    many(200);
    expect(stateOf(world.log, 'a')).toMatchObject({
      subscribers: [],
      droppedSubscribers: [{ sensor: 'silent', position: 0, reason: 'it said nothing for 30 days' }],
    });
    expect(stateOf(world.log, 'a').first).toBeGreaterThan(50);
    expect(world.log.released.length).toBeGreaterThan(0);
  });

  test('drops a subscriber that has had no workflow for a day, on record, and no other', () => {
    const world = new World();
    for (const sensor of ['gone', 'back', 'there']) world.set(subscribe(world.log, sensor, 0, world.now));
    const wake = (existing: readonly string[]): void => {
      for (const sensor of ['gone', 'back', 'there', 'unknown'])
        world.set(woken(world.log, sensor, existing.includes(sensor), world.now));
    };
    wake(['there']);
    world.now += DAY_MS;
    wake(['there', 'back']);
    world.now += 1;
    wake(['there']);
    expect(stateOf(world.log, 'a')).toMatchObject({
      subscribers: [{ sensor: 'back', goneSince: world.now }, { sensor: 'there' }],
      droppedSubscribers: [{ sensor: 'gone', reason: 'its sensor has been gone for a day' }],
    });
    expect(stateOf(world.log, 'a').subscribers[1]?.goneSince).toBeUndefined();
  });

  test('stays below 512 KB whatever comes, and says what it let go of', () => {
    let log = NEW_LOG;
    const key = (n: number): string => `${n}`.padEnd(250, '\u0001');
    for (let n = 0; n < 12_000; n++) {
      const made = event(n, 'é'.repeat(n % 50 === 0 ? 4_000 : 1), n % 6 === 0 ? key(n) : undefined);
      const seen = { ...event(`seen-${n}`, '', key(n)), kind: 'observation' as const };
      const batch = n % 6 === 0 ? [made, seen] : [made];
      log = trim(record(log, 'a', batch, 1_790_000_000_000 + n), 'a', 1_790_000_000_000 + n);
      if (n % 4 !== 0) continue;
      const seal = { from: log.last - log.tail.length + 1, events: log.tail };
      log = applySeal(log, seal, String(n).padEnd(22, 'x'));
    }
    for (let n = 0; n < 2 * MAX_SUBSCRIBERS; n++)
      log = subscribe(log, `sensor-${n}`.padEnd(200, '-'), 0, 1_790_000_000_000);
    const rest = Array.from({ length: 20 }, (_, n) => event(`last-${n}`, 'x'.repeat(6_000)));
    log = trim(record({ ...log, released: [] }, 'a', rest, 1_790_000_100_000), 'a', 1_790_000_100_000);
    log = { ...log, released: [] };
    expect(planSeal(log)).toBeUndefined();
    expect(jsonBytes(log)).toBeLessThan(512 * 1024);
    expect(log.pages.length).toBeGreaterThan(MAX_ASSET_PAGES - 100);
    const { partitions, partitionsForgotten, observed, subscribers, droppedSubscribers } = stateOf(log, 'a');
    expect([partitionsForgotten, observed.partitionsForgotten]).toEqual([true, true]);
    expect(observed.partitions.at(-1)?.partitionKey).toBe(key(11_994));
    expect(partitions.at(-1)?.partitionKey).toBe(key(11_994));
    expect(subscribers).toHaveLength(MAX_SUBSCRIBERS);
    expect(droppedSubscribers).toHaveLength(20);
  });

  test('a partition that was forgotten and comes again is not counted as another', () => {
    let log = NEW_LOG;
    const round = Array.from({ length: 3_000 }, (_, n) => event(n, '', `part-${n}`));
    for (let n = 0; n < 3; n++)
      log = record(
        log,
        'a',
        round.map((each) => ({ ...each, eventId: `${each.eventId}/${n}` })),
        n
      );
    expect(log).toMatchObject({ partitionsForgotten: true, observed: { partitionsForgotten: false } });
    expect(assetMemoOf(log)).toMatchObject({ partitions: 2_000, partitionsForgotten: true });
    expect(assetDetailsOf(log, 'a')).toContain('partitions at least 2000');
  });

  test('a subscriber is known by its last word; one that reads no more is gone', () => {
    let log = record(NEW_LOG, 'a', [event(1), event(2)], 0);
    log = subscribe(subscribe(log, 's', 7, 1), 't', -1, 1);
    expect(log.subscribers).toEqual([
      { sensor: 's', position: 2, at: 1 },
      { sensor: 't', position: 0, at: 1 },
    ]);
    expect(unsubscribe(log, 't').subscribers).toHaveLength(1);
  });

  test('tells its identity, which it keeps, and the sensor that asks what it knows of it', () => {
    const log = subscribe(record(newLog(Date.UTC(2026, 10, 22)), 'a', [event(1)], 0), 's', 1, 5);
    const carried = parseLogState(JSON.parse(JSON.stringify(log))) ?? NEW_LOG;
    expect(readLog(carried, 'a', parseRead({ sensor: 's', after: 1 }))).toEqual({
      id: 'tovmo0',
      first: 1,
      last: 1,
      pages: [],
      events: [],
      subscriber: { sensor: 's', position: 1, at: 5 },
    });
    expect(readLog(carried, 'a', parseRead({ sensor: 't' })).subscriber).toBeUndefined();
    expect(newLog(Date.UTC(2026, 10, 22) + 1_000).id).not.toBe(carried.id);
    for (const id of [undefined, 7, 'not an ID', 'x'.repeat(100)])
      expect(parseLogState({ ...log, id })).toEqual({ ...log, id: '' });
  });

  test('a place is a position in one log', () => {
    for (const log of ['', 'tovmo0', '1'])
      for (const other of ['', 'tovmo0', '1'])
        expect(positionOf(other, placeText(log, 3))).toBe(other === log ? 3 : undefined);
    expect(positionOf('', 'no place')).toBeUndefined();
  });

  test('events that are not whole are counted, and never thrown about', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.array(fc.anything())), (given) => {
        const { events, refused } = parseAssetEvents(given);
        expect(events.length + refused).toBe(Array.isArray(given) ? given.length : 1);
        record(NEW_LOG, 'a', events, 0);
        parseLogState(given);
      })
    );
    expect(parseAssetEvents([event(1), { ...event(2), partitionKey: 3 }, event(3, 'x'.repeat(20_000))])).toMatchObject({
      events: [{ eventId: 'event-1' }],
      refused: 2,
    });
  });

  test('a hash has 48 bits, of which none is idle', () => {
    const hashes = new Set(Array.from({ length: 50_000 }, (_, n) => eventHash(`run/${n}`)));
    expect(hashes.size).toBe(50_000);
    for (let at = 0; at < HASH_CHARS; at++) expect(new Set([...hashes].map((hash) => hash[at])).size).toBe(64);
  });
});
