/**
 * Sensors on a real Temporal server, for tests: a server, a worker and clients that go with the test.
 *
 * Everything that needs a server is loaded when an environment is made, so that tests without one need none of it.
 */
import type { Client } from '@temporalio/client';
import type { Worker, WorkerOptions } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SensorClient, SensorRun, TickRecord } from '../client/index.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { parseDuration, type Duration } from '../sensors/duration.js';
import { DefinitionError } from '../sensors/errors.js';
import type { SensorsPluginOptions } from '../worker/index.js';

const LOOK_EVERY_MS = 50;
const MAX_WAIT_MS = 60 * 60 * 1000;

/** Options of {@link createSensorTestEnvironment}: those of the plugin, and what its worker needs. */
export interface SensorTestEnvironmentOptions extends SensorsPluginOptions {
  /** The application's workflow module. This or `workflowBundle` is needed. */
  readonly workflowsPath?: string;
  /** Made by `bundleWorkflowCode`, so that many environments bundle once. */
  readonly workflowBundle?: NonNullable<WorkerOptions['workflowBundle']>;
  /** Activities of the jobs. @default none */
  readonly activities?: object;
  /** A server that runs already. @default a dev server of its own, with the local `temporal` binary */
  readonly address?: string;
  /** @default 'default' */
  readonly namespace?: string;
  /** @default one that nobody else has */
  readonly taskQueue?: string;
  /** Put before every sensor's name. @default none on a server of its own, else one that nobody else has */
  readonly prefix?: string;
}

