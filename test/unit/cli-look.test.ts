/** The pure parts of the commands that look: filters, the timeline, what fits on a terminal. */
import fc from 'fast-check';
import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { checkSensors } from '../../src/cli/checks.js';
import { descriptionLines, why } from '../../src/cli/commands/describe.js';
import { listLines } from '../../src/cli/commands/list.js';
import { backfillDetails } from '../../src/cli/explain-backfill-text.js';
import { standingText } from '../../src/cli/standing-text.js';
import { logLines } from '../../src/cli/commands/tick.js';
import { explanationLines } from '../../src/cli/explain-text.js';
import { firstOf, newestTicks, type NewestTicksOptions } from '../../src/cli/newest-ticks.js';
import { duration, moment, pastTime, timeOfDay } from '../../src/cli/options.js';
import { fitting, table, type Output } from '../../src/cli/output.js';
import type { Session } from '../../src/cli/session.js';
import { speaksUnicode, timeline } from '../../src/cli/timeline.js';
import { descriptionView, listView, tickView } from '../../src/cli/views.js';
import type { KeyAnswer, SensorDescription, TickHistoryOptions } from '../../src/client/index.js';
import { standingOf } from '../../src/client/standing.js';
import { plainLines } from '../../src/sensors/text.js';
import { sensorFilter } from '../../src/client/sensor-filter.js';
import { emptyRecord } from '../../src/workflows/records.js';
import { addRuns, runsOfLastDay, type RecentRuns } from '../../src/sensors/recent-runs.js';
import { describedSensor } from '../support/described-sensor.js';

const sensor = { sensor: 'eu.orders-1', status: 'running', health: 'ok', tags: { team: 'sales', tier: '1' } };

test('a tick shows the trace of its evaluation', () => {
  const record = emptyRecord(1, 'interval', 0);
  expect(tickView({ ...record, trace: 'of tick 1' }).trace).toBe('of tick 1');
});

test('a filter means what it says', () => {
  for (const filter of [
    {},
    { name: 'eu.orders-1' },
    { name: 'eu.*' },
    { name: '*-?' },
    { status: 'running', health: 'ok' },
    { tags: { team: 'sales', tier: '1' } },
  ] as const)
    expect(sensorFilter(filter)(sensor), JSON.stringify(filter)).toBe(true);
  for (const filter of [
    { name: 'eu.orders' },
    { name: 'eu-orders-1' },
    { name: '[A-Z]*' },
    { status: 'stopped' },
    { health: 'failing' },
    { tags: { team: 'ops' } },
    { tags: { toString: 'x' } },
  ] as const)
    expect(sensorFilter(filter)(sensor), JSON.stringify(filter)).toBe(false);
});

