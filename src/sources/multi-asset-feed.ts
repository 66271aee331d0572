/**
 * Reads the events of several assets from where a sensor's cursor is in each, and has them handled: all at once by a
 * handler that consumes what it wants, or by complete matches of a condition, each on its own.
 *
 * The cursor has what is consumed of each asset. What is not, and with it every partial match, is derived from the logs,
 * which keep what comes after the first open event.
 */
import type { z } from 'zod';
import type { Client } from '@temporalio/client';
import { unsubscribeAsset } from '../client/assets.js';
import { matchRefSchema, type multiAssetCursorSchema } from '../sensors/asset-cursor.js';
import { OpenAsset } from '../sensors/asset-view.js';
import type { AssetDefinition } from '../sensors/define-asset.js';
import type { InitialCursorContext, SensorContextBase } from '../sensors/define-sensor.js';
import { positionOf } from '../sensors/asset-sensor-event.js';
import { EvaluationError } from '../sensors/errors.js';
import { feedOf } from '../sensors/feed-host.js';
import { jsonBytes } from '../sensors/json.js';
import { MAX_CONSUMED_BYTES } from '../sensors/limits.js';
import { highOf, lowOf, parsePositions, storePositions, upTo, type Positions } from '../sensors/positions.js';
import type { More, SkipReason } from '../sensors/run-request.js';
import { AssetReader } from './asset-reader.js';
import { AssetWindow, MAX_WINDOW_BYTES, type WindowReading } from './asset-window.js';

export type Cursor = z.output<typeof multiAssetCursorSchema>;

export type MultiAssetContext = SensorContextBase<typeof multiAssetCursorSchema, typeof matchRefSchema, {}>;
export type AssetMap = Readonly<Record<string, AssetDefinition>>;

/** An asset in a tick. */
export interface Opened {
  /** Its name in the sensor's map. */
  readonly key: string;
  readonly asset: OpenAsset;
  readonly reading: WindowReading;
}

interface Watched {
  readonly key: string;
  readonly definition: AssetDefinition;
  readonly reader: AssetReader;
  readonly window: AssetWindow;
}

export class MultiAssetFeed {
  readonly #assets: readonly Watched[];
  readonly #startFrom: Date | undefined;

  constructor(assets: AssetMap, options: { readonly observations: boolean; readonly startFrom: Date | undefined }) {
    this.#startFrom = options.startFrom;
    this.#assets = Object.entries(assets).map(([key, definition]) => {
      const reader = new AssetReader(definition.name);
      return { key, definition, reader, window: new AssetWindow(reader, options.observations) };
    });
  }

  /** Names of the assets. */
  get names(): string {
    return this.#assets.map(({ definition }) => definition.name).join(', ');
  }

  /** Their names in the sensor's map. */
  get keys(): readonly string[] {
    return this.#assets.map(({ key }) => key);
  }

  readerOf(key: string): AssetReader | undefined {
    return this.#assets.find((each) => each.key === key)?.reader;
  }

  /** Before the first events that count. */
  async start({ client, sensorStartedAt }: InitialCursorContext): Promise<Cursor> {
    return { assets: await this.#startsOf(this.#assets, client, this.#startFrom ?? sensorStartedAt), retries: [] };
  }

  /**
   * Stores where assets begin that the sensor did not have before: now, where `startFrom` does not say otherwise. Before
   * anything else is done, so that they do not begin later if that fails.
   *
   * @returns what the tick gives back then; `undefined` when there are none
   */
  async startNew(ctx: MultiAssetContext): Promise<readonly (SkipReason | More)[] | undefined> {
    const cursor = ctx.cursor as Cursor;
    const added = this.#assets.filter(({ reader }) => !Object.hasOwn(cursor.assets, reader.asset));
    if (added.length === 0) return undefined;
    const from = this.#startFrom ?? new Date(feedOf(ctx).scheduledAt);
    const assets = { ...cursor.assets, ...(await this.#startsOf(added, ctx.client, from)) };
    ctx.setCursor({ ...cursor, assets });
    feedOf(ctx).report({ initialCursor: true });
    const names = added.map(({ reader }) => `'${reader.asset}'`).join(', ');
    return [ctx.skip(`begins with ${names}: events from ${from.toISOString()} on`), ctx.more()];
  }

  async #startsOf(assets: readonly Watched[], client: Client, from: Date): Promise<Cursor['assets']> {
    const starts = assets.map(async ({ reader }) => {
      const { log, position } = await reader.positionAt(client, from);
      return [reader.asset, { log, ...storePositions(upTo(position)) }] as const;
    });
    return Object.fromEntries(await Promise.all(starts));
  }

  /** Tells the logs how far they are read, and reads what is open. The cursor has all assets: see {@link startNew}. */
  async open(ctx: MultiAssetContext): Promise<readonly Opened[]> {
    const cursor = ctx.cursor as Cursor;
    if (!feedOf(ctx).preview) await this.#leave(ctx, cursor);
    return await Promise.all(
      this.#assets.map(async ({ key, definition, reader, window }) => {
        const { log, ...stored } = cursor.assets[reader.asset] as Cursor['assets'][string];
        const positions = parsePositions(stored);
        const found = await reader.open(ctx, {
          log,
          read: highOf(positions),
          needed: neededOf(key, log, positions, cursor),
        });
        const reading = await window.open(ctx, found.anew ? upTo(0) : positions, found);
        return { key, asset: new OpenAsset(definition, reading, ctx.now), reading };
      })
    );
  }

  /** The logs of assets that the sensor no longer has need keep nothing for it. */
  async #leave({ client, sensor }: MultiAssetContext, { assets }: Cursor): Promise<void> {
    const names = new Set(this.#assets.map(({ definition }) => definition.name));
    for (const name of Object.keys(assets)) if (!names.has(name)) await unsubscribeAsset(client, name, sensor);
  }
}

/** The assets' part of the cursor. */
export function storedOf(assets: readonly Opened[]): Cursor['assets'] {
  return Object.fromEntries(
    assets.map(({ asset, reading }) => [asset.name, { log: reading.log, ...storePositions(asset.positions) }])
  );
}

/** Bytes of consumed positions between open ones. */
export function bytesAbove(stored: Cursor['assets']): number {
  return Object.values(stored).reduce((sum, { above }) => sum + jsonBytes(above), 0);
}

/** `window full: 32 MB of events of orders are not consumed; newer ones are read when some of them are` */
export function describeFull(assets: readonly Opened[]): string | undefined {
  const full = assets.flatMap(({ key, reading }) => (reading.fullUntil === undefined ? [] : [key]));
  if (full.length === 0) return undefined;
  return `window full: ${MAX_WINDOW_BYTES / 1024 ** 2} MB of events of ${full.join(', ')} are not consumed; newer ones are read when some of them are`;
}

/** @returns why no more can be remembered; `remedy` says what to do */
export function tooManyOpen(assets: readonly Opened[], remedy: string): EvaluationError {
  const open = assets.map(({ key, asset }) => `${asset.open.length} events of ${key}`).join(', ');
  return new EvaluationError(
    `what is consumed between open events takes more than ${MAX_CONSUMED_BYTES / 1024} KB of the cursor, so no more of it can be (open: ${open}): ${remedy}`
  );
}

/** The last position that is done with everything before it: what is tried again is read again. */
function neededOf(key: string, log: string, positions: Positions, { retries }: Cursor): number {
  const waiting = retries.flatMap(({ ref }) => positionOf(log, matchRefSchema.safeParse(ref).data?.[key] ?? '') ?? []);
  return Math.min(lowOf(positions), ...waiting.map((position) => position - 1));
}
