/** What `sensors doctor` makes of what it found. */
import { describe, expect, test } from 'vitest';
import {
  checkClock,
  checkRetention,
  checkSearchAttributes,
  checkSensors,
  checkWorkers,
  type Check,
} from '../../src/cli/checks.js';
import { describedSensor } from '../support/described-sensor.js';

const DAY_MS = 86_400_000;
const now = Date.parse('2030-01-01T00:00:00Z');

const sensor: typeof describedSensor = (name, facts) => describedSensor(name, { startTime: new Date(now), ...facts });

const waiting = { phase: 'waiting', attempt: 1, folded: false, notLoaded: false, streak: [], recent: {} } as const;
const summary = (checks: readonly Check[]): string[] => checks.map(({ check, status }) => `${check} ${status}`);

test.each([
  [0, 'ok', 'client and server agree'],
  [-4_000, 'ok', "the server's clock is 4 s behind this machine's"],
  [6_000, 'warn', "the server's clock is 6 s ahead of this machine's"],
  [-3_600_000, 'fail', "the server's clock is 1 h behind this machine's"],
  [undefined, 'warn', 'could not be read'],
])('a clock that differs by %s ms is %s', (skewMs, status, message) => {
  expect(checkClock(skewMs)).toMatchObject({ status, message: expect.stringContaining(message) as string });
});

test('retention is held against what sensors remember', () => {
  expect(summary(checkRetention(3 * DAY_MS, [sensor('a'), sensor('b', { dedupeMs: 3 * DAY_MS })]))).toEqual([
    'retention ok',
    'dedupe ok',
  ]);
  const [retention, dedupe] = checkRetention(DAY_MS / 2, [sensor('a', { dedupeMs: 3_600_000 }), sensor('b')]);
  expect(retention).toMatchObject({ status: 'warn', todo: expect.stringContaining('a day or more') as string });
  expect(dedupe).toMatchObject({ status: 'warn', sensors: ['a'], todo: expect.stringContaining('12 h') as string });
  expect(summary(checkRetention(undefined, []))).toEqual(['retention warn']);
});

test('tags are held against search attributes', () => {
  const attributes = new Map([
    ['team', 'Keyword'],
    ['size', 'Int'],
  ]);
  expect(checkSearchAttributes(attributes, ['team'])).toMatchObject({
    status: 'ok',
    message: 'runs are found by team',
  });
  expect(checkSearchAttributes(attributes, ['team', 'size'])).toMatchObject({ status: 'warn' });
  expect(checkSearchAttributes(attributes, ['region'])).toMatchObject({
    status: 'ok',
    todo: expect.stringContaining('sensors setup') as string,
  });
  expect(checkSearchAttributes({ refused: 'no right' }, [])).toMatchObject({ status: 'warn' });
});

test('each task queue of a sensor needs a worker', () => {
  const sensors = [
    sensor('a'),
    sensor('b', { taskQueue: 'left' }),
    sensor('c', { taskQueue: 'idle', status: 'stopped' }),
    sensor('d', { taskQueue: 'queue', status: 'closed' }),
  ];
  const polledBefore = (ms: number) => ({ identity: `worker ${ms}`, lastSeen: new Date(now - ms) });
  const checks = checkWorkers(
    sensors,
    new Map([
      ['queue', [polledBefore(0), polledBefore(70_000)]],
      ['left', []],
      ['idle', []],
    ]),
    now
  );
  expect(checks[0]).toEqual({
    check: 'workers',
    status: 'ok',
    message: "task queue 'queue' (1 sensor) is polled by 2 workers",
  });
  expect(checks[1]).toMatchObject({ status: 'fail', sensors: ['b'] });
  expect(checks[2]).toMatchObject({ status: 'warn', sensors: ['c'] });
  // Temporal lists a worker that is gone for five minutes
  const gone = [polledBefore(0), polledBefore(181_000), polledBefore(240_000)];
  expect(checkWorkers([sensor('a')], new Map([['queue', gone]]), now)).toMatchObject([
    { status: 'ok', message: "task queue 'queue' (1 sensor) is polled by 1 worker; 2 others last heard of 3 min ago" },
  ]);
  expect(checkWorkers([sensor('a')], new Map([['queue', gone.slice(1)]]), now)).toMatchObject([
    {
      status: 'fail',
      message:
        "no worker polls task queue 'queue' (1 sensor) any more (last heard of 3 min ago), so nothing of it is evaluated",
    },
  ]);
});

describe('sensors', () => {
  test('that are well are one line', () => {
    expect(checkSensors([sensor('a'), sensor('b', { status: 'stopped' })], now)).toEqual([
      { check: 'sensors', status: 'ok', message: '2 sensors, 1 running' },
    ]);
    expect(summary(checkSensors([], now))).toEqual(['sensors warn']);
  });

  test.each([
    ['broken fail', { failedTaskAttempts: 3 }],
    ['notLoaded fail', { health: 'notLoaded' }],
    ['failing fail', { health: 'failing' }],
    ['stoppedItself fail', { status: 'stopped', statusBy: 'stopAfterFailures', health: 'failing' }],
    ['closed fail', { status: 'closed' }],
    ['paused warn', { evaluation: { ...waiting, paused: true } }],
    ['late warn', { dueSince: new Date(now - 130_000) }],
    ['deadLetters warn', { deadLetters: 1 }],
    ['unreadable warn', { unreadable: true }],
  ] as const)('that are ill are named: %s', (line, facts) => {
    const ill = sensor('ill', facts);
    const checks = checkSensors([sensor('well'), ill], now);
    expect(summary(checks)).toEqual(['sensors ok', line]);
    expect(checks[1]).toMatchObject({ sensors: ['ill'], message: expect.stringMatching(/^ill: /) as string });
    expect(checks[1]?.todo).toBeDefined();
  });

  test('that are stopped or only just due are not ill', () => {
    const sensors = [
      sensor('a', { status: 'stopped', health: 'failing' }),
      sensor('b', { dueSince: new Date(now - 1_000) }),
    ];
    expect(summary(checkSensors(sensors, now))).toEqual(['sensors ok']);
  });

  test('are named up to five; the rest is counted, and whole in the JSON', () => {
    const closed = Array.from({ length: 200 }, (_, n) => sensor(`s${n}`, { status: 'closed' }));
    const [, check] = checkSensors(closed, now);
    expect(check?.message).toMatch(/^s0, s1, s2, s3, s4 and 195 more: /);
    expect(check?.sensors).toHaveLength(200);
  });
});
