/**
 * A context that tests make (`buildSensorContext`, `buildRunStatusSensorContext`, `buildAssetSensorContext`): it learns which sensor it is for when
 * that sensor's `evaluate` or `handle` is called with it. So a test need not repeat what the sensor says, and gets the sensor's own checks.
 */
import type { TickAssetEvent } from './asset-event.js';
import type { AssetView } from './asset-view.js';
import type { AssetDefinition } from './define-asset.js';
import type { SensorContextBase, SensorDefinition } from './define-sensor.js';
import type { Resources } from './define-resource.js';
import type { EventContextBase } from './event-handlers.js';
import type { LogLine } from './log-book.js';
import type { JobDefinition } from './define-job.js';
import type { Json } from './json.js';
import type { GivenBackfill, More, RunRequest, SkipReason } from './run-request.js';

/** Method of a test context that gives it its sensor. By name, so that an ESM and a CommonJS copy understand each other. */
export const BIND = Symbol.for('temporal-sensors.bind');

/** What `ctx.run` takes, whatever the job. */
interface AnyRequest {
  readonly job?: JobDefinition;
  readonly runKey?: string | undefined;
  readonly partitionKey?: string | undefined;
  readonly config?: unknown;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly assets?: readonly (AssetDefinition | string)[] | undefined;
  readonly staleOnly?: boolean | undefined;
}

/** What `ctx.backfill` takes, whatever the job. */
type AnyBackfill = Omit<AnyRequest, 'partitionKey'> & GivenBackfill;

/** The context of a test: everything that `evaluate` gets, and what the test wants to read afterwards. */
export interface SensorTestContext<Cursor = unknown> extends Omit<
  SensorContextBase<undefined, undefined, Resources>,
  'cursor' | 'setCursor' | 'events'
> {
  /** The position that the test gave, or what `evaluate` has set since. */
  readonly cursor: Cursor;
  setCursor(cursor: Cursor): void;
  readonly events: readonly Json[];
  readonly run: (request?: AnyRequest) => RunRequest;
  readonly backfill: (request: AnyBackfill) => RunRequest;
  /** What `ctx.materialize` and `ctx.observe` said, in order. */
  readonly assetEvents: readonly TickAssetEvent[];
  /** What `ctx.log` wrote, as a tick keeps it (first 50 lines, 4 KB). */
  readonly logs: readonly LogLine[];
}

/** The context of a test for a handler of events: of runs, of assets. */
export interface EventTestContext extends EventContextBase<Resources> {
  readonly run: (request?: AnyRequest) => RunRequest;
  readonly backfill: (request: AnyBackfill) => RunRequest;
  /** What `ctx.run` and `ctx.backfill` have made, in order. */
  readonly requests: readonly RunRequest[];
  /** What `ctx.materialize` and `ctx.observe` said, in order. */
  readonly assetEvents: readonly TickAssetEvent[];
  /** What `ctx.log` wrote, as a tick keeps it (first 50 lines, 4 KB). */
  readonly logs: readonly LogLine[];
}

/** The context of a test for the handler of a sensor of runs. */
export type RunStatusTestContext = EventTestContext;

/** The context of a test for the handler of a sensor of several assets, with a condition or without. */
export interface MultiAssetTestContext<Keys extends string = string> extends EventTestContext {
  readonly assets: { readonly [Key in Keys]: AssetView };
  advanceAll(): void;
  allMaterializedSince(partitions?: readonly string[]): boolean;
  skip(reason: string): SkipReason;
  more(): More;
}

/**
 * The context that the author's code gets: `ctx` itself, or for a test's one that belongs to this sensor.
 *
 * @param event what a handler is called for
 */
export function boundTo<Ctx>(definition: SensorDefinition, ctx: object, event?: unknown): Ctx {
  const bind: unknown = Reflect.get(ctx, BIND);
  return (typeof bind === 'function' ? bind.call(ctx, definition, event) : ctx) as Ctx;
}
