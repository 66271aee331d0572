/**
 * A creation that several wait for, each with a signal of its own.
 *
 * Whoever gives up leaves the others waiting. Only when the last one has left, or when it takes too long, is the
 * creation itself aborted; from then on it is over, even if its code ignores the signal and runs on.
 */
const MAX_CREATION_MS = 5 * 60 * 1000;

export class SharedCreation<T> {
  readonly #controller = new AbortController();
  readonly #value: Promise<T>;
  readonly #onEnd: () => void;
  readonly #limit: NodeJS.Timeout;
  #waiting = 0;
  #ended = false;

  /**
   * @param onEnd called once, when the creation has succeeded, failed or been abandoned
   */
  constructor(create: (signal: AbortSignal) => Promise<T>, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#limit = setTimeout(
      () => this.abandon(new Error(`it did not end within ${MAX_CREATION_MS / 1000} s`)),
      MAX_CREATION_MS
    );
    this.#value = create(this.#controller.signal).finally(() => this.#end());
    this.#value.catch(() => undefined);
  }

  /**
   * What is created.
   *
   * @throws whatever the creation throws, or the reason of `signal` or of {@link abandon} as soon as one of them aborts
   */
  async wait(signal: AbortSignal): Promise<T> {
    this.#waiting++;
    const creation = this.#controller.signal;
    let leave: (reason: unknown) => void = () => undefined;
    const left = new Promise<never>((_, reject) => (leave = reject));
    const onGivenUp = (): void => leave(signal.reason);
    const onAbandoned = (): void => leave(creation.reason);
    signal.addEventListener('abort', onGivenUp);
    creation.addEventListener('abort', onAbandoned);
    if (signal.aborted) onGivenUp();
    try {
      return await Promise.race([this.#value, left]);
    } finally {
      signal.removeEventListener('abort', onGivenUp);
      creation.removeEventListener('abort', onAbandoned);
      if (--this.#waiting === 0) this.abandon(signal.reason);
    }
  }

  /** Aborts the creation for everyone who waits, unless it has ended. */
  abandon(reason: unknown): void {
    if (this.#ended) return;
    this.#end();
    this.#controller.abort(reason);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#limit);
    this.#onEnd();
  }
}
