/** The cursor before a tick, and what the audit says of edits. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cursorBefore } from '../../src/client/rewind.js';
import type { StoredCursor } from '../../src/sensors/cursor.js';
import type { LoopOptions, LoopState } from '../../src/sensors/protocol.js';
import { applyCursorEdit, applyMessage } from '../../src/workflows/apply.js';
import { parseCursorEdit } from '../../src/workflows/parse.js';
import { addTick, emptyRecord } from '../../src/workflows/records.js';
import { newState, resumeWhenDue } from '../../src/workflows/state.js';
import { beginEvaluation, fail } from '../../src/workflows/tick.js';

const NO_DETAILS = { durationMs: 0, quiet: [], logs: [], logLinesDropped: 0 };

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

test('is the one that the tick began with, or is not known', () => {
  const cursor = fc.option(
    fc
      .oneof(
        fc.jsonValue(),
        fc.integer({ min: 900, max: 2_000 }).map((size) => 'x'.repeat(size))
      )
      .map((value) => ({ value })),
    { nil: undefined }
  );
  fc.assert(
    fc.property(fc.array(cursor, { minLength: 2, maxLength: 70 }), (cursors) => {
      const ticks = cursors.slice(1).reduce<ReturnType<typeof addTick>>((ring, after, index) => {
        const before = cursors[index] as StoredCursor | undefined;
        const record = {
          ...emptyRecord(index + 1, 'interval', 0),
          ...(before === undefined ? { noCursorBefore: true as const } : { cursorBefore: before }),
          ...(after === undefined ? {} : { cursorAfter: after as StoredCursor }),
        };
        return addTick(ring, record);
      }, []);
      cursors.slice(1).forEach((_, index) => {
        const known = cursorBefore(ticks, index + 1);
        if ('refusal' in known) {
          const kept = ticks.some(({ tick }) => tick === index + 1);
          expect(known.refusal).toContain(kept ? 'larger than 1 KB' : 'is not among the ticks');
          if (kept) expect(JSON.stringify(cursors[index]).length).toBeGreaterThan(900);
        } else expect(known.cursor).toEqual(cursors[index]);
      });
    }),
    { numRuns: 50 }
  );
});

test('a sensor without ticks says so', () => {
  expect(cursorBefore([], 1)).toEqual({
    refusal: "tick 1 is not among the ticks that the sensor keeps (it has none yet), nor in Temporal's histories",
  });
});

test('a record of older code, which dropped large cursors without a word, is not taken for one without a cursor', () => {
  expect(cursorBefore([emptyRecord(1, 'interval', 0)], 1)).toEqual({
    refusal: 'tick 1 was recorded by an older version, which does not tell whether there was a cursor',
  });
});

test('every tick says whether there was a cursor before it', () => {
  const begun = beginEvaluation(newState(options, 0), { sensor: 's', evaluation: 1, delayMs: 0, rest: false }, 0);
  const failed = fail(begun.state, begun.evaluated, 'no', NO_DETAILS, 0);
  expect(cursorBefore(failed.ring, 1)).toEqual({});
});

test('the audit names what was done, by whom and why', () => {
  const now = Date.parse('2030-01-01T00:00:00Z');
  const until = now + 60_000;
  const note = { by: 'ann', reason: 'why' };
  const signal = (state: LoopState, name: string, arg: unknown): LoopState =>
    applyMessage(state, { kind: 'signal', name, args: [arg] }, now);
  let state = signal(newState(options, now), 'stop', { ...note, until });
  state = resumeWhenDue(resumeWhenDue(state, until), until + 1);
  state = signal(state, 'stop', { ...note, until: 1e300 });
  for (const edit of [
    { cursor: 1 },
    { cursor: 1, beforeTick: 7 },
    { clear: true, beforeTick: 8 },
    { clear: true, beforeTick: 'x' },
  ]) {
    const parsed = parseCursorEdit({ ...note, ...edit });
    if (parsed !== undefined) state = applyCursorEdit(state, parsed, now);
  }
  expect(state.audit.map(({ what, by, reason }) => [what, by, reason])).toEqual([
    ['stop until 2030-01-01T00:01:00.000Z', 'ann', 'why'],
    ['start', undefined, 'the stop ended by itself'],
    ['stop', 'ann', 'why'],
    ['set cursor', 'ann', 'why'],
    ['rewind cursor to before tick 7', 'ann', 'why'],
    ['rewind cursor to before tick 8', 'ann', 'why'],
    ['clear cursor', 'ann', 'why'],
  ]);
});
