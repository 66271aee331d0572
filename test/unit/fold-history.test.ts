/** What is read from a history that the loop wrote: keys are forgotten when the loop forgot them, and no sooner. */
import type { Client } from '@temporalio/client';
import { defaultDataConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import { expect, test } from 'vitest';
import { foldRun, type FoldedRun, type History } from '../../src/client/fold-history.js';
import { rememberKey } from '../../src/sensors/key-ledger.js';
import type { LoopState } from '../../src/sensors/protocol.js';
import { emptyRecord } from '../../src/workflows/records.js';
import { newState } from '../../src/workflows/state.js';

const T = Date.UTC(2030, 0, 1);
const KEY = 'A'.repeat(22);
const OPTIONS = {
  intervalMs: 1_000,
  timeoutMs: 1_000,
  defaultStatus: 'running',
  maxEventAttempts: 3,
  dedupeMs: 10_000,
  definition: '',
  hooks: { onFailure: false, onRecovered: false },
  jobs: ['job'],
  tags: {},
  owners: [],
} as const;

type Step = readonly [ms: number, event: object];

/** The last state of a loop that remembered a key at the beginning, and did this since. */
async function fold(...events: readonly Step[]): Promise<LoopState> {
  const fresh = newState(OPTIONS, T);
  return (await foldFrom({ ...fresh, ledger: rememberKey(fresh.ledger, KEY, T, OPTIONS.dedupeMs) }, ...events)).state;
}

async function foldFrom(state: LoopState, ...events: readonly Step[]): Promise<FoldedRun> {
  const input = {
    payloads: [defaultDataConverter.payloadConverter.toPayload({ sensor: 's', options: OPTIONS, state })],
  };
  const all = [[0, { workflowExecutionStartedEventAttributes: { input } }] as const, ...events];
  const history = {
    events: all.map(([ms, event], index) => ({ eventId: index + 1, eventTime: msToTs(T + ms), ...event })),
  };
  const client = { options: { loadedDataConverter: defaultDataConverter } } as unknown as Client;
  return await foldRun(client, history as unknown as History);
}

const task: object = { workflowTaskStartedEventAttributes: {} };
const activity = (name: string): object => ({
  activityTaskScheduledEventAttributes: {
    activityType: { name },
    input: {
      payloads: [
        defaultDataConverter.payloadConverter.toPayload({ sensor: 's', tick: 1, events: [], ids: [], evaluation: 1 }),
      ],
    },
  },
});
const keys = async (...events: readonly Step[]): Promise<string[]> =>
  (await fold(...events)).ledger.recent.map((segment) => segment.keys);

test('a key past its time is forgotten before the next evaluation', async () => {
  expect(await keys([20_000, task])).toEqual([KEY]);
  expect(await keys([20_000, task], [20_001, activity('evaluateSensor')])).toEqual([]);
});

test('a key that the loop still knew is kept, however long its workflow tasks or its tidying up took', async () => {
  expect(await keys([9_999, task], [15_000, activity('evaluateSensor')])).toEqual([KEY]);
  const tidying = [
    [9_999, task] as const,
    [10_000, activity('releasePages')] as const,
    [15_000, task] as const,
  ] as const;
  expect(await keys(...tidying, [15_001, activity('evaluateSensor')])).toEqual([KEY]);
});

/** The start of a run, asked for and answered. */
const start = (ms: number, id: string, tick: number): Step[] => {
  const memo = { fields: { sensorRun: defaultDataConverter.payloadConverter.toPayload({ tick }) } };
  return [
    [ms, task],
    [ms, { startChildWorkflowExecutionInitiatedEventAttributes: { workflowId: id, memo } }],
    [ms + 1, { childWorkflowExecutionStartedEventAttributes: { workflowExecution: { workflowId: id } } }],
  ];
};

test('what a tick leaves over is of the tick that starts it, whatever came between', async () => {
  const requests = ['a', 'b', 'c'].map((id) => ({ id, job: 'job', args: [] }));
  const launch = { remaining: requests, staged: [], refused: [], record: emptyRecord(1, 'interval', T) };
  const limited = { ...newState({ ...OPTIONS, maxRunsPerTick: 2 }, T), tick: 1, launch };
  const first = [...start(10, 'a', 1), ...start(20, 'b', 1)];
  const holding = await foldFrom(limited, ...first);
  expect(holding.ticks.get(1)).toMatchObject({ status: 'success', runs: { count: 2 }, pending: 1, endedAt: T + 21 });
  expect(holding.state.launch).toMatchObject({ remaining: [{ id: 'c' }], dueAt: T + 1_021, tick: 1 });
  const { ticks } = await foldFrom(limited, ...first, ...start(1_030, 'c', 2));
  expect(ticks.get(1)).toEqual(holding.ticks.get(1));
  expect(ticks.get(2)).toMatchObject({ trigger: 'pending', startedAt: T + 1_030, runs: { count: 1 }, pending: 0 });

  const stopped = await foldFrom({ ...limited, options: OPTIONS }, ...start(10, 'a', 1), ...start(5_000, 'b', 2));
  expect(stopped.ticks.get(1)).toMatchObject({ runs: { count: 1 }, pending: 2, endedAt: T + 11 });
  expect(stopped.ticks.get(2)).toMatchObject({ trigger: 'pending', startedAt: T + 5_000, runs: { sample: ['b'] } });
});

test('a start counts from the time when a worker took it', async () => {
  const signal = (name: string, by: string): object => {
    const input = { payloads: [defaultDataConverter.payloadConverter.toPayload({ by, at: T })] };
    return { workflowExecutionSignaledEventAttributes: { signalName: name, input } };
  };
  const asked = [
    [10, signal('stop', 'ann')],
    [11, task],
    [12, { workflowTaskCompletedEventAttributes: {} }],
    [20, signal('start', 'bob')],
  ] as const;
  const told = async (...more: readonly Step[]): Promise<unknown> =>
    (await foldFrom(newState(OPTIONS, T), ...asked, ...more)).audit.map(({ what, at }) => [what, at - T]);
  expect(await told()).toEqual([['stop', 11]]);
  // one that fails has not taken it
  expect(await told([30, task])).toEqual([['stop', 11]]);
  const taken = [
    [40, task],
    [41, { workflowTaskCompletedEventAttributes: {} }],
  ] as const;
  expect(await told([30, task], ...taken)).toEqual([
    ['stop', 11],
    ['start', 40],
  ]);
});
