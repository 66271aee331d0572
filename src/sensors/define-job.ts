/**
 * Jobs: what sensors start. A job is a workflow type with a schema for its config.
 *
 * The schema lives here and is never imported by workflow code at run time; the workflow takes the parsed config as
 * its argument (`JobConfig<typeof job>`, by `import type`).
 */
import type { Priority, RetryPolicy } from '@temporalio/common';
import { z } from 'zod';
import { checkAssets, type AssetDefinition } from './define-asset.js';
import { parseDuration, type Duration } from './duration.js';
import { describeIssues } from './describe-issues.js';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from './errors.js';
import { utf8Bytes, type Json } from './json.js';
import { checkPartitions, type PartitionSet } from './partitions.js';
import type { StartOptions } from './protocol.js';
import { checkTags, type Tags } from './tags.js';

/** A job, as {@link defineJob} made it. `In` is what a run request gives, `Out` what the workflow receives. */
export interface JobDefinition<
  Name extends string = string,
  In = unknown,
  Out = unknown,
  Assets extends readonly AssetDefinition[] = readonly AssetDefinition[],
> {
  readonly kind: 'job';
  readonly name: Name;
  readonly config: z.ZodType<Out, In>;
  readonly taskQueue: string | undefined;
  readonly args: ((config: never) => readonly unknown[]) | undefined;
  readonly aliases: readonly string[];
  readonly tags: Tags;
  readonly partitions: PartitionSet | undefined;
  /** What it makes. */
  readonly assets: Assets;
  /** Timeouts, retry and priority of its runs, as Temporal takes them. */
  readonly start: StartOptions;
}

/** What a run request gives as `config` for this job. */
export type JobConfigInput<J> = J extends JobDefinition<string, infer In, unknown> ? In : never;

/** What the job's workflow receives: the parsed config, defaults filled. */
export type JobConfig<J> = J extends JobDefinition<string, infer _In, infer Out> ? Out : never;

export interface JobOptions<
  Name extends string,
  S extends z.ZodType<Json>,
  Assets extends readonly AssetDefinition[] = readonly AssetDefinition[],
> {
  /** The workflow type to start. 1 to 100 characters of `A-Z a-z 0-9 _ . -`. */
  readonly name: Name;
  /** Schema of the config; its output must be JSON. @default an empty object */
  readonly config?: S;
  /** Where the runs execute. @default the task queue of the sensor */
  readonly taskQueue?: string;
  /** Arguments of the workflow, for existing workflows with positional parameters. @default `[config]` */
  readonly args?: (config: z.output<S>) => readonly unknown[];
  /** Put on every run; those of a request win. */
  readonly tags?: Tags;
  /**
   * The set that every request's `partitionKey` is of.
   * @default the one that all its partitioned assets share; without, requests have no partition
   */
  readonly partitions?: PartitionSet;
  /** What it makes, up to 100 assets; no other job makes them. A request may ask for some of them. @default none */
  readonly assets?: Assets;
  /** Of the whole run, retries and continue-as-new included. @default no limit */
  readonly workflowExecutionTimeout?: Duration;
  /** Of one attempt of the run. @default no limit */
  readonly workflowRunTimeout?: Duration;
  /** Of one workflow task, at most 120 s. @default '10s' */
  readonly workflowTaskTimeout?: Duration;
  /** How Temporal retries a failed run, under its workflow ID: it stays the one run of its key. @default not at all */
  readonly retry?: Omit<RetryPolicy, 'initialInterval' | 'maximumInterval'> & {
    readonly initialInterval?: Duration;
    readonly maximumInterval?: Duration;
  };
  /** Priority of its tasks. @default Temporal's */
  readonly priority?: Priority;
  /** Earlier names of this job: keys that ran under them count as run. */
  readonly aliases?: readonly string[];
}

/**
 * Defines a job.
 *
 * ```ts
 * export const processFile = defineJob({ name: 'processFile', config: z.object({ path: z.string() }) });
 * ```
 *
 * @throws {@link DefinitionError} for a bad name, an unknown option or a config that is not a zod schema
 */
export function defineJob<
  const Name extends string,
  S extends z.ZodType<Json> = z.ZodType<Record<string, never>, {}>,
  const Assets extends readonly AssetDefinition[] = readonly [],
>(options: JobOptions<Name, S, Assets>): JobDefinition<Name, z.input<S>, z.output<S>, Assets> {
  checkName(options.name, 'the name of a job');
  const place = `job '${options.name}'`;
  refuseUnknownOptions(options, OPTIONS, place);
  if (options.config !== undefined) checkSchema(options.config, `${place}: config`);
  if (options.taskQueue !== undefined && !isTaskQueue(options.taskQueue)) {
    throw new DefinitionError(
      `${place}: taskQueue is ${quote(options.taskQueue)}; accepted: the name of a task queue, 1 to 1,000 bytes, not beginning with '/_sys/'`
    );
  }
  if (options.args !== undefined && typeof options.args !== 'function') {
    throw new DefinitionError(`${place}: args is ${quote(options.args)}; accepted: a function from config to an array`);
  }
  for (const alias of options.aliases ?? []) checkName(alias, `${place}: aliases`);
  if (options.tags !== undefined) {
    const problem = checkTags(options.tags);
    if (problem !== undefined) throw new DefinitionError(`${place}: ${problem}`);
  }
  checkPartitions(options.partitions, place);
  const assets = checkAssets(options.assets, `${place}: assets`);
  const job: JobDefinition<Name, z.input<S>, z.output<S>, Assets> = {
    kind: 'job',
    name: options.name,
    config: (options.config ?? z.strictObject({})) as unknown as z.ZodType<z.output<S>, z.input<S>>,
    taskQueue: options.taskQueue,
    args: options.args,
    aliases: Object.freeze([...(options.aliases ?? [])]),
    tags: Object.freeze({ ...options.tags }),
    partitions: options.partitions ?? sharedPartitions(assets),
    assets,
    start: Object.freeze(checkStart(options, place)),
  };
  return Object.freeze(job);
}

