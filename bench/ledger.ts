/** What remembering run keys costs: known keys that come again, a million of them, and one more. */
import { fork } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packKeys } from '../src/activities/known-keys.js';
import { SensorClient } from '../src/client/index.js';
import { inBatches } from '../src/client/batches.js';
import { startLoop } from '../src/client/loops.js';
import { writePage } from '../src/client/pages.js';
import { defineJob, defineSensor, type SensorDefinition } from '../src/index.js';
import { jsonBytes } from '../src/sensors/json.js';
import {
  EMPTY_LEDGER,
  KEYS_PER_PAGE,
  planSeal,
  rememberKey,
  type KeyPage,
  type Ledger,
} from '../src/sensors/key-ledger.js';
import { MAX_RECENT_KEYS } from '../src/sensors/limits.js';
import { loopOptions } from '../src/sensors/loop-options.js';
import type { LoopState } from '../src/sensors/protocol.js';
import { runKeyHash } from '../src/sensors/run-key.js';
import { newState } from '../src/workflows/state.js';
import { runsPerSecond } from './launch.js';
import { median, round, untilLoopExists, type Bench, type Result } from './support.js';

const KNOWN = 10_000;
const MILLION = 1_000_000;
const ROUNDS = 5;

export async function* ledger(bench: Bench): AsyncGenerator<Result> {
  yield await knownKeys(bench, KNOWN);
  yield await newKey(bench);
  yield await million();
}

/** A tick in which 10,000 known keys come again, against listing and stat-ing 10,000 files. */
async function knownKeys(bench: Bench, count: number): Promise<Result> {
  const { warm } = await reyield(bench, 'known', count, KNOWN);
  const files = await listFiles(KNOWN);
  return {
    bench: 'ledger',
    case: `${KNOWN} known keys again`,
    unit: 'ms',
    ours: round(warm),
    handWritten: round(files),
    ratio: round(warm / files),
  };
}

/** Remembering one more key, sealing included, against starting its run. */
async function newKey(bench: Bench): Promise<Result> {
  const keys = MAX_RECENT_KEYS + 1;
  const began = performance.now();
  let recent: Ledger = EMPTY_LEDGER;
  for (let n = 0; n < keys; n++) recent = rememberKey(recent, runKeyHash('noop', `new-${n}`), n, undefined);
  const seal = planSeal(recent, undefined);
  const { content } = packKeys([seal?.segment.keys ?? '']);
  await writePage(bench.client, { sensor: 'new-key', kind: 'keys', content, taskQueue: 'none' });
  const ours = (performance.now() - began) / keys;
  const runs = 600;
  const perSecond = await bench.withWorker([], (taskQueue) =>
    runsPerSecond(bench, 'new-key:noop:', runs, () =>
      bench.client.workflow.start('windowLauncher', { workflowId: 'new-key', taskQueue, args: ['new-key', runs, 40] })
    )
  );
  const start = 1000 / perSecond;
  return {
    bench: 'ledger',
    case: 'one new key',
    unit: 'ms',
    ours: round(ours),
    handWritten: round(start),
    ratio: round(ours / start),
  };
}

/** What a sensor with a million keys takes of a worker, against a `Set` of as many texts; each in a process of its own. */
async function million(): Promise<Result> {
  const ours = await inProcess<Million>('ours');
  const byHand = await inProcess<{ mb: number }>('set');
  return {
    bench: 'ledger',
    case: `${MILLION} keys`,
    unit: 'MB',
    ours: round(ours.mb),
    handWritten: round(byHand.mb),
    ratio: round(ours.mb / byHand.mb),
    stateKb: round(ours.stateKb),
    pages: ours.pages,
    coldMs: round(ours.coldMs),
    warmMs: round(ours.warmMs),
  };
}

export interface Million {
  readonly mb: number;
  readonly stateKb: number;
  readonly pages: number;
  readonly coldMs: number;
  readonly warmMs: number;
}

function inProcess<T>(what: 'ours' | 'set'): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./million-keys.ts', import.meta.url)), [what, String(MILLION)], {
      execArgv: [...process.execArgv, '--expose-gc'],
    });
    child.on('message', (measured) => resolve(measured as T));
    child.on('exit', (code) => code !== 0 && reject(new Error(`the process of '${what}' ended with ${code}`)));
  });
}

export interface Reyielded {
  /** Milliseconds of the first evaluation, which reads the pages, and of a later one. */
  readonly cold: number;
  readonly warm: number;
  readonly state: LoopState;
}

/** A sensor that has run `known` keys yields `again` of them at each tick. */
export async function reyield(
  bench: Bench,
  name: string,
  known: number,
  again: number,
  measure: () => void = () => undefined
): Promise<Reyielded> {
  const sensor = defineSensor({
    name,
    job: defineJob({ name: 'noop' }),
    interval: '1h',
    *evaluate(ctx) {
      for (let n = 0; n < again; n++) yield ctx.run({ runKey: `${(n * 7919) % known}` });
    },
  });
  const sensors = new SensorClient(bench.client);
  return await bench.withWorker([sensor], async (taskQueue) => {
    await untilLoopExists(sensors, name);
    await bench.client.workflow.getHandle(`sensor/${name}`).terminate();
    const state = await seal(bench, sensor, known, taskQueue);
    await startLoop(bench.client, { sensor: name, taskQueue, options: state.options, state });
    const durations: number[] = [];
    for (let round_ = 0; round_ <= ROUNDS; round_++) {
      const { status, evaluationMs = Number.NaN, duplicates } = await sensors.tick(name);
      if (duplicates.count !== again) throw new Error(`${status}: ${again - duplicates.count} keys were not known`);
      durations.push(evaluationMs);
    }
    measure();
    await bench.client.workflow.getHandle(`sensor/${name}`).terminate();
    return { cold: durations[0] ?? Number.NaN, warm: median(durations.slice(1)), state };
  });
}

/** Writes the keys as the loop would have sealed them. */
async function seal(bench: Bench, sensor: SensorDefinition, count: number, taskQueue: string): Promise<LoopState> {
  const pages: KeyPage[] = [];
  const starts = Array.from({ length: Math.ceil(count / KEYS_PER_PAGE) }, (_, index) => index * KEYS_PER_PAGE);
  await inBatches(starts, 8, async (from) => {
    const to = Math.min(count, from + KEYS_PER_PAGE);
    const hashes = Array.from({ length: to - from }, (_, index) => runKeyHash('noop', `${from + index}`));
    const { content, keys } = packKeys(hashes);
    const memo = { keys, since: 0, until: 1 };
    const id = await writePage(bench.client, { sensor: sensor.name, kind: 'keys', content, taskQueue, memo });
    pages.push({ id, ...memo });
  });
  const state = newState(loopOptions(sensor), Date.now());
  return { ...state, ledger: { ...EMPTY_LEDGER, pages } };
}

export function stateKb(state: LoopState): number {
  return jsonBytes(state) / 1024;
}

async function listFiles(count: number): Promise<number> {
  const folder = join(await mkdtemp(join(tmpdir(), 'bench-')), 'files');
  await mkdir(folder);
  await inBatches(
    Array.from({ length: count }, (_, n) => join(folder, `order-${n}.csv`)),
    100,
    (path) => writeFile(path, '')
  );
  const durations: number[] = [];
  for (let round_ = 0; round_ < ROUNDS; round_++) {
    const began = performance.now();
    await inBatches(await readdir(folder), 100, (name) => stat(join(folder, name)));
    durations.push(performance.now() - began);
  }
  await rm(folder, { recursive: true });
  return median(durations);
}
