/** What is read from a history that the loop wrote: keys are forgotten when the loop forgot them, and no sooner. */
import type { Client } from '@temporalio/client';
import { defaultDataConverter } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import { expect, test } from 'vitest';
import { foldRun, type History } from '../../src/client/fold-history.js';
import { rememberKey } from '../../src/sensors/key-ledger.js';
import type { LoopState } from '../../src/sensors/protocol.js';
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
  const state = { ...fresh, ledger: rememberKey(fresh.ledger, KEY, T, OPTIONS.dedupeMs) };
  const input = {
    payloads: [defaultDataConverter.payloadConverter.toPayload({ sensor: 's', options: OPTIONS, state })],
  };
  const all = [[0, { workflowExecutionStartedEventAttributes: { input } }] as const, ...events];
  const history = {
    events: all.map(([ms, event], index) => ({ eventId: index + 1, eventTime: msToTs(T + ms), ...event })),
  };
  const client = { options: { loadedDataConverter: defaultDataConverter } } as unknown as Client;
  return (await foldRun(client, history as unknown as History)).state;
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
