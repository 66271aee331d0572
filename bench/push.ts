/** From a pushed event to the job's first activity running. */
import { SensorClient } from '../src/client/index.js';
import { z } from 'zod';
import { defineJob, defineSensor } from '../src/index.js';
import { counters } from './activities.js';
import { percentile, round, until, type Bench, type Result } from './support.js';

const PUSHES = 100;

export async function* push(bench: Bench): AsyncGenerator<Result> {
  const job = defineJob({ name: 'stamped', config: z.object({ id: z.string() }) });
  const sensor = defineSensor({
    name: 'push',
    job,
    interval: '1h',
    defaultStatus: 'running',
    events: z.string(),
    *evaluate(ctx) {
      for (const id of ctx.events) yield ctx.run({ runKey: id, config: { id } });
    },
  });
  const sensors = new SensorClient(bench.client);
  const ours: number[] = [];
  const byHand: number[] = [];
  await bench.withWorker([sensor], async (taskQueue) => {
    const loop = await bench.client.workflow.start('signalLoop', { workflowId: 'push-by-hand', taskQueue });
    await until(() =>
      sensors.describe(sensor.name).then(
        ({ evaluation }) => evaluation?.phase === 'waiting',
        () => false
      )
    );
    for (let n = -5; n < PUSHES; n++) {
      const mine = await latency(`ours-${n}`, (id) => sensors.push(sensor.name, id));
      const hand = await latency(`hand-${n}`, (id) => loop.signal('push', id));
      // the first few warm up caches on both sides
      if (n >= 0) {
        ours.push(mine);
        byHand.push(hand);
      }
      // idle again: our next evaluation folds before the next push
      await until(async () => (await sensors.describe(sensor.name)).evaluation?.phase === 'waiting', 10);
    }
    await loop.terminate();
    await sensors.stop(sensor.name);
  });
  for (const share of [0.5, 0.95]) {
    yield {
      bench: 'push',
      case: `p${share * 100}`,
      unit: 'ms',
      ours: round(percentile(ours, share)),
      handWritten: round(percentile(byHand, share)),
      ratio: round(percentile(ours, share) / percentile(byHand, share)),
    };
  }
}

async function latency(id: string, send: (id: string) => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await send(id);
  await until(() => counters.stamps.has(id), 1);
  return (counters.stamps.get(id) ?? Number.NaN) - began;
}
