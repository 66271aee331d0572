/**
 * Sensors that react to what becomes of workflows: any workflow of the namespace, whether a sensor started it or not.
 *
 * Events are read from Temporal's visibility, from the position that the cursor holds. Jobs that close on a worker with
 * the plugin nudge the sensor; polling finds everything else, and what a nudge missed.
 */
import type { EnvValue } from '../sensors/env.js';
import { checkName, DefinitionError, quote } from '../sensors/errors.js';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import { defineSensor, type SensorDefinition, type Targets } from '../sensors/define-sensor.js';
import type { EventContext, EventHandlers, Handled } from '../sensors/event-handlers.js';
import { RUN_STATUSES, type FailedRun, type RunStatus, type StatusRun } from '../sensors/status-run.js';
import { boundTo, type RunStatusTestContext } from '../sensors/test-context.js';
import {
  checkHandling,
  checkOwnOptions,
  checkStartFrom,
  requireHandle,
  webUrlOf,
  type EventSensorPart,
  type HandlingChoices,
} from './event-sensor.js';
import { cursorSchema, refSchema, RunFeed } from './run-feed.js';
import { checkMonitor, checkQuery, describeMonitor, namedTypes, type RunMonitor } from './run-monitor.js';

/** What sensors of runs have in common. */
export interface RunEventOptions extends HandlingChoices {
  /** Which runs to look at. @default the jobs of this worker's sensors; our own workflows never, unless named */
  readonly monitor?: 'all' | RunMonitor;
  /** Whether it also reacts to runs that its own handling led to. @default false */
  readonly ownRuns?: boolean;
  /**
   * Where it begins when it has no position: what happened before is not handled.
   * @default when the sensor was first started; after its cursor was cleared, when it was last started
   */
  readonly startFrom?: Date;
  /** Where Temporal Web is, for `run.url`: `https://temporal.example.com`. @default none */
  readonly webUrl?: string | EnvValue;
}

export interface RunStatusSensorOptions<
  J extends JobDefinition,
  Js extends readonly JobDefinition[],
  R extends Resources,
  G extends Handled = Handled,
>
  extends EventSensorPart<J, Js, R>, RunEventOptions {
  /** What to react to: one or more; `started` only alone. */
  readonly status: RunStatus | readonly RunStatus[];
  /** Called for each run in order, on its own. */
  readonly handle: (ctx: EventContext<Targets<J, Js>, R>, run: StatusRun) => G;
}

export interface RunFailureSensorOptions<
  J extends JobDefinition,
  Js extends readonly JobDefinition[],
  R extends Resources,
  G extends Handled = Handled,
>
  extends EventSensorPart<J, Js, R>, RunEventOptions {
  /** @default ['failed', 'timedOut', 'terminated'] */
  readonly status?: FailureStatus | readonly FailureStatus[];
  /** Called for each run in order, on its own. */
  readonly handle: (ctx: EventContext<Targets<J, Js>, R>, run: FailedRun) => G;
}

/** The statuses of runs that ended badly. */
export type FailureStatus = Extract<RunStatus, 'failed' | 'timedOut' | 'terminated' | 'canceled'>;
const FAILURE_STATUSES: readonly FailureStatus[] = ['failed', 'timedOut', 'terminated', 'canceled'];

/** A sensor of runs: `Given` is what the author's `handle` returns, `Run` what it is called for. */
export interface RunStatusSensor<Given = unknown, Run extends StatusRun = StatusRun> extends SensorDefinition {
  /** The author's function. Tests call it with what `buildRunStatusSensorContext` of `temporal-sensors/testing` gives. */
  readonly handle: (ctx: RunStatusTestContext, run: Run) => Given;
}

/**
 * Defines a sensor that reacts to what becomes of workflows.
 *
 * ```ts
 * export const shipped = defineRunStatusSensor({
 *   name: 'shipped',
 *   status: 'completed',
 *   monitor: { jobs: [processOrders] },
 *   job: sendInvoice,
 *   async handle(ctx, run) {
 *     const [config] = await run.input();
 *     return ctx.run({ config: { path: config.path } });
 *   },
 * });
 * ```
 *
 * Each run is its own outcome: one that cannot be handled is tried again and then parked in the dead letters, and the
 * others go on. Requests without a run key get `run.eventId`. What `handle` does itself it may do twice when a worker
 * dies: give `run.eventId` to receivers that must not act twice.
 *
 * @throws {@link DefinitionError} for a bad option; a visibility query is tried when a worker starts
 */
export function defineRunStatusSensor<
  J extends JobDefinition = never,
  const Js extends readonly JobDefinition[] = readonly [],
  const R extends Resources = {},
  G extends Handled = Handled,
