/** What commands say when a change does not end as it should, and what they ask about: with a sensor that is made up. */
import { WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { changeSensor, CHANGE_TIMEOUT_MS } from '../../src/cli/commands/change-sensor.js';
import { retryBackfill } from '../../src/cli/commands/backfills.js';
import { retryDeadLetters } from '../../src/cli/commands/dead-letters.js';
import { noEvents } from '../../src/cli/commands/assets-events.js';
import { whatGoes } from '../../src/cli/commands/assets-prune.js';
import { heldBackText, holdersOf, lossOf } from '../../src/cli/commands/assets-retain.js';
import { logs } from '../../src/cli/commands/logs.js';
import { prune } from '../../src/cli/commands/prune.js';
import { ticks } from '../../src/cli/commands/ticks.js';
import { explainError } from '../../src/cli/errors.js';
import { createOutput, type Output } from '../../src/cli/output.js';
import type { Session } from '../../src/cli/session.js';
import { emptyRecord } from '../../src/workflows/records.js';
import { isPageOf } from '../../src/client/prune.js';
import type { AssetDescription, SensorClient } from '../../src/client/index.js';

/** A session whose calls have the deadlines that it remembers. */
function sessionWith(sensors: { readonly [Name in keyof SensorClient]?: unknown }) {
  const deadlines: (number | undefined)[] = [];
  const call = async <T>(act: () => Promise<T>, timeoutMs?: number): Promise<T> => {
    deadlines.push(timeoutMs);
    return await act();
  };
  const session = {
    sensors,
    call,
    ask: async <T>(_: string, act: () => Promise<T>) => await call(act),
    timeoutMs: 15_000,
  };
  return { session: session as unknown as Session, deadlines };
}

function outputTo(said: unknown[], overrides: Partial<Output> = {}): Output {
  return { ...createOutput({ json: true }), note: (text) => said.push(text), ...overrides };
}

test('a change has the time that the loop gives itself; when no answer comes, nobody is told to try again', async () => {
  const { session, deadlines } = sessionWith({ state: async () => ({}) });
  const timeout = (): Promise<never> =>
    Promise.reject(new WorkflowUpdateRPCTimeoutOrCancelledError('deadline exceeded'));
  const error: unknown = await changeSensor(session, outputTo([]), 'orders', timeout).catch((each: unknown) => each);
  // the loop was asked first whether anybody is there
  expect(deadlines).toEqual([undefined, CHANGE_TIMEOUT_MS]);
  expect(CHANGE_TIMEOUT_MS).toBeGreaterThan(120_000);
  const { code, exitCode, message } = explainError(error, undefined);
  expect({ code, exitCode }).toEqual({ code: 'unanswered', exitCode: 5 });
  expect(message).toMatch(/may still take effect.*before you repeat it: sensors audit orders, sensors runs orders$/);
  expect(message).not.toContain('try again');
});

test('an event of the dead letters is not done when it is handed back: the next tick tries it', async () => {
  const letters = [
    { id: 'event-1', kind: 'event' },
    { id: 'r1', kind: 'request' },
    { id: 'r2', kind: 'request' },
  ];
  const failed = [{ id: 'r2', error: 'it does not fit' }];
  const { session } = sessionWith({
    describe: async () => ({ taskQueue: 'q' }),
    workers: async () => [{}],
    state: async () => ({ deadLetters: letters }),
    retryDeadLetters: async (_: string, { ids }: { ids: readonly string[] }) => ({
      done: ids.filter((id) => id !== 'r2'),
      started: ids.includes('r1') ? 1 : 0,
      failed: ids.includes('r2') ? failed : [],
    }),
  });
  const said: unknown[] = [];
  const output = outputTo(said, { result: (value, text) => said.push(value, text(createColors(false), 80)) });
  await retryDeadLetters(session, output, 'orders', ['event-1'], {});
  await retryDeadLetters(session, output, 'orders', [], {});
  const next = expect.stringMatching(/^ {2}The sensor's next tick tries .*: sensors ticks orders$/) as string;
  expect(said).toEqual([
    { sensor: 'orders', done: ['event-1'], handedBack: ['event-1'], started: 0, failed: [] },
    ['1 event of orders handed back, 0 stay.', next],
    { sensor: 'orders', done: ['event-1', 'r1'], handedBack: ['event-1'], started: 1, failed },
    [
      '1 dead letter of orders done (1 run started), 1 event of orders handed back, 1 stay.',
      next,
      '  r2: it does not fit',
    ],
  ]);
});

test.each([
  ['running', undefined, undefined],
  ['cancelled', undefined, 'sensors backfills retry d1.retry1'],
  ['failed', 'no partitions', undefined],
] as const)(
  'of a backfill that is %s (error %s) it is said once whether it can be retried',
  async (status, error, expected) => {
    const again = { id: 'd1.retry1', job: 'j', started: false, status, error, runs: 2, failed: 1, failures: [] };
    const { session } = sessionWith({ backfills: { retry: async () => again } });
    const said: unknown[] = [];
    const output = outputTo(said, { result: (_, text) => said.push(...text(createColors(false), 80)) });
    await retryBackfill({ ...session, webUrlOf: () => undefined }, output, 'd1', {});
    const commands = said.flatMap((line) => String(line).match(/sensors backfills retry \S+/g) ?? []);
    // below the backfill, and in the remark
    expect(commands).toEqual(expected === undefined ? [] : [expected, expected]);
    expect(said.at(-1)).toContain("was retried already, as 'd1.retry1'; nothing was started");
  }
);

test('a sensor that is pruned half-way says how far it was and that the same command goes on', async () => {
  const said: unknown[] = [];
  const failing = (_: string, { onRemoved }: { onRemoved: (of: number) => void }): Promise<never> => {
    onRemoved(3);
    onRemoved(3);
    return Promise.reject(new Error('no answer'));
  };
  const description = { sensor: 'orders', taskQueue: 'q', pending: 0, deadLetters: 0 };
  const { session, deadlines } = sessionWith({
    describe: async () => description,
    workers: async () => [],
    prune: failing,
  });
  const output = outputTo(said, {
    progress: (total, what) => ({ advance: () => said.push(`1 of ${total} ${what}`), end: () => said.push('end') }),
  });
  await expect(prune(session, output, 'orders', { yes: true })).rejects.toThrow('no answer');
  expect(said).toEqual([
    '1 of 3 workflows',
    '1 of 3 workflows',
    expect.stringContaining('To go on, run the same command again') as string,
    'end',
  ]);
  // describe and workers: the removal has no deadline of its own
  expect(deadlines).toHaveLength(2);
});

test('what is pruned has its own pages and no other', () => {
  expect(isPageOf('page/orders/', 'page/orders/keys/hash')).toBe(true);
  expect(isPageOf('page/asset/', 'page/asset/keys/hash')).toBe(true);
  // a sensor may be called as pages of assets begin, and an asset as the folder of another
  expect(isPageOf('page/asset/', 'page/asset/sales/events/hash')).toBe(false);
  expect(isPageOf('page/asset/sales/', 'page/asset/sales/orders/events/hash')).toBe(false);
  expect(isPageOf('page/asset/sales/orders/', 'page/asset/sales/orders/events/hash')).toBe(true);
});

test.each([
  ['ticks', ticks],
  ['logs', logs],
])('%s that are followed since a time are none that began before', async (_, command) => {
  const since = new Date(1_000);
  const tick = (number: number, startedAt: number) => ({
    ...emptyRecord(number, 'interval', startedAt),
    logs: [{ level: 'info', at: startedAt, message: 'here' }],
  });
  const answers = [[tick(1, 10)], [tick(1, 10), tick(2, 2_000)]];
  const { session } = sessionWith({
    describe: async () => ({ taskQueue: 'q' }),
    workers: async () => [{}],
    ticks: async () => answers.shift() ?? [],
    tickHistory: async function* () {
      // none before
    },
  });
  const item = (value: unknown): never => {
    throw new Error(`the first is of tick ${(value as { tick: number }).tick}`);
  };
  const followed = command(session, outputTo([], { item }), 'orders', { limit: 20, since, follow: true });
  await expect(followed).rejects.toThrow('the first is of tick 2');
});

test('how much of the log of an asset goes is known before it goes', () => {
  const state = { first: 11, last: 110, retention: { events: 100_000 } };
  const reader = (keptAfter?: number) => ({
    sensor: 'a',
    position: 110,
    ...(keptAfter === undefined ? {} : { keptAfter }),
  });
  const loss = (facts: object, retention: { readonly events: number; readonly ageMs?: number }): string | undefined =>
    lossOf({ log: 'running', state, readers: [], ...facts } as unknown as AssetDescription, retention);
  expect(loss({}, { events: 1 })).toBe('up to 99 events');
  expect(loss({ readers: [reader(20), reader()] }, { events: 1 })).toBe('up to 10 events');
  expect(loss({ readers: [reader(0)] }, { events: 1 })).toBeUndefined();
  expect(loss({}, { events: 100 })).toBeUndefined();
  expect(loss({}, { events: 100, ageMs: 3_600_000 })).toBe('events older than 1 h');
  expect(loss({}, { events: 99, ageMs: 3_600_000 })).toBe('up to 1 event, and those older than 1 h,');
  expect(loss({ state: { ...state, retention: { events: 5, ageMs: 1_000 } } }, { events: 100, ageMs: 3_600_000 })).toBe(
    undefined
  );
  expect(loss({ state: undefined }, { events: 1 })).toContain('how many only a worker could tell');
  expect(loss({ log: 'none', state: undefined }, { events: 1 })).toBeUndefined();
  const readers = [reader(60), { ...reader(20), sensor: 'b' }, reader(110), reader()];
  const description = { state, readers } as unknown as AssetDescription;
  const holders = (retention: { readonly events: number; readonly ageMs?: number }): unknown =>
    holdersOf(description, retention).map(({ keptAfter }) => keptAfter);
  expect(holders({ events: 30 })).toEqual([20, 60]);
  expect(holders({ events: 60 })).toEqual([20]);
  expect(holders({ events: 100 })).toEqual([]);
  // by age they may hold back nothing
  expect(holders({ events: 100, ageMs: 1 })).toEqual([]);
  expect(holders({ events: 60, ageMs: 1 })).toEqual([20]);
  expect(heldBackText(description, { events: 60, ageMs: 1 })).toMatch(/^Held back by b: what comes after event 20 /);
  expect(heldBackText(description, { events: 100, ageMs: 1 })).toMatch(
    /^However old it is, what comes after event 20 stays until b \(and 1 sensor less far behind\) has told the log /
  );
  expect(heldBackText(description, { events: 100 })).toBeUndefined();
});

test('who prunes an asset is told what its readers lose and how they notice', () => {
  const facts = { asset: 'orders', state: { first: 1, last: 3 }, watchers: ['a'], owners: [] };
  const details = (readers: readonly object[]): string =>
    whatGoes({ ...facts, readers } as unknown as AssetDescription).join('\n');
  expect(details([{ sensor: 'a', position: 2 }])).toMatch(
    /3 events of orders.*\nRead or watched by a\.\nWhat they have still to read.* is gone, .*each fails one tick.*\nSensors still tell of it/
  );
  expect(details([{ sensor: 'a' }])).not.toContain('fails one tick');
  // who begins the new log decides where it runs
  expect(details([{ sensor: 'a', position: 2 }])).toMatch(
    /a reader that looks, or its next event, begins .* task queue of whoever/
  );
  expect(details([{ sensor: 'a' }])).toMatch(/list, and its next event begins /);
});

test('an asset whose log is empty is not said to lack events of a kind', () => {
  expect(noEvents('orders', {})).toContain('or it was pruned since');
  expect(noEvents('orders', { partition: 'mon' })).toBe('orders has no such events.');
});
