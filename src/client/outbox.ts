/**
 * Pushes to one workflow that come together travel together: while one signal is on its way, those that come meanwhile
 * gather and share the next. Temporal takes 10,000 signals a run, and each costs the workflow far more than the event in it.
 * One after the other also keeps the events of one client in the order in which it pushed them.
 */
/** Events in one signal, unless one push alone has more: 100 KB at most. */
const MAX_EVENTS_PER_SIGNAL = 100;

interface Push<T> {
  readonly events: readonly T[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Outbox<T> {
  private readonly waiting: Push<T>[] = [];
  private sending = false;

  /**
   * @param isBusy whether `send` waited in vain for the workflow to take more: those that wait behind it then fail as
   *   well, so that none waits for longer than one send, and nothing is sent for a caller who has given up. @default never
   */
  constructor(
    private readonly send: (events: readonly T[]) => Promise<void>,
    private readonly isBusy: (error: unknown) => boolean = () => false
  ) {}

  /**
   * Resolves when the server has recorded the events.
   *
   * @throws what `send` throws, for all pushes of the signal, or for all that wait where the workflow is busy
   */
  push(events: readonly T[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ events, resolve, reject });
      if (!this.sending) void this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.sending = true;
    while (this.waiting.length > 0) {
      const pushes = this.next();
      try {
        await this.send(pushes.flatMap(({ events }) => events));
        for (const { resolve } of pushes) resolve();
      } catch (error) {
        const behind = this.isBusy(error) ? this.waiting.splice(0) : [];
        for (const { reject } of [...pushes, ...behind]) reject(error);
      }
    }
    this.sending = false;
  }

  private next(): readonly Push<T>[] {
    let count = 0;
    const over = this.waiting.findIndex(({ events }) => (count += events.length) > MAX_EVENTS_PER_SIGNAL);
    return this.waiting.splice(0, over === -1 ? this.waiting.length : Math.max(1, over));
  }
}
