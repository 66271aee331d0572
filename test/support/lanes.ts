/**
 * A stream of pushed events that can be checked: each lane sends its events one after the other, so a lane's numbers
 * must arrive in order; between lanes the order is the one in which the server recorded them, which nobody outside knows.
 */
import { z } from 'zod';

export const laneEvent = z.object({ lane: z.number(), n: z.number() });
export type LaneEvent = z.infer<typeof laneEvent>;

export class Lanes {
  /** Events that arrived, each counted once. */
  delivered = 0;
  doubled = 0;
  outOfOrder = 0;
  private readonly seen = new Set<string>();
  private readonly last: number[] = [];

  constructor(private readonly lanes: number) {}

  /** Sends `count` events, at most `ratePerSecond`; a lane waits for the answer to each before it sends the next. */
  async send(
    count: number,
    push: (event: LaneEvent) => Promise<void>,
    ratePerSecond = Number.POSITIVE_INFINITY
  ): Promise<void> {
    const began = performance.now();
    await Promise.all(
      Array.from({ length: this.lanes }, async (_, lane) => {
        for (let index = lane; index < count; index += this.lanes) {
          const early = (index / ratePerSecond) * 1000 - (performance.now() - began);
          if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
          await push({ lane, n: Math.floor(index / this.lanes) });
        }
      })
    );
  }

  /** Takes what an evaluation was given. */
  take(events: readonly LaneEvent[]): void {
    for (const { lane, n } of events) {
      const id = `${lane}/${n}`;
      if (this.seen.has(id)) this.doubled++;
      else if (n < (this.last[lane] ?? -1)) this.outOfOrder++;
      if (!this.seen.has(id)) this.delivered++;
      this.seen.add(id);
      this.last[lane] = n;
    }
  }
}
