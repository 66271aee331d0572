import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeySet } from '../../src/activities/key-set.js';
import { packKeys } from '../../src/activities/known-keys.js';
import { jsonBytes } from '../../src/sensors/json.js';
import {
  applySeal,
  combineKeys,
  EMPTY_LEDGER,
  expireKeys,
  keyCount,
  ledgerKeys,
  ledgerView,
  planSeal,
  rememberKey,
  unpackKeys,
  type KeyPage,
  type Ledger,
} from '../../src/sensors/key-ledger.js';
import { MAX_RECENT_KEYS } from '../../src/sensors/limits.js';
import { runKeyHash } from '../../src/sensors/run-key.js';

const keyOf = (n: number): string => runKeyHash('job', String(n));

/** A ledger beside the pages it has sealed, as the server would keep them. */
class World {
  ledger: Ledger = EMPTY_LEDGER;
  readonly pages = new Map<string, string>();
  constructor(private readonly dedupeMs?: number) {}

  remember(n: number, now: number): void {
    this.ledger = rememberKey(this.ledger, keyOf(n), now, this.dedupeMs);
    for (let seal = planSeal(this.ledger, this.dedupeMs); seal; seal = planSeal(this.ledger, this.dedupeMs)) {
      const parts = [seal.segment, ...seal.merge];
      const { content, keys } = packKeys([seal.segment.keys, ...seal.merge.map(({ id }) => this.pages.get(id) ?? '')]);
      const page: KeyPage = {
        id: createHash('sha256').update(content).digest('hex'),
        keys,
        since: Math.min(...parts.map(({ since }) => since)),
        until: Math.max(...parts.map(({ until }) => until)),
      };
      this.pages.set(page.id, content);
      this.ledger = applySeal(this.ledger, seal, page);
    }
  }

  known(): Set<string> {
    const { pages, recent } = ledgerKeys(this.ledger);
    return new Set(
      [recent, ...pages.map(({ id }) => this.pages.get(id) ?? '')].flatMap((text) => [...unpackKeys(text)])
    );
  }
}

describe('the ledger', () => {
  test('knows every key for ever, in a small state and few pages', () => {
    const world = new World();
    for (let n = 0; n < 100_000; n++) world.remember(n, n);
    const known = world.known();
    expect(known.size).toBe(100_000);
    expect(keyCount(world.ledger)).toBe(100_000);
    for (let n = 0; n < 100_000; n += 97) expect(known.has(keyOf(n))).toBe(true);
    expect(jsonBytes(world.ledger)).toBeLessThan(64 * 1024);
    expect(world.ledger.pages.length).toBeLessThan(20);
    for (const content of world.pages.values()) expect(content.length).toBeLessThan(1024 * 1024);
  });

  test('with a dedupe time forgets nothing before it, and everything some time after', () => {
    const dedupeMs = 1_000_000;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 6000, max: 12_000 }), (step, count) => {
        const world = new World(dedupeMs);
        for (let n = 0; n < count; n++) {
          const now = n * step;
          if (n % 500 === 0) world.ledger = expireKeys(world.ledger, now, dedupeMs).ledger;
          world.remember(n, now);
        }
        const now = count * step;
        world.ledger = expireKeys(world.ledger, now, dedupeMs).ledger;
        const known = world.known();
        for (let n = 0; n < count; n++) {
          const age = now - n * step;
          if (age <= dedupeMs) expect(known.has(keyOf(n))).toBe(true);
          if (age > dedupeMs * 1.5) expect(known.has(keyOf(n))).toBe(false);
        }
      }),
      { numRuns: 4 }
    );
  });

  test('its version is the XOR of its recent keys, whatever was sealed before', () => {
    const world = new World();
    for (let n = 0; n < MAX_RECENT_KEYS * 2 + 10; n++) world.remember(n, n);
    const { recent, version } = ledgerKeys(world.ledger);
    expect([...unpackKeys(recent)].reduce(combineKeys)).toBe(version);
    const { latest } = ledgerView(world.ledger);
    expect(recent.endsWith(latest)).toBe(true);
    expect(latest.length).toBeGreaterThan(0);
  });

  test('a key that comes again is there once, whatever its place, so that the version tells whether it is known', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 80 }), (numbers) => {
        let ledger = EMPTY_LEDGER;
        for (const [now, n] of numbers.entries()) ledger = rememberKey(ledger, keyOf(n), now, 100);
        const { recent, version } = ledgerKeys(ledger);
        const unpacked = [...unpackKeys(recent)];
        expect(new Set(unpacked)).toEqual(new Set(numbers.map(keyOf)));
        expect(unpacked).toHaveLength(new Set(numbers).size);
        expect(unpacked.reduce(combineKeys, EMPTY_LEDGER.version)).toBe(version);
      })
    );
  });

  test('a key that comes while a segment is sealed stays', () => {
    let ledger = EMPTY_LEDGER;
    for (let n = 0; n <= MAX_RECENT_KEYS; n++) ledger = rememberKey(ledger, keyOf(n), n, undefined);
    const seal = planSeal(ledger, undefined);
    if (seal === undefined) throw new Error('nothing to seal');
    ledger = rememberKey(ledger, keyOf(-1), 9999, undefined);
    ledger = applySeal(ledger, seal, { id: 'p', keys: MAX_RECENT_KEYS + 1, since: 0, until: MAX_RECENT_KEYS });
    expect(ledgerKeys(ledger)).toEqual({
      pages: [expect.objectContaining({ id: 'p' })],
      recent: keyOf(-1),
      version: keyOf(-1),
    });
  });
});

test('a KeySet is a set', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 5000 }), (numbers) => {
      const set = new KeySet();
      for (const n of numbers) set.add(keyOf(n));
      const model = new Set(numbers);
      expect(set.size).toBe(model.size);
      for (let n = 0; n <= 3000; n += 7) expect(set.has(keyOf(n))).toBe(model.has(n));
    }),
    { numRuns: 20 }
  );
});
