/** Reads the events of an asset from its log, from the position that a sensor's cursor holds, and has each handled. */
import type { Client } from '@temporalio/client';
import type { z } from 'zod';
import { unsubscribeAsset } from '../client/assets.js';
import type { AssetEvent } from '../sensors/asset-event.js';
import { assetRefSchema, type assetCursorSchema } from '../sensors/asset-cursor.js';
import {
  assetEventKey,
  placeText,
  positionOf,
  sensorEvent,
  type AssetSensorEvent,
} from '../sensors/asset-sensor-event.js';
import type { InitialCursorContext, SensorContextBase } from '../sensors/define-sensor.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { feedOf } from '../sensors/feed-host.js';
import { EventHandling } from '../sensors/handle-events.js';
import type { Json } from '../sensors/json.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';
import { AssetReader } from './asset-reader.js';
import { endTick } from './end-tick.js';

const READ_AT_ONCE = 500;

type Cursor = z.output<typeof assetCursorSchema>;
type Ref = z.output<typeof assetRefSchema>;
/** How far it has read. */
interface Place {
  readonly log: string;
  readonly position: number;
}

/** What became of the new events. */
interface Taken {
  readonly position: number;
  readonly behindSince?: number;
  /** There may be more of them. */
  readonly left: boolean;
}

