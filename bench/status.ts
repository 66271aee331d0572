/**
 * What it costs to react to what becomes of runs: a backlog of failed ones, one failure at once, and looking for none.
 */
import type { Client } from '@temporalio/client';
import { inBatches } from '../src/client/batches.js';
import { SensorClient } from '../src/client/index.js';
import { loopId } from '../src/client/loops.js';
import { defineRunFailureSensor, type SensorDefinition } from '../src/index.js';
import { inOrder } from '../src/sources/in-order.js';
import { counters } from './activities.js';
import { median, pause, percentile, round, until, untilLoopExists, type Bench, type Result } from './support.js';

const FAILED = 5_000;
const ROUNDS = 3;
const REACTIONS = 60;
const WARM_UPS = 5;
const IDLE_SENSORS = 10;
const IDLE_INTERVAL_MS = 500;
const IDLE_MS = 30_000;
/** `HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT` of Temporal's API. */
const CLOSE_EVENT = 2;

export async function* status(bench: Bench): AsyncGenerator<Result> {
  yield await catchUp(bench);
  yield* reaction(bench);
  yield await idle(bench);
}

/** What both sides call for each failed run, and what became of all of them. */
class Handled {
  readonly runIds: string[] = [];
  endedAt = Number.NaN;

  constructor(readonly expected: ReadonlySet<string>) {}

  readonly handle = (run: { readonly runId: string; readonly failure: { readonly message: string } }): void => {
    if (run.failure.message !== 'out of stock') throw new Error(`read another failure: ${run.failure.message}`);
    this.runIds.push(run.runId);
    this.endedAt = performance.now();
  };

  get counts() {
    const distinct = new Set(this.runIds);
    return {
      handled: this.runIds.length,
      distinct: distinct.size,
      doubled: this.runIds.length - distinct.size,
      lost: [...this.expected].filter((runId) => !distinct.has(runId)).length,
    };
  }
}

/** All failed runs handled that there are when the sensor is started. */
async function catchUp(bench: Bench): Promise<Result> {
  const startFrom = new Date();
  const runIds = new Set<string>();
  const monitored = await bench.withWorker([], async (taskQueue) => {
    await inBatches(
      Array.from({ length: FAILED }, (_, n) => `failed-${n}`),
      50,
      async (workflowId) => {
        const handle = await bench.client.workflow.start('fails', { workflowId, taskQueue });
        runIds.add(handle.firstExecutionRunId);
      }
    );
    const query = `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Failed'`;
    await until(async () => (await bench.client.workflow.count(query)).count >= FAILED, 100);
    return taskQueue;
  });
  const ours: number[] = [];
  const byHand: number[] = [];
  const all: Handled['counts'][] = [];
  let costs = {};
  for (let round_ = 0; round_ < ROUNDS; round_++) {
    const hand = new Handled(runIds);
    const began = performance.now();
    await handleByHand(bench.client, `TaskQueue = '${monitored}' AND ExecutionStatus = 'Failed'`, hand);
    byHand.push(perSecond(hand, began));
    const mine = new Handled(runIds);
    const sensor = defineRunFailureSensor({
      name: `catch-up-${round_}`,
      monitor: { taskQueue: monitored },
      startFrom,
      interval: '1h',
      handle: (_, run) => mine.handle(run),
    });
    const sensors = new SensorClient(bench.client);
    await bench.withWorker([sensor], async () => {
      await untilLoopExists(sensors, sensor.name);
      const startedAt = performance.now();
      await sensors.start(sensor.name);
      await until(() => mine.counts.lost === 0, 100);
      ours.push(perSecond(mine, startedAt));
      await untilIdle(sensors, sensor);
      costs = await costsOf(bench.client, sensors, sensor);
      await sensors.stop(sensor.name);
    });
    all.push(mine.counts);
  }
  return {
    bench: 'status',
    case: `${FAILED} failed runs in one catch-up`,
    unit: 'runs/s',
    ours: round(median(ours)),
    handWritten: round(median(byHand)),
    ratio: round(median(ours) / median(byHand)),
    ...Object.fromEntries(
      (['handled', 'distinct', 'doubled', 'lost'] as const).map((name) => [name, all.map((each) => each[name]).join()])
    ),
    ...costs,
  };
}

function perSecond({ runIds, endedAt }: Handled, began: number): number {
  return runIds.length / ((endedAt - began) / 1000);
}

/** Lists what failed, reads why, and calls the handler: oldest first, 20 reads at once. */
async function handleByHand(client: Client, query: string, handled: Handled): Promise<void> {
  const { namespace, loadedDataConverter } = client.options;
  const { failureConverter, payloadConverter } = loadedDataConverter;
  const closed = [];
  for await (const execution of client.workflow.list({ query })) closed.push(execution);
  closed.sort((a, b) => (a.closeTime?.getTime() ?? 0) - (b.closeTime?.getTime() ?? 0));
  const read = inOrder(closed, 20, async ({ workflowId, runId }) => {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId, runId },
      historyEventFilterType: CLOSE_EVENT,
    });
    const { failure } = history?.events?.at(-1)?.workflowExecutionFailedEventAttributes ?? {};
    return { runId, failure: failureConverter.failureToError(failure ?? {}, payloadConverter) };
  });
  for await (const run of read) handled.handle(run);
}

