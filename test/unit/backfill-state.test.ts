import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { asDecided, backfillProblem, type BackfillRequest } from '../../src/sensors/backfill.js';
import { checkRequests, type RequestRules } from '../../src/sensors/check-requests.js';
import { describeProgress } from '../../src/cli/commands/backfill.js';
import { namePartitions } from '../../src/client/name-partition.js';
import { dailyPartitions, defineAsset, defineJob, dynamicPartitions, type Json } from '../../src/index.js';
import { jsonBytes } from '../../src/sensors/json.js';
import { MAX_BACKFILL_FAILURES, MAX_BACKFILL_PARTITIONS, MAX_NOTE_BYTES } from '../../src/sensors/limits.js';
import { planBackfill } from '../../src/sensors/plan-backfill.js';
import * as rules from '../../src/workflows/backfill-state.js';
import { parseBackfillInput, parseEnds, parsePlan, parsePrepared } from '../../src/workflows/parse-backfill.js';

const set = dynamicPartitions('customers');
const job = defineJob({ name: 'report', partitions: set, config: z.object({ n: z.number().default(1) }) });
const keys = ['c', 'a', 'd', 'b'];

function plan(request: Partial<BackfillRequest>, known = keys) {
  return planBackfill(job, { partitions: 'all', ...request }, known);
}

describe('which partitions', () => {
  test('a range takes both its ends, in the order of the set; keys are put into that order, each once', () => {
    expect(plan({})).toMatchObject({ policy: 'perPartition', runs: 4, first: 'c', last: 'b', keys });
    expect(plan({ partitions: { from: 'a', to: 'd' } })).toMatchObject({ keys: ['a', 'd'] });
    expect(plan({ partitions: { from: 'd' } })).toMatchObject({ keys: ['d', 'b'] });
    expect(plan({ partitions: { to: 'a' } })).toMatchObject({ keys: ['c', 'a'] });
    expect(plan({ partitions: ['b', 'c', 'b'] })).toMatchObject({ keys: ['c', 'b'], first: 'c', last: 'b' });
    expect(plan({ policy: 'latestOnly' })).toMatchObject({ runs: 1, partitions: 4, keys: ['b'] });
    expect(plan({ policy: 'single' })).toMatchObject({ runs: 1, partitions: 4, keys });
  });

  test('too many of them, for a backfill or for one run, are refused', () => {
    const many = Array.from({ length: MAX_BACKFILL_PARTITIONS + 1 }, (_, index) => `key ${index}`);
    expect(plan({}, many)).toBe('the backfill is for 100001 partitions; at most 100000: make several of it');
    expect(plan({ policy: 'single' }, many.slice(0, 20_000))).toContain('20000 partitions are too many for one run');
  });

  test('the policy is that of the assets that the runs make', () => {
    const partitions = dailyPartitions({ start: '2026-01-01', end: '2026-01-02' });
    const single = defineAsset({ key: 'single', partitions, backfillPolicy: 'single' });
    const each = defineAsset({ key: 'each', partitions });
    const makes = defineJob({ name: 'makes', assets: [single, each] });
    const of = (assets?: readonly string[]) =>
      planBackfill(makes, { partitions: 'all', ...(assets === undefined ? {} : { assets }) }, ['2026-01-01']);
    expect(of(['single'])).toMatchObject({ policy: 'single' });
    expect(of(['each'])).toMatchObject({ policy: 'perPartition' });
    expect(of()).toContain('different backfill policies');
  });
});

