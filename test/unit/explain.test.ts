/** What `explain` makes of what is known: the decisions alone, on states that the loop's own rules made. */
import type { Client } from '@temporalio/client';
import { createColors } from 'picocolors';
import { msToTs } from '@temporalio/common/lib/time.js';
import { expect, test } from 'vitest';
import { explain } from '../../src/cli/commands/explain.js';
import { explanationLines } from '../../src/cli/explain-text.js';
import { createOutput, type Output } from '../../src/cli/output.js';
import type { Session } from '../../src/cli/session.js';
import { standingText } from '../../src/cli/standing-text.js';
import { withClosing } from '../../src/client/closings.js';
import { lookForBackfill } from '../../src/client/explain-backfill.js';
import { decideKey, type KeyFacts } from '../../src/client/explain-key.js';
import { decideTime, type TimeFacts } from '../../src/client/explain-time.js';
import { standingOf } from '../../src/client/standing.js';
import type {
  Explanation,
  KeyAnswer,
  Question,
  SensorDescription,
  SensorRun,
  Standing,
} from '../../src/client/index.js';
import type { LoopState, TickRecord } from '../../src/sensors/protocol.js';
import { requestHash } from '../../src/sensors/run-key.js';
import { emptyRecord } from '../../src/workflows/records.js';
import { newState } from '../../src/workflows/state.js';
import { loopOptions as options } from '../support/loop-options.js';

const T = Date.UTC(2026, 0, 31, 8);
const MIN = 60_000;
const running: Standing = { kind: 'running', lastOutcome: 'no new files' };
const HASH = 'A'.repeat(21) + 'B';
/** Of the job's earlier name. */
const OLD_HASH = 'A'.repeat(21) + 'C';

const state = (more: Partial<LoopState> = {}): LoopState => ({ ...newState(options, T), ...more });
const tick = (n: number, more: Partial<TickRecord> = {}): TickRecord => ({
  ...emptyRecord(n, 'interval', T + n * MIN),
  status: 'success',
  evaluationMs: 100,
  endedAt: T + n * MIN + 200,
  ...more,
});
const run: SensorRun = {
  workflowId: 's:process:a',
  runId: 'r',
  job: 'process',
  status: 'COMPLETED',
  tick: 3,
  runKey: 'a',
  tags: {},
  startTime: new Date(T + 3 * MIN + 150),
};
const remembered = (until = T + 3 * MIN): Partial<LoopState> => ({
  ledger: { recent: [{ since: T, until, keys: HASH }], pages: [], version: HASH },
});
const key = (more: Partial<KeyFacts> = {}) =>
  decideKey({
    job: 'process',
    runKey: 'a',
    hashes: [HASH, OLD_HASH],
    names: ['process', 'work'],
    ids: ['s:process:a', 's:work:a', 'old:process:a', 'old:work:a'],
    state: state(),
    ticks: [],
    since: new Date(T),
    standing: running,
    waiting: [],
    ...more,
  });

test('a key with a run was started, at the tick that the run names', () => {
  expect(key({ run, state: state(remembered()), ticks: [tick(3)] })).toEqual({
    kind: 'started',
    job: 'process',
    run,
    requestedAt: new Date(T + 3 * MIN),
    requestedAtTick: 3,
  });
});

test('a run that was pending names the tick that asked for it, also one of an older worker that does not say so', () => {
  const ticks = [tick(1, { pending: 2 }), tick(2, { trigger: 'pending', pending: 1 }), tick(3, { trigger: 'pending' })];
  const asked = { requestedAt: new Date(T + MIN), requestedAtTick: 1 };
  const said = key({ run: { ...run, requestedAtTick: 1 }, ticks });
  expect(said).toMatchObject(asked);
  expect(key({ run, ticks })).toMatchObject(asked);
  expect(key({ run, ticks: ticks.slice(2) })).toMatchObject({ requestedAtTick: 3 });
  expect(printed([said])).toMatch(
    /: requested at tick 1, .* \(2026-01-31T08:01:00.000Z\), pending until tick 3 \(.* \(2026-01-31T08:03:00.150Z\)\) and started run/
  );
  const offRecord = key({ run: { ...run, requestedAtTick: 1 }, ticks: ticks.slice(2) });
  expect(printed([offRecord])).toMatch(/: requested at tick 1, pending until tick 3 \(.*08:03:00.150Z\)\) and started/);
  const again = { ...run, workflowId: 's:process@2:a', epoch: 2, rerunOf: run.workflowId, tick: 9 };
  const repeated = key({ run: again, first: { ...run, requestedAtTick: 1 }, ticks });
  expect(repeated).toMatchObject({ repeats: { first: { tick: 1, at: new Date(T + MIN) } } });
});