/** How many ticks it took, and what they left behind. */
async function costsOf(client: Client, sensors: SensorClient, { name }: SensorDefinition) {
  const ticks = await sensors.ticks(name);
  const { historyLength, historySize } = await client.workflow.getHandle(loopId(name)).describe();
  return {
    ticks: ticks.filter(({ handled = 0 }) => handled > 0).length,
    longestTickMs: Math.max(...ticks.map(({ evaluationMs = 0 }) => evaluationMs)),
    historyEvents: historyLength,
    historyKb: round((historySize ?? 0) / 1024),
  };
}

/** Until nothing but a nudge will make it look again soon. */
async function untilIdle(sensors: SensorClient, { name }: SensorDefinition): Promise<void> {
  await until(async () => (await sensors.describe(name)).evaluation?.phase === 'waiting', 20);
}

/** From a failing activity, which is the end of its run, to the handler. */
async function* reaction(bench: Bench): AsyncGenerator<Result> {
  const handled = new Map<string, number>();
  const sensor = defineRunFailureSensor({
    name: 'reaction',
    monitor: { workflowTypes: ['breaks'] },
    interval: '1h',
    defaultStatus: 'running',
    handle: (_, run) => void handled.set(run.workflowId, performance.now()),
  });
  const sensors = new SensorClient(bench.client);
  const ours: number[] = [];
  const byHand: number[] = [];
  await bench.withWorker([sensor], async (taskQueue) => {
    const { workflow } = bench.client;
    const handler = await workflow.start('failureHandler', { workflowId: 'handler', taskQueue });
    await untilLoopExists(sensors, sensor.name);
    await untilIdle(sensors, sensor);
    for (let n = -WARM_UPS; n < REACTIONS; n++) {
      const mine = `ours-${n}`;
      await workflow.start('breaks', { workflowId: mine, taskQueue, args: [mine] });
      await until(() => handled.has(mine), 1);
      const hand = `hand-${n}`;
      await workflow.start('breaksAndTells', { workflowId: hand, taskQueue, args: [hand] });
      await until(() => counters.stamps.has(hand), 1);
      // each is a failure of its own: sensor and nudges have settled before the next
      await pause(300);
      await untilIdle(sensors, sensor);
      if (n < 0) continue;
      ours.push((handled.get(mine) ?? Number.NaN) - (counters.broken.get(mine) ?? Number.NaN));
      byHand.push((counters.stamps.get(hand) ?? Number.NaN) - (counters.broken.get(hand) ?? Number.NaN));
    }
    await handler.terminate();
    await sensors.stop(sensor.name);
  });
  for (const share of [0.5, 0.95]) {
    yield {
      bench: 'status',
      case: `reaction to a failure, p${share * 100}`,
      unit: 'ms',
      ours: round(percentile(ours, share)),
      handWritten: round(percentile(byHand, share)),
      ratio: round(percentile(ours, share) / percentile(byHand, share)),
      samples: ours.length,
    };
  }
}

/** Queries of idle sensors, as the worker's connection counts what it sends, against one for each interval. */
async function idle(bench: Bench): Promise<Result> {
  const idlers = Array.from({ length: IDLE_SENSORS }, (_, n) =>
    defineRunFailureSensor({
      name: `idle-${n}`,
      monitor: { workflowTypes: ['fails'] },
      interval: IDLE_INTERVAL_MS,
      defaultStatus: 'running',
      handle: () => undefined,
    })
  );
  const sensors = new SensorClient(bench.client);
  const attempts = async (): Promise<number> => {
    const described = await Promise.all(idlers.map(({ name }) => sensors.describe(name)));
    return described.reduce((sum, { evaluation }) => sum + (evaluation?.attempt ?? 0), 0);
  };
  return await bench.withWorker(idlers, async () => {
    for (const sensor of idlers) await untilLoopExists(sensors, sensor.name);
    for (const { name } of idlers)
      await until(async () => (await sensors.describe(name)).evaluation?.folded === true, 100);
    const [queriesBefore, attemptsBefore] = [await bench.visibilityQueries(), await attempts()];
    await pause(IDLE_MS);
    const [queries, intervals] = [
      (await bench.visibilityQueries()) - queriesBefore,
      (await attempts()) - attemptsBefore,
    ];
    for (const { name } of idlers) await sensors.stop(name);
    return {
      bench: 'status',
      case: `${IDLE_SENSORS} idle sensors at ${IDLE_INTERVAL_MS} ms`,
      unit: 'visibility queries',
      ours: queries,
      handWritten: intervals,
      ratio: round(queries / intervals),
    };
  });
}
