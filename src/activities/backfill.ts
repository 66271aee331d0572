/** What a backfill asks a worker that has its job: what is to be done, the next runs, and how others have ended. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Client } from '@temporalio/client';
import { inBatches } from '../client/batches.js';
import { describeExecution } from '../client/executions.js';
import { writePage } from '../client/pages.js';
import { statusOf } from '../client/read-run.js';
import { readEnd } from '../client/run-end.js';
import type { BackfillPolicy, BackfillRequest } from '../sensors/backfill.js';
import { applyPartitionRequests, type Partitions } from '../sensors/change-partitions.js';
import { checkRequests } from '../sensors/check-requests.js';
import type { JobDefinition } from '../sensors/define-job.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { rejected, withoutStack } from '../sensors/failures.js';
import { jsonBytes, splitByBytes } from '../sensors/json.js';
import { MAX_BACKFILL_KEYS_BYTES, MAX_BATCH_BYTES } from '../sensors/limits.js';
import { planBackfill, unpartitioned } from '../sensors/plan-backfill.js';
import { BACKFILL_ID_PREFIX, RUN_MEMO, type LaunchRequest, type RunMemo } from '../sensors/protocol.js';
import type { SensorRegistry } from '../sensors/registry.js';
import { requestOf, type RunRequest } from '../sensors/run-request.js';
import type { BackfillState, StoredPlan } from '../workflows/backfill-state.js';
import type { PreparedRun, RunEnded } from '../workflows/parse-backfill.js';
import type { SensorActivityDependencies } from './index.js';
import { contentOf } from './pages.js';
import { readSets } from './partitions.js';
import type { SearchAttributes } from './search-attributes.js';

/** A backfill that was terminated leaves its pages behind; after this time they are gone. */
const KEYS_FOR = '365 days';
const LOOKUPS_AT_ONCE = 20;
const FIRST_LOOK_MS = 500;
const LOOK_EVERY_MS = 10_000;

/** A backfill at its worker. */
export interface BackfillWork {
  readonly workflowId: string;
  readonly request: BackfillRequest;
}

export function createBackfillActivities({ registry }: SensorActivityDependencies, searchAttributes: SearchAttributes) {
  return {
    /** What is to be done. Fails for good when it cannot be. */
    async planBackfill({
      workflowId,
      request,
      dryRun,
    }: BackfillWork & { readonly dryRun: boolean }): Promise<StoredPlan & Pick<BackfillState, 'keys' | 'pages'>> {
      const job = jobOf(registry, request);
      const known = await keysOf(registry, job);
      const made = planBackfill(job, request, known);
      if (typeof made === 'string') throw rejected(made);
      const { keys, ...plan } = made;
      // config, tags and assets are the same for all
      const [first] = prepare(registry, { workflowId, request, keys: keys.slice(0, 1), policy: 'perPartition' }, known);
      if (first !== undefined && 'error' in first) throw rejected(first.error);
      const [now = [], ...later] = splitByBytes(keys, MAX_BACKFILL_KEYS_BYTES);
      const pages: string[] = [];
      for (const content of dryRun ? [] : later) pages.push(await writeKeys(workflowId, content));
      return { ...plan, keys: now, pages };
    },

    /** The partitions of a page. */
    async readBackfillKeys({ id }: { id: string }): Promise<readonly string[]> {
      return await contentOf<readonly string[]>(id);
    },

    /** The first runs for these partitions, as many as one payload should hold. */
    async prepareBackfill(
      backfill: BackfillWork & { readonly policy: BackfillPolicy; readonly keys: readonly string[] }
    ): Promise<readonly PreparedRun[]> {
      const job = jobOf(registry, backfill.request);
      const runs = prepare(registry, backfill, await keysOf(registry, job));
      const { client } = Context.current();
      const requests = runs.flatMap((run) => ('request' in run ? [run.request] : []));
      const marked = new Map((await searchAttributes.mark(client, requests)).map((request) => [request.id, request]));
      return runs.map((run) =>
        'request' in run ? { ...run, request: marked.get(run.request.id) ?? run.request } : run
      );
    },

    /** Those of the runs that have ended; while there are none, Temporal retries it without history. */
    async watchRuns({ workflowId, ids }: { workflowId: string; ids: readonly string[] }): Promise<readonly RunEnded[]> {
      const { client, info } = Context.current();
      const ends: RunEnded[] = [];
      await inBatches(ids, LOOKUPS_AT_ONCE, async (id) => {
        const end = await endOf(client, workflowId, id);
        if (end !== undefined) ends.push(end);
      });
      if (ends.length > 0) return ends;
      throw withoutStack(
        ApplicationFailure.create({
          message: `${ids.length} runs have not ended`,
          type: FAILURE_TYPES.waiting,
          category: ApplicationFailureCategory.BENIGN,
          nextRetryDelay: Math.min(LOOK_EVERY_MS, FIRST_LOOK_MS * info.attempt),
        })
      );
    },
  };
}

