/**
 * What the ready-made sensors share: they are built on `defineSensor`, take its options, and make one request for each
 * thing they find, with a run key of their own unless the author gives one.
 */
import type { z } from 'zod';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import type { SensorContextBase, SensorOptions } from '../sensors/define-sensor.js';
import { DefinitionError, quote } from '../sensors/errors.js';
import type { Json } from '../sensors/json.js';
import type { JobRequest, RunRequest } from '../sensors/run-request.js';

/** The options of `defineSensor` that a ready-made sensor needs for itself. */
const OWN_OPTIONS = ['jobs', 'cursor', 'events', 'maxEventAttempts', 'evaluate'] as const;

/** The options of `defineSensor` that are the author's in a ready-made sensor. */
export type SourceOptions<J extends JobDefinition, R extends Resources = {}> = Omit<
  SensorOptions<J, readonly [], undefined, undefined, R>,
  'job' | (typeof OWN_OPTIONS)[number]
> & {
  /** The job this sensor starts. */
  readonly job: J;
};

/** The context of a ready-made sensor with a cursor of this schema. */
export type SourceContext<S extends z.ZodType<Json | undefined>, R extends Resources = {}> = SensorContextBase<
  S,
  undefined,
  R
>;

/** What to run for a thing that was found, or nothing. A run key is there if the author gives none. */
export type SourceRequest<J> = JobRequest<J> | null | undefined;

/**
 * @throws {@link DefinitionError} when the author gives an option that a ready-made sensor needs for itself, or no
 *   function that makes requests
 */
export function checkSourceOptions(options: { readonly name: unknown; readonly request: unknown }): void {
  const taken = OWN_OPTIONS.find((name) => name in options);
  const place = `sensor '${String(options.name)}'`;
  if (taken !== undefined) {
    throw new DefinitionError(`${place} has an option '${taken}', which a ready-made sensor needs for itself`);
  }
  if (typeof options.request !== 'function') {
    throw new DefinitionError(
      `${place}: request is ${quote(options.request)}; accepted: a function that says what to run`
    );
  }
}

type MaybePromise<T> = T | Promise<T>;

/** Makes the requests for what was found, in its order. */
export async function requestRuns<
  T,
  J extends JobDefinition,
  S extends z.ZodType<Json | undefined>,
  R extends Resources,
>(
  ctx: SourceContext<S, R>,
  found: readonly T[],
  request: (thing: T, ctx: SourceContext<S, R>) => MaybePromise<SourceRequest<J>>,
  runKeyOf: (thing: T) => string
): Promise<RunRequest[]> {
  const { run } = ctx as unknown as { readonly run: (request: object) => RunRequest };
  const runs: RunRequest[] = [];
  for (const thing of found) {
    const wanted = await request(thing, ctx);
    if (wanted == null) continue;
    runs.push(run({ ...wanted, runKey: wanted.runKey ?? runKeyOf(thing) }));
  }
  return runs;
}
