/**
 * Which events of a log are done, as sets of positions: all up to a low position, and single ones or stretches above it.
 * Pure.
 *
 * A set is stored as the low position and a text of what lies above: for each stretch how many positions before it are
 * open, and how many it has if it has more than one, in base 36. `{ low: 4, above: '1 2+a' }` is 1 to 4, 6, and 9 to 18.
 * Two or three bytes for each stretch, so thousands of open events between done ones fit a cursor.
 */
import { isObject } from './json.js';

const NUMBER = '[1-9a-z][0-9a-z]{0,9}';

export const ABOVE = new RegExp(`^(${NUMBER}(\\+${NUMBER})?( (?=.)|$))*$`);

/** As they are stored. */
export interface StoredPositions {
  /** Everything up to here is done. */
  readonly low: number;
  /** What is done above it. */
  readonly above: string;
}

export function isStoredPositions(value: unknown): value is StoredPositions {
  if (!isObject(value)) return false;
  const { low, above } = value;
  return Number.isSafeInteger(low) && (low as number) >= 0 && typeof above === 'string' && ABOVE.test(above);
}

type Stretch = readonly [from: number, to: number];

/** Stretches in order that neither meet nor overlap; the first begins at 0, before the first event. */
export type Positions = readonly Stretch[];

/** Everything up to a position. */
export function upTo(position: number): Positions {
  return [[0, position]];
}

export function parsePositions({ low, above }: StoredPositions): Positions {
  const positions: Stretch[] = [[0, low]];
  let end = low;
  for (const part of above.split(' ')) {
    if (part === '') continue;
    const [open = '', many = '1'] = part.split('+');
    const from = end + Number.parseInt(open, 36) + 1;
    end = from + Number.parseInt(many, 36) - 1;
    positions.push([from, end]);
  }
  return positions;
}

export function storePositions(positions: Positions): StoredPositions {
  let end = lowOf(positions);
  const above = positions.slice(1).map(([from, to]) => {
    const open = (from - end - 1).toString(36);
    end = to;
    return from === to ? open : `${open}+${(to - from + 1).toString(36)}`;
  });
  return { low: lowOf(positions), above: above.join(' ') };
}

/** The position up to which everything is done. */
export function lowOf(positions: Positions): number {
  return positions[0]?.[1] ?? 0;
}

/** The last position that is done. */
export function highOf(positions: Positions): number {
  return positions.at(-1)?.[1] ?? 0;
}

/** How many positions are done. */
export function sizeOf(positions: Positions): number {
  return positions.reduce((sum, [from, to]) => sum + to - Math.max(from, 1) + 1, 0);
}

/** The end of the stretch that a position is in; `undefined` when it is open. */
export function doneUntil(positions: Positions, position: number): number | undefined {
  let [low, high] = [0, positions.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [from, to] = positions[middle] as Stretch;
    if (position < from) high = middle - 1;
    else if (position > to) low = middle + 1;
    else return to;
  }
  return undefined;
}

/** What is done in either. */
export function union(a: Positions, b: Positions): Positions {
  const united: [number, number][] = [];
  for (const [from, to] of [...a, ...b].toSorted(([left], [right]) => left - right)) {
    const last = united.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else united.push([from, to]);
  }
  return united;
}

/** With these positions done as well. */
export function withDone(positions: Positions, done: readonly number[]): Positions {
  return union(
    positions,
    done.map((position) => [position, position])
  );
}

/** With what nobody is to look at done too, as far as done events reach, and where nothing open is before it. */
export function withPassed(positions: Positions, passed: readonly number[]): Positions {
  const high = highOf(positions);
  const inside = withDone(
    positions,
    passed.filter((position) => position < high)
  );
  let low = lowOf(inside);
  const skipped = passed.filter((position) => {
    if (inside.length > 1 || position !== low + 1) return false;
    low = position;
    return true;
  });
  return withDone(inside, skipped);
}

/** Whether everything that is done in `b` is done in `a`. */
export function includesAll(a: Positions, b: Positions): boolean {
  return b.every(([from, to]) => (doneUntil(a, from) ?? -1) >= to);
}