test('a key that a later tick asked for again is a duplicate of its run', () => {
  const again = tick(5, { duplicates: { count: 1, sample: [{ id: run.workflowId }] } });
  expect(key({ run, ticks: [again] })).toMatchObject({
    kind: 'duplicate',
    again: { tick: 5, at: new Date(T + 5 * MIN) },
  });
});

test('a key that the ledger forgot has expired, and one whose run Temporal forgot is remembered', () => {
  const dedupe = { options: { ...options, dedupeMs: MIN } };
  expect(key({ run, state: state({ ...dedupe }) })).toMatchObject({
    kind: 'expired',
    expiredAt: new Date(run.startTime.getTime() + MIN),
  });
  expect(key({ run, state: state({ ...dedupe, ...remembered() }) })).toMatchObject({ kind: 'started' });
  expect(key({ state: state({ ...dedupe, ...remembered() }) })).toMatchObject({
    kind: 'remembered',
    from: new Date(T),
    until: new Date(T + 4 * MIN),
  });
  expect(key({ sealed: { since: T, until: T + 1 } })).toMatchObject({ kind: 'remembered', to: new Date(T + 1) });
});

test('an expired key that was requested again while its run was known tells of that, and expires later', () => {
  const again = tick(60, { duplicates: { count: 1, sample: [{ id: run.workflowId }] } });
  const expired = key({ run, state: state({ options: { ...options, dedupeMs: MIN } }), ticks: [again] });
  expect(expired).toMatchObject({ kind: 'expired', again: { tick: 60 }, expiredAt: new Date(T + 61 * MIN) });
  expect(printed([expired])).toMatch(/ It was requested again at tick 60 \(.*\), which started nothing: the run was/);
});

test('a key that nobody knows any more but the tick that started it has run, and its next request runs', () => {
  const dedupe = state({ options: { ...options, dedupeMs: MIN } });
  const started = tick(3, { runs: { count: 1, sample: [run.workflowId] } });
  const forgotten = key({ state: dedupe, ticks: [started, tick(4)] });
  expect(forgotten).toEqual({
    kind: 'forgotten',
    job: 'process',
    workflowId: run.workflowId,
    started: { tick: 3, at: new Date(T + 3 * MIN) },
  });
  expect(printed([forgotten])).toMatch(
    /: it ran at tick 3, .*, as s:process:a\. .* have forgotten the run since: the next request of the key runs again\./
  );
  // a record has only some of its tick's runs
  const big = { ...started, runs: { count: 30, sample: ['s:process:b'] } };
  expect(key({ state: dedupe, ticks: [big, tick(4)] })).toMatchObject({
    kind: 'notSeen',
    since: new Date(T + 3 * MIN + 200),
  });
  expect(key({ ticks: [big] })).toMatchObject({ kind: 'notSeen', since: new Date(T) });
});

test('a key whose newest run is forgotten tells who let it run again, and of the run before', () => {
  const note = { by: 'ann', reason: 'fixed the parser' };
  const known = state({
    ...remembered(),
    epochs: { [HASH]: 2 },
    audit: [{ at: T + 2 * MIN, what: 'rearm a', ...note }],
  });
  const facts = { state: known, earlier: run, first: run, ticks: [tick(3)], ids: ['s:process@2:a', run.workflowId] };
  const gone = key(facts);
  expect(gone).toMatchObject({ kind: 'remembered', run, repeats: { how: 'rearm', ...note, first: { tick: 3 } } });
  expect(printed([gone])).toMatch(
    /The run that is gone was not its first: first requested at tick 3, .*; re-armed by ann \(fixed the parser\), .*\.\n {2}Before that it ran as s:process:a \(COMPLETED\)\./
  );
  const audit = [{ at: T + 2 * MIN, what: 'rerun a as epoch 2', ...note }];
  expect(key({ ...facts, state: { ...known, audit } })).toMatchObject({ repeats: { how: 'rerun', ...note } });
  const lost = { ...known, ledger: state().ledger };
  expect(key({ ...facts, state: lost, ticks: [] })).toMatchObject({ kind: 'forgotten', workflowId: 's:process@2:a' });
});

test('a key is known by the earlier names of its sensor and its job', () => {
  const old = { ...run, workflowId: 'old:work:a', job: 'work' };
  const again = tick(5, { duplicates: { count: 1, sample: [{ id: 's:process:a' }] } });
  expect(key({ run: old, ticks: [again] })).toMatchObject({ kind: 'duplicate', job: 'process', again: { tick: 5 } });
  const ledger = { recent: [{ since: T, until: T, keys: OLD_HASH }], pages: [], version: OLD_HASH };
  expect(key({ state: state({ ledger }) })).toMatchObject({ kind: 'remembered', from: new Date(T) });
  expect(key({ waiting: [{ hash: OLD_HASH }] })).toMatchObject({ kind: 'pending' });
  const rejection = { id: 'x', kind: 'request', job: 'work', runKey: 'a', error: 'no' } as const;
  const rejected = tick(2, { rejected: { count: 1, sample: [rejection] } });
  expect(key({ ticks: [rejected] })).toMatchObject({ kind: 'rejected', tick: 2 });
});

