/**
 * Jobs: what sensors start. A job is a workflow type with a schema for its config.
 *
 * The schema lives here and is never imported by workflow code at run time; the workflow takes the parsed config as
 * its argument (`JobConfig<typeof job>`, by `import type`).
 */
import { z } from 'zod';
import { checkName, DefinitionError, quote, refuseUnknownOptions } from './errors.js';
import type { Json } from './json.js';

/** A job, as {@link defineJob} made it. `In` is what a run request gives, `Out` what the workflow receives. */
export interface JobDefinition<Name extends string = string, In = unknown, Out = unknown> {
  readonly kind: 'job';
  readonly name: Name;
  readonly config: z.ZodType<Out, In>;
  readonly taskQueue: string | undefined;
  readonly args: ((config: never) => readonly unknown[]) | undefined;
  readonly aliases: readonly string[];
}

/** What a run request gives as `config` for this job. */
export type JobConfigInput<J> = J extends JobDefinition<string, infer In, unknown> ? In : never;

/** What the job's workflow receives: the parsed config, defaults filled. */
export type JobConfig<J> = J extends JobDefinition<string, infer _In, infer Out> ? Out : never;

export interface JobOptions<Name extends string, S extends z.ZodType<Json>> {
  /** The workflow type to start. 1 to 100 characters of `A-Z a-z 0-9 _ . -`. */
  readonly name: Name;
  /** Schema of the config; its output must be JSON. @default an empty object */
  readonly config?: S;
  /** Where the runs execute. @default the task queue of the sensor */
  readonly taskQueue?: string;
  /** Arguments of the workflow, for existing workflows with positional parameters. @default `[config]` */
  readonly args?: (config: z.output<S>) => readonly unknown[];
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
export function defineJob<const Name extends string, S extends z.ZodType<Json> = z.ZodType<Record<string, never>, {}>>(
  options: JobOptions<Name, S>
): JobDefinition<Name, z.input<S>, z.output<S>> {
  checkName(options.name, 'the name of a job');
  const place = `job '${options.name}'`;
  refuseUnknownOptions(options, ['name', 'config', 'taskQueue', 'args', 'aliases'], place);
  if (options.config !== undefined) checkSchema(options.config, `${place}: config`);
  if (options.taskQueue !== undefined && (typeof options.taskQueue !== 'string' || options.taskQueue === '')) {
    throw new DefinitionError(`${place}: taskQueue is ${quote(options.taskQueue)}; accepted: the name of a task queue`);
  }
  if (options.args !== undefined && typeof options.args !== 'function') {
    throw new DefinitionError(`${place}: args is ${quote(options.args)}; accepted: a function from config to an array`);
  }
  for (const alias of options.aliases ?? []) checkName(alias, `${place}: aliases`);
  const job: JobDefinition<Name, z.input<S>, z.output<S>> = {
    kind: 'job',
    name: options.name,
    config: (options.config ?? z.strictObject({})) as unknown as z.ZodType<z.output<S>, z.input<S>>,
    taskQueue: options.taskQueue,
    args: options.args,
    aliases: Object.freeze([...(options.aliases ?? [])]),
  };
  return Object.freeze(job);
}

/**
 * @throws {@link DefinitionError} when `schema` is not a zod schema
 */
export function checkSchema(schema: unknown, place: string): asserts schema is z.ZodType {
  if (typeof schema !== 'object' || schema === null || !('safeParse' in schema)) {
    throw new DefinitionError(`${place} is ${quote(schema)}; accepted: a zod schema`);
  }
}

/** The issues of a failed parse, one a line: path and expectation, never the value. */
export function describeIssues(error: z.core.$ZodError, root: string): string {
  return error.issues.map((issue) => `${[root, ...issue.path.map(String)].join('.')}: ${issue.message}`).join('; ');
}
