/**
 * The instances of one scope, each made once and disposed of in reverse order.
 *
 * What failed is not kept: the next one who asks begins anew. An instance that comes after everyone gave it up is
 * disposed of at once.
 */
import type { ResourceDefinition } from './define-resource.js';
import { SharedCreation } from './shared-creation.js';

/** How long one dispose is waited for; it must not hold up a tick or the worker's end. */
const DISPOSE_MS = 5_000;

/** Told of a dispose that failed. */
export type ReportDisposal = (message: string, error: unknown) => void;

interface Instance {
  readonly definition: ResourceDefinition;
  readonly value: unknown;
}

export class ResourceStore {
  readonly #report: ReportDisposal;
  /** In the order they were made: what an instance depends on comes before it. */
  readonly #instances = new Map<string, Instance>();
  readonly #creations = new Map<string, SharedCreation<unknown>>();
  #closed = false;

  constructor(report: ReportDisposal) {
    this.#report = report;
  }

  /**
   * The instance of this name, made with `create` if there is none.
   *
   * @param signal gives up waiting; the creation goes on while somebody else waits
   * @throws whatever `create` throws, or the reason of `signal`
   */
  async get(
    name: string,
    definition: ResourceDefinition,
    signal: AbortSignal,
    create: (signal: AbortSignal) => Promise<unknown>
  ): Promise<unknown> {
    if (this.#closed) throw new Error('what it belongs to has ended');
    signal.throwIfAborted();
    const instance = this.#instances.get(name);
    if (instance !== undefined) return instance.value;
    const creation = this.#creations.get(name) ?? this.#begin(name, definition, create);
    return await creation.wait(signal);
  }

  #begin(
    name: string,
    definition: ResourceDefinition,
    create: (signal: AbortSignal) => Promise<unknown>
  ): SharedCreation<unknown> {
    const creation = new SharedCreation(
      async (signal) => {
        const value = await create(signal);
        if (signal.aborted) {
          await this.#dispose(name, { definition, value });
          throw signal.reason;
        }
        this.#instances.set(name, { definition, value });
        return value;
      },
      () => this.#creations.delete(name)
    );
    this.#creations.set(name, creation);
    return creation;
  }

  /** Disposes of every instance, the newest first. Never fails. */
  async dispose(): Promise<void> {
    this.#closed = true;
    for (const creation of this.#creations.values()) creation.abandon(new Error('what it belongs to has ended'));
    const instances = [...this.#instances].reverse();
    this.#instances.clear();
    for (const [name, instance] of instances) await this.#dispose(name, instance);
  }

  async #dispose(name: string, { definition, value }: Instance): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`dispose did not end within ${DISPOSE_MS / 1000} s`)), DISPOSE_MS);
      });
      await Promise.race([definition.dispose?.(value as never), late]);
    } catch (error) {
      this.#report(`resource '${name}' could not be disposed of`, error);
    } finally {
      clearTimeout(timer);
    }
  }
}
