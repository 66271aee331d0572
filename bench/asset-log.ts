/** What the log of an asset takes: many events in batches, and single ones without a pause. */
import type { WorkflowHandle } from '@temporalio/client';
import { AssetLogBusyError, assetState, readAsset, recordAssetEvents } from '../src/client/index.js';
import { readFirstEvent } from '../src/client/run-history.js';
import { defineSensor, type AssetEvent, type NewAssetEvent, type SensorDefinition } from '../src/index.js';
import { ASSET_LOG_ID_PREFIX } from '../src/sensors/protocol.js';
import { pause, percentile, round, until, type Bench, type Result } from './support.js';

const EVENTS = 100_000;
const BATCH = 1_000;
const READ_AT_ONCE = 10_000;
const RATE = 50;
const STEADY_MS = 30_000;
const SAMPLE_MS = 250;

/** A sensor that does nothing: its worker has the plugin, and so the logs. */
export function logHost(name: string): SensorDefinition {
  return defineSensor({ name, interval: '1h', evaluate: () => null });
}

function newEvent(asset: string, n: number): NewAssetEvent {
  return {
    asset,
    kind: 'materialization',
    eventId: `${asset}:${n}`,
    partitionKey: `part-${n % 1_000}`,
    metadata: { rows: { type: 'number', value: n } },
    producer: { workflowId: `maker-${n}`, job: 'maker' },
  };
}

/** Many events in batches, against as many of the same bytes signalled to a workflow that only counts them. */
export async function loadLog(bench: Bench): Promise<Result> {
  const { client } = bench;
  const asset = 'bench/load';
  const events = Array.from({ length: EVENTS }, (_, n) => newEvent(asset, n));
  const batches = Array.from({ length: EVENTS / BATCH }, (_, n) => events.slice(n * BATCH, (n + 1) * BATCH));
  return await bench.withWorker([logHost('load')], async (taskQueue) => {
    const counter = await client.workflow.start('countsSignals', { workflowId: 'counts', taskQueue });
    const hand = await perSecond(async () => {
      for (const batch of batches) await counter.signal('take', batch);
      await until(async () => (await countOf(counter)) === EVENTS);
    });
    await counter.terminate();
    const log = client.workflow.getHandle(ASSET_LOG_ID_PREFIX + asset);
    const ours = await perSecond(async () => {
      for (const batch of batches) await untilTaken(() => recordAssetEvents(client, batch, { taskQueue }));
      await until(async () => (await lastOf(bench, asset)) === EVENTS);
    });
    const read: AssetEvent[] = [];
    const readPerSecond = await perSecond(async () => {
      while (read.length < EVENTS) {
        const next = await readAsset(client, asset, { after: read.length, limit: READ_AT_ONCE });
        if (next.length === 0) break;
        read.push(...next);
      }
    });
    return {
      bench: 'assets',
      case: `${EVENTS} events in batches of ${BATCH}`,
      unit: 'events/s',
      ours: round(ours),
      handWritten: round(hand),
      ratio: round(ours / hand),
      read: read.length,
      lost: EVENTS - new Set(read.map(({ eventId }) => eventId)).size,
      outOfOrder: read.filter(
        ({ position, eventId }, index) => position !== index + 1 || eventId !== events[index]?.eventId
      ).length,
      readPerSecond: round(readPerSecond),
      ...(await sizesOf(bench, log)),
    };
  });
}

/** A log that is busy for a while says so: what is sent again is recorded once. */
async function untilTaken(send: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof AssetLogBusyError)) throw error;
    }
  }
}

async function perSecond(act: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await act();
  return EVENTS / ((performance.now() - began) / 1000);
}

/** 0 while it cannot say: the server asks again for a task that would continue as new while signals wait. */
async function countOf(counter: WorkflowHandle): Promise<number> {
  return await counter.query<number>('count').catch(() => 0);
}

async function lastOf({ client }: Bench, asset: string): Promise<number> {
  const state = await assetState(client, asset).catch(() => undefined);
  return state?.last ?? 0;
}

/** The longest history of the log's runs, how many runs there were, and the largest state that one handed to the next. */
async function sizesOf({ client }: Bench, { workflowId }: WorkflowHandle) {
  let [runs, historyEvents, historyBytes, stateBytes] = [0, 0, 0, 0];
  await until(async () => (await client.workflow.count(`WorkflowId = '${workflowId}'`)).count > 0);
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const { historyLength, historySize = 0 } = await client.workflow.getHandle(workflowId, runId).describe();
    const first = await readFirstEvent(client, { workflowId, runId });
    const [input] = first?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    runs++;
    historyEvents = Math.max(historyEvents, historyLength);
    historyBytes = Math.max(historyBytes, historySize);
    stateBytes = Math.max(stateBytes, input?.data?.length ?? 0);
  }
  return { runs, historyEvents, historyMb: round(historyBytes / 1024 ** 2), stateKb: round(stateBytes / 1024) };
}

/** One event after the other, each a signal of its own, against signals to a workflow that only counts. */
export async function steadyLog(bench: Bench): Promise<Result> {
  const { client } = bench;
  const asset = 'bench/steady';
  return await bench.withWorker([logHost('steady')], async (taskQueue) => {
    const counter = await client.workflow.start('countsSignals', { workflowId: 'counts-steadily', taskQueue });
    const hand = await steadily(
      (n) => counter.signal('take', [newEvent(asset, n)]),
      () => countOf(counter)
    );
    await counter.terminate();
    const ours = await steadily(
      (n) => recordAssetEvents(client, [newEvent(asset, n)], { taskQueue }),
      () => lastOf(bench, asset)
    );
    return {
      bench: 'assets',
      case: `${RATE} single events/s for ${STEADY_MS / 1000} s, events the log is behind, p95`,
      unit: 'events',
      ours: ours.lag,
      handWritten: hand.lag,
      ratio: round((ours.lag + 1) / (hand.lag + 1)),
      sent: ours.sent,
      recorded: ours.recorded,
      perSecond: round(ours.rate),
      sendMs: round(ours.sendMs),
      sendMsByHand: round(hand.sendMs),
      ...(await sizesOf(bench, client.workflow.getHandle(ASSET_LOG_ID_PREFIX + asset))),
    };
  });
}

/** Sends at the rate, as far as one that waits for each answer can, and looks now and then how far the receiver is. */
async function steadily(send: (n: number) => Promise<void>, received: () => Promise<number>) {
  const began = performance.now();
  const lags: number[] = [];
  const sendMs: number[] = [];
  let sent = 0;
  const over = new AbortController();
  const sampling = (async () => {
    while (!over.signal.aborted) {
      await pause(SAMPLE_MS);
      const sentBefore = sent;
      lags.push(Math.max(0, sentBefore - (await received())));
    }
  })();
  while (sent < (RATE * STEADY_MS) / 1000) {
    await pause(Math.max(0, (sent / RATE) * 1000 - (performance.now() - began)));
    const sentAt = performance.now();
    await send(sent);
    sent++;
    sendMs.push(performance.now() - sentAt);
  }
  const tookMs = performance.now() - began;
  over.abort();
  await sampling;
  await until(async () => (await received()) >= sent);
  return {
    sent,
    recorded: await received(),
    rate: sent / (tookMs / 1000),
    lag: percentile(lags, 0.95),
    sendMs: percentile(sendMs, 0.5),
  };
}