/** A worker without the job lets another one try. */
function jobOf({ jobs }: SensorRegistry, { job: name }: BackfillRequest): JobDefinition {
  const job = jobs.get(name);
  if (job === undefined)
    throw ApplicationFailure.create({
      message: `job '${name}' is not loaded by the worker that was asked; start a worker with a sensor of this job on the backfill's task queue`,
      type: FAILURE_TYPES.notLoaded,
    });
  const problem = unpartitioned(job);
  if (problem !== undefined) throw rejected(problem);
  return job;
}

/** All keys of a job's set, in order. */
async function keysOf({ prefix }: SensorRegistry, { partitions }: JobDefinition): Promise<readonly string[]> {
  if (partitions?.type !== 'dynamic') return partitions?.keys(new Date()) ?? [];
  const sets = await readSets([partitions.name], prefix, () => Context.current().heartbeat());
  return sets.get(partitions.name) ?? [];
}

/** Runs as the requests of a sensor are checked and made. @param known all keys of the job's set */
function prepare(
  registry: SensorRegistry,
  {
    workflowId,
    request: { job: name, config, tags = {}, assets },
    policy,
    keys,
  }: BackfillWork & { readonly policy: BackfillPolicy; readonly keys: readonly string[] },
  known: readonly string[]
): readonly PreparedRun[] {
  const job = registry.jobs.get(name) as JobDefinition;
  const hashed = [...registry.sensors.values()].some(({ jobs, runIds }) => jobs.includes(job) && runIds === 'hashed');
  const no = (): boolean => false;
  const sets = new Map(job.partitions?.type === 'dynamic' ? [[job.partitions.name, known]] : []);
  const partitions: Partitions =
    policy === 'single' ? { changes: [], problem: () => undefined, has: () => true } : applyPartitionRequests([], sets);
  // requests are a sensor's: the backfill stands for one, under its own workflow ID
  const asking = { sensor: workflowId, jobs: [job], runIds: hashed ? 'hashed' : 'readable' } as const;
  const rules = { ...asking, isKnown: no, isForeign: no, rearmed: {}, nonce: '' };
  const runOf = (given: Pick<RunRequest, 'runKey' | 'partitionKey' | 'tags'>): LaunchRequest | string => {
    const request = requestOf(name, { config, assets, ...given });
    const { accepted, rejected: refused } = checkRequests([request], { ...rules, partitions, now: new Date() });
    const [launch] = accepted;
    if (launch === undefined) return refused[0]?.error ?? 'it cannot be started';
    // of the sensor that it stands for, there is no run key
    const { runKey: _, hash: __, ...run } = launch;
    return run;
  };
  const [first = ''] = keys;
  if (policy === 'single') {
    const run = runOf({ runKey: rangeOf(keys), partitionKey: undefined, tags: { ...tags, partition: rangeOf(keys) } });
    return [
      typeof run === 'string' ? { key: first, error: run } : { key: first, request: { ...run, partitionKeys: keys } },
    ];
  }
  const runs: PreparedRun[] = [];
  let bytes = 0;
  for (const key of keys) {
    const run = runOf({ runKey: key, partitionKey: key, tags });
    bytes += jsonBytes(run);
    if (runs.length > 0 && bytes > MAX_BATCH_BYTES) break;
    runs.push(typeof run === 'string' ? { key, error: run } : { key, request: run });
  }
  return runs;
}

function rangeOf(keys: readonly string[]): string {
  return `${keys[0]}..${keys.at(-1)}`;
}

/** How a run has ended, or nothing while it runs. */
async function endOf(client: Client, workflowId: string, id: string): Promise<RunEnded | undefined> {
  const run = await describeExecution(client, id);
  if (run === undefined) return { id, error: 'its run is no longer on the server, so nobody knows how it ended' };
  const owner = (run.memo?.[RUN_MEMO] as RunMemo | undefined)?.backfill;
  if (owner === undefined || BACKFILL_ID_PREFIX + owner !== workflowId)
    return { id, error: `the workflow ID '${id}' belongs to a workflow that this backfill did not start` };
  const status = statusOf(run);
  if (status === undefined) return undefined;
  if (status === 'completed') return { id };
  return { id, error: (await readEnd(client, run, status)).failure?.message ?? status };
}

async function writeKeys(workflowId: string, content: readonly string[]): Promise<string> {
  const { client, info } = Context.current();
  Context.current().heartbeat();
  const page = { sensor: workflowId, kind: 'partitions', content, taskQueue: info.taskQueue };
  return await writePage(client, { ...page, expiresAfter: KEYS_FOR });
}
