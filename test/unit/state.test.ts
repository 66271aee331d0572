import { CancelledFailure } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KnownStreaks } from '../../src/activities/known-streaks.js';
import { ServerClock } from '../../src/activities/server-clock.js';
import { addOutage, addReason, extendStreak } from '../../src/activities/streak.js';
import { eventsOfTick } from '../../src/sensors/asset-requests.js';
import { describeTick } from '../../src/sensors/describe-tick.js';
import { jsonBytes, type Json } from '../../src/sensors/json.js';
import { KEY_CHARS, planSeal, unpackKeys } from '../../src/sensors/key-ledger.js';
import type {
  EvaluationInput,
  EvaluationResult,
  LaunchRequest,
  LoopOptions,
  LoopState,
  QuietReason,
  TickRecord,
} from '../../src/sensors/protocol.js';
import { endEvaluation } from '../../src/workflows/apply.js';
import { bytesOf } from '../../src/workflows/inbox.js';
import { parseWaitingAssets } from '../../src/workflows/parse.js';
import * as rules from '../../src/workflows/rules.js';
import { addDeadLetters } from '../../src/workflows/records.js';
import { knownUntil } from '../../src/workflows/state.js';
import { isTold, memoOf } from '../../src/workflows/views.js';

const options: LoopOptions = {
  intervalMs: 1000,
  timeoutMs: 60_000,
  defaultStatus: 'running',
  maxEventAttempts: 3,
  definition: 'one',
  hooks: { onFailure: false, onRecovered: false },
  jobs: ['job'],
  tags: {},
  owners: [],
};
const result: EvaluationResult = {
  kind: 'evaluated',
  requests: [],
  staged: [],
  cleared: [],
  rejected: [],
  duplicates: { count: 0, sample: [] },
  cursor: { kind: 'keep' },
  more: false,
  logs: [],
  logLinesDropped: 0,
  durationMs: 1,
  quiet: [],
};

function begin(state: LoopState, now: number) {
  return rules.beginEvaluation(state, { sensor: 's', evaluation: 1, delayMs: 0, rest: false }, now);
}

/** A whole tick that starts everything it asks for. */
function tick(state: LoopState, now: number, partial: Partial<EvaluationResult> = {}): LoopState {
  const begun = begin(state, now);
  let next = rules.commit(begun.state, begun.evaluated, { ...result, ...partial }, now);
  for (const request of next.launch?.remaining ?? []) next = rules.settle(next, request, 'started', now);
  return sealed(ended(next, [], now), now);
}

/** What the loop does between two ticks when it remembers many keys. */
function sealed(state: LoopState, now: number): LoopState {
  const seal = planSeal(state.ledger, undefined);
  if (seal === undefined) return state;
  const keys = seal.segment.keys.length / KEY_CHARS + seal.merge.reduce((sum, page) => sum + page.keys, 0);
  const { since, until } = seal.segment;
  return rules.seal(state, seal, { id: `page/s/keys/${now}`, keys, since, until });
}

/** The launch ends with these requests still to be started. */
function ended(state: LoopState, remaining: readonly LaunchRequest[], now: number): LoopState {
  if (state.launch === undefined) return state;
  return rules.endLaunch({ ...state, launch: { ...state.launch, remaining } }, now);
}

describe('status', () => {
  test('the operator wins over the code until reset', () => {
    let state = rules.newState({ ...options, defaultStatus: 'stopped' }, 0);
    expect(rules.isRunning(state)).toBe(false);
    state = rules.choose(state, rules.operatorChoice('running', { by: 'ann' }, 5), 5);
    expect(rules.isRunning(state)).toBe(true);
    expect(rules.isRunning(rules.configure(state, { ...options, defaultStatus: 'stopped' }, 6))).toBe(true);
    expect(rules.isRunning(rules.choose(state, undefined, 7))).toBe(false);
  });

  test('only a start of a stopped sensor makes its next tick the first one', () => {
    const ticked = tick(rules.newState(options, 0), 10);
    expect(ticked.first).toBe(false);
    expect(rules.choose(ticked, rules.operatorChoice('running', {}, 20), 20)).toMatchObject({
      first: false,
      startedAt: 0,
    });
    const stopped = rules.choose(ticked, rules.operatorChoice('stopped', {}, 30), 30);
    expect(rules.choose(stopped, rules.operatorChoice('running', {}, 40), 40)).toMatchObject({
      first: true,
      startedAt: 40,
    });
  });

  test('a stop with a time in the past or no time at all does not end by itself', () => {
    expect(rules.operatorChoice('stopped', { until: 5 }, 10).until).toBeUndefined();
    expect(rules.operatorChoice('stopped', { until: 'nonsense' }, 10).until).toBeUndefined();
    expect(rules.operatorChoice('stopped', { until: '1970-01-01T00:00:01Z' }, 10).until).toBe(1000);
  });
});