/** A worker with sensors on a server, until it is disposed of. Sensors are named by definition, or without the prefix. */
export interface SensorTestEnvironment {
  readonly address: string;
  readonly taskQueue: string;
  readonly client: Client;
  /** Takes full names: see `name`. */
  readonly sensors: SensorClient;
  readonly worker: Worker;
  /** Full name of a sensor. */
  readonly name: (sensor: SensorDefinition | string) => string;
  /** Evaluates now, also a stopped sensor, and gives the tick. */
  readonly tick: (sensor: SensorDefinition | string) => Promise<TickRecord>;
  /** The ticks that were recorded, oldest first. */
  readonly ticks: (sensor: SensorDefinition | string) => Promise<readonly TickRecord[]>;
  /** The runs that the sensor started, as far as the server lists them yet. */
  readonly runs: (sensor: SensorDefinition | string) => Promise<readonly SensorRun[]>;
  /** Waits until every run that the sensor has started is listed and closed, and gives them. At most a minute. */
  readonly settled: (sensor: SensorDefinition | string) => Promise<readonly SensorRun[]>;
  /** Asks until the condition gives something truthy, and gives that. @throws Error with the last failure as its cause */
  readonly waitFor: <T>(
    condition: () => T | Promise<T>,
    options?: { readonly timeout?: Duration; readonly what?: string }
  ) => Promise<NonNullable<T>>;
  /** Ends the worker and the server; on a server that ran already it forgets the sensors. More than one call is fine. */
  readonly dispose: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/**
 * ```ts
 * await using env = await createSensorTestEnvironment({ sensors: [newFiles], workflowsPath: require.resolve('./workflows') });
 * const tick = await env.tick(newFiles);
 * const [run] = await env.settled(newFiles);
 * ```
 *
 * Loads `@temporalio/worker`, whose runtime is one for the process: install your own before, if you want its log lines.
 *
 * @throws DefinitionError for options that cannot be; TemporalNotFoundError without a `temporal` binary to start
 */
export async function createSensorTestEnvironment(
  options: SensorTestEnvironmentOptions
): Promise<SensorTestEnvironment> {
  const { workflowsPath, workflowBundle, activities, namespace = 'default', ...rest } = options;
  const {
    address: given,
    taskQueue = `test-${randomUUID()}`,
    prefix = given === undefined ? '' : uniquePrefix(),
    ...plugin
  } = rest;
  if ((workflowsPath === undefined) === (workflowBundle === undefined))
    throw new DefinitionError('createSensorTestEnvironment needs workflowsPath or workflowBundle, and not both');
  const [{ Client, Connection }, { DefaultLogger, NativeConnection, Runtime, Worker }] = await Promise.all([
    import('@temporalio/client'),
    import('@temporalio/worker'),
  ]);
  const [{ SensorClient }, { SensorsPlugin }] = await Promise.all([
    import('../client/index.js'),
    import('../worker/index.js'),
  ]);
  if (Runtime._instance === undefined) Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  const plugins = [new SensorsPlugin({ ...plugin, prefix })];
  const ends: (() => Promise<unknown>)[] = [];
  const dispose = async (): Promise<void> => {
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  };
  try {
    const server = given === undefined ? await startServer(namespace) : { address: given, stop: async () => undefined };
    const { address } = server;
    ends.push(server.stop);
    const connection = await Connection.connect({ address });
    ends.push(() => connection.close());
    const native = await NativeConnection.connect({ address });
    ends.push(() => native.close());
    const client = new Client({ connection, namespace });
    const sensors = new SensorClient(client);
    const worker = await Worker.create({
      connection: native,
      namespace,
      taskQueue,
      plugins,
      ...(workflowsPath === undefined ? {} : { workflowsPath }),
      ...(workflowBundle === undefined ? {} : { workflowBundle }),
      ...(activities === undefined ? {} : { activities }),
      shutdownGraceTime: '100ms',
      shutdownForceTime: '10s',
    });
    const name = (sensor: SensorDefinition | string): string =>
      prefix + (typeof sensor === 'string' ? sensor : sensor.name);
    if (given !== undefined) ends.push(() => Promise.all(options.sensors.map((sensor) => sensors.prune(name(sensor)))));
    await run(worker, ends);
    const runs = async (sensor: SensorDefinition | string): Promise<readonly SensorRun[]> => {
      const found: SensorRun[] = [];
      for await (const each of sensors.runs(name(sensor))) found.push(each);
      return found;
    };
    return {
      address,
      taskQueue,
      client,
      sensors,
      worker,
      name,
      tick: (sensor) => sensors.tick(name(sensor)),
      ticks: (sensor) => sensors.ticks(name(sensor)),
      runs,
      settled: (sensor) =>
        waitFor(
          async () => {
            const { counters } = await sensors.state(name(sensor));
            const listed = await runs(sensor);
            return listed.length >= counters.runs && listed.every(({ closeTime }) => closeTime !== undefined)
              ? listed
              : undefined;
          },
          { timeout: '1m', what: `all runs of sensor '${name(sensor)}'` }
        ),
      waitFor,
      dispose,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function uniquePrefix(): string {
  return `test${randomUUID().slice(0, 8)}-`;
}

async function startServer(
  namespace: string
): Promise<{ readonly address: string; readonly stop: () => Promise<void> }> {
  const [{ startDevServer }, { findTemporalBinary }] = await Promise.all([
    import('../cli/dev-server.js'),
    import('../cli/temporal-binary.js'),
  ]);
  const binary = await findTemporalBinary({ log: (line) => console.error(line) });
  return await startDevServer({ binary, namespace, fast: true, headless: true });
}

/** Returns when the worker has reconciled its sensors and polls; `ends` gets what ends it. */
async function run(worker: Worker, ends: (() => Promise<unknown>)[]): Promise<void> {
  const running = worker.run();
  running.catch(() => undefined);
  ends.push(async () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running.catch(() => undefined);
  });
  await Promise.race([running, waitFor(() => worker.getState() === 'RUNNING', { what: 'the worker' })]);
}

async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeout = '30s', what = 'a condition' }: { readonly timeout?: Duration; readonly what?: string } = {}
): Promise<NonNullable<T>> {
  const timeoutMs = parseDuration(timeout, 'waitFor: timeout', 1, MAX_WAIT_MS);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let failure: unknown;
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      failure = error;
    }
    if (Date.now() >= deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause: failure });
    await sleep(LOOK_EVERY_MS);
  }
}
