/** Starting and watching runs, with a server whose answers this test gives: the time between them is too short otherwise. */
import { expect, test, vi } from 'vitest';
import type { LaunchRequest } from '../../src/sensors/protocol.js';
import { createBackfillRuns } from '../../src/workflows/backfill-runs.js';
import * as rules from '../../src/workflows/backfill-state.js';
import type { RunEnded } from '../../src/workflows/parse-backfill.js';

interface Watch {
  readonly ids: readonly string[];
  readonly answer: (ends: readonly RunEnded[]) => void;
}

const server = vi.hoisted(() => ({
  watches: [] as Watch[],
  /** Starts that wait for an answer, by workflow ID. */
  starts: new Map<string, (run: { readonly result: () => Promise<void> }) => void>(),
  cancelled: [] as string[],
}));

vi.mock('@temporalio/workflow', async (importOriginal) => {
  class CancellationScope {
    static async nonCancellable<T>(act: () => Promise<T>): Promise<T> {
      return await act();
    }
    async run<T>(act: () => Promise<T>): Promise<T> {
      return await act();
    }
    cancel(): void {}
  }
  return {
    ...(await importOriginal<object>()),
    CancellationScope,
    proxyActivities: () => ({
      watchRuns: async ({ ids }: Watch) => await new Promise((answer) => server.watches.push({ ids, answer })),
    }),
    startChild: async (_: string, { workflowId }: { workflowId: string }) =>
      await new Promise((answer) => server.starts.set(workflowId, answer)),
    getExternalWorkflowHandle: (id: string) => ({
      cancel: async () => await Promise.resolve(server.cancelled.push(id)),
    }),
  };
});

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function runOf(id: string) {
  const request: LaunchRequest = { id, job: 'report', args: [] };
  return { key: id, request };
}

/** A backfill that continued as new while run `a` ran, and is starting run `c`. */
function startingC() {
  const made = { policy: 'perPartition', first: 'a', last: 'c', partitions: 2, runs: 2, pages: [] } as const;
  let state = rules.planned(rules.newBackfill(0), { ...made, keys: ['a', 'c'] });
  state = rules.begin(state, { id: 'a', partition: 'a' });
  const runs = createBackfillRuns('backfill/x', {}, { get: () => state, set: (next) => void (state = next) });
  runs.watch();
  const started = runs.start([runOf('c')]);
  return { runs, started, state: () => state };
}

test('nobody looks for a run whose start is not answered, so it is not taken for one that is gone', async () => {
  const { started, state } = startingC();
  await settled();
  server.watches.shift()?.answer([{ id: 'a' }]);
  await settled();
  expect(state()).toMatchObject({ done: 1, running: [{ id: 'c' }] });
  expect(server.watches).toEqual([]);

  let end = (): void => undefined;
  server.starts.get('c')?.({ result: async () => await new Promise((resolve) => (end = resolve)) });
  await started;
  expect(state()).toMatchObject({ failed: 0, running: [{ id: 'c' }] });
  end();
  await settled();
  expect(state()).toMatchObject({ done: 2, failed: 0, running: [] });
});

test('cancelling the runs cancels one that is being started, too, once the server has it', async () => {
  const { runs, started } = startingC();
  await settled();
  runs.cancel();
  expect(server.cancelled).toEqual(['a']);
  server.starts.get('c')?.({ result: async () => await new Promise(() => undefined) });
  await started;
  expect(server.cancelled).toEqual(['a', 'c']);
});
