/** What `explain` makes of an event of a sensor that is fed by events, and of a dead letter. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eventLines } from '../../src/cli/explain-event-text.js';
import {
  decideAssetEvent,
  keptAnswer,
  lookedAtOf,
  placesOf,
  readLogOf,
  readsOf,
  type AssetEventFacts,
} from '../../src/client/explain-event.js';
import type { EventAnswer, SensorDescription, Standing } from '../../src/client/index.js';
import { assetEventKey, placeText } from '../../src/sensors/asset-sensor-event.js';
import { deadLetterId } from '../../src/sensors/handle-events.js';
import type { Json } from '../../src/sensors/json.js';
import { storePositions, upTo, withDone } from '../../src/sensors/positions.js';
import type { DeadLetter, LoopState } from '../../src/sensors/protocol.js';
import { runKeyHash } from '../../src/sensors/run-key.js';
import { newState } from '../../src/workflows/state.js';
import { loopOptions as options } from '../support/loop-options.js';

const T = Date.UTC(2026, 0, 31, 8);
const running: Standing = { kind: 'running', lastOutcome: 'no new events' };
const watching = (...names: readonly string[]): LoopState => ({
  ...newState(
    { ...options, lineage: { assets: Object.fromEntries(names.map((name) => [name, { watched: true }])) } },
    T
  ),
});
const withCursor = (value: Json, state: LoopState = watching('orders')): LoopState => ({ ...state, cursor: { value } });

test('the ID of an event says where it is, alone and in a match', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9_.-]{1,8}$/);
  const place = fc.record({
    asset: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    log: fc.oneof(fc.constant(''), fc.stringMatching(/^[0-9a-z]{1,8}$/)),
    position: fc.integer({ min: 0, max: 999_999_999 }),
  });
  fc.assert(
    fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), (places) => {
      const id = places.map(({ asset, log, position }) => assetEventKey(asset, placeText(log, position))).join('+');
      expect(placesOf(id)).toEqual(places);
    })
  );
  for (const other of ['a', 'ann@example.com', 'a@l.00', 'a@', '@l.1', 'a@l.1+b', 'a b@l.1', 'a@L.1'])
    expect(placesOf(other), other).toEqual([]);
});

const letter = (more: Partial<DeadLetter>): DeadLetter => ({
  id: 'event-x',
  kind: 'event',
  error: 'no',
  tick: 4,
  firstAt: T,
  lastAt: T,
  count: 1,
  ...more,
});
const kept = (text: string, state: Partial<LoopState>) =>
  keptAnswer(text, { ...watching('orders'), ...state }, running);

test('a dead letter that somebody discarded is told by its ID, and by that of its event', () => {
  const id = deadLetterId('orders@l.7');
  const audit = [{ at: T, what: 'discard 1 dead letters', by: 'ann', reason: 'a test', letters: [id] }];
  const discarded = { kind: 'discarded', id, at: new Date(T), by: 'ann', reason: 'a test' };
  expect(kept(id, { audit })).toEqual(discarded);
  expect(kept('orders@l.7', { audit })).toEqual(discarded);
  expect(kept('orders@l.8', { audit })).toBeUndefined();
  expect(eventLines(discarded as EventAnswer, id, 's').join()).toMatch(
    /^Dead letter 'event-.*' of s: discarded by ann \(a test\), /
  );
});

test('a parked event is known by its ID, and by those of the events of a match or of its run', () => {
  const id = 'orders@l.4+users@l.4';
  const parked = letter({
    id: deadLetterId(id),
    payload: { o: 'l.4', u: 'l.4' },
    error: `${id} (2 tries): no: really`,
  });
  const found = { kind: 'deadLetter', what: 'event', id: parked.id, tick: 4 };
  for (const text of [id, 'orders@l.4', 'users@l.4', parked.id])
    expect(kept(text, { deadLetters: [parked] }), text).toMatchObject(found);
  // logs that began in the same second have one identity
  expect(kept('other@l.4', { deadLetters: [parked] })).toBeUndefined();
  const cut = { ...parked, id: 'event-y', error: 'orders@l.4+us … (cut, 900 bytes)' };
  expect(kept('users@l.4', { deadLetters: [cut] })).toMatchObject({ id: 'event-y' });
  expect(kept('users@l.5', { deadLetters: [cut] })).toBeUndefined();

  const run = letter({ payload: { workflowId: 's:process:a', runId: 'r1', status: 'failed' } });
  for (const text of ['s:process:a/r1/failed', 's:process:a/r1', 's:process:a', 'r1'])
    expect(kept(text, { deadLetters: [run] }), text).toMatchObject({ kind: 'deadLetter', id: 'event-x' });
  expect(kept('s:process:a/r1/completed', { deadLetters: [run] })).toBeUndefined();

  const request = letter({ id: 'AbC', kind: 'request', job: 'process', runKey: 'a' });
  expect(kept('AbC', { deadLetters: [request] })).toMatchObject({ what: 'request', job: 'process', runKey: 'a' });
  expect(kept('a', { deadLetters: [request] })).toBeUndefined();
});

test('an event that is tried again is found in the cursor, whatever feeds the sensor', () => {
  const retry = { attempts: 3, at: T, error: 'orders@l.2: down' };
  const one = {
    log: 'l',
    asset: 'orders',
    position: 6,
    retries: [{ ref: { asset: 'orders', log: 'l', position: 2 }, ...retry }],
  };
  const retried = { kind: 'retried', attempts: 3, at: new Date(T), standing: running };
  expect(kept('orders@l.2', withCursor(one))).toMatchObject(retried);
  expect(kept('orders@l.3', withCursor(one))).toBeUndefined();
  const run = { ref: { workflowId: 'w', runId: 'r', status: 'failed' }, ...retry, error: 'w/r/failed: down' };
  expect(kept('w', withCursor({ since: T, seen: '', retries: [run] }))).toMatchObject(retried);
  expect(kept('w', withCursor({ position: 1 }))).toBeUndefined();
});

const place = { asset: 'orders', log: 'l', position: 4 };
const log = { id: 'l', first: 1, last: 6 };
const decided = (more: Partial<AssetEventFacts> = {}) =>
  decideAssetEvent({
    place,
    read: { log: 'l', positions: upTo(3), together: false },
    log,
    startedAt: T,
    standing: running,
    ...more,
  });

test('an event that nobody handles is not read yet, waits, is done, or is not there', () => {
  expect(decided()).toMatchObject({ kind: 'unread', event: 'orders@l.4', readTo: 3, last: 6 });
  expect(decided({ log: undefined })).not.toHaveProperty('last');
  expect(decided({ read: { log: 'l', positions: upTo(4), together: false } })).toMatchObject({
    kind: 'read',
    readTo: 4,
  });
  expect(decided({ log: { ...log, last: 3 } })).toMatchObject({ kind: 'absent', last: 3 });
  expect(decided({ log: { ...log, first: 5 } })).toMatchObject({ kind: 'absent', first: 5 });
  expect(decided({ place: { ...place, position: 0 } })).toMatchObject({ kind: 'absent', last: 6 });
  expect(decided({ log: 'none' })).toMatchObject({ kind: 'noLog' });
  expect(decided({ log: { ...log, id: 'm' } })).toMatchObject({ kind: 'otherLog', log: 'm' });
  // the sensor has not looked at the log that began anew
  const before = { log: 'k', positions: upTo(9), together: false };
  expect(decided({ read: before })).toMatchObject({ kind: 'unread', readTo: 0 });
  expect(decided({ read: before, log: undefined })).toMatchObject({ kind: 'unanswered' });

  const together = { log: 'l', positions: upTo(3), together: true };
  const event = { kind: 'materialization', at: T, partitionKey: 'mon' } as const;
  expect(decided({ read: together, event, lookedAt: T - 1 })).toMatchObject({ kind: 'unread', partitionKey: 'mon' });
  expect(decided({ read: together, event, lookedAt: T + 1 })).toMatchObject({
    kind: 'waiting',
    recordedAt: new Date(T),
  });
  const attempt = { lastAttemptAt: new Date(T + 1) };
  const looked = (folded: boolean) => lookedAtOf({ evaluation: { ...attempt, folded } } as SensorDescription);
  expect(looked(true)).toEqual(attempt.lastAttemptAt);
  // it failed, only waited, or had not the definition
  expect(looked(false)).toBeUndefined();
  const passed = { ...together, positions: withDone(upTo(3), [5]) };
  expect(decided({ read: passed })).toMatchObject({ kind: 'waiting' });
  expect(decided({ read: passed, place: { ...place, position: 5 } })).toMatchObject({ kind: 'read', together: true });
});

test('how far a sensor is in a log is read from its own cursor, of assets that it watches', () => {
  const one = { log: 'l', position: 4, retries: [] };
  expect(readLogOf(withCursor(one), 'orders')).toEqual({ log: 'l', positions: upTo(4), together: false });
  expect(readLogOf(withCursor(one), 'users')).toBeUndefined();
  expect(readLogOf(withCursor({ ...one, asset: 'users' }), 'orders')).toBeUndefined();
  expect(readLogOf(withCursor({ position: 4 }), 'orders')).toBeUndefined();
  expect(readLogOf(watching('orders'), 'orders')).toMatchObject({ log: '', positions: upTo(0) });
  const positions = withDone(upTo(2), [4]);
  const several = { assets: { orders: { log: 'l', ...storePositions(positions) } }, retries: [] };
  const state = withCursor(several, watching('orders', 'users'));
  expect(readLogOf(state, 'orders')).toEqual({ log: 'l', positions, together: true });
  expect(readLogOf(state, 'users')).toMatchObject({ log: '', together: true });
  expect(readLogOf(state, 'others')).toBeUndefined();
  expect(readsOf(state)).toEqual(['orders', 'users']);
  expect(readsOf(withCursor({ ...one, asset: 'users' }))).toEqual([]);
  expect(readsOf(withCursor({ position: 4 }))).toEqual([]);
});

test('each answer is a sentence, with what to do', () => {
  const lines = (answer: EventAnswer | undefined, text = 'orders@l.4'): string =>
    answer === undefined ? '' : eventLines(answer, text, 's').join('\n');
  const parked = kept('event-x', { deadLetters: [letter({ payload: { asset: 'orders', log: 'l', position: 4 } })] });
  expect(lines(parked)).toMatch(
    /^Event 'orders@l\.4' of s: parked as dead letter 'event-x' .*: no\n.*sensors dead-letters retry s event-x\n/
  );
  expect(lines(parked)).not.toContain('1 time');
  expect(lines(kept('event-x', { deadLetters: [letter({ count: 2 })] }), 'event-x')).toContain('), 2 times, the last ');
  expect(lines(parked, 'event-x')).toMatch(/^Dead letter 'event-x' of s: an event was parked /);
  const request = letter({ id: 'AbC', kind: 'request', job: 'process', runKey: 'a' });
  expect(lines(kept('AbC', { deadLetters: [request] }), 'AbC')).toMatch(
    /^Dead letter 'AbC' of s: a request \(job process, key 'a'\) was rejected .* at tick 4: no\n/
  );
  // what was too large to be kept cannot be tried again
  expect(kept('AbC', { deadLetters: [request] })).toMatchObject({ retryable: false });
  expect(lines(kept('AbC', { deadLetters: [request] }), 'AbC')).toMatch(
    /cannot be tried again: let the sensor request it again\. Give it up: sensors dead-letters discard s AbC$/
  );
  const id = runKeyHash('process', 'a');
  const whole = { deadLetters: [{ ...request, id, payload: {} }] };
  expect(kept(id, whole)).toMatchObject({ retryable: true });
  expect(kept('AbC', { deadLetters: [{ ...request, payload: {} }] })).toMatchObject({ retryable: false });
  const stopped: Standing = { kind: 'stopped', from: 'operator', by: 'ann' };
  expect(lines(decided({ standing: stopped }))).toMatch(
    /: not read yet: the sensor has read up to 3 of 6\.\n.*stopped by ann\. Start it with: sensors start s$/
  );
  expect(lines(decided({ log: { ...log, last: 3 } }))).toContain(
    'events up to 3. See them: sensors assets events orders'
  );
  expect(lines(decided({ place: { ...place, position: 0 } }))).toContain('events count from 1, and ');
  expect(lines(decided({ log: { ...log, id: 'm' } }))).toMatch(/deleted, .* or the ID is a slip\. /);
  expect(lines({ kind: 'notRead', event: 'order@l.4', asset: 'order', position: 4, reads: ['orders'] })).toBe(
    "Event 'order@l.4' of s: s does not read asset order; it reads orders. As a run key, nothing has asked for it."
  );
  expect(lines(decided({ log: undefined }))).toContain('whether there is such an event is not known');
  const read = { log: 'l', positions: upTo(6), together: false };
  const event = { kind: 'materialization', at: T - 1 } as const;
  expect(lines(decided({ read, event }))).toMatch(
    /the handler asked for none or .* parked and given up, .*\(`latest`\)\. It was recorded before the sensor was last started/
  );
  expect(lines(decided({ read, event: { ...event, kind: 'observation' } }))).toContain('(an observation, recorded ');
  const retried = { kind: 'retried', attempts: 2, error: 'down', standing: stopped } as const;
  expect(lines({ ...retried, at: new Date(Date.now() + 90_000) })).toMatch(
    /2 times so far, and is tried again in 1 min .*: down\n.*\n.*sensors start s$/
  );
  expect(lines({ ...retried, at: new Date(T), gone: true })).toMatch(
    /2 times so far: down\n.*gone: when the sensor looks next, it is parked.*\n.*sensors start s$/
  );
  expect(lines({ ...retried, at: new Date(T) })).toContain('is tried again with the next evaluation: down\n');
  const returned = { ref: { asset: 'orders', log: 'l', position: 4 }, attempts: 9, at: 0, error: 'handed back' };
  const waiting = kept('orders@l.4', withCursor({ log: 'l', asset: 'orders', position: 6, retries: [returned] }));
  expect(lines(waiting)).toContain(': was handed back, and is tried again with the next evaluation.\n');
});
