/**
 * One chaos run: a world, sensors that look at it, and everything that runs them killed again and again. Afterwards
 * each item of the world must have exactly one run.
 */
import { Client, Connection } from '@temporalio/client';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SensorClient } from '../../src/client/index.js';
import { ChaosServer, Fleet } from './cluster.js';
import { countJobs, gatherEvidence, type Evidence } from './evidence.js';
import { doMischief, planMischief, pushItems, type MischiefSizes } from './mischief.js';
import { persist, sleepUntil } from './patience.js';
import { verify, type Problem, type ProblemKind } from './verify.js';
import { createWorld, type StartedWorld, type World, type WorldSizes } from './world.js';

export interface ChaosSizes extends WorldSizes, MischiefSizes {
  /** How long the rest may take once nobody is killed any more. */
  readonly calmMs: number;
}

export interface ChaosOptions {
  readonly seed: number;
  readonly sizes: ChaosSizes;
  /** The `temporal` CLI. */
  readonly binary: string;
  /** A workflow bundle with the loop and the jobs. */
  readonly bundlePath: string;
  /** Receives one line for each phase. */
  readonly log: (line: string) => void;
}

export interface ChaosReport {
  readonly requests: number;
  readonly runs: number;
  readonly lost: number;
  readonly double: number;
  readonly problems: readonly Problem[];
  /** Where server and workers wrote their logs, when there are problems. */
  readonly logs?: string;
}

const TASK_QUEUE = 'chaos';
/** How long a sensor may take for its last tick before it counts as stuck. */
const TICK_PATIENCE_MS = 60_000;
/** When nothing has changed for so long, nothing will: longer than Temporal waits for a worker that was killed. */
const STALL_MS = 30_000;
const POLL_MS = 1_000;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-chaos-'));
  const report = await runIn(folder, options).catch((error: unknown) => {
    throw new Error(`the run broke off; logs and database: ${folder}`, { cause: error });
  });
  if (report.problems.length > 0) return { ...report, logs: folder };
  await rm(folder, { recursive: true, force: true });
  return report;
}

async function runIn(folder: string, { seed, sizes, binary, bundlePath, log }: ChaosOptions): Promise<ChaosReport> {
  const file = (name: string): string => join(folder, name);
  const server = await ChaosServer.start({ binary, dbFile: file('server.db'), logFile: file('server.log') });
  const connection = await Connection.connect({ address: server.address });
  const client = new Client({ connection });
  const sensors = new SensorClient(client);
  const planned = createWorld(seed, sizes);
  await writeFile(file('world.json'), JSON.stringify(planned));
  const args = [server.address, TASK_QUEUE, bundlePath, file('world.json'), file('start')];
  let fleet: Fleet | undefined;
  try {
    fleet = await Fleet.start({ workers: sizes.workers, args, logFile: file('workers.log') });
    const world: StartedWorld = { ...planned, startAt: Date.now() };
    // renamed: nobody may read half of it
    await writeFile(file('start.new'), String(world.startAt));
    await rename(file('start.new'), file('start'));
    const victims = { server, fleet, client, sensors };
    const patienceMs = sizes.mischiefMs + sizes.calmMs;
    const [gaveUp] = await Promise.all([
      doMischief(world, planMischief(world, sizes), victims),
      pushItems(world, victims, patienceMs),
      // the calm begins when the last item has appeared
      sleepUntil(world.startAt + world.calmAfterMs),
    ]);
    log(
      `${since(world)}: killed ${fleet.kills} workers and ${server.kills} servers; operators gave up ${gaveUp.length} times`
    );
    await calmDown(world, client, sensors, sizes);
    log(`${since(world)}: all ran, or nothing happens any more`);
    const evidence = await gatherEvidence(client, sensors, world.plans, TICK_PATIENCE_MS);
    const report = summarize(world, evidence);
    log(`${since(world)}: ${describeBooks(evidence)}`);
    return report;
  } finally {
    await fleet?.stop();
    await connection.close();
    await server.stop();
  }
}

/** Starts what operators stopped, and waits until everything has run or nothing happens any more. */
async function calmDown(world: World, client: Client, sensors: SensorClient, { calmMs }: ChaosSizes): Promise<void> {
  await Promise.all(world.plans.map(({ name }) => persist(client, `start ${name}`, () => sensors.start(name), calmMs)));
  const deadline = Date.now() + calmMs;
  let changed = { at: Date.now(), seen: '' };
  while (Date.now() < deadline && Date.now() < changed.at + STALL_MS) {
    const { runs, open } = await persist(client, 'a count', () => countJobs(client), calmMs);
    if (runs >= expectedRuns(world) && open === 0) return;
    const seen = `${runs}/${open}`;
    if (seen !== changed.seen) changed = { at: Date.now(), seen };
    await sleep(POLL_MS);
  }
}

function expectedRuns({ plans }: World): number {
  return plans.flatMap(({ items }) => items).filter(({ bad }) => !bad).length;
}

function summarize(world: World, evidence: Evidence): ChaosReport {
  const problems = verify(world, evidence);
  const count = (kind: ProblemKind): number => problems.filter((each) => each.kind === kind).length;
  return {
    requests: expectedRuns(world),
    runs: evidence.runs.length,
    lost: count('lost'),
    double: count('double'),
    problems,
  };
}

function describeBooks({ sensors }: Evidence): string {
  const all = [...sensors.values()];
  const total = (of: (sensor: (typeof all)[number]) => number): number => all.reduce((sum, each) => sum + of(each), 0);
  return [
    `${total(({ loopRuns }) => loopRuns)} runs of ${all.length} loops`,
    `${total(({ state }) => state.counters.ticks)} ticks`,
    `${total(({ state }) => state.counters.duplicates)} duplicates`,
    `${total(({ state }) => state.counters.rejected)} rejections in ${total(({ state }) => state.deadLetters.length)} dead letters`,
    `${total(({ state }) => state.counters.failures)} failures`,
  ].join(', ');
}

function since({ startAt }: StartedWorld): string {
  return `${((Date.now() - startAt) / 1000).toFixed(1)} s`;
}

export function describeProblem({ kind, sensor, text }: Problem): string {
  return `${kind}: sensor ${sensor}: ${text}`;
}
