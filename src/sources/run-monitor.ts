/** Which runs a run status sensor looks at, as a visibility query. */
import { isGrpcServiceError, ServiceError, type Client } from '@temporalio/client';
import { quoted } from '../client/query.js';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Application, SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { Json } from '../sensors/json.js';
import { LOOP_ID_PREFIX, OWN_TYPES } from '../sensors/protocol.js';
import type { RunStatus } from '../sensors/status-run.js';
import { isObject } from '../sensors/json.js';

/** Which runs to look at; all that is given must fit. */
export interface RunMonitor {
  /** Runs of these jobs, whoever started them; with their `aliases`. */
  readonly jobs?: readonly JobDefinition[];
  /** Workflows of these types. */
  readonly workflowTypes?: readonly string[];
  /** Workflows of this task queue. */
  readonly taskQueue?: string;
  /** Runs that this sensor started: its definition, or its full name. */
  readonly sensor?: SensorDefinition | string;
  /** A visibility query, such as `CustomerId = 'acme'`. It is tried when the worker starts. */
  readonly query?: string;
}

const EXECUTION_STATUS: Readonly<Record<Exclude<RunStatus, 'started'>, string>> = {
  completed: 'Completed',
  failed: 'Failed',
  timedOut: 'TimedOut',
  terminated: 'Terminated',
  canceled: 'Canceled',
  continuedAsNew: 'ContinuedAsNew',
};

/**
 * @throws {@link DefinitionError}
 */
export function checkMonitor(monitor: unknown, place: string): 'jobs' | 'all' | RunMonitor {
  if (monitor === undefined) return 'jobs';
  if (monitor === 'all') return 'all';
  if (!isObject(monitor)) {
    throw new DefinitionError(
      `${place} is ${quote(monitor)}; accepted: 'all', or an object with jobs, workflowTypes, taskQueue, sensor or query`
    );
  }
  refuseUnknownOptions(monitor, ['jobs', 'workflowTypes', 'taskQueue', 'sensor', 'query'], place);
  const { jobs, workflowTypes, taskQueue, sensor, query } = monitor as RunMonitor;
  if (Object.values(monitor).every((value) => value === undefined)) {
    throw new DefinitionError(`${place} is empty; name jobs, workflowTypes, taskQueue, sensor or query, or give 'all'`);
  }
  for (const [name, list] of Object.entries({ jobs, workflowTypes })) {
    if (list === undefined || (Array.isArray(list) && list.length > 0)) continue;
    throw new DefinitionError(`${place}.${name} is ${quote(list)}; accepted: an array that is not empty`);
  }
  const job = jobs?.find((each: unknown) => (each as Partial<JobDefinition> | null)?.kind !== 'job');
  if (job !== undefined)
    throw new DefinitionError(`${place}.jobs contains ${quote(job)}; accepted: what defineJob returned`);
  const name = typeof sensor === 'object' ? sensor.name : sensor;
  for (const [field, text] of Object.entries({ taskQueue, sensor: name, query })) {
    if (text === undefined || (typeof text === 'string' && text.trim() !== '')) continue;
    throw new DefinitionError(`${place}.${field} is ${quote(text)}; accepted: a text that is not empty`);
  }
  const type = workflowTypes?.find((each: unknown) => typeof each !== 'string' || each === '');
  if (type !== undefined)
    throw new DefinitionError(`${place}.workflowTypes contains ${quote(type)}; accepted: names of workflow types`);
  checkValues([...(namedTypes(monitor) ?? []), ...(taskQueue === undefined ? [] : [taskQueue])], place);
  return monitor;
}

/**
 * Temporal's visibility finds nothing for a value with a double quote or a backslash, however it is escaped (measured
 * on server 1.32).
 */