describe('rhythm', () => {
  test('the interval counts from the end of the evaluation', () => {
    const state = tick(rules.newState(options, 0), 500);
    expect(rules.nextStep(state, 600)).toEqual({ kind: 'evaluate', delayMs: 900 });
    expect(rules.nextStep(rules.wakeUp(state, 'push'), 600)).toEqual({ kind: 'evaluate', delayMs: 0 });
  });

  test('an interrupted streak goes on in its rhythm; a quiet attempt begins a new interval', () => {
    const state = { ...tick(rules.newState(options, 0), 0), nextAt: 1000 };
    const { evaluated } = rules.beginEvaluation(state, { sensor: 's', evaluation: 1, delayMs: 1000, rest: false }, 0);
    expect(rules.interrupted(state, evaluated, false, 500).nextAt).toBe(1000);
    expect(rules.interrupted(state, evaluated, false, 4200).nextAt).toBe(5000);
    expect(rules.interrupted(state, evaluated, true, 4200).nextAt).toBe(5200);
  });

  test('what a rest says of its streak is kept, and so is until when that is known', () => {
    const quiet = [{ reason: 'no files', since: 500 }];
    const again = { sensor: 's', evaluation: 2, rest: true };
    const end = (given: LoopState, value: unknown, now: number): LoopState => {
      const { evaluated, state } = rules.beginEvaluation(given, { ...again, delayMs: 0 }, now - 100);
      const how = value === undefined ? { error: new CancelledFailure('woken') } : { value };
      return endEvaluation(state, { evaluated, cursorEdits: 0, cancelled: true }, how, now).state;
    };
    const rested = end(tick(rules.newState(options, 0), 0), { kind: 'rest', quiet: [...quiet, { reason: 7 }] }, 1000);
    expect(rested.streak).toEqual({ reasons: quiet, endedAt: 1000 });
    const { input } = rules.beginEvaluation(rested, { ...again, delayMs: 500 }, 1000).evaluated;
    expect(input.streak).toEqual(rested.streak);
    // before its time nothing was evaluated
    const early = { input, trigger: 'interval', dueAt: 1500 } as const;
    expect(rules.interrupted(rested, early, false, 1200).streak).toEqual(rested.streak);
    const twice = end(end(rested, undefined, 2000), undefined, 3000);
    expect(twice.streak).toEqual({ reasons: [{ reason: 'no files', since: 500, until: 1000 }], endedAt: 3000 });
    expect(tick(twice, 4000)).not.toHaveProperty('streak');
    const timedOut = { logs: [], logLinesDropped: 0, durationMs: 0, quiet: [] };
    const failed = rules.fail(rested, begin(rested, 2000).evaluated, 'timed out', timedOut, 3000).ring.at(-1);
    expect(failed?.quiet).toEqual([{ reason: 'no files', since: 500, until: 1000 }]);
    const many = Array.from({ length: 99 }, (_, since) => ({ reason: 'x'.repeat(9_999), since }));
    expect(jsonBytes(end(rested, { kind: 'rest', quiet: many }, 2000).streak)).toBeLessThan(7 * 1024);
  });

  test('a worker tells of the evaluations that left no record, as far as it knows of them', () => {
    const known = new KnownStreaks();
    const { input } = begin(tick(rules.newState(options, 0), 0), 0).evaluated;
    const at = (endedAt: number, more: Partial<EvaluationInput> = {}): readonly QuietReason[] | undefined =>
      known.before({ ...input, streak: { reasons: [], endedAt }, ...more })?.reasons;
    const reasons = [{ reason: 'no files', since: 500 }];
    expect(at(1200)).toBeUndefined();
    known.keep(input, { reasons, at: 1000 }, 2000);
    expect(known.before(input)).toBeUndefined();
    expect(at(1200)).toEqual(reasons);
    // there may have been an attempt on another worker since
    expect(at(2500)).toEqual([{ reason: 'no files', since: 500, until: 2000 }]);
    const rested = [{ reason: 'no csv files', since: 2100 }];
    expect(at(2500, { streak: { reasons: rested, endedAt: 2500 } })).toEqual(rested);
    expect(at(1200, { tick: input.tick + 1 })).toBeUndefined();
  });

  test('a streak that is interrupted again and again keeps what was said before', () => {
    let streak = addReason(undefined, 'no files', 0);
    for (let now = 1; now < 50; now++)
      streak = addReason({ reasons: knownUntil(streak.reasons, now), at: now }, 'no csv files', now);
    expect(streak.reasons).toHaveLength(20);
    expect(streak.reasons[0]).toMatchObject({ reason: 'no files' });
    expect(streak.reasons.at(-1)).toEqual({ reason: 'no csv files', since: 49 });
  });

  test('an outage is kept in the record of the streak at once, and outages again and again push out no others', () => {
    const quiet = addReason(undefined, 'no files', 1000);
    expect(addOutage(quiet, 20_000, 30_000)).toBe(quiet);
    const outage = addOutage(quiet, 20_000, 50_000);
    expect(outage?.reasons).toEqual([
      { reason: 'no files', since: 1000, until: 20_000 },
      {
        reason: 'not evaluated: no worker took the evaluation that was due',
        since: 20_000,
        until: 50_000,
        notEvaluated: true,
      },
    ]);
    expect(extendStreak(outage, 'no files', 61_000)?.reasons.at(-1)).toEqual({ reason: 'no files', since: 61_000 });
    expect(addOutage(undefined, 20_000, 50_000)?.reasons).toHaveLength(1);
    let streak = addReason(addReason(undefined, 'no access', 0), 'no files', 1);
    for (let now = 200_000; now < 10_000_000; now += 200_000)
      streak = addReason(addOutage(streak, now - 50_000, now), 'no files', now);
    expect(streak.reasons).toHaveLength(20);
    expect(streak.reasons[0]).toMatchObject({ reason: 'no access' });
    expect(streak.reasons.at(-2)).toMatchObject({ notEvaluated: true, until: 9_800_000 });
  });

  test('a worker that is late at every attempt tells of one outage, and writes it once a minute', () => {
    let streak = addReason(undefined, 'no files', 0);
    let writes = 0;
    for (let now = 40_000; now <= 640_000; now += 30_000) {
      const before = addOutage(streak, now - 20_000, now);
      const written = extendStreak(before, 'no files', now);
      if (written !== undefined) writes++;
      streak = written ?? addReason(before, 'no files', now);
    }
    expect(streak.reasons).toEqual([
      { reason: 'no files', since: 0, until: 20_000 },
      expect.objectContaining({ since: 20_000, until: 640_000, notEvaluated: true }),
      { reason: 'no files', since: 640_000 },
    ]);
    expect(writes).toBeLessThanOrEqual(11);
  });

  test('a worker whose clock is wrong sees no outage once an attempt has followed one of its own', () => {
    for (const aheadMs of [3_600_000, -3_600_000]) {
      const clock = new ServerClock();
      const attempt = (number: number, scheduledAt: number) => ({
        activityId: '1',
        attempt: number,
        currentAttemptScheduledTimestampMs: scheduledAt,
      });
      expect(clock.begins('s', attempt(1, 1_000), 1_005 + aheadMs)).toBe(1_005 + aheadMs);
      clock.ends('s', attempt(1, 1_000), 30_000, 1_100 + aheadMs);
      expect(clock.begins('s', attempt(2, 31_100), 31_120 + aheadMs)).toBe(31_120);
      expect(clock.begins('other', attempt(1, 31_500), 60_000 + aheadMs)).toBe(60_000);
      // another worker took one in between
      clock.ends('s', attempt(2, 31_100), 30_000, 31_200 + aheadMs);
      expect(clock.begins('s', attempt(4, 200_000), 260_000 + aheadMs)).toBe(260_000);
    }
  });

  test('a memo tells of the ticks of a sensor with pending requests, and costs no event more than without', () => {
    const requests = [1, 2].map((n) => ({ id: `s:job:${n}`, job: 'job', args: [] }));
    const committed = (state: LoopState, now: number): LoopState => {
      const { evaluated, state: begun } = begin(state, now);
      return rules.commit(begun, evaluated, { ...result, requests }, now);
    };
    const limited = { ...options, maxRunsPerTick: 1 };
    const holding = ended(committed(rules.newState(limited, 0), 0), requests, 5);
    const { facts, ...told } = memoOf(holding);
    expect(facts).toMatchObject({ lastTick: { tick: 1 } });
    expect(isTold(told, memoOf(holding))).toBe(true);
    expect(isTold({ ...told, pending: 1 }, memoOf(holding))).toBe(false);
    expect(memoOf(tick(rules.newState(options, 0), 0))).not.toHaveProperty('facts');
    const stopped = rules.choose(holding, rules.operatorChoice('stopped', {}, 10), 10);
    const { facts: _, ...without } = memoOf(stopped);
    expect(isTold(without, memoOf(stopped))).toBe(false);
    expect(memoOf(holding, 2)).not.toHaveProperty('facts');
  });

  test('what was pending for many ticks is known as asked for by the tick that did, also when it is discarded', () => {
    const requests = Array.from({ length: 300 }, (_, n) => {
      return {
        id: `s:job:${n}`,
        job: 'job',
        args: [],
        hash: `${'A'.repeat(KEY_CHARS - 3)}${String(n).padStart(3, '0')}`,
      };
    });
    const { evaluated, state: begun } = begin(tick(rules.newState({ ...options, maxRunsPerTick: 1 }, 0), 0), 1000);
    let state = ended(rules.commit(begun, evaluated, { ...result, requests }, 1000), requests, 1001);
    for (let now = 2000; now < 62_000; now += 1000) state = ended(rules.resumeLaunch(state, now), requests, now);
    expect(state.ring.every(({ trigger }) => trigger === 'pending')).toBe(true);
    expect(rules.discardedRequests(state)).toMatchObject({ tick: 2, others: 100 });
    expect(
      rules.discardedRequests({ ...state, launch: { remaining: requests.slice(0, 9), staged: [], refused: [] } })
    ).not.toHaveProperty('others');
  });

  test('a tick that was asked for is not forgotten by an interruption or another reason', () => {
    const stopped = rules.newState({ ...options, defaultStatus: 'stopped' }, 0);
    expect(rules.nextStep(rules.wakeUp(stopped, 'push'), 0)).toEqual({ kind: 'wait' });
    const asked = rules.wakeUp(rules.wakeUp(stopped, 'tick'), 'push');
    expect(asked.wake).toBe('tick');
    expect(rules.nextStep(asked, 0)).toEqual({ kind: 'evaluate', delayMs: 0 });
    const begun = begin(asked, 0);
    expect(begun.evaluated.input.fold).toBe(false);
    expect(rules.interrupted(begun.state, begun.evaluated, false, 5).wake).toBe('tick');
  });
});

