/**
 * What an integration test needs: a client, workers on a random task queue, sensors with a random prefix, and
 * `waitFor` instead of sleeps. Every worker is stopped at the end of the test, by harness-setup.ts.
 */
import { Client, Connection } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { SensorClient, type SensorDescription, type SensorRun, type TickRecord } from '../../src/client/index.js';
import { loopId } from '../../src/client/loops.js';
import { isNotFound } from '../../src/client/not-found.js';
import type { SensorDefinition } from '../../src/index.js';
import { SensorsPlugin, type SensorsPluginOptions } from '../../src/worker/index.js';

if (Runtime._instance === undefined) {
  Runtime.install({
    logger: new DefaultLogger((process.env['LOG'] as 'DEBUG' | undefined) ?? 'ERROR'),
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
  });
}

/** WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND: signals race a command of the loop. */
const UNHANDLED_COMMAND = 1;
/** WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND: more than 100 signals came during one workflow task. */
const FORCE_CLOSE_COMMAND = 17;

export interface RunningWorker {
  readonly worker: Worker;
  /** Rejects when the worker could not start. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

const stops = new Set<() => Promise<void>>();
interface Connections {
  readonly connection: Connection;
  readonly native: NativeConnection;
}
const connections = new Map<string, Connections>();

const harnesses = new Set<Harness>();

/** After each test. @throws when a workflow task of a sensor failed */
export async function endWork(): Promise<void> {
  try {
    for (const harness of harnesses) await harness.checkTasks();
  } finally {
    harnesses.clear();
    await Promise.all([...stops].map((stop) => stop()));
  }
}

/** After each file. */
export async function disconnect(): Promise<void> {
  for (const { connection, native } of connections.values()) {
    await connection.close();
    await native.close();
  }
  connections.clear();
}

async function connect(address: string): Promise<Connections> {
  const made = connections.get(address) ?? {
    connection: await Connection.connect({ address }),
    native: await NativeConnection.connect({ address }),
  };
  connections.set(address, made);
  return made;
}

export class Harness {
  readonly taskQueue = `queue-${randomUUID()}`;
  readonly prefix = `t${randomUUID().slice(0, 8)}-`;
  private constructor(
    readonly client: Client,
    readonly native: NativeConnection,
    readonly sensors: SensorClient
  ) {}

  /** @param address of another server than the one all tests share */
  static async create(
    options: Partial<ConstructorParameters<typeof Client>[0]> = {},
    address = inject('temporalAddress')
  ): Promise<Harness> {
    const { connection, native } = await connect(address);
    const client = new Client({ connection, ...options });
    const harness = new Harness(client, native, new SensorClient(client));
    harnesses.add(harness);
    return harness;
  }

  /** Names of sensors whose workflow tasks may fail in this test, because it breaks them on purpose. */
  readonly broken = new Set<string>();
  private readonly worked = new Set<string>();

  /** A failing workflow task is a silent hang for the user: no test may leave one. */
  async checkTasks(): Promise<void> {
    for (const sensor of this.worked) {
      if (this.broken.has(sensor)) continue;
      const { events } = await this.loop(sensor)
        .fetchHistory()
        .catch((error: unknown) => ifGone(error, { events: [] }));
      for (const { workflowTaskFailedEventAttributes: failed } of events ?? []) {
        // under many signals the server asks again: normal
        const normal = failed?.cause === UNHANDLED_COMMAND || failed?.cause === FORCE_CLOSE_COMMAND;
        if (failed == null || normal || failed.failure?.resetWorkflowFailureInfo != null) continue;
        throw new Error(
          `a workflow task of sensor '${sensor}' failed: ${failed.failure?.message ?? `cause ${failed.cause}`}`
        );
      }
    }
  }

  /** Full name of a sensor. */
  name(sensor: SensorDefinition | string): string {
    return this.prefix + (typeof sensor === 'string' ? sensor : sensor.name);
  }

  loop(sensor: SensorDefinition | string) {
    return this.client.workflow.getHandle(loopId(this.name(sensor)));
  }

  /** Starts a worker with these sensors; `MAX_CACHED_WORKFLOWS=0` replays every workflow task. */
  async work(
    sensors: readonly SensorDefinition[],
    options: Partial<WorkerOptions> = {},
    pluginOptions: Partial<SensorsPluginOptions> = {}
  ): Promise<RunningWorker> {
    const cached = process.env['MAX_CACHED_WORKFLOWS'];
    const worker = await Worker.create({
      connection: this.native,
      taskQueue: this.taskQueue,
      workflowBundle: { codePath: inject('bundlePath') },
      plugins: [new SensorsPlugin({ sensors, prefix: this.prefix, ...pluginOptions })],
      // workflows in this thread: a thread of their own costs a second of CPU for each worker. Workers in processes of
      // their own (chaos, crashes, the CLI, examples) run as in production
      debugMode: true,
      reuseV8Context: true,
      shutdownGraceTime: '100ms',
      shutdownForceTime: '5s',
      ...(cached === undefined ? {} : { maxCachedWorkflows: Number(cached) }),
      ...options,
    });
    const done = worker.run();
    done.catch(() => undefined);
    const stop = async (): Promise<void> => {
      stops.delete(stop);
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await done.catch(() => undefined);
    };
    stops.add(stop);
    // it runs when its sensors have been reconciled
    await Promise.race([done, waitFor(() => worker.getState() === 'RUNNING', 'the worker')]);
    for (const sensor of sensors) this.worked.add(sensor.name);
    return { worker, done, stop };
  }

  /** The last tick that was recorded. */
  async lastTick(sensor: SensorDefinition | string): Promise<TickRecord> {
    const tick = (await this.sensors.ticks(this.name(sensor))).at(-1);
    if (tick === undefined) throw new Error('no tick yet');
    return tick;
  }

  async tickWhere(
    sensor: SensorDefinition | string,
    condition: (tick: TickRecord) => boolean,
    what: string
  ): Promise<TickRecord> {
    return await waitFor(async () => (await this.sensors.ticks(this.name(sensor))).find(condition), what);
  }

  /** Waits until the sensor's evaluations fold. */
  async folded(sensor: SensorDefinition | string): Promise<SensorDescription> {
    return await waitFor(async () => {
      const description = await this.sensors.describe(this.name(sensor));
      return description.evaluation?.lastOutcome !== undefined ? description : undefined;
    }, 'a folded evaluation');
  }

  async runs(sensor: SensorDefinition | string): Promise<SensorRun[]> {
    const runs: SensorRun[] = [];
    for await (const run of this.sensors.runs(this.name(sensor))) runs.push(run);
    return runs;
  }

  /** Waits until visibility (eventually consistent) shows `count` runs, and then a little for one too many. */
  async settledRuns(sensor: SensorDefinition | string, count: number): Promise<SensorRun[]> {
    await waitFor(async () => (await this.runs(sensor)).length >= count, `${count} runs`);
    return await this.runs(sensor);
  }
}

/** Polls until `condition` gives something truthy, and returns it. A costly condition is asked less often. */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  what: string,
  timeoutMs = 40_000
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    const asked = Date.now();
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(25, 4 * (Date.now() - asked)), 500)));
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause: last });
}

/** `value` when the workflow is not on the server (pruned, for instance). */
function ifGone<T>(error: unknown, value: T): T {
  if (isNotFound(error)) return value;
  throw error;
}