type AssetContext = SensorContextBase<typeof assetCursorSchema, typeof assetRefSchema, {}>;

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
  readonly #reader: AssetReader;

  constructor(options: AssetFeedOptions) {
    this.#options = options;
    this.#reader = new AssetReader(options.asset);
  }

  /** The position before the first event that counts. */
  async start({ client, sensorStartedAt }: InitialCursorContext): Promise<Cursor> {
    const { startFrom = sensorStartedAt } = this.#options;
    return { asset: this.#options.asset, ...(await this.#reader.positionAt(client, startFrom)), retries: [] };
  }

  async evaluate(ctx: AssetContext): Promise<readonly (RunRequest | SkipReason | More)[]> {
    const cursor = ctx.cursor as Cursor;
    const { asset } = this.#options;
    if (cursor.asset !== undefined && cursor.asset !== asset) return await this.#startOther(ctx, cursor.asset);
    const { log, anew, problem } = await this.#reader.open(ctx, {
      log: cursor.log,
      read: cursor.position,
      needed: needed(cursor),
    });
    const handling = this.#handling(ctx, cursor, log);
    if (problem !== undefined) handling.report(new Error(problem));
    await handling.again();
    const start = { log, position: anew ? 0 : cursor.position };
    const { position, behindSince, left } = this.#options.latest
      ? await this.#takeLatest(ctx, start, handling)
      : await this.#takeAll(ctx, start, handling);
    const nothing = `no new events of asset ${asset} (${position} known)`;
    const place: Pick<Cursor, 'asset' | 'log' | 'position'> = { asset, log, position };
    return endTick(ctx, handling, { place, behindSince, left, nothing });
  }

  /** The sensor is of another asset than before: begins there now, where `startFrom` does not say otherwise. */
  async #startOther(ctx: AssetContext, before: string): Promise<readonly (SkipReason | More)[]> {
    const { asset, startFrom: from = new Date(feedOf(ctx).scheduledAt) } = this.#options;
    const place = await this.#reader.positionAt(ctx.client, from);
    if (!feedOf(ctx).preview) await unsubscribeAsset(ctx.client, before, ctx.sensor);
    ctx.setCursor({ ...(ctx.cursor as Cursor), asset, ...place });
    feedOf(ctx).report({ initialCursor: true });
    return [
      ctx.skip(`begins with asset '${asset}', after asset '${before}': events from ${from.toISOString()} on`),
      ctx.more(),
    ];
  }

  #handling(ctx: AssetContext, cursor: Cursor, log: string): EventHandling<AssetSensorEvent> {
    const { handlers, maxAttempts, handleTimeoutMs, intervalMs, asset } = this.#options;
    const nameIn = (ref: Json): string => assetRefSchema.parse(ref).asset ?? asset;
    return new EventHandling<AssetSensorEvent>(
      ctx,
      {
        handlers,
        maxAttempts,
        handleTimeoutMs,
        intervalMs: intervalMs(),
        idOf: (ref) => assetEventKey(nameIn(ref), placeOf(ref)),
        find: async (ref) =>
          nameIn(ref) === asset
            ? await this.#reader.find(ctx.client, log, placeOf(ref))
            : await findElsewhere(ctx.client, nameIn(ref), ref),
        isGone: (ref) => nameIn(ref) === asset && positionOf(log, placeOf(ref)) === undefined,
      },
      cursor
    );
  }

  /** Takes new events as long as it may. */
  async #takeAll(ctx: AssetContext, start: Place, handling: EventHandling<AssetSensorEvent>): Promise<Taken> {
    const { log } = start;
    let { position } = start;
    try {
      while (handling.ready) {
        const events = await this.#reader.read(ctx.client, log, position, READ_AT_ONCE);
        ctx.signal.throwIfAborted();
        for (const event of events) {
          if (event.position > position + 1) handling.report(this.#reader.gone(position + 1, event.position - 1));
          if (!(await this.#take(event, log, handling))) return { position, behindSince: event.at, left: true };
          position = event.position;
        }
        if (events.length < READ_AT_ONCE) return { position, left: false };
      }
      return { position, left: true };
    } catch (error) {
      return brokenOff(error, ctx, position, handling);
    }
  }

  /** Takes the newest event, and passes over those before it without reading them. */
  async #takeLatest(ctx: AssetContext, start: Place, handling: EventHandling<AssetSensorEvent>): Promise<Taken> {
    const { log, position } = start;
    if (!handling.ready) return { position, left: true };
    try {
      const { newest, last } = await this.#reader.latest(ctx.client, log, this.#options.observations);
      if (newest !== undefined && newest.position > position && !(await this.#take(newest, log, handling)))
        return { position, behindSince: newest.at, left: true };
      return { position: Math.max(position, last), left: false };
    } catch (error) {
      return brokenOff(error, ctx, position, handling);
    }
  }

  async #take(event: AssetEvent, log: string, handling: EventHandling<AssetSensorEvent>): Promise<boolean> {
    const load = async (): Promise<AssetSensorEvent | 'passed'> =>
      this.#counts(event) ? sensorEvent(event, log) : 'passed';
    const ref: Ref = { asset: this.#options.asset, log, position: event.position };
    return await handling.take(ref, load);
  }

  #counts({ kind }: AssetEvent): boolean {
    return kind === 'materialization' || this.#options.observations;
  }
}

/** An event of the asset that the sensor had before. */
async function findElsewhere(client: Client, asset: string, ref: Json): Promise<AssetSensorEvent | undefined> {
  return await new AssetReader(asset).find(client, assetRefSchema.parse(ref).log, placeOf(ref));
}

/** No more events could be taken: what was handled counts all the same. */
function brokenOff(
  error: unknown,
  { signal }: AssetContext,
  position: number,
  handling: EventHandling<AssetSensorEvent>
): Taken {
  if (!handling.touched) throw error;
  if (!signal.aborted) handling.report(error);
  return { position, left: false };
}

/** The last position that is done with everything before it: what is tried again is read again. */
function needed({ asset, log, position, retries }: Cursor): number {
  const waiting = retries.flatMap(({ ref }) => {
    const { data } = assetRefSchema.safeParse(ref);
    return data?.log === log && (data.asset ?? asset) === asset ? data.position : [];
  });
  return Math.min(position, ...waiting.map((each) => each - 1));
}

function placeOf(ref: Json): string {
  const { log, position } = assetRefSchema.parse(ref);
  return placeText(log, position);
}