describe('bounds', () => {
  test('whatever is pushed, the inbox keeps its bytes, and every event is waiting, dropped or a dead letter', () => {
    const event: fc.Arbitrary<Json> = fc.oneof(
      fc.string({ maxLength: 900 }),
      fc.constant('x'.repeat(2000)),
      fc.record({ n: fc.nat(), text: fc.string({ unit: 'binary', maxLength: 200 }) })
    );
    fc.assert(
      fc.property(fc.array(fc.array(event, { maxLength: 40 }), { maxLength: 40 }), (batches) => {
        let state = rules.newState(options, 0);
        let pushed = 0;
        for (const batch of batches) {
          state = rules.pushEvents(state, batch, 1);
          pushed += batch.length;
        }
        expect(state.inboxBytes).toBe(bytesOf(state.inbox));
        expect(state.inboxBytes).toBeLessThanOrEqual(256 * 1024);
        expect(jsonBytes(state.inbox)).toBeLessThanOrEqual(256 * 1024 + 2);
        const { eventsDropped, deadLettersDropped } = state.counters;
        expect(state.inbox.length + state.deadLetters.length + eventsDropped + deadLettersDropped).toBe(pushed);
        expect(jsonBytes(begin(state, 1).evaluated.input.events)).toBeLessThanOrEqual(130 * 1024);
      }),
      { numRuns: 40 }
    );
  });

  test('the state stays small whatever ticks do', () => {
    let state = rules.newState(options, 0);
    for (let n = 0; n < 300; n++) {
      const requests = Array.from({ length: 50 }, (_, index) => ({
        id: `s:job:${'k'.repeat(900)}${n}/${index}`,
        job: 'job',
        args: [{}],
        hash: `${n}/${index}`.padStart(22, '0').replaceAll('/', '_'),
      }));
      const logs = Array.from({ length: 4 }, () => ({ level: 'info' as const, at: 1, message: 'x'.repeat(1000) }));
      state = tick(state, n * 1000, {
        requests,
        logs,
        cursor: { kind: 'set', value: 'c'.repeat(60_000) },
        skipReason: 'y'.repeat(3000),
      });
      state = rules.audit(state, 'start', { by: 'b'.repeat(1000), reason: 'r'.repeat(10_000) }, n);
    }
    expect(jsonBytes(state)).toBeLessThan(300 * 1024);
    expect(state.ring.length).toBeGreaterThan(2);
    expect(state.counters).toMatchObject({ ticks: 300, runs: 15_000 });
  });

  test('dead letters count repeats, and refuse what does not fit', () => {
    const rejection = { id: 'a', kind: 'request' as const, job: 'job', error: 'bad' };
    const once = addDeadLetters([], [rejection], 1, 10).letters;
    const twice = addDeadLetters(once, [rejection], 2, 20).letters;
    expect(twice).toEqual([{ ...rejection, tick: 2, firstAt: 10, lastAt: 20, count: 2 }]);
    const many = Array.from({ length: 100 }, (_, n) => ({ ...rejection, id: `${n}`, error: 'x'.repeat(1000) }));
    const { letters, refused } = addDeadLetters(twice, many, 3, 30);
    expect(jsonBytes(letters)).toBeLessThanOrEqual(64 * 1024);
    expect(letters.length - 1 + refused.length).toBe(100);
    expect(refused.length).toBeGreaterThan(0);
  });
});