test('a rejected key is told from its dead letter, or from the ticks when that is gone', () => {
  const rejection = { id: HASH, kind: 'request', job: 'process', runKey: 'a', error: 'no' } as const;
  const letter = { ...rejection, tick: 4, firstAt: T, lastAt: T + MIN, count: 2 };
  expect(key({ state: state({ deadLetters: [letter] }) })).toMatchObject({
    kind: 'rejected',
    error: 'no',
    since: new Date(T),
    count: 2,
    deadLetter: HASH,
  });
  const ticks = [2, 4].map((n) => tick(n, { rejected: { count: 1, sample: [rejection] } }));
  const gone = key({ ticks });
  expect(gone).toMatchObject({ kind: 'rejected', tick: 4, since: new Date(T + 2 * MIN), count: 2 });
  expect(gone).not.toHaveProperty('deadLetter');
  expect(printed([gone])).toMatch(
    /Its dead letter was discarded or found no room; its next request is checked anew\.$/
  );
  const discard = {
    at: T + 5 * MIN,
    what: 'discard 1 dead letters',
    by: 'ann',
    reason: 'a test file',
    letters: [HASH],
  };
  expect(printed([key({ ticks, state: state({ audit: [discard] }) })])).toContain(
    'Its dead letter was discarded by ann (a test file), '
  );
  const earlier = state({ audit: [{ ...discard, at: T + 3 * MIN }] });
  expect(key({ ticks, state: earlier })).not.toHaveProperty('discarded');
});

test('a pending key says how many start before it, and what it waits for', () => {
  const waiting = [{ hash: 'other' }, { hash: HASH }];
  const stopped: Standing = { kind: 'stopped', from: 'operator', by: 'ann' };
  const launch = { remaining: [], staged: [], refused: [] };
  expect(key({ waiting, standing: stopped })).toMatchObject({ kind: 'pending', ahead: 1, of: 2, waitsFor: 'start' });
  expect(key({ waiting, state: state({ launch: { ...launch, dueAt: T } }) })).toMatchObject({
    waitsFor: 'maxRunsPerTick',
  });
  expect(key({ waiting, state: state({ launch }) })).toMatchObject({ waitsFor: 'turn' });
  // the end of a launch is not in the history
  const record = tick(3, { runs: { count: 1, sample: [] } });
  const ending = state({ options: { ...options, maxRunsPerTick: 1 }, launch: { ...launch, record } });
  expect(key({ waiting, state: ending })).toMatchObject({ waitsFor: 'maxRunsPerTick' });
  const dueAt = new Date(T + 4 * MIN);
  const told = key({ waiting, state: state({ launch: { ...launch, record } }), pendingUntil: dueAt });
  expect(told).toMatchObject({ waitsFor: 'maxRunsPerTick', dueAt });
});

test('a key that was discarded while it was pending is told so, until it has run', () => {
  const discarded = {
    at: T + 4 * MIN,
    what: 'discard 2 pending requests',
    by: 'ann',
    discarded: { tick: 3, keys: HASH },
  };
  const asked = state({ audit: [discarded] });
  expect(key({ state: asked, ticks: [tick(3)] })).toEqual({
    kind: 'discarded',
    job: 'process',
    tick: 3,
    requestedAt: new Date(T + 3 * MIN),
    at: new Date(T + 4 * MIN),
    by: 'ann',
  });
  expect(printed([key({ state: asked })])).toContain(
    'requested at tick 3, accepted, and discarded before it was started, by ann, '
  );
  expect(key({ state: asked, run })).toMatchObject({ kind: 'discarded', run });
  expect(key({ state: asked, run: { ...run, startTime: new Date(T + 5 * MIN) } })).toMatchObject({ kind: 'started' });
  expect(key({ state: { ...asked, ...remembered(T + 5 * MIN) } })).toMatchObject({ kind: 'remembered' });
  expect(key({ state: asked, hashes: [OLD_HASH] })).toMatchObject({ kind: 'notSeen' });
  const rejection = { id: HASH, kind: 'request', job: 'process', runKey: 'a', error: 'no' } as const;
  const rejectedAt = (minutes: number) =>
    key({
      state: { ...asked, deadLetters: [{ ...rejection, tick: 6, firstAt: T, lastAt: T + minutes * MIN, count: 2 }] },
    });
  expect(rejectedAt(5)).toMatchObject({ kind: 'rejected', tick: 6 });
  expect(rejectedAt(3)).toMatchObject({ kind: 'discarded' });
});

