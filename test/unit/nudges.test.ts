import { expect, test } from 'vitest';
import { Nudges } from '../../src/workflows/nudges.js';

/** When a subscriber is woken, in seconds, while an event comes each half second. */
function wokenAt(forSeconds: number, positionAt: (woken: number, last: number) => number): readonly number[] {
  const nudges = new Nudges();
  const woken: number[] = [];
  for (let last = 1; last <= forSeconds * 2; last++) {
    const now = last * 500;
    const subscribers = [{ sensor: 's', position: positionAt(woken.length, last) }];
    const next = nudges.next(subscribers, last);
    const sensors = nudges.take(subscribers, last, now);
    expect(sensors.length > 0).toBe(next !== undefined && next <= now);
    if (sensors.length > 0) woken.push(now / 1_000);
  }
  return woken;
}

test('a subscriber that moves is woken twice a second; one that does not ever less often, at least once a minute', () => {
  expect(wokenAt(5, (_, last) => last - 1)).toEqual([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]);
  const stopped = wokenAt(300, () => 0);
  expect(stopped).toEqual([0.5, 1, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
  // as soon as it moves again, nothing is held against it
  const back = wokenAt(80, (woken, last) => (woken < 8 ? 0 : last - 1));
  expect(back.slice(6, 11)).toEqual([32, 64, 64.5, 65, 65.5]);
});

test('a subscriber is woken once for what there is, and not for what it has read', () => {
  const nudges = new Nudges();
  expect(nudges.next([{ sensor: 's', position: 3 }], 3)).toBeUndefined();
  expect(nudges.take([{ sensor: 's', position: 2 }], 3, 1_000)).toEqual(['s']);
  expect(nudges.next([{ sensor: 's', position: 2 }], 3)).toBeUndefined();
  // what comes in a pause is not forgotten
  expect(nudges.next([{ sensor: 's', position: 2 }], 4)).toBe(1_500);
  expect(nudges.take([{ sensor: 'other', position: 0 }], 4, 1_100)).toEqual(['other']);
});
