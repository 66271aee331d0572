/** One tick that requests 10,000 runs of 1 KB of config each, until all are complete. */
import { z } from 'zod';
import { SensorClient } from '../src/client/index.js';
import { defineJob, defineSensor } from '../src/index.js';
import { CONFIG_TEXT } from './activities.js';
import { runsPerSecond } from './launch.js';
import { round, untilLoopExists, type Bench, type Result } from './support.js';

const RUNS = 10_000;
const WINDOW = 40;

export async function* bigtick(bench: Bench): AsyncGenerator<Result> {
  const job = defineJob({ name: 'noop', config: z.object({ text: z.string() }) });
  const sensor = defineSensor({
    name: 'bigtick',
    job,
    interval: '1h',
    *evaluate(ctx) {
      for (let n = 0; n < RUNS; n++) yield ctx.run({ runKey: `${n}`, config: { text: CONFIG_TEXT } });
    },
  });
  const sensors = new SensorClient(bench.client);
  const ours = await bench.withWorker([sensor], async () => {
    await untilLoopExists(sensors, sensor.name);
    const perSecond = await runsPerSecond(bench, `${sensor.name}:noop:`, RUNS, () => sensors.start(sensor.name));
    await sensors.stop(sensor.name);
    return perSecond;
  });
  const byHand = await bench.withWorker([], (taskQueue) =>
    runsPerSecond(bench, 'big-hand:noop:', RUNS, () =>
      bench.client.workflow.start('batchLauncher', {
        workflowId: 'big-hand',
        taskQueue,
        args: ['big-hand', 0, RUNS, WINDOW],
      })
    )
  );
  const started = await bench.client.workflow.count(`WorkflowId STARTS_WITH '${sensor.name}:noop:'`);
  yield {
    bench: 'bigtick',
    case: `${RUNS} requests of 1 KB`,
    unit: 'runs/s',
    ours: round(ours),
    handWritten: round(byHand),
    ratio: round(ours / byHand),
    runs: started.count,
  };
}