test('a backfill that was discarded before it was started is looked for by its own key', async () => {
  const notFound = Object.assign(new Error('no such workflow'), { code: 5, details: '', metadata: { get: () => [] } });
  const workflowService = { describeWorkflowExecution: () => Promise.reject(notFound) };
  const client = { options: { namespace: 'default' }, workflowService } as unknown as Client;
  const hash = requestHash({ job: 'process', runKey: 'a', backfill: {} });
  const look = async (keys: string) => {
    const entry = { at: T, what: 'discard 1 pending requests', discarded: { tick: 3, keys } };
    const about = { job: 'process', runKey: 'a', state: state({ audit: [entry] }), waiting: [] };
    return await lookForBackfill(client, ['s'], { ...about, sealedSpan: () => Promise.resolve(undefined) });
  };
  expect(await look(HASH)).toBeUndefined();
  const found = await look(hash);
  expect(found).toMatchObject({ backfill: `s.${hash}` });
  const audit = [{ at: T, what: 'discard 1 pending requests', discarded: { tick: 3, keys: hash } }];
  expect(key({ ...found, state: state({ audit }) })).toMatchObject({ kind: 'discarded', backfill: `s.${hash}` });
});

test('a key that may be one of those that were discarded without a trace is told so', () => {
  const discarded = { tick: 3, keys: HASH, others: 50 };
  const cut = state({ audit: [{ at: T + 4 * MIN, what: 'discard 51 pending requests', discarded }] });
  expect(key({ state: cut })).toMatchObject({ kind: 'discarded' });
  const other = key({ state: cut, hashes: [OLD_HASH] });
  expect(other).toMatchObject({ kind: 'notSeen', discarded: { requests: 50, at: new Date(T + 4 * MIN) } });
  expect(printed([other])).toContain('But 50 pending requests without their keys on record went with a discard ');
});

test('a run that is not the first of its key names the first request, and the operator', () => {
  const first = { ...run, startTime: new Date(T + 3 * MIN) };
  const note = { by: 'ann', reason: 'fixed the parser' };
  const second = { ...run, workflowId: 's:process@2:a', epoch: 2, startTime: new Date(T + 5 * MIN) };
  const rerun = key({ run: { ...second, rerunOf: run.workflowId, ...note }, first, ticks: [tick(3)] });
  expect(rerun).toMatchObject({
    requestedAt: new Date(T + 5 * MIN),
    repeats: { how: 'rerun', at: new Date(T + 5 * MIN), ...note, first: { tick: 3, at: new Date(T + 3 * MIN) } },
  });
  expect(printed([rerun])).toMatch(
    /: first requested at tick 3, .*; run again by ann \(fixed the parser\), .*; this is run s:process@2:a/
  );
  const audit = [{ at: T + 4 * MIN, what: 'rearm a', ...note }];
  const rearmed = key({ run: { ...second, tick: 5 }, first, ticks: [tick(5)], state: state({ audit }) });
  expect(printed([rearmed])).toMatch(
    /: first requested at tick 3, .*; re-armed by ann \(fixed the parser\), .*; requested again at tick 5, /
  );
  expect(printed([key({ run: second })])).toContain(': re-armed by an operator; requested again at tick 3, ');
});

test('a key that nobody asked for is not seen, wherever the cursor is', () => {
  const ticks = [tick(1, { cursorChanged: true }), tick(2)];
  expect(key({ state: state({ cursor: { value: 7 }, rearmed: { [HASH]: 2 } }), ticks })).toEqual({
    kind: 'notSeen',
    job: 'process',
    rearmed: 2,
    since: new Date(T),
    standing: running,
    cursor: { value: 7 },
    cursorChanged: { tick: 1, at: new Date(T + MIN) },
  });
});

const time = (at: number, more: Partial<TimeFacts> = {}) =>
  decideTime({
    at: new Date(at),
    now: T + 60 * MIN,
    before: tick(3),
    after: tick(20),
    intervalMs: MIN,
    pauseMs: MIN,
    audit: [],
    standing: running,
    ...more,
  });

test('a tick took place within the second that somebody names', () => {
  expect(time(T + 3 * MIN + 50)).toMatchObject({ kind: 'tick', tick: { tick: 3 } });
  expect(time(T + 20 * MIN - 900)).toMatchObject({ kind: 'tick', tick: { tick: 20 } });
});

test('between two ticks it waited, then found nothing new, and the reason of that time is told', () => {
  expect(time(T + 3.5 * MIN)).toMatchObject({ kind: 'waiting', dueAt: new Date(T + 4 * MIN + 100) });
  const quiet = [
    { reason: 'no new files', since: T + 4 * MIN },
    { reason: 'the folder is gone', since: T + 10 * MIN },
  ];
  const after = tick(20, { quiet });
  expect(time(T + 9 * MIN, { after })).toMatchObject({ kind: 'quiet', reason: 'no new files' });
  expect(time(T + 11 * MIN, { after })).toMatchObject({ kind: 'quiet', reason: 'the folder is gone' });
  const failed = tick(3, { status: 'failure', error: 'no access' });
  expect(time(T + 9 * MIN, { before: failed })).toMatchObject({ kind: 'failing', error: 'no access' });
  expect(time(T + 11 * MIN, { before: failed, after })).toMatchObject({ kind: 'failing', error: 'the folder is gone' });
});

