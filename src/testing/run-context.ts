/** Contexts for tests of sensors of runs: what `handle` gets, without a worker or a server. */
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { EvaluationError, refuseUnknownOptions } from '../sensors/errors.js';
import type { FailedRun, StatusRun } from '../sensors/status-run.js';
import type { RunStatusTestContext } from '../sensors/test-context.js';
import { EVENT_TEST_OPTIONS, eventContext, unboundContext, type EventTestOptions } from './event-context.js';
import { runOf, type RunFacts } from './run-facts.js';

/** Options of {@link buildRunStatusSensorContext}; all may be left out. */
export interface RunStatusTestOptions extends EventTestOptions {
  /** What the handler is called for: a finished run (`executeJob`), or one made by hand. @default all of it by default */
  readonly run?: RunFacts;
  /** Has everything checked at once, and says what a run by default is. @default learnt when `handle` is called */
  readonly sensor?: SensorDefinition;
}

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
  refuseUnknownOptions(options, ['run', 'sensor', ...EVENT_TEST_OPTIONS], 'buildRunStatusSensorContext');
  const { run: facts = {}, sensor, ...rest } = options;
  const unbound = unboundContext(rest, 'buildRunStatusSensorContext');
  const run = runOf(facts, sensor, unbound.parts.facts.now);
  return testWith(eventContext(unbound, run, sensor, checkRun), run);
}

function testWith<Run extends StatusRun>(ctx: RunStatusTestContext, run: Run): RunStatusTest<Run> {
  return { ctx, run, forRunFailure: () => testWith(ctx, failed(run)) };
}

function failed(run: StatusRun): FailedRun {
  if (run.failure !== undefined) return run as FailedRun;
  throw new EvaluationError(`forRunFailure: the run did not end badly, its status is '${run.status}'`);
}

/** @throws EvaluationError for a sensor that never gets this run */
function checkRun({ name, watchesRuns }: SensorDefinition, { status }: StatusRun): void {
  const statuses = watchesRuns?.statuses;
  if (statuses === undefined)
    throw new EvaluationError(`sensor '${name}' is not one of runs: it is tested with buildSensorContext`);
  if (statuses.includes(status)) return;
  throw new EvaluationError(
    `sensor '${name}' reacts to ${statuses.join(', ')}, so it never gets this run, whose status is '${status}'`
  );
}
