/** Runs for tests: made by hand, as a handler would get them from a server. */
import { defaultDataConverter, ensureTemporalFailure, TypedSearchAttributes } from '@temporalio/common';
import { runFailureOf } from '../client/run-failure.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError, EvaluationError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { RunMemo } from '../sensors/protocol.js';
import { eventIdOf, RUN_STATUSES, type RunFailure, type RunStatus, type StatusRun } from '../sensors/status-run.js';
import { formatDuration } from '../sensors/text.js';

type Given = Partial<Omit<StatusRun, 'kind' | 'failure' | 'input' | 'result' | 'startedBy'>>;

/** A run for a test: everything may be left out. */
export interface RunFacts extends Given {
  readonly kind?: 'run';
  /** Why it ended badly: the message, what was thrown, or the facts. @default a message that fits the status */
  readonly failure?: string | Error | (Omit<RunFailure, 'causes'> & Partial<Pick<RunFailure, 'causes'>>);
  /** Arguments of its workflow. @default calling `run.input()` is an error that says so */
  readonly input?: readonly unknown[] | StatusRun['input'];
  /** What it returned. @default calling `run.result()` is an error that says so */
  readonly result?: unknown;
  /** The sensor that started it, and why. @default none started it */
  readonly startedBy?: Partial<RunMemo>;
}

const FACTS = [
  'kind',
  'eventId',
  'status',
  'at',
  'workflowId',
  'runId',
  'type',
  'taskQueue',
  'startTime',
  'closeTime',
  'durationMs',
  'memo',
  'searchAttributes',
  'startedBy',
  'parent',
  'failure',
  'nextRunId',
  'url',
  'input',
  'result',
] as const;

const BAD: readonly RunStatus[] = ['failed', 'timedOut', 'terminated', 'canceled'];
const DURATION_MS = 60_000;

/**
 * A run with these facts. Without a status it has one that the sensor reacts to, and without a type one of those that
 * the sensor names.
 *
 * @throws {@link DefinitionError} for an unknown fact, and for a failure of a run that did not end badly
 */
export function runOf(facts: RunFacts, sensor: SensorDefinition | undefined, now: Date): StatusRun {
  refuseUnknownOptions(facts, FACTS, 'buildRunStatusSensorContext: run');
  const status = statusOf(facts, sensor);
  const { type = typeOf(sensor), runId = '00000000-0000-4000-8000-000000000001', taskQueue = 'default' } = facts;
  const { workflowId = `${type}-1`, memo = {}, parent, nextRunId, url } = facts;
  const times = timesOf(facts, status, now);
  const failure = failureOf(facts, status, times.durationMs);
  const { startedBy } = facts;
  return {
    kind: 'run',
    eventId: facts.eventId ?? eventIdOf({ workflowId, runId }, status),
    status,
    ...times,
    workflowId,
    runId,
    type,
    taskQueue,
    memo,
    searchAttributes: facts.searchAttributes ?? new TypedSearchAttributes(),
    ...(startedBy === undefined ? {} : { startedBy: { sensor: 'sensor', job: type, tick: 1, ...startedBy } }),
    ...(parent === undefined ? {} : { parent }),
    ...(failure === undefined ? {} : { failure }),
    ...(nextRunId === undefined ? {} : { nextRunId }),
    ...(url === undefined ? {} : { url }),
    input: inputOf(facts),
    result: resultOf(facts, status),
  };
}

function statusOf({ status, failure, result }: RunFacts, sensor: SensorDefinition | undefined): RunStatus {
  if (status !== undefined) {
    if (RUN_STATUSES.includes(status)) return status;
    const names = RUN_STATUSES.map((each) => `'${each}'`).join(', ');
    throw new DefinitionError(`buildRunStatusSensorContext: run.status is ${quote(status)}; accepted: ${names}`);
  }
  const watched = sensor?.watchesRuns?.statuses;
  if (failure !== undefined) return watched?.find((each) => BAD.includes(each)) ?? 'failed';
  return result === undefined ? (watched?.[0] ?? 'completed') : 'completed';
}

function typeOf(sensor: SensorDefinition | undefined): string {
  const types = sensor?.watchesRuns?.types;
  return typeof types === 'object' ? (types[0] ?? 'job') : 'job';
}

function timesOf(
  { at, startTime, closeTime, durationMs }: RunFacts,
  status: RunStatus,
  now: Date
): Pick<StatusRun, 'at' | 'startTime' | 'closeTime' | 'durationMs'> {
  if (status === 'started') return { at: at ?? startTime ?? now, startTime: startTime ?? at ?? now };
  const end = closeTime ?? at ?? now;
  const start = startTime ?? new Date(end.getTime() - (durationMs ?? DURATION_MS));
  return {
    at: at ?? end,
    startTime: start,
    closeTime: end,
    durationMs: durationMs ?? Math.max(0, end.getTime() - start.getTime()),
  };
}

function failureOf({ failure }: RunFacts, status: RunStatus, durationMs = 0): RunFailure | undefined {
  if (!BAD.includes(status)) {
    if (failure === undefined) return undefined;
    throw new DefinitionError(
      `buildRunStatusSensorContext: run has a failure, and its status is '${status}'; accepted with a failure: ${BAD.join(', ')}`
    );
  }
  if (failure instanceof Error) {
    // the way through Temporal, so that causes, kinds and types are what a handler gets
    const { failureConverter, payloadConverter } = defaultDataConverter;
    const encoded = failureConverter.errorToFailure(ensureTemporalFailure(failure), payloadConverter);
    return runFailureOf(failureConverter.failureToError(encoded, payloadConverter), defaultDataConverter);
  }
  if (typeof failure === 'object') return { causes: [], ...failure };
  if (status === 'failed') {
    const message = failure ?? 'this run failed';
    return { message, causes: [{ message, kind: 'ApplicationFailure' }] };
  }
  const message = status === 'timedOut' ? `timed out after ${formatDuration(durationMs)}` : status;
  return { message: failure ?? message, causes: [] };
}

function inputOf({ input }: RunFacts): StatusRun['input'] {
  if (typeof input === 'function') return input;
  if (input !== undefined) return () => Promise.resolve(input);
  return () => missing('input', 'its arguments as an array');
}

function resultOf({ result }: RunFacts, status: RunStatus): StatusRun['result'] {
  if (typeof result === 'function') return result as StatusRun['result'];
  if (result !== undefined) return () => Promise.resolve(result);
  if (status === 'completed') return () => missing('result', 'what it returned');
  return () => Promise.reject(new Error(`the run has no result: its status is '${status}'`));
}

function missing(what: 'input' | 'result', give: string): Promise<never> {
  return Promise.reject(
    new EvaluationError(`run.${what}() is called, and this test's run has none: give it one (${what}: ${give})`)
  );
}
