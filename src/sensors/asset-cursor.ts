/** What sensors of assets store: how far they are in the logs, and how to find an event or a match again. */
import { z } from 'zod';
import { handlingSchema } from './handle-events.js';
import { ABOVE } from './positions.js';

/** The cursor of a sensor of an asset. */
export const assetCursorSchema = z.object({
  /** Identity of the log; empty before there is one. */
  log: z.string().default(''),
  /** Name of the asset; cursors of before it was stored are of whichever the sensor has. */
  asset: z.string().optional(),
  /** Position of the last event that is done. */
  position: z.number(),
  ...handlingSchema.shape,
});

/** How to find an event again. */
export const assetRefSchema = z.object({
  log: z.string().default(''),
  asset: z.string().optional(),
  position: z.number(),
});

/** The cursor of a sensor of several assets. */
export const multiAssetCursorSchema = z.object({
  /** What is consumed, by the name of the asset; with the identity of its log, which is empty before there is one. */
  assets: z.record(
    z.string(),
    z.object({
      low: z.int().min(0),
      above: z.string().regex(ABOVE, 'not a text of positions'),
      log: z.string().default(''),
    })
  ),
  ...handlingSchema.shape,
});

/** How to find a match again: places in logs by the names in the sensor's map. */
export const matchRefSchema = z.record(z.string(), z.string());