/** One that has found nothing since long. */
const idle = {
  phase: 'waiting',
  attempt: 9,
  folded: true,
  lastOutcome: 'no new files',
  lastAttemptAt: new Date(T + 30 * MIN),
  notLoaded: false,
  paused: false,
  streak: [{ reason: 'no new files', since: T + 4 * MIN }],
  recent: {},
} as const;

test('the streak that is not over yet is told from the evaluation that waits', () => {
  const evaluation = idle;
  expect(time(T + 30 * MIN, { after: undefined, evaluation })).toMatchObject({ kind: 'quiet', reason: 'no new files' });
  const silent: Standing = { kind: 'noWorker', taskQueue: 'q' };
  expect(time(T + 30 * MIN, { after: undefined, standing: silent })).toMatchObject({
    kind: 'notEvaluated',
    standing: silent,
  });
  expect(time(T + 30 * MIN, { after: undefined, idleSince: T + 5 * MIN })).toMatchObject({ kind: 'quiet' });
});

test('a time at which no worker took the evaluation that was due is told as that', () => {
  const evaluation = { ...idle, phase: 'running' } as const;
  const standing: Standing = { kind: 'noWorker', taskQueue: 'q' };
  const dueSince = new Date(T + 31 * MIN);
  const now = { after: undefined, evaluation, standing, dueSince, now: T + 200 * MIN };
  const none = { kind: 'notEvaluated', dueAt: dueSince, standing };
  expect(time(T + 180 * MIN, now)).toEqual(none);
  expect(time(T + 30.9 * MIN, now)).toMatchObject({ kind: 'quiet' });
  const failed = tick(3, { status: 'failure', error: 'no access' });
  expect(time(T + 180 * MIN, { ...now, before: failed })).toEqual(none);
  expect(time(T + 180 * MIN, { ...now, evaluation: undefined, idleSince: T + 5 * MIN })).toEqual(none);

  const paused = { ...now, evaluation: { ...evaluation, paused: true }, dueSince: undefined, pauseMs: 5 * MIN };
  expect(time(T + 34 * MIN, paused)).toMatchObject({ kind: 'quiet' });
  expect(time(T + 36 * MIN, paused)).toMatchObject({ kind: 'notEvaluated', dueAt: new Date(T + 35 * MIN) });
  const startedAt = new Date(T + 50 * MIN);
  const late = { ...now, evaluation: { ...evaluation, startedAt }, dueSince: undefined };
  expect(time(T + 40 * MIN, late)).toMatchObject({ kind: 'notEvaluated', dueAt: dueSince });
  expect(time(T + 51 * MIN, late)).toEqual({ kind: 'evaluating', startedAt });

  const notLoaded: Standing = { kind: 'notLoaded' };
  const waiting = { ...now, evaluation: { ...evaluation, phase: 'waiting' }, standing: notLoaded } as const;
  const lost = { ...waiting, dueSince: undefined };
  const [earlier] = evaluation.streak;
  expect(time(T + 29 * MIN, lost)).toEqual({ kind: 'notEvaluated', standing: notLoaded, earlier });
  // what brought the next tick may have ended a streak of which nothing was kept
  const next = { ...tick(20), startedAt: T + 60 * MIN };
  const gap = { ...now, standing: notLoaded, dueSince: undefined, evaluation: undefined };
  expect(time(T + 40 * MIN, { ...gap, after: { ...next, trigger: 'tick' } })).toMatchObject({ uncertain: true });
  expect(time(T + 40 * MIN, { ...gap, after: next })).not.toHaveProperty('uncertain');
  const rearmed = [{ at: T + 50 * MIN, what: 'rearm k' }];
  expect(time(T + 40 * MIN, { ...gap, after: next, audit: rearmed })).toMatchObject({ uncertain: true });
  const closed: Standing = { kind: 'closed' };
  const ended = { after: undefined, idleSince: T + 5 * MIN, standing: closed, closedAt: new Date(T + 20 * MIN) };
  expect(time(T + 19 * MIN, ended)).toMatchObject({ kind: 'quiet' });
  expect(time(T + 21 * MIN, ended)).toEqual({ kind: 'closed', at: new Date(T + 20 * MIN), standing: closed });
});

