/**
 * The resources of one worker: instances made in the order of their dependencies when they are first needed, with
 * their config parsed then, so that a missing variable or an unreachable server is a failed tick and not a dead worker.
 *
 * Knows nothing of Temporal.
 */
import { describeIssues } from './describe-issues.js';
import type { BuiltResources, ResourceDefinition, Resources } from './define-resource.js';
import { resolveEnv, type Environment } from './env.js';
import { ResourceError } from './describe-error.js';
import { EvaluationError } from './errors.js';
import { ResourceStore, type ReportDisposal } from './resource-store.js';

export interface ResourcePlan {
  /** What each name stands for. */
  readonly definitions: ReadonlyMap<string, ResourceDefinition>;
  /** As it was written, by the name of its resource. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly report: ReportDisposal;
}

export class ResourceContainer {
  readonly #plan: ResourcePlan;
  readonly #store: ResourceStore;

  constructor(plan: ResourcePlan) {
    this.#plan = plan;
    this.#store = new ResourceStore(plan.report);
  }

  /**
   * Runs `work` with the instances of `resources`; tick-scoped ones live as long as it runs.
   *
   * @throws {@link ResourceError} for the first one that cannot be created; else whatever `work` throws
   */
  async use<R extends Resources, T>(
    resources: R,
    signal: AbortSignal,
    work: (built: BuiltResources<R>) => T | Promise<T>
  ): Promise<T> {
    const tick = new ResourceStore(this.#plan.report);
    try {
      return await work(await this.build(resources, tick, signal));
    } finally {
      await tick.dispose();
    }
  }

  /**
   * The instances of `resources`, one after the other, what they depend on first.
   *
   * @param tick keeps the tick-scoped ones
   * @throws {@link ResourceError} for the first one that cannot be created
   */
  async build<R extends Resources>(resources: R, tick: ResourceStore, signal: AbortSignal): Promise<BuiltResources<R>> {
    const built: [string, unknown][] = [];
    for (const [name, definition] of Object.entries(resources)) {
      const store = definition.scope === 'tick' ? tick : this.#store;
      try {
        const create = (creation: AbortSignal): Promise<unknown> => this.#create(name, definition, tick, creation);
        built.push([name, await store.get(name, definition, signal, create)]);
      } catch (error) {
        throw new ResourceError(name, error);
      }
    }
    return Object.freeze(Object.fromEntries(built)) as BuiltResources<R>;
  }

  async #create(
    name: string,
    definition: ResourceDefinition,
    tick: ResourceStore,
    signal: AbortSignal
  ): Promise<unknown> {
    const { config, environment } = this.#plan;
    const parsed = parseConfig(definition, Object.hasOwn(config, name) ? config[name] : undefined, environment);
    const resources = await this.build(definition.dependsOn, tick, signal);
    const value = await definition.create(Object.freeze({ config: parsed, resources, signal }) as never);
    if (value === undefined) throw new EvaluationError('create gave nothing; return what is to be used');
    return value;
  }

  /** Disposes of the worker-scoped instances, the newest first. Never fails. */
  async dispose(): Promise<void> {
    await this.#store.dispose();
  }
}

/**
 * The config as `create` gets it. What was not written counts as `{}` for a schema that does not accept nothing.
 *
 * @throws {@link EvaluationError} quoting path and expectation, never the value
 */
function parseConfig({ config: schema }: ResourceDefinition, written: unknown, environment: Environment): unknown {
  if (schema === undefined) return undefined;
  const resolved = resolveEnv(written, 'config', environment);
  let parsed = schema.safeParse(resolved);
  if (!parsed.success && resolved === undefined) parsed = schema.safeParse({});
  if (parsed.success) return parsed.data;
  throw new EvaluationError(`its config does not fit its schema (${describeIssues(parsed.error, 'config')})`);
}