test('whatever runs end in whatever order, each partition starts once, no more at a time, and all are counted', () => {
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('start'), error: fc.boolean() }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('end'), at: fc.nat(), error: fc.boolean() }) },
    fc.record({ kind: fc.constantFrom('pause', 'resume', 'continue') })
  ) as fc.Arbitrary<{ kind: string; at?: number; error?: boolean }>;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(action),
      (runs, concurrency, actions) => {
        const request = { job: 'report', partitions: 'all', concurrency } as const;
        const all = Array.from({ length: runs }, (_, index) => `k${index}`);
        const made = { policy: 'perPartition', first: 'k0', last: all.at(-1) ?? '', partitions: runs, runs } as const;
        let state = rules.planned(rules.newBackfill(0), { ...made, keys: all.slice(0, 10), pages: ['rest'] });
        state = rules.loadKeys(state, 'rest', all.slice(10));
        const started: string[] = [];
        const drain = ['resume', ...Array.from({ length: runs }, () => ['start', 'end']).flat()].map((kind) => ({
          kind,
        }));
        for (const { kind, at = 0, error = false } of [...actions, ...drain] as typeof actions) {
          const next = rules.nextKeys(state, request);
          // some while some may start, and no more than run at a time
          expect(next.length > 0).toBe(rules.room(state, request) > 0 && state.keys.length > 0);
          expect(next).toEqual(next.length === 0 ? [] : state.keys.slice(0, concurrency));
          const [key] = next;
          if (kind === 'start' && key !== undefined && rules.room(state, request) > 0) {
            started.push(key);
            state = error
              ? rules.skip(state, { partition: key, error: 'no' })
              : rules.begin(state, { id: `id-${key}`, partition: key });
          }
          const run = state.running[at % Math.max(1, state.running.length)];
          if (kind === 'end' && run !== undefined) {
            state = rules.end(state, run.id, error ? 'failed' : undefined);
            // told twice, counted once
            expect(rules.end(state, run.id, undefined)).toBe(state);
          }
          if (kind === 'pause') state = rules.pause(state, {}, 0);
          if (kind === 'resume') state = rules.resume(state, {}, 0);
          if (kind === 'continue') {
            const parsed = parseBackfillInput('backfill/x', JSON.parse(JSON.stringify({ request, state })));
            if (typeof parsed !== 'string' && parsed.state !== undefined) state = parsed.state;
          }
          const { waiting, running, done, failed } = rules.progressOf(state, request, 0);
          expect(waiting + running + done + failed).toBe(runs);
          expect(running).toBeLessThanOrEqual(concurrency);
          expect(state.failedPartitions).toHaveLength(failed);
        }
        while (state.running.length > 0) state = rules.end(state, state.running[0]?.id ?? '', undefined);
        expect(started).toEqual(all.slice(0, started.length));
        expect(rules.isOver(state)).toBe(started.length === runs);
      }
    )
  );
});

test('what cannot go on waits for the runs that run, and says so', () => {
  const request: BackfillRequest = { job: 'report', partitions: 'all' };
  const made = { policy: 'perPartition', first: 'a', last: 'c', partitions: 3, runs: 3 } as const;
  const planned = rules.planned(rules.newBackfill(0), { ...made, keys: ['a'], pages: ['rest'] });
  const running = rules.reject(rules.begin(planned, { id: '1', partition: 'a' }), 'the page is gone');
  expect(rules.isOver(running)).toBe(false);
  expect(rules.room(running, request)).toBe(0);
  expect(rules.progressOf(rules.pause(running, {}, 0), request, 0).status).toBe('running');
  const over = rules.end(running, '1', undefined);
  expect(rules.isOver(over)).toBe(true);
  expect(rules.resultOf(over, request, 0)).toMatchObject({
    status: 'failed',
    error: 'the page is gone',
    done: 1,
    waiting: 2,
  });
  expect(rules.resultOf(rules.reject(planned, 'no'), request, 0).status).toBe('rejected');
});

test('what is kept of failures is bounded, and nobody is told to repeat only some of them', () => {
  let state = rules.newBackfill(0);
  const request: BackfillRequest = { job: 'report', partitions: 'all' };
  for (let n = 0; n < 1_000; n++)
    state = rules.skip(state, { partition: `${n}`.padStart(256, 'x'), error: 'e'.repeat(5_000) });
  const result = rules.resultOf(state, request, 0);
  expect(result.failures).toHaveLength(MAX_BACKFILL_FAILURES);
  expect(result.failedPartitions.length + result.failedPartitionsDropped).toBe(1_000);
  expect(result.failedPartitionsDropped).toBeGreaterThan(0);
  expect(jsonBytes(state)).toBeLessThan(80 * 1024);
  expect(rules.backfillDetails('b1', rules.progressOf(state, request, 0)).length).toBeLessThan(20_000);
});

test('what was decided is shown before it is planned again, and counts instead of what the job says since', () => {
  const request: BackfillRequest = { job: 'report', partitions: { from: 'a' } };
  const decided = { policy: 'single', first: 'a', last: 'd' } as const;
  const progress = rules.progressOf(rules.newBackfill(0, decided), request, 0);
  expect(progress).toMatchObject({ status: 'planning', partitions: 0, ...decided });
  expect(rules.backfillDetails('b1', progress)).not.toContain('partitions from');
  expect(plan(asDecided(request, decided))).toMatchObject({ ...decided, keys: ['a', 'd'] });
  expect(asDecided({ ...request, partitions: ['d', 'a'] }, decided)).toMatchObject({ partitions: ['d', 'a'] });
  expect(parseBackfillInput('backfill/x', { request, decided })).toEqual({ request, decided });
});