>(options: RunStatusSensorOptions<J, Js, R, G>): RunStatusSensor<G> {
  const { handle, ...rest } = options;
  requireHandle(handle, options.name, 'each run');
  const handlers = { handle: handle as unknown as EventHandlers<StatusRun>['handle'] };
  return withHandle(runSensorWith(rest as object as RunSensorOptions, handlers), handle);
}

/**
 * Defines a sensor that reacts to runs that end badly: `run.failure` says why.
 *
 * ```ts
 * export const onFailure = defineRunFailureSensor({
 *   name: 'onFailure',
 *   defaultStatus: 'running',
 *   handle: (ctx, run) => tellSomebody(`${run.type} ${run.workflowId}: ${run.failure.message}`),
 * });
 * ```
 *
 * @throws {@link DefinitionError} as {@link defineRunStatusSensor}
 */
export function defineRunFailureSensor<
  J extends JobDefinition = never,
  const Js extends readonly JobDefinition[] = readonly [],
  const R extends Resources = {},
  G extends Handled = Handled,
>(options: RunFailureSensorOptions<J, Js, R, G>): RunStatusSensor<G, FailedRun> {
  const { handle, ...rest } = options;
  requireHandle(handle, options.name, 'each run');
  const handlers = { handle: handle as unknown as EventHandlers<FailedRun>['handle'] };
  return withHandle(failureSensorWith(rest as object as RunSensorOptions, handlers), handle);
}

/** Options of a sensor whose handlers are given apart. */
export type RunSensorOptions = EventSensorPart<never, readonly [], {}> &
  RunEventOptions & { readonly status?: RunStatus | readonly RunStatus[] };

/** A run failure sensor with these handlers. */
export function failureSensorWith(options: RunSensorOptions, handlers: EventHandlers<FailedRun>): SensorDefinition {
  const { status = ['failed', 'timedOut', 'terminated'] } = options;
  const place = `sensor '${options.name}'`;
  const statuses = checkStatuses(status, FAILURE_STATUSES, place);
  return runSensorWith({ ...options, status: statuses }, handlers as EventHandlers<StatusRun>);
}

/** A sensor of runs with these handlers. */
function runSensorWith(options: RunSensorOptions, handlers: EventHandlers<StatusRun>): SensorDefinition {
  const { monitor, ownRuns = false, startFrom, maxAttempts = 10, handleTimeout, webUrl, status, ...sensor } = options;
  checkName(options.name, 'the name of a sensor');
  const place = `sensor '${options.name}'`;
  checkOwnOptions(sensor, place);
  const statuses = checkStatuses(status, RUN_STATUSES, place);
  const monitored = checkMonitor(monitor, `${place}: monitor`);
  checkStartFrom(startFrom, place);
  const feed = new RunFeed({
    handlers,
    monitor: monitored,
    statuses,
    ownRuns,
    webUrl: webUrlOf(webUrl, place),
    intervalMs: () => definition.intervalMs,
    ...checkHandling({ maxAttempts, handleTimeout, timeout: options.timeout }, place),
  });
  const definition = defineSensor({
    description: `Runs that ${statuses.join(', ')}`,
    ...sensor,
    cursor: cursorSchema,
    events: refSchema,
    initialCursor: ({ sensorStartedAt }) => ({
      since: (startFrom ?? sensorStartedAt).getTime(),
      seen: '',
      retries: [],
    }),
    evaluate: (ctx) => feed.evaluate(ctx),
  });
  const types = typeof monitored === 'object' ? namedTypes(monitored) : monitored === 'jobs' ? monitored : undefined;
  return Object.freeze({
    ...definition,
    fed: true,
    watchesRuns: { statuses, ...(types === undefined ? {} : { types }) },
    monitors: typeof monitored === 'string' ? monitored : describeMonitor(monitored),
    checkOnServer: (client, application) => checkQuery(client, monitored, statuses, application, `${place}: monitor`),
  } satisfies SensorDefinition);
}

/** The sensor with its author's function, for tests. */
function withHandle<Ctx, Run extends StatusRun, G>(
  definition: SensorDefinition,
  handle: (ctx: Ctx, run: Run) => G
): RunStatusSensor<G, Run> {
  return Object.freeze({
    ...definition,
    handle: (ctx: RunStatusTestContext, run: Run) => handle(boundTo(definition, ctx, run), run),
  });
}

function checkStatuses<S extends RunStatus>(status: unknown, accepted: readonly S[], place: string): readonly S[] {
  const list: readonly unknown[] = Array.isArray(status) ? status : [status];
  const bad = list.find((each) => !accepted.includes(each as S));
  if (list.length === 0 || bad !== undefined || list.includes(undefined)) {
    const names = accepted.map((each) => `'${each}'`).join(', ');
    throw new DefinitionError(`${place}: status is ${quote(status)}; accepted: one or more of ${names}`);
  }
  if (list.includes('started') && list.length > 1)
    throw new DefinitionError(`${place}: status has 'started' and others; define a sensor for each`);
  return [...new Set(list as readonly S[])];
}
