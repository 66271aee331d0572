import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  doneUntil,
  highOf,
  includesAll,
  lowOf,
  isStoredPositions,
  parsePositions,
  storePositions,
  union,
  upTo,
  withDone,
  withPassed,
  type Positions,
} from '../../src/sensors/positions.js';

const MOST = 60;
const sets = fc.record({ low: fc.nat(20), done: fc.array(fc.integer({ min: 1, max: MOST })) });
const made = ({ low, done }: { low: number; done: readonly number[] }): Positions => withDone(upTo(low), done);
const open = (positions: Positions): readonly number[] =>
  Array.from({ length: MOST }, (_, index) => index + 1).filter((each) => doneUntil(positions, each) === undefined);

test('a set of positions has what was added to it, and comes back whole from its stored form', () => {
  fc.assert(
    fc.property(sets, (set) => {
      const positions = made(set);
      const done = new Set(set.done);
      expect(open(positions)).toEqual(
        Array.from({ length: MOST }, (_, index) => index + 1).filter((each) => each > set.low && !done.has(each))
      );
      const stored = storePositions(positions);
      expect(isStoredPositions(stored)).toBe(true);
      expect(parsePositions(stored)).toEqual(positions);
      expect(highOf(positions)).toBe(Math.max(set.low, ...set.done));
    })
  );
});

test('a union has what either has, and includes both', () => {
  fc.assert(
    fc.property(sets, sets, (a, b) => {
      const [left, right] = [made(a), made(b)];
      const both = union(left, right);
      expect(open(both)).toEqual(open(left).filter((each) => open(right).includes(each)));
      expect(includesAll(both, left) && includesAll(both, right)).toBe(true);
      expect(includesAll(left, both)).toBe(open(left).length === open(both).length);
    })
  );
});

test('what nobody looks at is done as far as that hides nothing: the low position goes on, and no open event is passed over', () => {
  fc.assert(
    fc.property(sets, fc.uniqueArray(fc.integer({ min: 1, max: MOST })), (set, some) => {
      const before = made(set);
      const passed = open(before).filter((each) => some.includes(each));
      const after = withPassed(before, passed);
      const others = (positions: Positions): readonly number[] =>
        open(positions).filter((each) => !passed.includes(each));
      expect(others(after)).toEqual(others(before));
      expect(passed).not.toContain(lowOf(after) + 1);
      const next = others(before).find((each) => each > highOf(before));
      if (next !== undefined) expect(highOf(after)).toBeLessThan(next);
    })
  );
});

test('ten thousand open events between done ones take less than 32 KB', () => {
  const done = Array.from({ length: 10_000 }, (_, index) => 1_000_000 + 2 * index);
  expect(storePositions(withDone(upTo(999_998), done)).above.length).toBeLessThan(32 * 1024);
});

test.each(['0', '1  2', '1+', 'x y ', '-1', '1+0'])('a text that is no set is refused: %j', (above) => {
  expect(isStoredPositions({ low: 0, above })).toBe(false);
});
