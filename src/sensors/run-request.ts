/**
 * What `evaluate` gives back: run requests, a skip reason, a result object.
 *
 * Requests and skip reasons are made by `ctx.run` and `ctx.skip` only, so that the framework can tell one that was
 * made and then forgotten: it would be a lost run.
 */
import type { BackfillPartitions, BackfillPolicy, BackfillRequest } from './backfill.js';
import type { AssetDefinition } from './define-asset.js';
import type { JobConfigInput, JobDefinition } from './define-job.js';
import type { PartitionRequest } from './partitions.js';
import type { Tags } from './tags.js';

declare const madeByContext: unique symbol;

/** A request for one run of a job, made by `ctx.run`. It must be yielded or returned. */
export interface RunRequest {
  readonly kind: 'run';
  /** Name of the job. */
  readonly job: string;
  /** Identity of the request: at most one run per sensor, job and run key. Without it, always launched. */
  readonly runKey: string | undefined;
  /** As given, not yet parsed. */
  readonly config: unknown;
  /** As given; those of the job are added when the request is checked. */
  readonly tags: Tags;
  readonly partitionKey: string | undefined;
  /** As given, not yet checked: the assets of the job that the run is to make. */
  readonly assets: readonly (AssetDefinition | string)[] | undefined;
  /** As given: whether only those of its assets are meant that are out of date. */
  readonly staleOnly: boolean | undefined;
  /** The sensors whose handling of events led to it, so that none reacts to its own doing. */
  readonly via?: readonly string[];
  /** As given, not yet checked: not one run of the job is asked for, but a backfill of these partitions. */
  readonly backfill?: GivenBackfill;
  readonly [madeByContext]: true;
}

/** A request as it was given. */
export function requestOf(job: string, given: Omit<GivenRequest, 'job'>): RunRequest {
  const { runKey, config, tags, partitionKey, assets, staleOnly } = given;
  return {
    kind: 'run',
    job,
    runKey,
    config,
    tags: tags ?? {},
    partitionKey,
    assets,
    staleOnly,
  } as unknown as RunRequest;
}

/** The part of a request that makes it one for a backfill. */
export function backfillOf({ partitions, policy, concurrency }: GivenBackfill): { readonly backfill: GivenBackfill } {
  return {
    backfill: {
      partitions,
      ...(policy === undefined ? {} : { policy }),
      ...(concurrency === undefined ? {} : { concurrency }),
    },
  };
}

/** Why a tick started nothing, made by `ctx.skip`. It must be yielded or returned. */
export interface SkipReason {
  readonly kind: 'skip';
  readonly reason: string;
  readonly [madeByContext]: true;
}

/** "There is more to do": made by `ctx.more`, ends a tick that wants its next one at once. */
export interface More {
  readonly kind: 'more';
  readonly [madeByContext]: true;
}

/** Everything a tick gives, in one object; `cursor` instead of `ctx.setCursor`. */
export interface SensorResult<Cursor = unknown> {
  readonly runRequests?: readonly RunRequest[];
  readonly skipReason?: string | SkipReason;
  /** The new cursor; leave it out to keep the old one (`ctx.clearCursor()` clears). */
  readonly cursor?: Cursor | undefined;
  /** Changes of dynamic partition sets: `[customers.add(['acme'])]`. They count for this tick's run requests. */
  readonly partitionRequests?: readonly PartitionRequest[];
  /** Evaluate again at once. */
  readonly more?: boolean;
}

/** What `ctx.run` is given, before anything of it is checked. */
export type GivenRequest = Partial<
  Record<'job' | 'runKey' | 'config' | 'tags' | 'partitionKey' | 'assets' | 'staleOnly', unknown>
>;

/** What `ctx.backfill` is given, before anything of it is checked. */
export type GivenBackfillRequest = Omit<GivenRequest, 'partitionKey'> & GivenBackfill;

/** What makes a request one for a backfill. */
export interface GivenBackfill {
  readonly partitions: BackfillRequest['partitions'];
  readonly policy?: BackfillPolicy | undefined;
  readonly concurrency?: number | undefined;
}

