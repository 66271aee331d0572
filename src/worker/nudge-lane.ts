/**
 * Nudges for one sensor: one on its way and one that waits, however many runs close meanwhile. While they keep coming
 * the pause between two nudges doubles, because each costs the sensor an evaluation.
 */
const MIN_PAUSE_MS = 200;
const MAX_PAUSE_MS = 2_000;

export class NudgeLane<T> {
  #next: T | undefined;
  #busy: Promise<void> | undefined;

  /**
   * @param send ends when the sensor has been woken for this item, or cannot be; never throws
   * @param pause ends after so many milliseconds, or at once when `signal` is aborted
   */
  constructor(
    private readonly send: (item: T) => Promise<void>,
    private readonly pause: (ms: number) => Promise<void>,
    private readonly signal: AbortSignal
  ) {}

  /** Wakes the sensor soon. Of items that wait only the newest counts: its nudge serves for all. */
  add(item: T): void {
    this.#next = item;
    this.#busy ??= this.#drain();
  }

  /** Ends with the nudge that is on its way. */
  async idle(): Promise<void> {
    await this.#busy;
  }

  async #drain(): Promise<void> {
    let pauseMs = MIN_PAUSE_MS;
    while (this.#next !== undefined && !this.signal.aborted) {
      const item = this.#next;
      this.#next = undefined;
      await this.send(item);
      await this.pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
    }
    this.#busy = undefined;
  }
}