test('a loop that was closed is told as that when it is back', () => {
  const terminated = {
    eventTime: msToTs(T + 5 * MIN),
    workflowExecutionTerminatedEventAttributes: { identity: 'ann' },
  };
  const recovered = withClosing(state(), { events: [terminated] }, T + 9 * MIN);
  const audit = [...recovered.audit, { at: T + 9 * MIN, what: 'start', by: 'bob' }];
  const quiet = [{ reason: 'no files', since: T + 4 * MIN }];
  const at = (minutes: number) => time(T + minutes * MIN, { audit, after: tick(20, { quiet }) });
  const closed = {
    kind: 'closed',
    how: 'terminated',
    at: new Date(T + 5 * MIN),
    by: 'ann',
    until: new Date(T + 9 * MIN),
  };
  expect(at(4.5)).toMatchObject({ kind: 'quiet' });
  expect(at(7)).toEqual(closed);
  expect(at(9.5)).not.toMatchObject({ kind: 'closed' });
  const stop = { at: T + 2 * MIN, what: 'stop' };
  expect(time(T + 7 * MIN, { audit: [stop, ...audit] })).toEqual(closed);
  const [text] = explanationLines(
    { sensor: 's', workflowId: 'sensor/s', runId: 'r', about: 'time', at: new Date(T + 7 * MIN), answer: at(7) },
    { showCursor: false, webUrlOf: () => undefined }
  );
  expect(text).toContain(`its loop was closed (terminated) at ${closed.at.toISOString()} by ann. It came back at `);
});

test('an outage is told as one when workers are back, of a quiet sensor and of a failing one', () => {
  const [dueAt, until] = [T + 5 * MIN, T + 9 * MIN];
  const quiet = [
    { reason: 'no files', since: T + 4 * MIN, until: dueAt },
    { reason: 'not evaluated', since: dueAt, until, notEvaluated: true },
    { reason: 'no files', since: T + 9 * MIN },
  ] as const;
  const none = { kind: 'notEvaluated', dueAt: new Date(dueAt), until: new Date(until) };
  const failed = tick(3, { status: 'failure', error: 'no access' });
  const waits = { after: undefined, evaluation: { ...idle, streak: quiet, lastOutcome: 'no files' } };
  for (const more of [{ after: tick(20, { quiet }) }, { after: tick(20, { quiet }), before: failed }, waits]) {
    expect(time(T + 7 * MIN, more)).toMatchObject(none);
    expect(time(T + 4.5 * MIN, more)).not.toMatchObject({ kind: 'notEvaluated' });
    expect(time(T + 9.5 * MIN, more)).not.toMatchObject({ kind: 'notEvaluated' });
  }
  const told = { sensor: 's', workflowId: 'sensor/s', runId: 'r', about: 'time', at: new Date(T + 7 * MIN) } as const;
  const answer = time(T + 7 * MIN, waits);
  expect(explanationLines({ ...told, answer }, { showCursor: false, webUrlOf: () => undefined })).toEqual([
    `s at ${told.at.toISOString()}: it was not evaluated, though an evaluation was due since ${none.dueAt.toISOString()}: ` +
      `no worker took it until ${none.until.toISOString()}.`,
  ]);
});

test('a stopped sensor was stopped by somebody, until it was started or a stop ended by itself', () => {
  const stop = { at: T + 4 * MIN, what: 'stop', by: 'ann', reason: 'moving' };
  const audit = [stop, { at: T + 10 * MIN, what: 'start', by: 'bob' }];
  expect(time(T + 9 * MIN, { audit })).toEqual({
    kind: 'stopped',
    from: 'operator',
    by: 'ann',
    reason: 'moving',
    at: new Date(T + 4 * MIN),
    startedAt: new Date(T + 10 * MIN),
  });
  expect(time(T + 11 * MIN, { audit })).toMatchObject({ kind: 'notEvaluated', after: { tick: 20 } });
  expect(time(T + 7.5 * MIN, { audit: [stop], before: tick(7) })).toMatchObject({ kind: 'waiting' });
  expect(time(T + 7.5 * MIN, { audit: [stop], before: tick(7, { trigger: 'tick' }) })).toMatchObject({
    kind: 'stopped',
  });
  const until = new Date(T + 30 * MIN);
  const forAWhile = time(T + 9 * MIN, { audit: [{ ...stop, what: `stop until ${until.toISOString()}` }] });
  expect(forAWhile).toMatchObject({ kind: 'stopped', until });
  expect(
    explanationLines(
      { sensor: 's', workflowId: 'sensor/s', runId: 'r', about: 'time', at: until, answer: forAWhile },
      { showCursor: false, webUrlOf: () => undefined }
    )[0]
  ).toMatch(/ by ann \(moving\) at [^ ]+, until 2026-01-31T08:30:00.000Z\.$/);
  const byCode: Standing = { kind: 'stopped', from: 'code' };
  expect(
    time(T + 9 * MIN, { before: undefined, after: undefined, knownSince: new Date(T), standing: byCode })
  ).toMatchObject({
    kind: 'stopped',
    from: 'code',
  });
});