interface RequestFields {
  /**
   * Identity of the request, at most 64 KB. The same key of the same job never runs twice.
   * @default none: the request is always launched, exactly once per tick
   */
  readonly runKey?: string | undefined;
  /** Kept with the run (memo), for people to find it by. */
  readonly tags?: Tags | undefined;
  /** The part of the job's work that the run is for: a key of the job's partition set. Becomes the tag `partition`. */
  readonly partitionKey?: string | undefined;
}

type ConfigField<J> =
  {} extends JobConfigInput<J> ? { readonly config?: JobConfigInput<J> } : { readonly config: JobConfigInput<J> };

type AssetsField<J> = J extends { readonly assets: infer Assets extends readonly AssetDefinition[] }
  ? Assets extends readonly []
    ? {}
    : {
        /**
         * Those of the job's assets that the run is to make, by definition or name; `runInfo().assets` tells the job. Not part
         * of the run key. @default all of them
         */
        readonly assets?: readonly (Assets[number] | Assets[number]['name'])[] | undefined;
        /**
         * Only those of them that were never made, or are older than something they are made from: of the partition, if one is
         * given. When none is, nothing is started, and the run key is not used up. A run that is not done yet counts as none:
         * give a run key where the sensor may ask again before it is. @default false
         */
        readonly staleOnly?: boolean | undefined;
      }
  : {};

/** What `ctx.run` takes in a sensor of one job: for helpers that make requests. */
export type JobRequest<J> = RequestFields & ConfigField<J> & AssetsField<J>;

/** What `ctx.backfill` takes in a sensor of one job. */
export type JobBackfill<J> = Omit<RequestFields, 'partitionKey'> &
  ConfigField<J> &
  AssetsField<J> & {
    /** Partitions of the job: `'all'`, `{ from, to }` (both included), or keys. */
    readonly partitions: BackfillPartitions;
    /** What it starts: a run for each partition, one for all, or one for the last. @default that of the job's assets, else `'perPartition'` */
    readonly policy?: BackfillPolicy | undefined;
    /** Runs at a time, 1 to 100. @default 10 */
    readonly concurrency?: number | undefined;
  };

/** `ctx.run` and `ctx.backfill` for the jobs of a sensor: absent without jobs, `job` required with several. */
export type RunFunction<Jobs extends readonly JobDefinition[]> = Jobs extends readonly []
  ? {}
  : Jobs extends readonly [infer Only extends JobDefinition]
    ? {
        /** Requests a run of the sensor's job. Yield or return what it gives. */
        readonly run: {} extends JobConfigInput<Only>
          ? (request?: JobRequest<Only>) => RunRequest
          : (request: JobRequest<Only>) => RunRequest;
        /** Requests a backfill of the sensor's job, which starts its runs. Yield or return what it gives. */
        readonly backfill: (request: JobBackfill<Only>) => RunRequest;
      }
    : {
        /** Requests a run of one of the sensor's jobs. Yield or return what it gives. */
        readonly run: <const J extends Jobs[number]>(request: JobRequest<J> & { readonly job: J }) => RunRequest;
        /** Requests a backfill of one of the sensor's jobs, which starts its runs. Yield or return what it gives. */
        readonly backfill: <const J extends Jobs[number]>(request: JobBackfill<J> & { readonly job: J }) => RunRequest;
      };

type Item = RunRequest | SkipReason | More | null | undefined;
type Given<Cursor> = Item | SensorResult<Cursor> | readonly Item[] | void;

/** What an author's `evaluate` may be: function or generator, async or not. */
export type Evaluation<Cursor> =
  | Given<Cursor>
  | Promise<Given<Cursor>>
  | Generator<Item | readonly Item[] | SensorResult<Cursor>, Given<Cursor>, void>
  | AsyncGenerator<Item | readonly Item[] | SensorResult<Cursor>, Given<Cursor>, void>;