test('a timeline has a character a tick, the newest last, in as much room as there is', () => {
  const ticks = (['failure', 'success', 'skipped', 'started'] as const).map((status) => ({ status }));
  expect(timeline(ticks, { unicode: false, width: Infinity })).toBe('>.#x   # success  . skipped  x failure');
  expect(timeline(ticks, { unicode: true, width: Infinity })).toBe('…·●✗   ● success  · skipped  ✗ failure');
  expect(timeline(ticks, { unicode: false, width: 36 })).toMatch(/^#x {3}/);
  expect(
    timeline(ticks, { unicode: false, width: 80, paint: (glyph, status) => (status === 'failure' ? '!' : glyph) })
  ).toMatch(/^>\.#! /);
});

test('more than ASCII is for terminals whose locale has it', () => {
  expect(speaksUnicode(true, { LANG: 'en_US.UTF-8' })).toBe(true);
  expect(speaksUnicode(true, { LC_ALL: 'C', LANG: 'en_US.UTF-8' })).toBe(false);
  expect(speaksUnicode(false, { LANG: 'en_US.UTF-8' })).toBe(false);
  expect(speaksUnicode(true, {})).toBe(false);
});

test('what does not fit on the terminal is counted', () => {
  expect(fitting(['a', 'b', 'c'], 3)).toEqual(['a', 'b', 'c']);
  expect(fitting(['a', 'b', 'c', 'd'], 3)).toEqual(['a', 'b', '… and 2 more lines']);
});

test('columns stay below each other whatever is in them', () => {
  const colors = createColors(true);
  const lines = table(
    ['A', 'B'],
    [
      [colors.red('ab'), 'x'],
      ['注文', 'y'],
      ['é', 'z'],
    ],
    createColors(false)
  );
  expect(lines).toEqual(['A      B', `${colors.red('ab')}     x`, '注文   y', 'é      z']);
});

test('a past time is a time, or how long ago', () => {
  expect(pastTime('2026-01-31T08:00:00Z')).toEqual(new Date('2026-01-31T08:00:00Z'));
  const past = pastTime('1.5h');
  expect(Date.now() - past.getTime()).toBeGreaterThanOrEqual(5_400_000);
  expect(duration('2d')).toBe(172_800_000);
  for (const wrong of ['yesterday', '2', '2 weeks', '-1h', '2999-01-01T00:00:00Z'])
    expect(() => pastTime(wrong), wrong).toThrow(/Accepted|future/);
});

test('a stack is shown line by line, and no line of it looks like one of ours', () => {
  const stack = 'Error: no \u001b[2Jaccess\n    at look (/app/look.ts:1:2)\n\n2030-01-31T08:00:00Z  8  info  mine';
  const lines = [
    'Error: no \\u001b[2Jaccess',
    '    at look (/app/look.ts:1:2)',
    '    2030-01-31T08:00:00Z  8  info  mine',
  ];
  expect(plainLines(stack)).toEqual(lines);
  const shown = logLines([{ level: 'error', at: 0, message: stack }], createColors(false));
  expect(shown).toEqual([`  log error ${lines[0]}`, `  ${lines[1]}`, `  ${lines[2]}`]);
  expect(plainLines('')).toEqual(['']);
});

test('what interrupted an evaluation is not taken for a skip reason', () => {
  const evaluation = {
    phase: 'running',
    lastOutcome: 'its worker was shut down',
    folded: false,
    streak: [{ reason: 'no files', since: 0 }],
  } as unknown as NonNullable<SensorDescription['evaluation']>;
  const shown = descriptionLines(describedSensor('orders', { evaluation }), { workers: [] }, createColors(false));
  expect(shown.join('\n')).toMatch(/Last skip reason +no files/);
});

test('an evaluation that came due while the rest was looked up is said to be due now', () => {
  const nextAt = new Date(Date.now() - 1_500);
  const evaluation = { phase: 'waiting', lastOutcome: 'no files', folded: true, nextAt } as NonNullable<
    SensorDescription['evaluation']
  >;
  const due = describedSensor('orders', { evaluation });
  expect(why(due)).toBe('running: no files; next evaluation now.');
  expect(listLines([due], {}, { namespace: '', address: '' }, createColors(false)).at(-1)).toMatch(/ now .* no files$/);
  const polled = [{ identity: 'here', lastSeen: new Date() }];
  expect(standingText(standingOf(due, polled), 'orders')).toContain('running, the next evaluation is now, and');
  expect(descriptionLines(due, { workers: polled }, createColors(false)).join('\n')).toMatch(/Next evaluation +now \(/);
});

test('a time of day is the last one that clocks here showed', () => {
  const now = new Date(2026, 0, 31, 17, 0, 0);
  expect(timeOfDay('16:38', now)).toEqual(new Date(2026, 0, 31, 16, 38));
  expect(timeOfDay('9:05:07', now)).toEqual(new Date(2026, 0, 31, 9, 5, 7));
  expect(timeOfDay('17:01', now)).toEqual(new Date(2026, 0, 30, 17, 1));
  for (const other of ['24:00', '16:60', '16', 'b.csv:17', '16:38Z'])
    expect(timeOfDay(other, now), other).toBeUndefined();
  expect(moment('2999-01-01T00:00:00Z')).toEqual(new Date('2999-01-01T00:00:00Z'));
  expect(moment('16:38').getTime()).toBeLessThanOrEqual(Date.now());
  expect(() => moment('25:00')).toThrow("'25:00' is not a time. Accepted: a time of day such as 16:38");
});

const HOUR_MS = 3_600_000;

test('runs of the last 24 hours are those of this hour and the 23 before it', () => {
  const run = fc.record({ afterMs: fc.integer({ min: 0, max: 30 * HOUR_MS }), runs: fc.integer({ min: 1, max: 500 }) });
  fc.assert(
    fc.property(fc.array(run, { maxLength: 40 }), fc.integer({ min: 0, max: 40 * HOUR_MS }), (steps, laterMs) => {
      let now = 1_700_000_000_000;
      let recent: RecentRuns | undefined;
      const all: { readonly hour: number; readonly runs: number }[] = [];
      for (const { afterMs, runs } of steps) {
        now += afterMs;
        recent = addRuns(recent, runs, now);
        all.push({ hour: Math.floor(now / HOUR_MS), runs });
      }
      now += laterMs;
      const hour = Math.floor(now / HOUR_MS);
      const expected = all.filter((each) => each.hour > hour - 24).reduce((sum, { runs }) => sum + runs, 0);
      expect(runsOfLastDay(recent, now)).toBe(expected);
      expect(recent?.counts.length ?? 0).toBeLessThanOrEqual(24);
    })
  );
});

test('a sensor that evaluates nothing says in the list what it waits for', () => {
  const place = { namespace: 'default', address: 'localhost' };
  const said = (more: Parameters<typeof describedSensor>[1]): string | undefined =>
    listLines([describedSensor('orders', more)], {}, place, createColors(false)).at(-1);
  const pendingUntil = new Date(Date.now() + 59.5 * 60_000);
  expect(said({ pending: 2, pendingUntil })).toMatch(
    / 2 pending requests, the next of them in 59 min \(maxRunsPerTick\)$/
  );
  expect(said({ pending: 1 })).toMatch(/ 1 pending request being started$/);
  // nobody polls
  const past = new Date(Date.now() - 300_500);
  const late =
    / (running; )?(\d pending requests?), but late: the next was due 5 min ago, and no worker has taken it yet\.?$/;
  for (const more of [
    { pending: 2, pendingUntil: past },
    { pending: 1, dueSince: past },
  ]) {
    expect(said(more)).toMatch(late);
    expect(why(describedSensor('orders', more))).toMatch(late);
  }
  // only a message waits
  expect(said({ pending: 2, pendingUntil, dueSince: past })).toMatch(/ in 59 min \(maxRunsPerTick\)$/);
  const paused = { phase: 'waiting', paused: true, lastOutcome: 'no new files' } as NonNullable<
    SensorDescription['evaluation']
  >;
  expect(said({ evaluation: paused })).toMatch(/ its evaluation was paused in Temporal Web$/);
});

test('a sensor whose workflow task fails is not shown as one that is well', () => {
  const broken = describedSensor('orders', { failedTaskAttempts: 3 });
  const place = { namespace: 'default', address: 'localhost' };
  expect(listLines([broken], {}, place, createColors(false)).at(-1)).toContain(
    'its workflow task fails again and again'
  );
  expect(why(broken)).toContain('it stands still');
});

test('workers that have not been heard of for 90 s are gone, unless one has just answered', () => {
  const seen = (ageMs: number) => ({ identity: `worker-${ageMs}`, lastSeen: new Date(Date.now() - ageMs) });
  const lines = (extras: Parameters<typeof descriptionLines>[1]): string =>
    descriptionLines(describedSensor('orders'), extras, createColors(false)).join('\n');
  const gone = lines({ workers: [seen(180_500), seen(240_000)], stateError: 'no worker answered' });
  expect(gone).toContain(
    "warning: no worker polls task queue 'queue' any more (last heard of 3 min ago), so nothing is evaluated; start one"
  );
  expect(gone).toMatch(/Task queue +queue, no worker any more \(worker-180500 3 min ago\)/);
  const here = lines({ workers: [seen(9_500), seen(180_500)], stateError: 'no worker answered' });
  expect(here).toContain("warning: the loop's own details are missing: no worker answered");
  expect(here).toMatch(/Task queue +queue, polled by 1 worker \(worker-9500 9 s ago\)/);
});

test('a closed sensor is neither due nor evaluated', () => {
  const past = new Date(Date.now() - 240_000);
  const evaluation = {
    phase: 'waiting',
    attempt: 2,
    lastAttemptAt: past,
    dueSince: past,
    lastOutcome: 'no files',
    folded: true,
  } as NonNullable<SensorDescription['evaluation']>;
  const facts = { evaluation, dueSince: past };
  const place = { namespace: 'default', address: 'localhost' };
  const shown = (status: SensorDescription['status']): string => {
    const sensor = describedSensor('orders', { ...facts, status });
    const listed = listLines([sensor], {}, place, createColors(false));
    return [...listed, ...descriptionLines(sensor, { workers: [] }, createColors(false))].join('\n');
  };
  expect(shown('running')).toMatch(/ 4 min .*Attempt +2, the last 4 min ago.*Idle +costs no history/s);
  expect(shown('closed')).not.toMatch(/4 min|Attempt|Idle/);
  const closed = describedSensor('orders', { ...facts, status: 'closed' });
  expect(listView(closed).dueSince).toBeUndefined();
  expect(descriptionView(closed, { workers: [] }).evaluation).toBeUndefined();
  expect(checkSensors([closed], Date.now()).map(({ check }) => check)).toEqual(['sensors', 'closed']);
});

test('a sensor that nobody has taken yet is said to be late, however little', () => {
  const dueSince = new Date(Date.now() - 7_000);
  const late = describedSensor('orders', { dueSince });
  expect(why(late)).toBe('running, but late: it was due 7 s ago, and no worker has taken it yet.');
  expect(why(describedSensor('orders', { dueSince: new Date() }))).toBe('running; it is between two evaluations.');
  const polled = [{ identity: 'here', lastSeen: new Date() }];
  const answer: KeyAnswer = { kind: 'notSeen', job: 'report', since: dueSince, standing: standingOf(late, polled) };
  const loop = { sensor: 'orders', workflowId: 'sensor/orders', runId: 'r' };
  const about = { about: 'key', ...loop, runKey: 'k', jobs: ['report'] } as const;
  const [line] = explanationLines({ ...about, answers: [answer] }, { showCursor: false, webUrlOf: () => undefined });
  expect(line).toContain('The sensor is running, but late: it was due 7 s ago');
});

test('a key that asked for a backfill is not sent to rerun or rearm, which are about runs', () => {
  const at = new Date(0);
  const tags = {};
  const run = {
    workflowId: 'backfill/s.h',
    runId: 'r',
    job: 'sensorBackfill',
    status: 'COMPLETED',
    tags,
    startTime: at,
  };
  const facts = { job: 'report', backfill: 's.h' } as const;
  const linesOf = (answer: KeyAnswer): string =>
    explanationLines(
      {
        sensor: 's',
        workflowId: 'sensor/s',
        runId: 'r',
        about: 'key',
        runKey: 'k',
        jobs: ['report'],
        answers: [answer],
      },
      { showCursor: false, webUrlOf: () => undefined }
    ).join('\n');
  const again = { tick: 2, at };
  expect(linesOf({ ...facts, kind: 'duplicate', run, requestedAt: at, again })).toMatch(
    /duplicate of run backfill\/s\.h .*started nothing\. Its failed partitions run again with: sensors backfills retry s\.h$/
  );
  expect(linesOf({ ...facts, kind: 'remembered' })).toContain(
    'start another one: sensors backfill report --partitions'
  );
  expect(linesOf({ job: 'report', kind: 'remembered' })).toContain('sensors rearm s k');
  const backfill = { id: 's.h', isIt: true } as const;
  expect(backfillDetails({ ...backfill, status: 'failed' })).toEqual(['  More of it: sensors backfills show s.h']);
  // forgotten by Temporal: there is nothing more
  expect(backfillDetails(backfill)).toEqual([]);
});

test('what may be in no history is searched for in those of a week, unless somebody names a time', async () => {
  const DAY_MS = 24 * HOUR_MS;
  const ticks = Array.from({ length: 30 }, (_, day) =>
    emptyRecord(30 - day, 'interval', Date.now() - (day + 0.5) * DAY_MS)
  );
  const sensors = {
    describe: () => Promise.resolve({ taskQueue: 'main' }),
    workers: () => Promise.resolve([]),
    async *tickHistory(_: string, { since, onHistory }: TickHistoryOptions) {
      for (const tick of ticks) {
        onHistory?.(new Date(tick.startedAt));
        if (tick.startedAt >= (since?.getTime() ?? 0)) yield await Promise.resolve(tick);
      }
    },
  };
  const session = { sensors, timeoutMs: 1_000, call: <T>(run: () => Promise<T>) => run() } as unknown as Session;
  const count = async (options: NewestTicksOptions) => {
    const notes: string[] = [];
    const states: (string | undefined)[] = [];
    const output = {
      note: (text: string) => notes.push(text),
      status: (text: string | undefined) => states.push(text),
    };
    const found = await firstOf(newestTicks(session, output as unknown as Output, 's', options), 100, () => true);
    expect(states[0]).toMatch(/^reading history 1 of s: it began /);
    expect(states.at(-1)).toBeUndefined();
    return [found.length, notes.some((note) => note.includes('--since'))];
  };
  expect(await count({ searching: true })).toEqual([7, true]);
  expect(await count({ searching: true, since: new Date(Date.now() - 20 * DAY_MS) })).toEqual([20, false]);
  expect(await count({})).toEqual([30, false]);
});
