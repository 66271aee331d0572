/**
 * The worker plugin: brings the sensors of an application to its own worker.
 *
 * It registers the activities, checks at worker start that the workflow bundle has what sensors need, and reconciles
 * the definitions with the loops on the cluster. It leaves the user's workflows, activities, interceptors, data
 * converter and codec as they are.
 */
import { SimplePlugin } from '@temporalio/plugin';
import {
  Runtime,
  type BundleOptions,
  type InjectedSinks,
  type ReplayWorkerOptions,
  type Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { readFile } from 'node:fs/promises';
import { createSensorActivities } from '../activities/index.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError, refuseUnknownOptions } from '../sensors/errors.js';
import { createRegistry, type SensorRegistry } from '../sensors/registry.js';
import { registeredOptions } from '../sensors/run-interest.js';
import { ResourceContainer } from '../sensors/resource-container.js';
import { checkResourceConfig, collectResources, type ResourceUse } from '../sensors/resource-names.js';
import { bindResources, resourceUses } from './bind-resources.js';
import { wantedResources } from '../sensors/with-resources.js';
import type { RunSinks } from '../workflows/interceptors.js';
import { checkBundle } from './check-bundle.js';
import { Gauges } from './gauges.js';
import { Nudger, type ChangedRun } from './nudger.js';
import { reconcileAll } from './reconcile.js';
import { redactErrors } from './redact-errors.js';
import { tickTraces } from './tick-traces.js';

export interface SensorsPluginOptions {
  /** The sensors of this worker; they bring their jobs. */
  readonly sensors: readonly SensorDefinition[];
  /** Put before every sensor's name, so that two applications can share a namespace. @default none */
  readonly prefix?: string;
  /**
   * Config by the name of its resource; `env('NAME')` may stand for any value in it. It is read and parsed when the
   * resource is first needed. @default none
   */
  readonly resourceConfig?: Readonly<Record<string, unknown>>;
  /**
   * Says of errors that `evaluate`, handlers, hooks and resources throw only an ID; the worker's log has the error, with
   * its stack, under it. Temporal keeps error texts in histories and memos, and no codec encrypts them by default.
   * Texts of an `EvaluationError` stay. @default false
   */
  readonly redactErrors?: boolean;
}

/**
 * The SDK takes this option, though its types do not have it. Its default of 5 s is too short for a workflow task with
 * thousands of signals on a busy machine, and Node does not survive its end: "async hook stack has become corrupted",
 * and the worker's process is gone.
 */
const TASK_OPTIONS: Partial<WorkerOptions> & { readonly isolateExecutionTimeout: number } = {
  isolateExecutionTimeout: 30_000,
};

/** Resolved as the user's own line `export * from 'temporal-sensors/workflows'` is. */
const WORKFLOWS = 'temporal-sensors/workflows';
const INTERCEPTORS = 'temporal-sensors/workflows/interceptors';

/** Takes what the interceptors in the workflow bundle report. */
function sinksFor(notify: (run: ChangedRun) => void): InjectedSinks<RunSinks> {
  return {
    temporalSensors: {
      report: {
        fn: ({ workflowId, runId, workflowType }, status) => notify({ workflowId, runId, type: workflowType, status }),
      },
    },
  };
}

type WebpackHook = NonNullable<BundleOptions['webpackConfigHook']>;
type WebpackConfiguration = Parameters<WebpackHook>[0];

/**
 * ```ts
 * const worker = await Worker.create({ taskQueue, workflowsPath, activities, plugins: [new SensorsPlugin({ sensors })] });
 * ```
 *
 * Activities made by `withResources` get the resources of the sensors; they end with the worker.
 *
 * A workflow that closes on the worker wakes the sensors that watch runs, at once and without a trace in its history.
 * With a prebuilt bundle that takes `bundleWorkflowCode({ workflowsPath, plugins: [new SensorsPlugin({ sensors })] })`;
 * with a bundle made otherwise these sensors find the run at their interval.
 *
 * @throws {@link DefinitionError} for two sensors, jobs or resources of one name, and for unknown options. When the worker is
 *   created: for resources of its activities, and for config of a resource that nothing uses
 */
export class SensorsPlugin extends SimplePlugin {
  readonly #registry: SensorRegistry;
  readonly #resourceUses: readonly ResourceUse[];
  readonly #resourceConfig: Readonly<Record<string, unknown>>;
  readonly #redacts: boolean;
  /** By an activity of its worker: a plugin may serve several. */
  readonly #containers = new WeakMap<object, ResourceContainer>();
  readonly #nudgers = new WeakMap<object, Nudger>();
  #bundleCode: string | undefined;

  constructor(options: SensorsPluginOptions) {
    super({ name: 'temporal-sensors' });
    refuseUnknownOptions(options, ['sensors', 'prefix', 'resourceConfig', 'redactErrors'], 'SensorsPlugin');
    if (!Array.isArray(options.sensors))
      throw new DefinitionError('SensorsPlugin needs sensors: an array of what defineSensor returned');
    this.#registry = createRegistry(options.sensors, options.prefix);
    this.#resourceUses = options.sensors.map(({ name, resources }) => ({ place: `sensor '${name}'`, resources }));
    this.#resourceConfig = options.resourceConfig ?? {};
    this.#redacts = options.redactErrors ?? false;
    collectResources(this.#resourceUses);
  }

  override configureWorker(options: WorkerOptions): WorkerOptions {
    // methods of a class instance are not own properties, which a spread would drop
    const theirs = bindMethods(options.activities ?? {});
    const resources = this.#createContainer(theirs);
    const activities = createSensorActivities({ registry: this.#registry, resources });
    this.#containers.set(activities.evaluateSensor, resources);
    const nudger = this.#createNudger();
    this.#nudgers.set(activities.evaluateSensor, nudger);
    for (const name of Object.keys(activities)) {
      if (name in theirs) {
        throw new DefinitionError(`the activity '${name}' is one of temporal-sensors' own; rename yours`);
      }
    }
    const { workflowBundle, workerDeploymentOptions, interceptors } = options;
    if (workerDeploymentOptions?.useWorkerVersioning === false) {
      throw new DefinitionError(
        `SensorsPlugin: workerDeploymentOptions has a version but useWorkerVersioning: false; inside a workflow the two cannot be told ` +
          `apart, and the server would refuse the sensors' tasks. Leave workerDeploymentOptions out, or turn versioning on`
      );
    }
    if (workflowBundle !== undefined && 'code' in workflowBundle) this.#bundleCode = workflowBundle.code;
    return {
      ...(options.debugMode === true ? {} : TASK_OPTIONS),
      ...super.configureWorker(options),
      activities: { ...bindResources(theirs, resources), ...activities },
      sinks: { ...options.sinks, ...sinksFor((run) => nudger.notify(run)) },
      interceptors: {
        ...interceptors,
        activity: [tickTraces, ...(this.#redacts ? [redactErrors] : []), ...(interceptors?.activity ?? [])],
      },
      // a stop reaches running code in 0.1 s instead of 6 s
      maxHeartbeatThrottleInterval: options.maxHeartbeatThrottleInterval ?? '1s',
    };
  }

  override configureReplayWorker(options: ReplayWorkerOptions): ReplayWorkerOptions {
    // a replay wakes nobody
    return { ...super.configureReplayWorker(options), sinks: { ...options.sinks, ...sinksFor(() => undefined) } };
  }

  override configureBundler(options: BundleOptions): BundleOptions {
    const theirs = options.webpackConfigHook;
    const webpackConfigHook: WebpackHook = (config) =>
      this.#captureBundle(theirs === undefined ? config : theirs(config));
    // the loop's modules hold no state: one copy for all cached loops, instead of one for each
    const preloadModules = [...(options.preloadModules ?? []), WORKFLOWS, INTERCEPTORS];
    // outermost, so that it sees the commands as they leave
    const workflowInterceptorModules = [INTERCEPTORS, ...(options.workflowInterceptorModules ?? [])];
    return { ...super.configureBundler(options), webpackConfigHook, preloadModules, workflowInterceptorModules };
  }

  override async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    const evaluateSensor = worker.options.activities.get('evaluateSensor');
    const nudger = evaluateSensor === undefined ? undefined : this.#nudgers.get(evaluateSensor);
    const { logger, metricMeter } = Runtime.instance();
    const gauges = new Gauges([...this.#registry.sensors.keys()], (message, error) => logger.warn(message, { error }));
    try {
      await this.#start(worker, next);
      if (worker.client !== undefined) {
        nudger?.start(worker.client);
        gauges.start(worker.client, worker.options.taskQueue, metricMeter);
      }
      await next(worker);
    } finally {
      await Promise.all([nudger?.stop(), gauges.stop()]);
      if (evaluateSensor !== undefined) await this.#containers.get(evaluateSensor)?.dispose();
    }
  }

  async #start(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    try {
      await this.#checkBundle(worker);
      await reconcileAll(worker, this.#registry);
    } catch (error) {
      // run and at once shut down: a worker that never ran would hold its connection for ever
      const running = next(worker);
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      throw error;
    }
  }

  #createContainer(activities: Readonly<Record<string, unknown>>): ResourceContainer {
    const definitions = collectResources([...this.#resourceUses, ...resourceUses(activities)]);
    checkResourceConfig(this.#resourceConfig, definitions, 'SensorsPlugin: resourceConfig');
    return new ResourceContainer({
      definitions,
      config: this.#resourceConfig,
      environment: process.env,
      report: (message, error) => Runtime.instance().logger.error(message, { error }),
    });
  }

  #createNudger(): Nudger {
    const interests = [...this.#registry.sensors].flatMap(([sensor, definition]) => {
      const { watchesRuns } = registeredOptions(this.#registry, definition);
      return watchesRuns === undefined ? [] : [[sensor, watchesRuns] as const];
    });
    return new Nudger(new Map(interests), (message, error) => Runtime.instance().logger.debug(message, { error }));
  }

  async #checkBundle(worker: Worker): Promise<void> {
    const { workflowBundle, taskQueue } = worker.options;
    const code =
      workflowBundle !== undefined && 'codePath' in workflowBundle
        ? await readFile(workflowBundle.codePath, 'utf8')
        : this.#bundleCode;
    if (code === undefined) {
      throw new DefinitionError(
        `SensorsPlugin: this worker has no workflows, so sensors cannot run on it; give it workflowsPath or workflowBundle`
      );
    }
    const jobs = [...this.#registry.jobs.values()].filter(
      (job) => job.taskQueue === undefined || job.taskQueue === taskQueue
    );
    checkBundle(code, jobs);
  }

  /** Keeps the bundle that the worker's bundler emits, for the check at start. */
  #captureBundle(config: WebpackConfiguration): WebpackConfiguration {
    const plugin: NonNullable<WebpackConfiguration['plugins']>[number] = {
      apply: (compiler: { hooks: { emit: { tap(name: string, act: (compilation: Compilation) => void): void } } }) =>
        compiler.hooks.emit.tap(this.name, ({ assets }) => {
          this.#bundleCode = Object.values(assets)[0]?.source().toString();
        }),
    };
    return { ...config, plugins: [...(config.plugins ?? []), plugin] };
  }
}

/** The part of webpack's compilation that is used. */
interface Compilation {
  readonly assets: Readonly<Record<string, { source(): string | Buffer }>>;
}

/** The activities of a class instance, bound and as own properties. */
function bindMethods(activities: object): Record<string, unknown> {
  const bound: Record<string, unknown> = {};
  for (
    let level: unknown = activities;
    typeof level === 'object' && level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      const value: unknown = Reflect.get(activities, name);
      if (name === 'constructor' || name in bound || typeof value !== 'function') continue;
      bound[name] =
        wantedResources(value) === undefined
          ? (...args: unknown[]): unknown => Reflect.apply(value, activities, args)
          : value;
    }
  }
  return bound;
}