function checkValues(values: readonly string[], place: string): void {
  const bad = values.find((value) => /["\\\p{Cc}]/u.test(value));
  if (bad === undefined) return;
  throw new DefinitionError(
    `${place} names ${quote(bad)}; Temporal's visibility cannot find names with double quotes, backslashes or control characters`
  );
}

/** Workflow types that are looked at; `undefined`: any but our own. */
export function typesOf(
  monitor: 'jobs' | 'all' | RunMonitor,
  { jobs }: Pick<Application, 'jobs'>
): readonly string[] | undefined {
  if (monitor === 'jobs') return jobs;
  return monitor === 'all' ? undefined : namedTypes(monitor);
}

/** Workflow types that a monitor names itself. */
export function namedTypes(monitor: RunMonitor): readonly string[] | undefined {
  const named = monitor.jobs?.flatMap(({ name, aliases }) => [name, ...aliases]);
  if (named === undefined) return monitor.workflowTypes;
  return monitor.workflowTypes === undefined ? named : named.filter((name) => monitor.workflowTypes?.includes(name));
}

/** A monitor as JSON, to tell two of them apart. */
export function describeMonitor(monitor: RunMonitor): Json {
  const { taskQueue, sensor, query } = monitor;
  const name = typeof sensor === 'object' ? sensor.name : sensor;
  return [[...(namedTypes(monitor) ?? [])], taskQueue ?? null, name ?? null, query ?? null];
}

/** The visibility query, without the time. Values are quoted: names are data. */
export function queryOf(
  monitor: 'jobs' | 'all' | RunMonitor,
  statuses: readonly RunStatus[],
  application: Application
): string {
  const types = typesOf(monitor, application);
  const closed = statuses.flatMap((status) => (status === 'started' ? [] : [EXECUTION_STATUS[status]]));
  const { taskQueue, sensor, query } = typeof monitor === 'string' ? ({} as RunMonitor) : monitor;
  const sensorName = typeof sensor === 'object' ? application.prefix + sensor.name : sensor;
  return [
    ...(closed.length === 0 ? [] : [`ExecutionStatus IN (${closed.map(quoted).join(', ')})`]),
    types === undefined
      ? `WorkflowType NOT IN (${OWN_TYPES.map(quoted).join(', ')})`
      : `WorkflowType IN (${types.map(quoted).join(', ')})`,
    ...(taskQueue === undefined ? [] : [`TaskQueue = ${quoted(taskQueue)}`]),
    ...(sensorName === undefined ? [] : [`ParentWorkflowId = ${quoted(LOOP_ID_PREFIX + sensorName)}`]),
    ...(query === undefined ? [] : [`(${query})`]),
  ].join(' AND ');
}

/** `INVALID_ARGUMENT` of gRPC. */
const INVALID = 3;

/**
 * Asks the server whether it understands the query.
 *
 * @throws {@link DefinitionError} with the server's own message
 */
export async function checkQuery(
  client: Client,
  monitor: 'jobs' | 'all' | RunMonitor,
  statuses: readonly RunStatus[],
  application: Application,
  place: string
): Promise<void> {
  const types = typesOf(monitor, application);
  checkValues(types ?? [], place);
  if (types?.length === 0 && monitor !== 'jobs')
    throw new DefinitionError(`${place}: no type is both in jobs and in workflowTypes`);
  if (types?.length === 0) {
    throw new DefinitionError(
      `${place}: without 'monitor' it looks at the jobs of this worker's sensors, and they have none; say what to monitor`
    );
  }
  const own = typeof monitor === 'string' ? undefined : monitor.query;
  // alone first: a query with one bracket too many must not change what surrounds it
  for (const query of [...(own === undefined ? [] : [own]), queryOf(monitor, statuses, application)]) {
    try {
      await client.workflow.count(query);
    } catch (error) {
      const cause = error instanceof ServiceError ? error.cause : error;
      if (!isGrpcServiceError(cause) || cause.code !== INVALID) throw error;
      throw new DefinitionError(
        `${place}.query is ${quote(own ?? query)}, which Temporal does not understand: ${cause.details || cause.message}`
      );
    }
  }
}
