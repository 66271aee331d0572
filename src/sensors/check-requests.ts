/**
 * Which of the requests an evaluation gave can be started: config against the job's schema, keys, limits, duplicates.
 *
 * Good requests go on; a bad one is rejected by itself and kept for a decision, so that it never blocks its
 * neighbours. What is accepted here can be started without failing a workflow task: every limit is checked.
 */
import { createHash } from 'node:crypto';
import { launchBackfill } from './check-backfill.js';
import { isAsset, type AssetDefinition } from './define-asset.js';
import { describeError } from './describe-error.js';
import type { JobDefinition } from './define-job.js';
import { describeIssues } from './describe-issues.js';
import type { SensorDefinition } from './define-sensor.js';
import { cutText, jsonBytes, NotJsonError, toJson, utf8Bytes, type Json } from './json.js';
import { MAX_KEPT_PAYLOAD_BYTES, MAX_REQUEST_BYTES, MAX_RUN_KEY_BYTES, MAX_TEXT_BYTES } from './limits.js';
import type { Duplicate, LaunchRequest, Rejection } from './protocol.js';
import { keyedRunId, keylessRunId, requestHash, sensorBackfillId } from './run-key.js';
import { applyPartitionRequests, type Partitions } from './change-partitions.js';
import { isPartitionKey } from './partitions.js';
import { unpartitioned } from './plan-backfill.js';
import type { RunRequest } from './run-request.js';
import { checkTags, type Tags } from './tags.js';

const SAMPLE = 20;

export interface CheckedRequests {
  readonly accepted: readonly LaunchRequest[];
  readonly rejected: readonly Rejection[];
  readonly duplicates: { readonly count: number; readonly sample: readonly Duplicate[] };
}

/** The sensor that asks, and what it knows. */
export interface RequestRules extends Pick<SensorDefinition, 'jobs' | 'runIds'> {
  readonly sensor: string;
  /** Hashes of (job, run key) that have run. */
  readonly isKnown: (hash: string) => boolean;
  /** Hashes of (job, run key) whose workflow ID belongs to somebody else. */
  readonly isForeign: (hash: string) => boolean;
  /** Hashes of (job, run key) that an operator re-armed, and the epoch of their next run. */
  readonly rearmed: Readonly<Record<string, number>>;
  readonly partitions: Partitions;
  readonly now: Date;
  /** Minted once per evaluation. */
  readonly nonce: string;
}

/** A request with its key's hash; those with a known key go no further. */
interface Keyed {
  readonly request: RunRequest;
  readonly job: JobDefinition;
  readonly hash?: string;
  readonly epoch?: number;
}

export function checkRequests(requests: readonly RunRequest[], rules: RequestRules): CheckedRequests {
  const accepted: LaunchRequest[] = [];
  const rejected: Rejection[] = [];
  const sample: Duplicate[] = [];
  const seen = new Set<string>();
  let duplicates = 0;
  for (const [index, request] of requests.entries()) {
    const keyed = keyOf(request, rules);
    const { hash } = keyed;
    if (hash !== undefined && (seen.has(hash) || (keyed.epoch === undefined && isKnown(keyed, rules)))) {
      duplicates++;
      if (sample.length < SAMPLE) sample.push(duplicateOf(keyed, rules));
      continue;
    }
    const checked =
      hash !== undefined && rules.isForeign(hash) ? foreign(hash, keyed) : checkRequest(keyed, index, rules);
    if ('error' in checked) {
      rejected.push(checked);
      continue;
    }
    if (hash !== undefined) seen.add(hash);
    accepted.push(checked);
  }
  return { accepted, rejected, duplicates: { count: duplicates, sample } };
}

/**
 * Why a request cannot be started, as far as its job tells: keys of dynamic partition sets are on the server.
 */
export function requestProblem(request: RunRequest, definition: SensorDefinition, now: Date): string | undefined {
  const known = applyPartitionRequests([], new Map());
  const problem: Partitions['problem'] = (job, key, at) =>
    job.partitions?.type === 'dynamic' ? undefined : known.problem(job, key, at);
  const none = (): boolean => false;
  const { name: sensor, jobs, runIds } = definition;
  const rules = { sensor, jobs, runIds, isKnown: none, isForeign: none, rearmed: {}, nonce: '', now };
  return checkRequests([request], { ...rules, partitions: { ...known, problem } }).rejected[0]?.error;
}

