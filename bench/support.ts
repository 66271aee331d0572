/** A server of its own, a bundle, workers, and CPU accounting for the benchmarks. */
import { Client, Connection } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type BundleOptions,
  type WorkerOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { freePort, startDevServer, type DevServer } from '../src/cli/dev-server.js';
import { findTemporalBinary } from '../src/cli/temporal-binary.js';
import type { SensorClient } from '../src/client/index.js';
import type { SensorDefinition } from '../src/index.js';
import { SensorsPlugin } from '../src/worker/index.js';
import { activities } from './activities.js';

export interface Bench {
  readonly client: Client;
  /** Runs `act` while a worker with these sensors and every hand-written workflow polls a queue of its own. */
  withWorker<T>(sensors: readonly SensorDefinition[], act: (taskQueue: string) => Promise<T>): Promise<T>;
  /** CPU milliseconds that server and worker have used so far. */
  cpuMs(): Promise<number>;
  /** Visibility queries that workers have sent so far, as the SDK's core counts its requests; those of `client` do not count. */
  visibilityQueries(): Promise<number>;
}

/** One line of the result. */
export interface Result {
  readonly bench: string;
  readonly case: string;
  readonly unit: string;
  readonly ours: number;
  readonly handWritten: number;
  readonly ratio: number;
  readonly [field: string]: string | number;
}

/** @param bundled a bundle made before, so that bundling leaves no traces in the memory of this process */
export async function withBench<T>(
  act: (bench: Bench) => Promise<T>,
  bundled?: WorkerOptions['workflowBundle']
): Promise<T> {
  // Core writes its warnings to standard output, which belongs to the results
  const metricsAddress = `127.0.0.1:${await freePort()}`;
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) },
      metrics: { prometheus: { bindAddress: metricsAddress } },
    },
  });
  const server = await startDevServer({ binary: await findTemporalBinary(), fast: true, headless: true });
  const connection = await Connection.connect({ address: server.address });
  const native = await NativeConnection.connect({ address: server.address });
  try {
    const client = new Client({ connection });
    return await act(createBench(server, client, native, bundled ?? (await bundle()), metricsAddress));
  } finally {
    await native.close();
    await connection.close();
    await server.stop();
  }
}

export async function bundle(): Promise<WorkflowBundleWithSourceMap> {
  return await bundleOf({ plugins: [new SensorsPlugin({ sensors: [] })] });
}

async function bundleOf(
  options: Pick<BundleOptions, 'plugins' | 'preloadModules'>
): Promise<WorkflowBundleWithSourceMap> {
  return await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
    ...options,
  });
}

function createBench(
  server: DevServer,
  client: Client,
  connection: NativeConnection,
  workflowBundle: NonNullable<WorkerOptions['workflowBundle']>,
  metricsAddress: string
): Bench {
  let byHand: Promise<WorkflowBundleWithSourceMap> | undefined;
  return {
    client,
    async withWorker(sensors, act) {
      const taskQueue = `bench-${randomUUID()}`;
      const plugins = sensors.length === 0 ? [] : [new SensorsPlugin({ sensors })];
      // no nudges where there are no sensors
      if (sensors.length === 0) byHand ??= bundleOf({ preloadModules: ['temporal-sensors/workflows'] });
      const worker = await Worker.create({
        connection,
        taskQueue,
        workflowBundle: sensors.length === 0 && byHand !== undefined ? await byHand : workflowBundle,
        activities,
        plugins,
        shutdownForceTime: '10s',
      });
      return await worker.runUntil(() => act(taskQueue));
    },
    async cpuMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000 + (await processCpuMs(server.pid));
    },
    async visibilityQueries() {
      const response = await fetch(`http://${metricsAddress}/metrics`);
      const lines = (await response.text()).matchAll(
        /^temporal_request\{[^}]*operation="(?:List|Count)WorkflowExecutions"[^}]*\} (\d+)$/gm
      );
      return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
    },
  };
}

/** Linux counts in ticks of 10 ms. */
async function processCpuMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function round(value: number): number {
  return Number(value.toPrecision(3));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function until(condition: () => boolean | Promise<boolean>, everyMs = 50): Promise<void> {
  while (!(await condition())) await pause(everyMs);
}

/** Until the worker has started the sensor's loop. */
export async function untilLoopExists(sensors: SensorClient, sensor: string): Promise<void> {
  await until(() =>
    sensors.describe(sensor).then(
      () => true,
      () => false
    )
  );
}
