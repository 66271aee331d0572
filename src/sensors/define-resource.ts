/**
 * Resources: what sensors and job activities use of the outside, such as clients and connections.
 *
 * A definition says how an instance is made and disposed of; its name is the key under which a sensor, an activity or
 * another resource has it. Instances are made when they are first needed, and shared by everything on one worker.
 */
import type { z } from 'zod';
import { checkSchema } from './define-job.js';
import { DefinitionError, quote, refuseUnknownOptions } from './errors.js';

/** A resource, as {@link defineResource} made it. `T` is what it gives, `In` what is written as its config. */
export interface ResourceDefinition<T = unknown, In = unknown> {
  readonly kind: 'resource';
  readonly config: z.ZodType<unknown, In> | undefined;
  readonly dependsOn: Resources;
  readonly scope: ResourceScope;
  readonly create: (init: never) => T | Promise<T>;
  readonly dispose: ((value: never) => void | Promise<void>) | undefined;
}

/** `'worker'`: one instance for each worker. `'tick'`: one for each evaluation. */
export type ResourceScope = 'worker' | 'tick';

/** Resources by name. */
export type Resources = Readonly<Record<string, ResourceDefinition>>;

/** What a resource gives: `ResourceValue<typeof s3>`. */
export type ResourceValue<D> = D extends ResourceDefinition<infer T> ? T : never;

/** The instances of resources, by name. */
export type BuiltResources<R extends Resources> = { readonly [K in keyof R]: ResourceValue<R[K]> };

export interface ResourceInit<Config, D extends Resources> {
  /** What `resourceConfig` has for this resource, with values from the environment, parsed by the schema. */
  readonly config: Config;
  /** The resources it depends on. */
  readonly resources: BuiltResources<D>;
  /** Aborts when nobody waits for this resource any longer, when the worker ends, and after 5 minutes. Pass it on. */
  readonly signal: AbortSignal;
}

export interface ResourceOptions<T, S extends z.ZodType, D extends Resources> {
  /** Schema of the config. @default no config */
  readonly config?: S;
  /** Resources that must be there before, by name. They are disposed of after this one. @default none */
  readonly dependsOn?: D;
  /**
   * `'worker'`: made once, at the first evaluation or activity that needs it, and disposed of when the worker ends.
   * `'tick'`: made for each evaluation (or each execution of an activity) and disposed of at its end.
   * @default 'worker'
   */
  readonly scope?: ResourceScope;
  /** Makes an instance. If it fails, so does the tick that needs it; the next tick tries again. */
  readonly create: (init: ResourceInit<z.output<S>, D>) => T | Promise<T>;
  /** Ends an instance, in at most 5 s. What it throws is logged, and nothing else depends on it. @default nothing */
  readonly dispose?: (value: NoInfer<T>) => void | Promise<void>;
}

/**
 * Defines a resource.
 *
 * ```ts
 * export const s3 = defineResource({
 *   config: z.object({ region: z.string() }),
 *   create: ({ config }) => new S3Client(config),
 *   dispose: (client) => client.destroy(),
 * });
 * export const uploads = defineSensor({ name: 'uploads', resources: { s3 }, evaluate: async (ctx) => … ctx.resources.s3 … });
 * ```
 *
 * @throws {@link DefinitionError} for an unknown option, a config that is not a zod schema, what is no resource in
 *   `dependsOn`, and a worker-scoped resource that depends on a tick-scoped one
 */
export function defineResource<
  T,
  S extends z.ZodType = z.ZodType<undefined, undefined>,
  const D extends Resources = {},
>(options: ResourceOptions<T, S, D>): ResourceDefinition<T, z.input<S>> {
  const place = 'a resource';
  refuseUnknownOptions(options, ['config', 'dependsOn', 'scope', 'create', 'dispose'], place);
  const { config, dependsOn = {} as D, scope = 'worker', create, dispose } = options;
  if (config !== undefined) checkSchema(config, `${place}: config`);
  if (scope !== 'worker' && scope !== 'tick') {
    throw new DefinitionError(`${place}: scope is ${quote(scope)}; accepted: 'worker' or 'tick'`);
  }
  if (typeof create !== 'function')
    throw new DefinitionError(`${place}: create is ${quote(create)}; accepted: a function`);
  if (dispose !== undefined && typeof dispose !== 'function') {
    throw new DefinitionError(`${place}: dispose is ${quote(dispose)}; accepted: a function`);
  }
  if (typeof dependsOn !== 'object' || dependsOn === null) {
    throw new DefinitionError(`${place}: dependsOn is ${quote(dependsOn)}; accepted: resources by name`);
  }
  // a getter is read when the resources are collected: it may name what is defined further down
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors<Resources>(dependsOn))) {
    if ('value' in property) checkDependency(name, property.value, scope, place);
  }
  const definition: ResourceDefinition<T, z.input<S>> = {
    kind: 'resource',
    config: config as z.ZodType<unknown, z.input<S>> | undefined,
    dependsOn,
    scope,
    create,
    dispose,
  };
  return Object.freeze(definition);
}

/**
 * @throws {@link DefinitionError} when `value` is not a resource, or lives shorter than what depends on it
 */
export function checkDependency(name: string, value: unknown, scope: ResourceScope, place: string): void {
  checkResource(value, `${place}: dependsOn.${name}`);
  if (scope === 'worker' && value.scope === 'tick') {
    throw new DefinitionError(
      `${place} depends on '${name}', which is made for each tick and gone at its end; ` +
        `give both scope: 'tick', or '${name}' scope: 'worker'`
    );
  }
}

/**
 * @throws {@link DefinitionError} when `value` is not what {@link defineResource} returned
 */
export function checkResource(value: unknown, place: string): asserts value is ResourceDefinition {
  if (typeof value !== 'object' || value === null || !('kind' in value) || value.kind !== 'resource') {
    throw new DefinitionError(
      `${place} is ${quote(value)}; accepted: what defineResource returned` +
        (value === undefined ? ' (do two modules import each other?)' : '')
    );
  }
}
