/**
 * Contexts for tests of sensors of runs: what `handle` gets, without a worker or a server. A context that is not told
 * its sensor learns it when that sensor's `handle` is called with it; then jobs and statuses are checked.
 */
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { EvaluationError, refuseUnknownOptions } from '../sensors/errors.js';
import { EvaluationContext } from '../sensors/evaluation.js';
import type { EventContextBase } from '../sensors/event-handlers.js';
import { feedOf } from '../sensors/feed-host.js';
import { eventBackfill, eventRequest, handlerContext } from '../sensors/call-handler.js';
import type { GivenBackfillRequest, GivenRequest } from '../sensors/run-request.js';
import type { RunRequest } from '../sensors/run-request.js';
import type { FailedRun, StatusRun } from '../sensors/status-run.js';
import { BIND, type RunStatusTestContext } from '../sensors/test-context.js';
import { buildSensorContext, noClient, partsOf, type ContextParts, type SensorTestContextOptions } from './context.js';
import { runOf, type RunFacts } from './run-facts.js';

/** Options of {@link buildRunStatusSensorContext}; all may be left out. */
export interface RunStatusTestOptions extends Pick<
  SensorTestContextOptions<unknown>,
  'resources' | 'now' | 'tick' | 'isFirstTickSinceStart' | 'sensorStartedAt' | 'signal' | 'client'
> {
  /** What the handler is called for: a finished run (`executeJob`), or one made by hand. @default all of it by default */
  readonly run?: RunFacts;
  /** Has everything checked at once, and says what a run by default is. @default learnt when `handle` is called */
  readonly sensor?: SensorDefinition;
}

const OPTIONS = [
  'run',
  'sensor',
  'resources',
  'now',
  'tick',
  'isFirstTickSinceStart',
  'sensorStartedAt',
  'signal',
  'client',
] as const;

/** What a test calls `handle` with. */
export interface RunStatusTest<Run extends StatusRun = StatusRun> {
  readonly ctx: RunStatusTestContext;
  readonly run: Run;
  /** The same for run failure sensors. @throws EvaluationError when the run did not end badly */
  readonly forRunFailure: () => RunStatusTest<FailedRun>;
}

/**
 * Context and run for `sensor.handle(ctx, run)`.
 *
 * ```ts
 * const { ctx, run } = buildRunStatusSensorContext({ run: { type: 'importFile', failure: 'disk full' } }).forRunFailure();
 * await onFailure.handle(ctx, run);
 * expect(ctx.requests).toMatchObject([{ job: 'cleanUp', runKey: run.eventId }]);
 * ```
 *
 * @throws DefinitionError for an unknown option or fact; EvaluationError, with `sensor`, for a run it does not react to
 */
export function buildRunStatusSensorContext(options: RunStatusTestOptions = {}): RunStatusTest {
  refuseUnknownOptions(options, OPTIONS, 'buildRunStatusSensorContext');
  const { run: facts = {}, sensor, client = noClient('buildRunStatusSensorContext'), ...rest } = options;
  const unbound = buildSensorContext({ ...rest, client });
  const parts = partsOf(unbound);
  const run = runOf(facts, sensor, parts.facts.now);
  const requests: RunRequest[] = [];
  const ctx =
    sensor === undefined
      ? contextFor(unbound, run, parts, requests)
      : contextFor(contextOf(sensor, run, parts), run, parts, requests);
  return testWith(ctx, run);
}

function testWith<Run extends StatusRun>(ctx: RunStatusTestContext, run: Run): RunStatusTest<Run> {
  return { ctx, run, forRunFailure: () => testWith(ctx, failed(run)) };
}

function failed(run: StatusRun): FailedRun {
  if (run.failure !== undefined) return run as FailedRun;
  throw new EvaluationError(`forRunFailure: the run did not end badly, its status is '${run.status}'`);
}

/** The context of this sensor's own evaluation. */
function contextOf(sensor: SensorDefinition, run: StatusRun, { facts, services }: ContextParts): EvaluationContext {
  const statuses = sensor.watchesRuns?.statuses;
  if (statuses === undefined)
    throw new EvaluationError(`sensor '${sensor.name}' is not one of runs: it is tested with buildSensorContext`);
  if (!statuses.includes(run.status)) {
    throw new EvaluationError(
      `sensor '${sensor.name}' reacts to ${statuses.join(', ')}, so it never gets this run, whose status is '${run.status}'`
    );
  }
  return new EvaluationContext(sensor, { ...facts, sensor: sensor.name }, services, undefined);
}

/** What the handler gets of `base`. */
function contextFor(
  base: EventContextBase,
  run: StatusRun,
  parts: ContextParts,
  requests: RunRequest[]
): RunStatusTestContext {
  const { services } = parts;
  const context = {
    ...handlerContext(base, services.signal),
    run: (request?: GivenRequest) => {
      const made = eventRequest(base, feedOf(base), run, request);
      requests.push(made);
      return made;
    },
    backfill: (request: GivenBackfillRequest) => {
      const made = eventBackfill(base, feedOf(base), run, request);
      requests.push(made);
      return made;
    },
    requests,
    get logs() {
      return services.book.lines;
    },
    [BIND]: (sensor: SensorDefinition, event: StatusRun) =>
      contextFor(contextOf(sensor, event, parts), event, parts, requests),
  };
  return context;
}
