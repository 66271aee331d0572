/** The log of one asset, as sensors read it. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { assetState, lookAtAsset, readAsset, subscribeAsset } from '../client/assets.js';
import type { AssetEvent, AssetRead } from '../sensors/asset-event.js';
import { positionOf, sensorEvent, type AssetSensorEvent } from '../sensors/asset-sensor-event.js';
import type { SensorLog } from '../sensors/define-sensor.js';
import { feedOf } from '../sensors/feed-host.js';

/** A subscriber that is silent for 30 days is dropped. */
const SUBSCRIBE_EVERY_MS = 24 * 60 * 60_000;

interface Reading {
  readonly client: Client;
  readonly sensor: string;
  readonly log: SensorLog;
}

/** Where a sensor is in a log, as its cursor says. */
export interface LogPlace {
  /** Identity of the log; empty when there was none yet. */
  readonly log: string;
  /** The last position that is done. */
  readonly read: number;
  /** The last position that is done with everything before it: nothing up to there is read again. */
  readonly needed: number;
}

/** The log as it is now. */
export interface OpenLog {
  readonly log: string;
  /** Position of its newest event. */
  readonly last: number;
  /** It is another one than the sensor knew: its events are read from the first. */
  readonly anew: boolean;
  /** What the tick has to say of that. */
  readonly problem: string | undefined;
}

export class AssetReader {
  /** Name of the asset. */
  readonly asset: string;

  constructor(asset: string) {
    this.asset = asset;
  }

  /** The position before the first event that was recorded from a time on. */
  async positionAt(client: Client, time: Date): Promise<{ readonly log: string; readonly position: number }> {
    const { id: log = '', first = 1, last = 0 } = (await assetState(client, this.asset)) ?? {};
    // by halves: positions are in the order of time
    let [low, high] = [first - 1, last];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [event] = await this.read(client, log, middle, 1);
      if (event !== undefined && event.at < time.getTime()) low = event.position;
      else high = middle;
    }
    return { log, position: low };
  }

  /** Events of this log after a position, oldest first. */
  async read(client: Client, log: string, after: number, limit: number): Promise<readonly AssetEvent[]> {
    return await readAsset(client, this.asset, { after, limit, log });
  }

  /** The newest event that counts, and the position of the newest of all: 0 when the log is another one by now. */
  async latest(
    client: Client,
    log: string,
    observations: boolean
  ): Promise<{ readonly newest?: AssetEvent; readonly last: number }> {
    const state = await assetState(client, this.asset);
    if (state?.id !== log) return { last: 0 };
    const { latestMaterialization: made, latestObservation: seen, last } = state;
    const isSeen = observations && seen !== undefined && seen.position > (made?.position ?? 0);
    const newest = isSeen ? seen : made;
    return { last, ...(newest === undefined ? {} : { newest }) };
  }

  /** The event at a place, if the log has it. */
  async find(client: Client, log: string, place: string): Promise<AssetSensorEvent | undefined> {
    const position = positionOf(log, place);
    if (position === undefined) return undefined;
    const [event] = await this.read(client, log, position - 1, 1);
    return event?.position === position ? sensorEvent(event, log) : undefined;
  }

  /**
   * Looks whether the log is the one that the sensor knows, and tells it who reads and how far unless it knows: it wakes
   * the sensor, and keeps what that has not read. To be called before anything is read: what comes later wakes the sensor.
   * A preview tells it nothing: its cursor may be any.
   */
  async open(ctx: Reading, place: LogPlace): Promise<OpenLog> {
    const { client, sensor, log } = ctx;
    const look = (): ReturnType<typeof lookAtAsset> => lookAtAsset(client, this.asset, { sensor, after: place.needed });
    let found = await look();
    const position = found !== undefined && isAnother(found, place) ? 0 : place.needed;
    if (!feedOf(ctx).preview && (found === undefined || !knows(found, position))) {
      await subscribeAsset(client, this.asset, { sensor, position, taskQueue: Context.current().info.taskQueue });
      if (found?.subscriber === undefined) {
        found = await look();
        if (found !== undefined && found.subscriber === undefined)
          log.warn(`the log of asset '${this.asset}' takes no more subscribers: the sensor looks at its interval only`);
      }
    }
    // ended in this moment: the next tick looks again
    if (found === undefined) return { log: place.log, last: place.read, anew: false, problem: undefined };
    const anew = isAnother(found, place);
    return { log: found.id, last: found.last, anew, problem: this.#problem(found, place, anew) };
  }

  #problem({ last }: Pick<AssetRead, 'last'>, { read }: LogPlace, anew: boolean): string | undefined {
    const log = `the log of asset '${this.asset}'`;
    if (anew)
      return `${log} began anew (it was deleted, or closed for longer than the namespace keeps closed workflows): its events are handled from the first`;
    if (read <= last) return undefined;
    return `${log} has ${last} events, and the cursor is at ${read}: none is handled before event ${read + 1}; clear the cursor, or set it back`;
  }

  /** What a tick says of events that the log let go of before they were read. */
  gone(from: number, to: number): string {
    return `events ${from} to ${to} of asset ${this.asset} are gone from its log: they were not read before it let go of them`;
  }
}

function isAnother({ id }: Pick<AssetRead, 'id'>, { log }: LogPlace): boolean {
  return log !== '' && id !== log;
}

/** Whether the log need not be told that the sensor has read so far. */
function knows({ subscriber, last }: Pick<AssetRead, 'subscriber' | 'last'>, position: number): boolean {
  return (
    subscriber !== undefined &&
    subscriber.position === Math.min(position, last) &&
    Date.now() - subscriber.at < SUBSCRIBE_EVERY_MS
  );
}
