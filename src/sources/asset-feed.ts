/** Reads the events of an asset from its log, from the position that a sensor's cursor holds, and has each handled. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { assetState, readAsset, subscribeAsset } from '../client/assets.js';
import type { AssetEvent } from '../sensors/asset-event.js';
import type { InitialCursorContext, SensorContextBase } from '../sensors/define-sensor.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { EventHandling, handlingSchema } from '../sensors/handle-events.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';
import type { AssetSensorEvent } from './asset-sensor.js';
import { endTick } from './end-tick.js';

const READ_AT_ONCE = 500;
/** A subscriber that is silent for 30 days is dropped. */
const SUBSCRIBE_EVERY_MS = 24 * 60 * 60_000;

/** The cursor of a sensor of an asset. */
export const cursorSchema = z.object({
  /** Position of the last event that is done. */
  position: z.number(),
  ...handlingSchema.shape,
});
type Cursor = z.output<typeof cursorSchema>;

/** How to find an event again. */
export const refSchema = z.object({ position: z.number() });
type Ref = z.output<typeof refSchema>;

type AssetContext = SensorContextBase<typeof cursorSchema, typeof refSchema, {}>;

interface AssetFeedOptions {
  readonly handlers: EventHandlers<AssetSensorEvent>;
  /** Name of the asset. */
  readonly asset: string;
  readonly observations: boolean;
  readonly latest: boolean;
  readonly startFrom: Date | undefined;
  readonly maxAttempts: number;
  readonly handleTimeoutMs: number;
  readonly intervalMs: () => number;
}

export class AssetFeed {
  readonly #options: AssetFeedOptions;
  /** What this worker told the log last, and when: it wakes subscribers, and keeps what they have not read. */
  #told: { readonly sensor: string; readonly position: number; readonly at: number } | undefined;

  constructor(options: AssetFeedOptions) {
    this.#options = options;
  }

  /** The position before the first event that counts. */
  async start({ client, sensorStartedAt }: InitialCursorContext): Promise<Cursor> {
    const { asset, startFrom = sensorStartedAt } = this.#options;
    const { first = 1, last = 0 } = (await assetState(client, asset)) ?? {};
    // by halves: positions are in the order of time
    let [low, high] = [first - 1, last];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [event] = await readAsset(client, asset, { after: middle, limit: 1 });
      if (event !== undefined && event.at < startFrom.getTime()) low = event.position;
      else high = middle;
    }
    return { position: low, retries: [] };
  }

  async evaluate(ctx: AssetContext): Promise<readonly (RunRequest | SkipReason | More)[]> {
    const cursor = ctx.cursor as Cursor;
    await this.#tell(ctx, needed(cursor));
    const handling = this.#handling(ctx, cursor);
    await handling.again();
    const { position, behindSince } = await this.#takeAll(ctx, cursor.position, handling);
    const nothing = `no new events of asset ${this.#options.asset} (${position} known)`;
    return endTick(ctx, handling, { place: { position }, behindSince, left: behindSince !== undefined, nothing });
  }

  #handling(ctx: AssetContext, cursor: Cursor): EventHandling<AssetSensorEvent> {
    const { handlers, maxAttempts, handleTimeoutMs, intervalMs, asset } = this.#options;
    return new EventHandling<AssetSensorEvent>(
      ctx,
      {
        handlers,
        maxAttempts,
        handleTimeoutMs,
        intervalMs: intervalMs(),
        idOf: (ref) => eventIdOf(asset, (ref as Ref).position),
        find: (ref) => this.#find(ctx.client, refSchema.parse(ref).position),
      },
      cursor
    );
  }

  /** Takes new events as long as it may. */
  async #takeAll(
    { client, signal }: AssetContext,
    start: number,
    handling: EventHandling<AssetSensorEvent>
  ): Promise<{ readonly position: number; readonly behindSince?: number }> {
    const { asset, latest } = this.#options;
    let position = start;
    let newest: AssetEvent | undefined;
    try {
      while (handling.ready) {
        const events = await readAsset(client, asset, { after: position, limit: READ_AT_ONCE });
        signal.throwIfAborted();
        for (const event of events) {
          if (event.position > position + 1)
            handling.report(
              `events ${position + 1} to ${event.position - 1} of asset ${asset} are gone from its log: they were not read before it let go of them`
            );
          if (latest) newest = this.#counts(event) ? event : newest;
          else if (!(await this.#take(event, handling))) return { position, behindSince: event.at };
          position = event.position;
        }
        if (events.length < READ_AT_ONCE) break;
      }
      if (newest !== undefined && !(await this.#take(newest, handling)))
        return { position: start, behindSince: newest.at };
      return { position };
    } catch (error) {
      // what was handled counts all the same
      if (!handling.touched) throw error;
      if (!signal.aborted) handling.report(error);
      return { position: latest ? start : position };
    }
  }

  async #take(event: AssetEvent, handling: EventHandling<AssetSensorEvent>): Promise<boolean> {
    const load = async (): Promise<AssetSensorEvent | 'passed'> => (this.#counts(event) ? fed(event) : 'passed');
    return await handling.take({ position: event.position } satisfies Ref, load);
  }

  #counts({ kind }: AssetEvent): boolean {
    return kind === 'materialization' || this.#options.observations;
  }

  async #find(client: Client, position: number): Promise<AssetSensorEvent | undefined> {
    const [event] = await readAsset(client, this.#options.asset, { after: position - 1, limit: 1 });
    return event?.position === position ? fed(event) : undefined;
  }

  /** Tells the log who reads it and how far; not when nothing moved. */
  async #tell({ client, sensor }: AssetContext, position: number): Promise<void> {
    const told = this.#told;
    const fresh = told !== undefined && Date.now() - told.at < SUBSCRIBE_EVERY_MS;
    if (fresh && told.sensor === sensor && told.position === position) return;
    const { taskQueue } = Context.current().info;
    await subscribeAsset(client, this.#options.asset, { sensor, position, taskQueue });
    this.#told = { sensor, position, at: Date.now() };
  }
}

/** The last position that is done with everything before it: what is tried again is read again. */
function needed({ position, retries }: Cursor): number {
  const waiting = retries.flatMap(({ ref }) => refSchema.safeParse(ref).data?.position ?? []);
  return Math.min(position, ...waiting.map((each) => each - 1));
}

/** The same whenever the event is handled. */
function eventIdOf(asset: string, position: number): string {
  return `${asset}@${position}`;
}

function fed({ at, ...event }: AssetEvent): AssetSensorEvent {
  return { ...event, eventId: eventIdOf(event.asset, event.position), recordedAt: new Date(at) };
}