test('who asked for it, and why, is cut where it enters: each of its runs has it in its memo', () => {
  const request: BackfillRequest = {
    job: 'report',
    partitions: 'all',
    by: 'b'.repeat(50_000),
    reason: 'ü'.repeat(9_000),
  };
  const parsed = parseBackfillInput('backfill/x', { request });
  const kept = typeof parsed === 'string' ? undefined : parsed.request;
  expect(kept).toMatchObject({
    by: expect.stringMatching(/^b+/) as string,
    reason: expect.stringMatching(/^ü+/) as string,
  });
  expect(jsonBytes(kept)).toBeLessThan(2 * MAX_NOTE_BYTES + 100);
});

test('parsers take anything', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(['string', 'undefined']).toContain(typeof backfillProblem(value));
      expect(typeof parseBackfillInput('backfill/x', { request: value })).toBe('string');
      parseBackfillInput('backfill/x', { request: { job: 'a', partitions: 'all' }, state: value, decided: value });
      parsePlan(value);
      parsePrepared([value]);
      parseEnds([value]);
    })
  );
});

test('one that was rejected tells why and no numbers; the client, not the failure, names the partition', () => {
  const request = { job: 'report', partitions: ['a', 'paris'] } as const;
  const refused = plan(request);
  expect(refused).toBe("partitions[1] is not in the dynamic partitions of job 'report'");
  const progress = rules.progressOf(rules.reject(rules.newBackfill(0), refused as string), request, 0);
  expect(describeProgress(progress)).toBe('rejected');
  expect(rules.backfillDetails('x', progress)).toContain('is **rejected**');
  expect(rules.backfillDetails('x', progress)).not.toContain('Runs 0');
  expect(namePartitions(refused as string, request)).toContain("partitions[1] 'paris' is not in");
  const ends = { partitions: { from: 'x', to: 'y' } };
  expect(namePartitions('partitions.from comes after partitions.to in', ends)).toBe(
    "partitions.from 'x' comes after partitions.to 'y' in"
  );
  const named = 'partitions.from (x) comes after';
  expect(namePartitions(named, ends)).toBe(named);
  expect(namePartitions(named, { partitions: 'all' })).toBe(named);
});

describe('a request of a sensor', () => {
  const no = (): boolean => false;
  const none: RequestRules = {
    sensor: 'nightly',
    jobs: [job],
    runIds: 'readable',
    isKnown: no,
    isForeign: no,
    rearmed: {},
    partitions: { changes: [], problem: () => 'no run of a partition was asked for', has: no },
    now: new Date(),
    nonce: 'n',
  };
  const check = (request: object, given: Partial<RequestRules> = {}) =>
    checkRequests([{ kind: 'run', job: 'report', tags: {}, ...request } as never], { ...none, ...given });

  test('becomes one run of the backfill, under an ID of its own for its key', () => {
    const asked = { backfill: { partitions: 'all', concurrency: 3 }, config: { n: 2 }, runKey: 'k', tags: { a: 'b' } };
    const [launch] = check(asked).accepted;
    expect(launch).toMatchObject({ job: 'sensorBackfill', runKey: 'k', tags: { a: 'b' } });
    expect(launch?.id).toMatch(/^backfill\/nightly\.[\w-]{22}$/);
    expect(launch?.args).toEqual([
      { request: { job: 'report', partitions: 'all', concurrency: 3, config: { n: 2 }, tags: { a: 'b' } } },
    ]);
    const [run] = check({ runKey: 'k' }, { partitions: { ...none.partitions, problem: () => undefined } }).accepted;
    expect(run?.hash).not.toBe(launch?.hash);
    const known = check(asked, { isKnown: (hash) => hash === launch?.hash });
    expect(known.duplicates).toEqual({ count: 1, sample: [{ id: launch?.id, runKey: 'k' }] });
  });

  test('that cannot be is kept whole, so that trying it again never starts one run instead', () => {
    const asked = { backfill: { partitions: [] }, runKey: 'k' };
    const [rejection] = check(asked).rejected;
    expect(rejection).toMatchObject({ kind: 'request', payload: {}, backfill: { partitions: [] } });
    expect(rejection?.error).toContain('partitions is something else than');
    const strange = { backfill: { partitions: { from: new Date() as unknown as Json } } };
    expect(check(strange).rejected[0]).toMatchObject({ backfill: null });
  });
});
