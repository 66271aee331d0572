/** What a sensor costs that finds nothing: CPU per tick, history per tick, memory per sensor. */
import { fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inBatches } from '../src/client/batches.js';
import { loopId } from '../src/client/loops.js';
import { defineSensor, type SensorDefinition } from '../src/index.js';
import { counters } from './activities.js';
import { bundle, median, pause, round, until, type Bench, type Result } from './support.js';

const INTERVAL_MS = 5_000;
const MEASURE_MS = 30_000;

interface Measured {
  readonly cpuMsPerTick: number;
  readonly ticksPerSecond: number;
  readonly historyEventsPerTick: number;
}

export async function* quiet(bench: Bench): AsyncGenerator<Result> {
  let byHandPerTick = Number.NaN;
  for (const count of [500, 2000]) {
    const ours = await measureOurs(bench, count);
    const handWritten = await measureByHand(bench, count, 'timerLoop');
    byHandPerTick = handWritten.historyEventsPerTick;
    const bare = await measureByHand(bench, count, 'bareFolded');
    yield {
      bench: 'quiet',
      case: `${count} sensors at 5 s`,
      unit: 'cpu ms/tick',
      ours: round(ours.cpuMsPerTick),
      handWritten: round(handWritten.cpuMsPerTick),
      ratio: round(ours.cpuMsPerTick / handWritten.cpuMsPerTick),
      bare: round(bare.cpuMsPerTick),
      ratioToBare: round(ours.cpuMsPerTick / bare.cpuMsPerTick),
      ticksPerSecond: round(ours.ticksPerSecond),
      handWrittenTicksPerSecond: round(handWritten.ticksPerSecond),
      bareTicksPerSecond: round(bare.ticksPerSecond),
      historyEventsPerTick: round(ours.historyEventsPerTick),
      handWrittenHistoryEventsPerTick: round(handWritten.historyEventsPerTick),
    };
  }
  yield await longHistory(bench, byHandPerTick);
  yield await idleMemory();
}

async function measureOurs(bench: Bench, count: number): Promise<Measured> {
  return await withQuietSensors(bench, count, INTERVAL_MS, async (ids, evaluations) =>
    measure(bench, ids, () => evaluations.reduce((sum, n) => sum + n, 0))
  );
}

/** Runs `act` once every sensor's evaluations fold. */
async function withQuietSensors<T>(
  bench: Bench,
  count: number,
  intervalMs: number,
  act: (ids: readonly string[], evaluations: readonly number[]) => Promise<T>
): Promise<T> {
  const evaluations = Array.from({ length: count }, () => 0);
  const sensors = quietSensors(count, (n) => (evaluations[n] = (evaluations[n] ?? 0) + 1), intervalMs);
  const ids = sensors.map(({ name }) => loopId(name));
  return await bench.withWorker(sensors, async () => {
    // the first evaluation is recorded, the second folds
    await until(() => evaluations.every((n) => n >= 2), 200);
    const result = await act(ids, evaluations);
    await inBatches(ids, 50, (id) => bench.client.workflow.getHandle(id).terminate());
    return result;
  });
}

/** History that 1,000 ticks of each sensor add, against what as many ticks by hand would, from its measured events per tick. */
async function longHistory(bench: Bench, byHandPerTick: number): Promise<Result> {
  const [sensors, ticks] = [20, 1000];
  const events = await withQuietSensors(bench, sensors, 100, async (ids, evaluations) => {
    const before = await historyEvents(bench, ids);
    const began = [...evaluations];
    await until(() => evaluations.every((n, index) => n - (began[index] ?? 0) >= ticks), 200);
    return (await historyEvents(bench, ids)) - before;
  });
  const byHand = byHandPerTick * sensors * ticks;
  return {
    bench: 'quiet',
    case: `${sensors} sensors, ${ticks} ticks each`,
    unit: 'history events',
    ours: events,
    handWritten: byHand,
    ratio: events / byHand,
  };
}

async function measureByHand(bench: Bench, count: number, workflow: 'timerLoop' | 'bareFolded'): Promise<Measured> {
  return await bench.withWorker([], async (taskQueue) => {
    const ids = Array.from({ length: count }, (_, n) => `${workflow}-${count}-${n}`);
    const before = counters.looks;
    await inBatches(ids, 20, (workflowId) =>
      bench.client.workflow.start(workflow, { workflowId, taskQueue, args: [INTERVAL_MS] })
    );
    await until(() => counters.looks - before >= 2 * count, 200);
    const measured = await measure(bench, ids, () => counters.looks);
    await inBatches(ids, 50, (id) => bench.client.workflow.getHandle(id).terminate());
    return measured;
  });
}

async function measure(bench: Bench, ids: readonly string[], ticks: () => number): Promise<Measured> {
  const eventsBefore = await historyEvents(bench, ids);
  const [cpu, began, at] = [await bench.cpuMs(), ticks(), performance.now()];
  await pause(MEASURE_MS);
  const counted = ticks() - began;
  const seconds = (performance.now() - at) / 1000;
  const cpuMs = (await bench.cpuMs()) - cpu;
  const events = (await historyEvents(bench, ids)) - eventsBefore;
  return { cpuMsPerTick: cpuMs / counted, ticksPerSecond: counted / seconds, historyEventsPerTick: events / counted };
}

/** Events in the histories of all these workflows. */
async function historyEvents(bench: Bench, ids: readonly string[]): Promise<number> {
  let events = 0;
  await inBatches(ids, 50, async (id) => {
    const { historyLength } = await bench.client.workflow.getHandle(id).describe();
    events += historyLength;
  });
  return events;
}

export function quietSensors(
  count: number,
  onEvaluate: (n: number) => void,
  interval: number | '1h'
): SensorDefinition[] {
  return Array.from({ length: count }, (_, n) =>
    defineSensor({
      name: `quiet-${count}-${n}`,
      interval,
      defaultStatus: 'running',
      evaluate(ctx) {
        onEvaluate(n);
        return ctx.skip('nothing new');
      },
    })
  );
}

/**
 * What 900 more idle sensors add to a worker; each count in a process of its own. The median of three: what garbage
 * collection has left behind differs by tens of MB from one process to the next.
 */
async function idleMemory(): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'));
  const codePath = join(folder, 'workflows.js');
  await writeFile(codePath, (await bundle()).code);
  const few: number[] = [];
  const many: number[] = [];
  for (let pair = 0; pair < 3; pair++) {
    few.push(await idleWorkerMb(100, codePath));
    many.push(await idleWorkerMb(1000, codePath));
  }
  await rm(folder, { recursive: true });
  return {
    bench: 'quiet',
    case: '1000 idle sensors',
    unit: 'MB',
    ours: round(median(many)),
    handWritten: round(median(few)),
    ratio: round(median(many) / median(few)),
    workerMb: round(median(many.map((mb, index) => mb - (few[index] ?? 0)))),
  };
}

function idleWorkerMb(count: number, codePath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./idle-worker.ts', import.meta.url)), [String(count), codePath], {
      execArgv: [...process.execArgv, '--expose-gc'],
    });
    child.on('message', (mb) => resolve(mb as number));
    child.on(
      'exit',
      (code) => code !== 0 && reject(new Error(`the worker with ${count} idle sensors ended with ${code}`))
    );
  });
}
