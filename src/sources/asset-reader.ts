/** The log of one asset, as sensors read it. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { assetState, readAsset, subscribeAsset } from '../client/assets.js';
import type { AssetEvent } from '../sensors/asset-event.js';
import { sensorEvent, type AssetSensorEvent } from '../sensors/asset-sensor-event.js';

/** A subscriber that is silent for 30 days is dropped. */
const SUBSCRIBE_EVERY_MS = 24 * 60 * 60_000;

export class AssetReader {
  /** Name of the asset. */
  readonly asset: string;
  /** What this worker told the log last, and when. */
  #told: { readonly sensor: string; readonly position: number; readonly at: number } | undefined;

  constructor(asset: string) {
    this.asset = asset;
  }

  /** The position before the first event that was recorded from a time on. */
  async positionAt(client: Client, time: Date): Promise<number> {
    const { first = 1, last = 0 } = (await assetState(client, this.asset)) ?? {};
    // by halves: positions are in the order of time
    let [low, high] = [first - 1, last];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [event] = await this.read(client, middle, 1);
      if (event !== undefined && event.at < time.getTime()) low = event.position;
      else high = middle;
    }
    return low;
  }

  /** Events after a position, oldest first. */
  async read(client: Client, after: number, limit: number): Promise<readonly AssetEvent[]> {
    return await readAsset(client, this.asset, { after, limit });
  }

  /** The event at a position, if the log has it. */
  async find(client: Client, position: number): Promise<AssetSensorEvent | undefined> {
    const [event] = await this.read(client, position - 1, 1);
    return event?.position === position ? sensorEvent(event) : undefined;
  }

  /**
   * Tells the log who reads it and how far: it wakes the sensor, and keeps what that has not read. Not when nothing
   * moved.
   */
  async tell(
    { client, sensor }: { readonly client: Client; readonly sensor: string },
    position: number
  ): Promise<void> {
    const told = this.#told;
    const fresh = told !== undefined && Date.now() - told.at < SUBSCRIBE_EVERY_MS;
    if (fresh && told.sensor === sensor && told.position === position) return;
    const { taskQueue } = Context.current().info;
    await subscribeAsset(client, this.asset, { sensor, position, taskQueue });
    this.#told = { sensor, position, at: Date.now() };
  }

  /** What a tick says of events that the log let go of before they were read. */
  gone(from: number, to: number): string {
    return `events ${from} to ${to} of asset ${this.asset} are gone from its log: they were not read before it let go of them`;
  }
}