function keyOf(request: RunRequest, { jobs, rearmed }: RequestRules): Keyed {
  const job = jobs.find(({ name }) => name === request.job) as JobDefinition;
  const { runKey } = request as { runKey: unknown };
  if (typeof runKey !== 'string' || runKey === '') return { request, job };
  const hash = requestHash({ ...request, runKey });
  const epoch = Object.hasOwn(rearmed, hash) ? rearmed[hash] : undefined;
  return { request, job, hash, ...(epoch === undefined ? {} : { epoch }) };
}

/** Whether the key has run, under the job's name or one of its earlier ones. */
function isKnown({ request, job, hash }: Keyed, rules: RequestRules): boolean {
  return (
    rules.isKnown(hash ?? '') ||
    job.aliases.some((alias) => rules.isKnown(requestHash({ ...request, job: alias, runKey: request.runKey ?? '' })))
  );
}

function duplicateOf({ request, job, hash = '' }: Keyed, { sensor, runIds }: RequestRules): Duplicate {
  const runKey = request.runKey ?? '';
  return {
    id:
      request.backfill === undefined
        ? keyedRunId({ sensor, job: job.name, form: runIds, runKey })
        : sensorBackfillId(sensor, hash),
    runKey: cutText(runKey, 256),
  };
}

function foreign(hash: string, { request, job }: Keyed): Rejection {
  const error = 'its workflow ID belongs to a workflow that this sensor did not start';
  return { id: hash, kind: 'owner', job: job.name, runKey: cutText(request.runKey ?? '', 256), error };
}