test('nothing is made up for a time of which what evaluations said was not kept', () => {
  const quiet = [
    { reason: 'no files', since: T + 4 * MIN, until: T + 6 * MIN },
    { reason: 'no csv files', since: T + 8 * MIN },
  ];
  const at = (minutes: number) => time(T + minutes * MIN, { before: tick(2), after: tick(10, { quiet }) });
  expect(at(5)).toMatchObject({ kind: 'quiet', reason: 'no files' });
  expect(at(7)).toMatchObject({ kind: 'notEvaluated', uncertain: true, after: { tick: 10 } });
  expect(at(9)).toMatchObject({ kind: 'quiet', reason: 'no csv files' });
  const stopped: Standing = { kind: 'stopped', from: 'operator', at: new Date(T + 11 * MIN) };
  const since = (minutes: number, reasons: typeof quiet, more: Partial<TimeFacts> = {}) =>
    time(T + minutes * MIN, {
      before: tick(2),
      after: undefined,
      standing: stopped,
      streak: { reasons, endedAt: T + 10 * MIN },
      ...more,
    });
  expect(since(5, quiet)).toMatchObject({ kind: 'quiet', reason: 'no files' });
  expect(since(9.5, quiet)).toMatchObject({ kind: 'quiet', reason: 'no csv files' });
  expect(since(7, quiet)).toMatchObject({ kind: 'notEvaluated', uncertain: true });
  expect(since(9, [])).toMatchObject({ kind: 'notEvaluated', uncertain: true });
  expect(since(9, [], { standing: { kind: 'notLoaded' } })).toMatchObject({ uncertain: true });
  expect(since(12, [], { standing: { kind: 'notLoaded' } })).not.toHaveProperty('uncertain');
  // the first attempt of an evaluation has begun no record yet
  const goesOn = { ...idle, streak: [], lastOutcome: 'no csv files', lastAttemptAt: new Date(T + 20 * MIN) };
  expect(since(15, quiet, { standing: running, evaluation: goesOn })).toMatchObject({ reason: 'no csv files' });
});

test('what is to come, and what nobody knows any more, is said', () => {
  expect(time(T + 61 * MIN)).toEqual({ kind: 'future', standing: running });
  const nothing = { before: undefined, after: undefined };
  expect(time(T - MIN, { ...nothing, knownSince: new Date(T) })).toEqual({ kind: 'unknown', knownSince: new Date(T) });
  expect(time(T, nothing)).toEqual({ kind: 'unknown' });
});

const printed = (answers: readonly KeyAnswer[], more: { runKey?: string; jobs?: readonly string[] } = {}): string => {
  const about = {
    sensor: 's',
    workflowId: 'sensor/s',
    runId: 'r',
    about: 'key',
    runKey: 'a',
    jobs: ['process'],
  } as const;
  const options = { showCursor: false, webUrlOf: () => undefined };
  return explanationLines({ ...about, ...more, answers }, options).join('\n');
};

test('requests that nobody can start are not said to be starting', () => {
  const launch = { remaining: [], staged: [], refused: [] };
  const pending = (standing: Standing, dueAt?: number): string =>
    printed([
      key({
        waiting: [{ hash: HASH }],
        standing,
        state: state({ launch: { ...launch, ...(dueAt === undefined ? {} : { dueAt }) } }),
      }),
    ]);
  const none: Standing = { kind: 'noWorker', taskQueue: 'main' };
  expect(pending(running)).toContain('which are being started now.');
  expect(pending({ kind: 'failing' })).toContain('which are being started now.');
  expect(pending(none)).toMatch(/which are not being started\. .*no worker polls task queue 'main' for it\.$/);
  expect(pending({ kind: 'closed' }, T)).toContain("The sensor's loop was cancelled or terminated.");
  expect(pending({ kind: 'late', taskQueue: 'main', dueSince: new Date(T) })).toContain(
    "task queue 'main' is polled, but no worker took it"
  );
});

test('commands can be pasted whatever the key is, and are left out for one that cannot be shown', () => {
  const duplicate = key({ run, ticks: [tick(5, { duplicates: { count: 1, sample: [{ id: run.workflowId }] } })] });
  const command = (runKey: string, jobs: readonly string[] = ['process']): string | undefined =>
    / To run it again: (.*)$/m.exec(printed([duplicate], { runKey, jobs }))?.[1];
  expect(command('in/b.csv:17')).toBe('sensors rerun s in/b.csv:17');
  expect(command('x$(reboot)')).toBe("sensors rerun s 'x$(reboot)'");
  expect(command("it's")).toBe(String.raw`sensors rerun s 'it'\''s'`);
  expect(command('-rf', ['process', 'other'])).toBe('sensors rerun s --job process -- -rf');
  expect(command('x'.repeat(101))).toBeUndefined();
  expect(command('a\u001b[2J')).toBeUndefined();
  expect(printed([key({ sealed: { since: T, until: T + 1 } })], { runKey: 'a b' })).toMatch(/sensors rearm s 'a b'$/);
});