describe('launch', () => {
  const request = (n: number) => ({
    id: `s:job:${n}`,
    job: 'job',
    args: [],
    runKey: `${n}`,
    hash: `${n}`.padStart(22, '0').replaceAll('/', '_'),
  });

  test('what a stop holds back keeps its IDs and starts under a tick of its own', () => {
    const begun = begin(rules.newState(options, 0), 0);
    let state = rules.commit(
      begun.state,
      begun.evaluated,
      { ...result, requests: [request(1), request(2), request(3)], trace: 'of tick 1' },
      5
    );
    state = rules.settle(state, request(1), 'started', 5);
    state = ended(state, [request(2), request(3)], 6);
    expect(rules.isHolding(state)).toBe(true);
    expect(state.ring.at(-1)).toMatchObject({ status: 'success', pending: 2, runs: { count: 1 } });
    state = rules.resumeLaunch(state, 10);
    expect(state.launch).toMatchObject({
      remaining: [{ id: 's:job:2' }, { id: 's:job:3' }],
      record: { tick: 2, trigger: 'pending', trace: 'of tick 1' },
    });
    // and so at the next stop
    state = rules.resumeLaunch(ended(state, [request(3)], 11), 12);
    expect(state.launch?.record).toMatchObject({ tick: 3, trace: 'of tick 1' });
  });

  test('asset events that a stop came before are pending, and recorded first, as events of their tick', () => {
    const event = { asset: 'orders', kind: 'materialization' as const, metadata: {} };
    const events = [event];
    const begun = begin(rules.newState(options, 0), 0);
    let state = rules.commit(begun.state, begun.evaluated, { ...result, assetEvents: { id: 's/1/n', events } }, 5);
    state = rules.delayAssetEvents(state, 'their log is full');
    const waits = '1 asset events of tick 1 wait to be recorded: their log is full';
    expect(describeTick(state.launch?.record ?? ({} as TickRecord))).toBe(waits);
    expect(rules.endAssetEvents(state, undefined, 6).launch?.record).not.toHaveProperty('waitsFor');
    state = rules.endLaunch(rules.choose(state, rules.operatorChoice('stopped', {}, 6), 6), 6);
    expect(state.ring.at(-1)).toMatchObject({
      status: 'skipped',
      skipReason: `the sensor was stopped; ${waits}`,
    });
    expect(state.ring.at(-1)).not.toHaveProperty('assetEvents');
    expect(rules.isHolding(state)).toBe(true);
    state = rules.choose(state, rules.operatorChoice('running', {}, 7), 7);
    expect(rules.mayLaunch(state, 7)).toBe(true);
    state = rules.resumeLaunch(state, 7);
    expect(state.launch).toMatchObject({ assetEvents: { tick: 1, events }, record: { tick: 2, assetEvents: 1 } });
    state = rules.endLaunch(rules.endAssetEvents(state, undefined, 8), 8);
    expect(state.ring.at(-1)).toMatchObject({ tick: 2, status: 'success', assetEvents: 1 });
    expect(state.launch).toBeUndefined();
  });

  test('what one asset has on record is not recorded again while another takes nothing, and no ID changes', () => {
    const events = ['a', 'b', 'a', 'c', 'b'].map((asset) => ({
      asset,
      kind: 'observation' as const,
      metadata: {},
    }));
    const begun = begin(rules.newState(options, 0), 0);
    let state = rules.commit(begun.state, begun.evaluated, { ...result, assetEvents: { id: 's/1/n', events } }, 5);
    const idsOf = ({ launch }: LoopState) =>
      launch?.assetEvents && eventsOfTick(launch.assetEvents, 's', 1).map(({ asset, eventId }) => [asset, eventId]);
    state = rules.applyRecorded(state, parseWaitingAssets({ waiting: ['b', 'c'], why: 'full' }), 6);
    expect(idsOf(state)).toEqual([
      ['b', 's/1/n/1'],
      ['c', 's/1/n/3'],
      ['b', 's/1/n/4'],
    ]);
    state = rules.applyRecorded(state, parseWaitingAssets({ waiting: ['b'], why: 'full' }), 7);
    expect(idsOf(state)).toEqual([
      ['b', 's/1/n/1'],
      ['b', 's/1/n/4'],
    ]);
    expect(state.launch?.record?.waitsFor).toBe('2 asset events of tick 1 wait to be recorded: full');
    // a stop comes: what is on record is of this tick, the rest of the one that records it
    const stopped = rules.endLaunch(rules.choose(state, rules.operatorChoice('stopped', {}, 8), 8), 8);
    expect(stopped.ring.at(-1)).toMatchObject({ tick: 1, status: 'success', assetEvents: 3 });
    const resumed = rules.resumeLaunch(rules.choose(stopped, rules.operatorChoice('running', {}, 9), 9), 9);
    expect(resumed.launch).toMatchObject({ assetEvents: { tick: 1, places: [1, 4] }, record: { assetEvents: 2 } });
    for (const nonsense of [null, undefined, 7, { waiting: 'b' }, { waiting: [] }])
      expect(rules.applyRecorded(state, parseWaitingAssets(nonsense), 8).launch).not.toHaveProperty('assetEvents');
  });

  test('refused IDs are duplicates, unless somebody else owns them', () => {
    const begun = begin(rules.newState(options, 0), 0);
    let state = rules.commit(begun.state, begun.evaluated, { ...result, requests: [request(1), request(2)] }, 5);
    state = rules.settle(rules.settle(state, request(1), 'refused', 5), request(2), 'refused', 5);
    state = rules.endBatch(state, new Map([['s:job:2', `a workflow of type 'x'`]]), 6);
    state = ended(state, [], 6);
    expect(state.ring.at(-1)).toMatchObject({ duplicates: { count: 1 }, rejected: { count: 1 } });
    expect([...unpackKeys(state.ledger.recent[0]?.keys ?? '')]).toEqual([request(1).hash]);
    expect(state.deadLetters).toMatchObject([{ kind: 'owner', runKey: '2' }]);
  });
});

