/** Resources outside a worker: in scripts, in tests, in a sensor that needs them for a moment. */
import type { BuiltResources, ResourceDefinition, Resources } from './define-resource.js';
import type { Environment, WithEnv } from './env.js';
import { refuseUnknownOptions } from './errors.js';
import { ResourceContainer } from './resource-container.js';
import { checkResourceConfig, collectResources } from './resource-names.js';
import { ResourceStore } from './resource-store.js';

/** What is written as the config of a resource: `ResourceConfig<typeof s3>`. */
export type ResourceConfig<D> =
  D extends ResourceDefinition<unknown, infer In> ? ([In] extends [undefined] ? undefined : WithEnv<In>) : never;

export interface BuildResourcesOptions<R extends Resources> {
  /** Config by the name of its resource, those that are only depended on included. @default none */
  readonly config?: { readonly [K in keyof R]?: ResourceConfig<R[K]> } & Readonly<Record<string, unknown>>;
  /** What `env('NAME')` reads. @default process.env */
  readonly env?: Environment;
  /** Gives up building. */
  readonly signal?: AbortSignal;
}

export interface ResourceSet<R extends Resources> {
  /** The instances, by name. */
  readonly resources: BuiltResources<R>;
  /**
   * Disposes of them and of what they depend on, the newest first; all of them, even if one fails.
   *
   * @throws AggregateError of what the failing ones threw
   */
  readonly dispose: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/**
 * Makes instances of resources, what they depend on first. The caller disposes of them.
 *
 * ```ts
 * const { resources, dispose } = await buildResources({ s3 }, { config: { s3: { bucket: env('BUCKET') } } });
 * ```
 *
 * @throws {@link DefinitionError} for what is no resource, a name with two meanings, circular dependencies, config
 *   of an unknown resource; {@link ResourceError} for one that cannot be created, when the others are disposed of
 */
export async function buildResources<const R extends Resources>(
  resources: R,
  options: BuildResourcesOptions<R> = {}
): Promise<ResourceSet<R>> {
  refuseUnknownOptions(options, ['config', 'env', 'signal'], 'buildResources');
  const { config = {}, env: environment = process.env, signal = new AbortController().signal } = options;
  const definitions = collectResources([{ place: 'buildResources', resources }]);
  checkResourceConfig(config, definitions, 'buildResources: config');
  const failures: Error[] = [];
  const report = (message: string, cause: unknown): void => void failures.push(new Error(message, { cause }));
  const container = new ResourceContainer({ definitions, config, environment, report });
  const tick = new ResourceStore(report);
  const disposeAll = async (): Promise<void> => {
    await tick.dispose();
    await container.dispose();
  };
  const dispose = async (): Promise<void> => {
    await disposeAll();
    const failed = failures.splice(0);
    if (failed.length > 0) throw new AggregateError(failed, failed.map(({ message }) => message).join('; '));
  };
  try {
    const built = await container.build(resources, tick, signal);
    return { resources: built, dispose, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await disposeAll();
    throw error;
  }
}