test('a key that is past its time, and not forgotten yet, is not promised for a time in the past', () => {
  const past = key({ state: state({ options: { ...options, dedupeMs: MIN }, ...remembered() }) });
  expect(printed([past])).toContain(', and forgets it with its next tick (dedupe). To let its next request run: ');
});

test('what no job was asked for is said once, with all of them', () => {
  const jobs = ['process', 'load'];
  const lines = printed([key(), { ...key(), job: 'load' }], { jobs }).split('\n');
  expect(lines[0]).toMatch(/^Key 'a' of s \(jobs process, load\): not seen yet\./);
  expect(lines.filter((line) => line.includes('not seen yet'))).toHaveLength(1);
  expect(printed([key(), { ...key({ state: state({ rearmed: { [HASH]: 2 } }) }), job: 'load' }], { jobs })).toMatch(
    /\(job process\): not seen yet[^]*\(job load\): not seen yet[^]*Re-armed/
  );
});

test('a sensor without jobs says that keys mean nothing', () => {
  expect(printed([], { jobs: [] })).toBe('s has no jobs: it starts no runs, and run keys mean nothing.');
});

test('a sensor sees nothing new for one reason, the one to act on first', () => {
  const description = {
    status: 'running',
    health: 'failing',
    error: 'no access',
    taskQueue: 'q',
    tags: {},
  } as unknown as SensorDescription;
  const heard = new Date(T - 2 * MIN);
  const polled = [
    { identity: 'here', lastSeen: new Date(T) },
    { identity: 'gone', lastSeen: heard },
  ];
  expect(standingOf(description, polled, T)).toMatchObject({ kind: 'failing', error: 'no access' });
  expect(standingOf(description, [], T)).toMatchObject({ kind: 'noWorker' });
  // Temporal lists a worker that is gone for five minutes
  const gone = standingOf(description, polled.slice(1), T);
  expect(gone).toMatchObject({ kind: 'noWorker', lastSeen: heard });
  expect(standingText(gone, 's')).toMatch(/no worker polls task queue 'q' any more \(last heard of .* ago\)\.$/);
  const late = new Date(T);
  expect(standingOf({ ...description, dueSince: late }, polled, T + MIN)).toMatchObject({
    kind: 'late',
    dueSince: late,
  });
  expect(standingOf({ ...description, dueSince: late }, polled, T + 1)).toMatchObject({ kind: 'failing' });
  expect(standingOf({ ...description, failedTaskAttempts: 3 }, [])).toEqual({ kind: 'broken', failedTaskAttempts: 3 });
  expect(standingOf({ ...description, health: 'notLoaded' }, polled)).toEqual({ kind: 'notLoaded' });
  expect(standingOf({ ...description, status: 'closed' }, polled)).toEqual({ kind: 'closed' });
  const holding = standingOf({ ...description, health: 'ok', pendingUntil: new Date(Date.now() + 3 * MIN) }, [
    { identity: 'here', lastSeen: new Date() },
  ]);
  expect(printed([key({ standing: holding })])).toContain(
    'The sensor is running, and evaluates after its pending requests (maxRunsPerTick), of which the next start in 3 min.'
  );
});

test('what is called like a backfill is told as one that Temporal does not know, and not as a key that may still come', async () => {
  const about = { sensor: 's', workflowId: 'sensor/s', runId: 'r' };
  const asked = async (_: string, question: Question): Promise<Explanation> =>
    'run' in question
      ? { ...about, about: 'run', run: question.run, answer: { kind: 'unknown' } }
      : { ...about, about: 'key', runKey: 'k', jobs: ['process'], answers: [] };
  const session = { sensors: { explain: asked }, webUrlOf: () => undefined } as unknown as Session;
  const said: string[] = [];
  const output = createOutput({ json: false });
  const result: Output['result'] = (_, text) => void said.push(...text(createColors(false), 80));
  for (const what of ['backfill/nope', 'backfill/nope:process:a', 's:process:a'])
    await explain(session, { ...output, result }, 's', what, {});
  expect(said).toEqual([
    "Temporal knows no backfill 'nope' (any more). Backfills that it knows: sensors backfills list",
    "Temporal knows no run 'backfill/nope:process:a' of a backfill (any more). Backfills that it knows: sensors backfills list",
    's has no jobs: it starts no runs, and run keys mean nothing.',
    'Temporal knows no run of this ID either (any more).',
  ]);
});
