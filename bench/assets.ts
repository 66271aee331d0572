/**
 * What it costs to react to an asset on another task queue: from the event to the first activity of the job downstream,
 * with nudges and without, and what an asset's log takes.
 */
import { assetState, SensorClient, unsubscribeAsset } from '../src/client/index.js';
import {
  defineAsset,
  defineAssetSensor,
  defineJob,
  type AssetDefinition,
  type SensorDefinition,
} from '../src/index.js';
import { z } from 'zod';
import { counters } from './activities.js';
import { loadLog, logHost, steadyLog } from './asset-log.js';
import { pause, percentile, round, until, untilLoopExists, type Bench, type Result } from './support.js';

const ROUNDS = 60;
const WARM_UPS = 5;
/** Longer than the log's pause between two nudges: each event is one of its own. */
const ROUND_PAUSE_MS = 600;
const LOST_ROUNDS = 12;
const LOST_INTERVAL_MS = 2_000;

export async function* assets(bench: Bench): AsyncGenerator<Result> {
  yield* reaction(bench);
  yield* withoutNudges(bench);
  yield await loadLog(bench);
  yield await steadyLog(bench);
}

/** When each event was handled. */
type Handled = Map<string, number>;

/** Starts the job downstream for each event. */
function createReactor(name: string, asset: AssetDefinition, intervalMs: number, handled: Handled) {
  return defineAssetSensor({
    name,
    asset,
    job: defineJob({ name: 'stamped', config: z.object({ id: z.string() }) }),
    interval: intervalMs,
    defaultStatus: 'running',
    handle(ctx, { partitionKey: id = '' }) {
      handled.set(id, performance.now());
      return ctx.run({ config: { id } });
    },
  });
}

/** From the end of the activity that made the asset to the first activity of the job downstream, the workers' queues not the same. */
async function* reaction(bench: Bench): AsyncGenerator<Result> {
  const asset = defineAsset({ key: ['bench', 'reaction'] });
  const handled: Handled = new Map();
  const reactor = createReactor('reaction', asset, 3_600_000, handled);
  const ours: number[] = [];
  const toHandler: number[] = [];
  const byHand: number[] = [];
  await bench.withWorker([logHost('makers')], (makers) =>
    bench.withWorker([reactor], async (reactors) => {
      const { workflow } = bench.client;
      const chain = await workflow.start('startsDownstream', { workflowId: 'chain', taskQueue: reactors });
      await untilSubscribed(bench, reactor, asset);
      for (let n = -WARM_UPS; n < ROUNDS; n++) {
        const mine = `ours-${n}`;
        await workflow.start('makesAsset', { workflowId: mine, taskQueue: makers, args: [asset.name, mine] });
        await until(() => counters.stamps.has(mine), 1);
        await pause(ROUND_PAUSE_MS);
        const hand = `hand-${n}`;
        await workflow.start('makesAndTells', { workflowId: hand, taskQueue: makers, args: [hand] });
        await until(() => counters.stamps.has(hand), 1);
        await pause(ROUND_PAUSE_MS);
        if (n < 0) continue;
        ours.push(since(mine, counters.stamps));
        toHandler.push(since(mine, handled));
        byHand.push(since(hand, counters.stamps));
      }
      await chain.terminate();
      await new SensorClient(bench.client).stop(reactor.name);
    })
  );
  for (const share of [0.5, 0.95]) {
    yield {
      bench: 'assets',
      case: `event to the job's first activity, p${share * 100}`,
      unit: 'ms',
      ours: round(percentile(ours, share)),
      handWritten: round(percentile(byHand, share)),
      ratio: round(percentile(ours, share) / percentile(byHand, share)),
      ofThatToHandler: round(percentile(toHandler, share)),
      samples: ours.length,
    };
  }
}

/** From when the asset was made; both sides note that in an activity. */
function since(id: string, times: ReadonlyMap<string, number>): number {
  return (times.get(id) ?? Number.NaN) - (counters.made.get(id) ?? Number.NaN);
}

/** The same with nobody to wake the sensor: its subscription is taken away before each event. */
async function* withoutNudges(bench: Bench): AsyncGenerator<Result> {
  const asset = defineAsset({ key: ['bench', 'lost'] });
  const handled: Handled = new Map();
  const reactor = createReactor('without-nudges', asset, LOST_INTERVAL_MS, handled);
  const toHandler: number[] = [];
  const toJob: number[] = [];
  await bench.withWorker([logHost('makers-unheard')], (makers) =>
    bench.withWorker([reactor], async () => {
      await untilSubscribed(bench, reactor, asset);
      for (let n = 0; n < LOST_ROUNDS; n++) {
        const id = `lost-${n}`;
        // it says how far it has read when it looks again
        await untilSubscribed(bench, reactor, asset, n);
        await unsubscribeAsset(bench.client, asset, reactor.name);
        await until(async () => (await assetState(bench.client, asset))?.subscribers.length === 0);
        // at any time between two looks
        await pause((LOST_INTERVAL_MS * n) / LOST_ROUNDS);
        await bench.client.workflow.start('makesAsset', {
          workflowId: id,
          taskQueue: makers,
          args: [asset.name, id],
        });
        await until(() => counters.stamps.has(id), 1);
        toHandler.push(since(id, handled));
        toJob.push(since(id, counters.stamps));
      }
      await new SensorClient(bench.client).stop(reactor.name);
    })
  );
  for (const [what, times] of Object.entries({ handler: toHandler, "job's first activity": toJob })) {
    yield {
      bench: 'assets',
      case: `nudges lost, event to the ${what}, longest of ${LOST_ROUNDS}, against one interval`,
      unit: 'ms',
      ours: round(Math.max(...times)),
      handWritten: LOST_INTERVAL_MS,
      ratio: round(Math.max(...times) / LOST_INTERVAL_MS),
      p50: round(percentile(times, 0.5)),
    };
  }
}

/** Until the log knows that the sensor has read so far. */
async function untilSubscribed(bench: Bench, sensor: SensorDefinition, asset: AssetDefinition, position = 0) {
  await untilLoopExists(new SensorClient(bench.client), sensor.name);
  await until(async () => {
    const state = await assetState(bench.client, asset).catch(() => undefined);
    return state?.subscribers.some((each) => each.sensor === sensor.name && each.position >= position) ?? false;
  });
}
