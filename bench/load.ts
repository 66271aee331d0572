/**
 * `npm run load -- [--events 50000] [--rate 200] [--evaluation 0] [--json]`: a stream of pushes to one sensor, across
 * many continue-as-news of its loop.
 *
 * Prints what became of every event, and ends with 1 when one was lost, delivered twice or out of order. Refused ones
 * are not lost: their sender got an error. Nor are dropped ones: they are counted in the sensor's state.
 */
import { Command, InvalidArgumentError } from 'commander';
import { SensorClient } from '../src/client/index.js';
import { defineSensor } from '../src/index.js';
import { laneEvent, Lanes } from '../test/support/lanes.js';
import { pause, round, until, withBench, type Bench } from './support.js';

/** Nothing has arrived for this long: what is missing is lost. */
const SILENCE_MS = 30_000;

interface Options {
  readonly events: number;
  readonly rate: number;
  readonly lanes: number;
  readonly evaluation: number;
  readonly json?: boolean;
}

await new Command('load')
  .option('--events <count>', 'how many are pushed', number, 50_000)
  .option('--rate <number>', 'pushes a second; 0: as fast as the lanes can send', number, 200)
  .option('--lanes <count>', 'senders; each waits for the answer to a push before the next', number, 20)
  .option('--evaluation <ms>', 'how long each evaluation with events takes', number, 0)
  .option('--json', 'one object on one line')
  .action(async (options: Options) => {
    await withBench(async (bench) => {
      const result = await load(bench, options);
      if (options.json === true) console.log(JSON.stringify(result));
      else for (const [name, value] of Object.entries(result)) console.log(`${name}: ${value}`);
      if (result.lost > 0 || result.doubled > 0 || result.outOfOrder > 0) process.exitCode = 1;
    });
  })
  .parseAsync();

async function load(bench: Bench, { events: count, rate, lanes: senders, evaluation }: Options) {
  const lanes = new Lanes(senders);
  const sensor = defineSensor({
    name: 'load',
    interval: '1h',
    timeout: '10m',
    defaultStatus: 'running',
    events: laneEvent,
    async evaluate(ctx) {
      if (ctx.events.length > 0) await pause(evaluation);
      lanes.take(ctx.events);
    },
  });
  const client = new SensorClient(bench.client);
  let refused = 0;
  return await bench.withWorker([sensor], async () => {
    await until(() =>
      client.ticks(sensor.name).then(
        (ticks) => ticks.length > 0,
        // the worker has still to start its loop
        () => false
      )
    );
    const began = performance.now();
    await lanes.send(
      count,
      (event) => client.push(sensor.name, event).catch(() => void refused++),
      rate === 0 ? undefined : rate
    );
    const sentMs = performance.now() - began;
    await untilQuiet(
      () => lanes.delivered + refused >= count,
      () => lanes.delivered
    );
    const settledMs = performance.now() - began;
    const { counters, eventsWaiting } = await client.state(sensor.name);
    return {
      sent: count,
      seconds: round(sentMs / 1000),
      perSecond: round((count * 1000) / sentMs),
      delivered: lanes.delivered,
      refused,
      dropped: counters.eventsDropped + counters.eventsTooLarge,
      lost: Math.max(0, count - refused - lanes.delivered - counters.eventsDropped - counters.eventsTooLarge),
      doubled: lanes.doubled,
      outOfOrder: lanes.outOfOrder,
      waiting: eventsWaiting,
      secondsToTheLast: round((settledMs - sentMs) / 1000),
      ticks: counters.ticks,
      ...(await runsOfLoop(bench, sensor.name)),
    };
  });
}

/** Until `done`, or until nothing has moved for {@link SILENCE_MS}. */
async function untilQuiet(done: () => boolean, progress: () => number): Promise<void> {
  let seen = progress();
  let movedAt = Date.now();
  await until(() => {
    if (progress() !== seen) movedAt = Date.now();
    seen = progress();
    return done() || Date.now() - movedAt > SILENCE_MS;
  });
}

/** How many runs the loop took, and the longest history among them. */
async function runsOfLoop(bench: Bench, sensor: string) {
  let loopRuns = 0;
  let longestHistory = 0;
  for await (const { historyLength } of bench.client.workflow.list({ query: `WorkflowId = 'sensor/${sensor}'` })) {
    loopRuns++;
    longestHistory = Math.max(longestHistory, historyLength);
  }
  return { loopRuns, longestHistory };
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('a number from 0 on is accepted');
  return value;
}