const OPTIONS = [
  'name',
  'config',
  'taskQueue',
  'args',
  'aliases',
  'tags',
  'partitions',
  'assets',
  'workflowExecutionTimeout',
  'workflowRunTimeout',
  'workflowTaskTimeout',
  'retry',
  'priority',
] as const;

/** The one set of those assets that have one. */
function sharedPartitions(assets: readonly AssetDefinition[]): PartitionSet | undefined {
  const [shared, ...others] = new Set(assets.flatMap(({ partitions }) => partitions ?? []));
  return others.length === 0 ? shared : undefined;
}

function isTaskQueue(value: unknown): boolean {
  return isText(value, 1_000) && !value.startsWith('/_sys/');
}

/** A text that Temporal takes: not empty, so many bytes at most, and whole characters. */
function isText(value: unknown, maxBytes: number): value is string {
  return typeof value === 'string' && value !== '' && utf8Bytes(value) <= maxBytes && value.isWellFormed();
}

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;
const MAX_TASK_TIMEOUT_MS = 120_000;

type StartGiven = Pick<
  JobOptions<string, z.ZodType<Json>>,
  'workflowExecutionTimeout' | 'workflowRunTimeout' | 'workflowTaskTimeout' | 'retry' | 'priority'
>;

/** As Temporal takes them in workflow code, where a mistake would block the sensor: all of it is checked here. */
function checkStart(options: StartGiven, place: string): StartOptions {
  const ms = (name: keyof StartGiven, max: number): Record<string, number> =>
    options[name] === undefined ? {} : { [name]: parseDuration(options[name], `${place}: ${name}`, 1, max) };
  return {
    ...ms('workflowExecutionTimeout', 10 * YEAR_MS),
    ...ms('workflowRunTimeout', 10 * YEAR_MS),
    ...ms('workflowTaskTimeout', MAX_TASK_TIMEOUT_MS),
    ...(options.retry === undefined ? {} : { retry: checkRetry(options.retry, `${place}: retry`) }),
    ...(options.priority === undefined
      ? {}
      : { priority: parseOption(PRIORITY, options.priority, `${place}: priority`) as Priority }),
  };
}

const TIMEOUTS = new Set(
  ['StartToClose', 'ScheduleToStart', 'ScheduleToClose', 'Heartbeat'].map((name) => `TemporalTimeout:${name}`)
);
// what Temporal's server accepts; it would refuse anything else when the run starts, and the sensor would stand still
const RETRY = z.strictObject({
  initialInterval: z.number().optional(),
  maximumInterval: z.number().optional(),
  backoffCoefficient: z.number().min(1).max(1_000).optional(),
  maximumAttempts: z.int().min(1).max(1_000_000).optional(),
  nonRetryableErrorTypes: z
    .array(
      z.string().refine((type) => isText(type, 200) && (!type.startsWith('TemporalTimeout:') || TIMEOUTS.has(type)), {
        message: `accepted: 1 to 200 bytes, and after 'TemporalTimeout:' one of Temporal's timeouts`,
      })
    )
    .max(50)
    .optional(),
});
const PRIORITY = z.strictObject({
  priorityKey: z.int().min(1).max(5).optional(),
  fairnessKey: z
    .string()
    .refine((key) => isText(key, 64), { message: 'accepted: 1 to 64 bytes' })
    .optional(),
  fairnessWeight: z.number().min(0.001).max(1_000).optional(),
});

function checkRetry(retry: NonNullable<StartGiven['retry']>, place: string): RetryPolicy {
  const policy = typeof retry === 'object' ? { ...retry } : retry;
  for (const name of ['initialInterval', 'maximumInterval'] as const) {
    if (policy[name] !== undefined) policy[name] = parseDuration(policy[name], `${place}.${name}`, 1, YEAR_MS);
  }
  const { initialInterval = 1_000, maximumInterval = Infinity } = policy;
  if (maximumInterval < initialInterval)
    throw new DefinitionError(
      `${place}.maximumInterval is ${quote(retry.maximumInterval)}, less than its initialInterval`
    );
  return parseOption(RETRY, policy, place) as RetryPolicy;
}

function parseOption<T>(schema: z.ZodType<T>, value: unknown, place: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new DefinitionError(`${place} is ${quote(value)}; ${describeIssues(parsed.error, 'it')}`);
}

/**
 * @throws {@link DefinitionError} when `schema` is not a zod schema
 */
export function checkSchema(schema: unknown, place: string): asserts schema is z.ZodType {
  if (typeof schema !== 'object' || schema === null || !('safeParse' in schema)) {
    throw new DefinitionError(`${place} is ${quote(schema)}; accepted: a zod schema`);
  }
}
