/** One tick that requests 600 no-op runs, until all are complete. */
import { SensorClient } from '../src/client/index.js';
import { defineJob, defineSensor } from '../src/index.js';
import { median, round, until, untilLoopExists, type Bench, type Result } from './support.js';

const RUNS = 600;
/** The first warms up both sides and is not counted. */
const ROUNDS = 4;
const WINDOWS = [20, 40, 100];

export async function* launch(bench: Bench): AsyncGenerator<Result> {
  const job = defineJob({ name: 'noop' });
  const ours: number[] = [];
  const byHand = new Map<number, number[]>(WINDOWS.map((window) => [window, []]));
  for (let round_ = 0; round_ < ROUNDS; round_++) {
    const sensor = defineSensor({
      name: `launch-${round_}`,
      job,
      interval: '1h',
      *evaluate(ctx) {
        for (let n = 0; n < RUNS; n++) yield ctx.run({ runKey: `${n}` });
      },
    });
    const sensors = new SensorClient(bench.client);
    ours.push(
      await bench.withWorker([sensor], async () => {
        await untilLoopExists(sensors, sensor.name);
        const perSecond = await runsPerSecond(bench, `${sensor.name}:noop:`, RUNS, () => sensors.start(sensor.name));
        await sensors.stop(sensor.name);
        return perSecond;
      })
    );
    for (const window of WINDOWS) {
      const prefix = `hand-${round_}-${window}`;
      byHand.get(window)?.push(
        await bench.withWorker([], (taskQueue) =>
          runsPerSecond(bench, `${prefix}:noop:`, RUNS, () =>
            bench.client.workflow.start('windowLauncher', {
              workflowId: prefix,
              taskQueue,
              args: [prefix, RUNS, window],
            })
          )
        )
      );
    }
  }
  const best = Math.max(...[...byHand.values()].map((speeds) => median(speeds.slice(1))));
  const mine = median(ours.slice(1));
  yield {
    bench: 'launch',
    case: `${RUNS} runs`,
    unit: 'runs/s',
    ours: round(mine),
    handWritten: round(best),
    ratio: round(mine / best),
  };
}

/** From the start until visibility shows so many completed runs. */
export async function runsPerSecond(
  bench: Bench,
  prefix: string,
  runs: number,
  start: () => Promise<unknown>
): Promise<number> {
  const began = performance.now();
  await start();
  const query = `WorkflowId STARTS_WITH '${prefix}' AND ExecutionStatus = 'Completed'`;
  await until(async () => (await bench.client.workflow.count(query)).count >= runs, 100);
  return runs / ((performance.now() - began) / 1000);
}