describe('events of failing evaluations', () => {
  test('are tried one at a time and parked after maxEventAttempts; the others stay', () => {
    let state = rules.pushEvents(tick(rules.newState(options, 0), 0), ['bad', 'good'], 1);
    const details = { logs: [], logLinesDropped: 0, durationMs: 0, quiet: [] };
    for (const expected of [['bad', 'good'], ['bad'], ['bad'], ['bad']]) {
      const begun = begin(state, 2);
      expect(begun.evaluated.input.events).toEqual(expected);
      state = rules.fail(begun.state, begun.evaluated, 'no', details, 3);
    }
    expect(state.inbox).toEqual(['good']);
    expect(state.deadLetters).toMatchObject([{ kind: 'event', payload: 'bad' }]);
    expect(state.eventAttempts).toBe(0);
    expect(state.wake).toBe('push');
  });
});

describe('what a review found', () => {
  const request = (n: number) => ({ id: `s:job:${n}`, job: 'job', args: [] });

  test('a commit never overwrites what a stop held back', () => {
    const begun = begin(rules.newState(options, 0), 0);
    let state = rules.commit(begun.state, begun.evaluated, { ...result, requests: [request(1), request(2)] }, 5);
    state = ended(state, [request(1), request(2)], 6);
    const second = begin(state, 7);
    state = rules.commit(second.state, second.evaluated, { ...result, requests: [request(3)] }, 8);
    expect(state.launch?.remaining.map(({ id }) => id)).toEqual(['s:job:1', 's:job:2', 's:job:3']);
  });

  test('a shorter interval counts at once, from the last tick', () => {
    const state = tick(rules.newState({ ...options, intervalMs: 30 * 86_400_000 }, 0), 1000);
    expect(rules.configure(state, { ...options, intervalMs: 30_000 }, 2000).nextAt).toBe(31_000);
  });

  test('tiny events do not outgrow the inbox', () => {
    const events = Array.from({ length: 60_000 }, (_, n) => n);
    let state = rules.newState(options, 0);
    for (let n = 0; n < events.length; n += 5000) state = rules.pushEvents(state, events.slice(n, n + 5000), 1);
    expect(jsonBytes(state)).toBeLessThan(300 * 1024);
    expect(state.inbox.length + state.counters.eventsDropped).toBe(60_000);
  });

  test.each([
    ['tiny', 1, 10_000, 0],
    ['small', 'x'.repeat(20), 10_000, 0],
    ['too large', 'x'.repeat(1100), 0, 10_000],
  ] as const)('10,000 %s events, each a signal of its own, are all taken or counted', (...row) => {
    const [, event, waiting, tooLarge] = row;
    let state = rules.newState(options, 0);
    for (let n = 0; n < 10_000; n++) state = rules.pushEvents(state, [event], 1);
    expect(state.inbox).toHaveLength(waiting);
    expect(state.counters).toMatchObject({ eventsTooLarge: tooLarge, eventsDropped: 0 });
    expect(state.deadLetters.length + state.counters.deadLettersDropped).toBe(tooLarge);
  });

  test('an event that is too large is told by its size and fields, never by its values', () => {
    const told = (event: Json, protocol?: number): string | undefined =>
      rules.pushEvents(rules.newState(options, 0), [event], 1, protocol).deadLetters[0]?.error;
    const limit = 'at most 1024 (1 KB): push a reference to it.';
    const secret = 'x'.repeat(2000);
    expect(told({ password: secret, user: 'ann' })).toBe(
      `a pushed event is 2028 bytes; ${limit} It is an object with password, user`
    );
    expect(told([secret])).toBe(`a pushed event is 2004 bytes; ${limit} It is a list of 1`);
    expect(told(secret)).toBe(`a pushed event is 2002 bytes; ${limit} It is a string`);
    expect(told(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`field${n}`, n])))?.length).toBeLessThan(350);
    // histories of older loops replay with the text that they had
    expect(told({ user: 'ann', password: secret }, 2)).toContain('It begins: {"user":"ann","password":"xxx');
  });

  test('events are numbered without gaps, whatever was dropped between them', () => {
    const room = 'x'.repeat(1000);
    let state = rules.pushEvents(rules.newState(options, 0), Array<Json>(300).fill(room), 1);
    const kept = state.inbox.length;
    expect(state.counters.eventsDropped).toBe(300 - kept);
    state = rules.pushEvents(state, ['x'.repeat(2000), 'fits still'], 1);
    expect(state.eventSeq).toBe(kept + 1);
    const first = begin(state, 2);
    expect(first.evaluated.input).toMatchObject({ firstEvent: 1 });
    state = tick(state, 2);
    expect(begin(state, 3).evaluated.input.firstEvent).toBe(first.evaluated.input.events.length + 1);
    // the same end twice takes nothing twice
    expect(rules.commit(state, first.evaluated, result, 3).inbox).toEqual(state.inbox);
    while (state.inbox.length > 0) state = tick(state, 4);
    expect(state).toMatchObject({ inboxBytes: 0, counters: { events: kept + 1 } });
    expect(begin(rules.pushEvents(state, ['next'], 5), 6).evaluated.input.firstEvent).toBe(kept + 2);
  });
});