function checkRequest(keyed: Keyed, index: number, rules: RequestRules): LaunchRequest | Rejection {
  const { request, job, hash, epoch } = keyed;
  const reject = (error: string): Rejection => reject_(request, job, error);
  const { runKey } = request as { runKey: unknown };
  if (runKey !== undefined && typeof runKey !== 'string')
    return reject(`runKey is a ${typeof runKey}; accepted: a text`);
  if (runKey === '') return reject('runKey is empty; give a key that names the event, or none at all to launch always');
  if (runKey !== undefined && utf8Bytes(runKey) > MAX_RUN_KEY_BYTES) {
    return reject(`runKey is ${utf8Bytes(runKey)} bytes; at most ${MAX_RUN_KEY_BYTES} (64 KB)`);
  }
  const problem =
    checkTags(request.tags) ??
    (request.backfill === undefined
      ? rules.partitions.problem(job, request.partitionKey, rules.now)
      : unpartitioned(job));
  if (problem !== undefined) return reject(problem);
  const selected = selectedAssets(request, job);
  if (typeof selected === 'string') return reject(selected);
  const assets = request.assets === undefined ? undefined : selected.map(({ name }) => name);
  const tags = tagsOf(request, job);
  const parsed = job.config.safeParse(request.config === undefined ? {} : request.config);
  if (!parsed.success)
    return reject(`config does not fit job '${job.name}' (${describeIssues(parsed.error, 'config')})`);
  let args: Json[];
  try {
    args = (job.args === undefined ? [parsed.data] : job.args(parsed.data as never)).map((arg, position) =>
      toJson(arg, job.args === undefined ? 'config' : `args[${position}]`)
    );
  } catch (error) {
    if (error instanceof NotJsonError) return reject(error.message);
    const text = `the 'args' function of job '${job.name}' threw: `;
    // a redacted text is another one on every worker
    return { ...reject(text + describeError(error, 'it')), id: reject(text + String(error)).id };
  }
  const run = { sensor: rules.sensor, job: job.name, form: rules.runIds, epoch };
  if (request.backfill !== undefined) {
    const id = sensorBackfillId(rules.sensor, hash ?? `${rules.nonce}.${index}`);
    const launch = launchBackfill(request, request.backfill, job, { id, hash, assets, now: rules.now });
    return typeof launch === 'string' ? reject(launch) : launch;
  }
  const launch: LaunchRequest = {
    id: runKey === undefined ? keylessRunId({ ...run, nonce: rules.nonce, index }) : keyedRunId({ ...run, runKey }),
    job: job.name,
    args,
    ...(job.taskQueue === undefined ? {} : { taskQueue: job.taskQueue }),
    ...(runKey === undefined || hash === undefined ? {} : { runKey, hash }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(request.partitionKey === undefined ? {} : { partitionKey: request.partitionKey }),
    ...(assets === undefined ? {} : { assets }),
    ...(Object.keys(job.start).length === 0 ? {} : { start: job.start }),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    ...(request.via === undefined ? {} : { via: request.via }),
  };
  const bytes = jsonBytes(launch);
  if (bytes > MAX_REQUEST_BYTES) {
    return reject(
      `config, tags and key are ${bytes} bytes together; at most ${MAX_REQUEST_BYTES} (128 KB): pass a reference`
    );
  }
  return launch;
}

function reject_(request: RunRequest, job: JobDefinition, error: string): Rejection {
  const { runKey, partitionKey } = request as { runKey: unknown; partitionKey: unknown };
  let payload: Json | undefined;
  try {
    payload = toJson(request.config ?? {}, 'config');
  } catch {
    payload = undefined;
  }
  const assets = givenNames(request.assets);
  const backfill = keptBackfill(request);
  const identity =
    typeof runKey === 'string' && runKey !== ''
      ? requestHash({ ...request, runKey })
      : contentHash(
          job.name,
          payload,
          partitionKey,
          error,
          ...(assets === undefined ? [] : [assets]),
          ...(backfill === undefined ? [] : [backfill])
        );
  const tags = checkTags(request.tags) === undefined ? request.tags : {};
  return {
    id: identity,
    kind: 'request',
    job: job.name,
    error: cutText(error, MAX_TEXT_BYTES),
    ...(typeof runKey === 'string' ? { runKey: cutText(runKey, 256) } : {}),
    ...(payload !== undefined && jsonBytes([payload, tags, assets ?? [], backfill ?? {}]) <= MAX_KEPT_PAYLOAD_BYTES
      ? {
          payload,
          ...(Object.keys(tags).length === 0 ? {} : { tags }),
          ...(assets === undefined ? {} : { assets }),
          ...(backfill === undefined ? {} : { backfill }),
        }
      : {}),
    ...(isPartitionKey(partitionKey) ? { partitionKey } : {}),
  };
}

/** Its partitions, policy and concurrency; `null` for what cannot be kept, so that it is never taken for a request of one run. */
function keptBackfill({ backfill }: RunRequest): Json | undefined {
  if (backfill === undefined) return undefined;
  try {
    return toJson(backfill, 'backfill');
  } catch {
    return null;
  }
}

/** ID of something without a key: the same for the same content. */
function contentHash(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** The assets that the run is to make, in the job's order. Or why it cannot make them. */
export function selectedAssets(
  { assets, staleOnly }: RunRequest,
  job: JobDefinition
): readonly AssetDefinition[] | string {
  if (staleOnly !== undefined && typeof staleOnly !== 'boolean')
    return `staleOnly is a ${typeof staleOnly}; accepted: true or false`;
  if (staleOnly === true && job.assets.length === 0) return `staleOnly is given, but job '${job.name}' makes no assets`;
  const names = givenNames(assets);
  if (names === undefined) return job.assets;
  if (job.assets.length === 0) return `assets are given, but job '${job.name}' makes none`;
  if (names.length === 0) return 'assets is not an array of one or more assets; leave it out for all of them';
  const strange = names.findIndex((name) => !job.assets.some((asset) => asset.name === name));
  const accepted = job.assets.map(({ name }) => `'${name}'`).join(', ');
  if (strange !== -1) return `assets[${strange}] is not an asset of job '${job.name}'; accepted: ${accepted}`;
  return job.assets.filter(({ name }) => names.includes(name));
}

/** Names as they were given, good or not, so that a request is never taken for one of other assets. */
function givenNames(assets: unknown): readonly string[] | undefined {
  if (assets === undefined) return undefined;
  return Array.isArray(assets) ? assets.map((each: unknown) => (isAsset(each) ? each.name : String(each))) : [];
}

/** The framework's tags win over those of the request, and these over those of the job. */
function tagsOf({ tags, partitionKey }: RunRequest, job: JobDefinition): Tags {
  return { ...job.tags, ...tags, ...(partitionKey === undefined ? {} : { partition: partitionKey }) };
}
