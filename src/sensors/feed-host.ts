/**
 * What sensors that are fed by events (runs, assets, the health of sensors) get beyond what authors get. Behind a
 * symbol of the context, because it is not for authors.
 */
import type { AssetRequest } from './asset-requests.js';
import type { Rejection } from './protocol.js';
import type { RunRequest } from './run-request.js';

/** By name, so that the ESM and the CommonJS copy of this package understand each other. */
export const FEED = Symbol.for('temporal-sensors.feed');

export interface FeedFacts {
  /** When the attempt was due, by the server's clock in milliseconds since the epoch; long ago if no worker was there. */
  readonly scheduledAt: number;
  /** Somebody says that there is news, and it may not be listed yet. */
  readonly nudged: boolean;
  /** Nothing may be done, only said what would be: handlers are not called. */
  readonly preview: boolean;
  /** Names of all jobs of the application. */
  readonly jobs: readonly string[];
  /** Put before the names of the application's sensors. */
  readonly prefix: string;
  /** Bytes left in the dead letters, and what is in them. */
  readonly deadLetterRoom: number;
  readonly deadLetters: readonly string[];
  /** The loop would drop asset events, assets of requests and backfills. */
  readonly olderLoop?: true;
}

/** What became of the events of a tick. */
export interface FeedReport {
  readonly handled?: number;
  /** Some could not be handled, or still wait for another try. What the tick did counts all the same. */
  readonly failure?: string;
  /** Some of it failed in this tick. */
  readonly failed?: true;
  /** When the oldest event happened that is still to be handled. */
  readonly behindSince?: number;
  /** When to evaluate again, if that is before the interval's end. */
  readonly againInMs?: number;
  /** Only where the sensor begins was stored: events that were pushed wait for the next evaluation. */
  readonly initialCursor?: true;
  /** For the dead letters. */
  readonly parked?: readonly Rejection[];
}

export interface FeedHost extends FeedFacts {
  /** Name of the job that a request means. @throws EvaluationError for one that the sensor does not have */
  readonly resolveJob: (job: unknown) => string;
  /** Why a request cannot be started, as far as its job tells. */
  readonly problemOf: (request: RunRequest) => string | undefined;
  /** Makes a request that must be given back by `evaluate`. */
  readonly request: (made: RunRequest) => RunRequest;
  /** Requests as they are to be made: narrowed to stale assets where that is asked for. @throws EvaluationError when that cannot be told */
  readonly narrow: (requests: readonly RunRequest[]) => Promise<readonly RunRequest[]>;
  /** @throws EvaluationError for events of assets that cannot be recorded */
  readonly checkAssets: (requests: readonly AssetRequest[]) => Promise<void>;
  /** Takes events of assets that were checked, to be recorded with the tick. */
  readonly record: (requests: readonly AssetRequest[]) => void;
  readonly report: (report: FeedReport) => void;
}

/** What a context has for sensors that are fed by events. */
export function feedOf(ctx: object): FeedHost {
  return (ctx as { readonly [FEED]: FeedHost })[FEED];
}
