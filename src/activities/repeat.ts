/** Running something again because an operator says so: a key that has run, or a dead letter. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { describeExecution, firstRunOf, type Description } from '../client/executions.js';
import { readInput } from '../client/pages.js';
import { applyPartitionRequests, setsOf } from '../sensors/change-partitions.js';
import { checkRequests, type RequestRules } from '../sensors/check-requests.js';
import type { JobDefinition } from '../sensors/define-job.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { quote } from '../sensors/errors.js';
import { rejected } from '../sensors/failures.js';
import type { Json } from '../sensors/json.js';
import { epochOf, type LedgerView } from '../sensors/key-ledger.js';
import { RUN_MEMO, type DeadLetter, type LaunchRequest, type RunMemo } from '../sensors/protocol.js';
import { hasWholeKey, keyedRunId, runKeyHash } from '../sensors/run-key.js';
import { requestOf, type GivenBackfill } from '../sensors/run-request.js';
import { definitionOf } from './definition.js';
import type { SensorActivityDependencies } from './index.js';
import { readSets } from './partitions.js';
import { backfillKeyProblem, rememberedKey, type RememberedKey } from './remembered-key.js';
import type { SearchAttributes } from './search-attributes.js';
import { shortHash } from '../sensors/short-hash.js';

/** A key as an operator names it. */
export interface NamedKey {
  readonly sensor: string;
  readonly runKey: string;
  readonly job?: string;
  /** What the sensor remembers; a loop of an older worker does not say. */
  readonly ledger?: LedgerView;
  /** Requests that wait to be started, the key's perhaps among them. @default none */
  readonly pending?: number;
}

/** A key that the sensor has, or may have: for one that has not run the loop looks whether it is pending. */
export interface FoundKey {
  readonly hash: string;
  /** Why there is nothing to re-arm, unless it is pending. */
  readonly problem?: string;
}

/** A run to start again. */
export interface PreparedRerun {
  readonly request: LaunchRequest;
  readonly hash: string;
  readonly epoch: number;
  /** Workflow ID of the key's first run. */
  readonly rerunOf: string;
}

export interface PreparedRetries {
  readonly requests: readonly { readonly id: string; readonly request: LaunchRequest }[];
  readonly failed: readonly { readonly id: string; readonly error: string }[];
}

export function createRepeatActivities({ registry }: SensorActivityDependencies, searchAttributes: SearchAttributes) {
  return {
    /** What the ledger has for a key. Fails for one that has not run, unless requests are pending: its next request runs without being re-armed. */
    async findKey({ sensor, job, runKey, ledger, pending = 0 }: NamedKey): Promise<FoundKey> {
      const definition = definitionOf(registry, sensor);
      const found = jobOf(definition, job);
      const id = keyedRunId({ sensor, job: found.name, runKey, form: definition.runIds });
      const { client } = Context.current();
      // most keys have their run, and then nothing else is to be read
      const isRun = (await ourRun(client, sensor, id)) !== undefined;
      const remembered = isRun ? 'run' : await notOfBackfill(sensor, found, runKey, ledger);
      const hash = runKeyHash(found.name, runKey);
      if (!(await neverRan(client, id, remembered))) return { hash };
      const problem = `${notRun(found, runKey)}, so there is nothing to re-arm: its next request starts a run anyway`;
      if (pending > 0) return { hash, problem };
      throw rejected(problem);
    },

    /** The run of a key once more, with the arguments of its last run and the next epoch that is free. */
    async prepareRerun({
      sensor,
      job,
      runKey,
      ledger,
      epochs,
      pending = 0,
    }: NamedKey & { readonly epochs: Readonly<Record<string, number>> }): Promise<PreparedRerun> {
      const definition = definitionOf(registry, sensor);
      const found = jobOf(definition, job);
      const { name, start } = found;
      const hash = runKeyHash(name, runKey);
      const idOf = (epoch: number): string => keyedRunId({ sensor, job: name, runKey, form: definition.runIds, epoch });
      const { client } = Context.current();
      const known = epochOf({ epochs }, hash);
      let last = await ourRun(client, sensor, idOf(known));
      if (last === undefined) {
        const remembered = await notOfBackfill(sensor, found, runKey, ledger);
        const waits = pending === 0 ? '' : ` (or is one of the ${pending} requests that are pending)`;
        if (await neverRan(client, idOf(known), remembered))
          throw rejected(
            `${notRun(found, runKey)}, so there is nothing to run again: its next request starts a run${waits}`
          );
        throw rejected(
          `there is no run of key ${quote(runKey)} (workflow '${idOf(known)}') on the server: it never ran, or retention removed it ` +
            `with its config. To let the sensor's next request of this key run, re-arm it`
        );
      }
      let epoch = known + 1;
      for (let next = await ourRun(client, sensor, idOf(epoch)); next !== undefined;) {
        last = next;
        next = await ourRun(client, sensor, idOf(++epoch));
      }
      if (last.status.name === 'RUNNING') {
        throw rejected(
          `run '${last.workflowId}' of key ${quote(runKey)} still runs; wait for its end, or terminate it first`
        );
      }
      const memo = last.memo?.[RUN_MEMO] as RunMemo;
      const request: LaunchRequest = {
        id: idOf(epoch),
        job: name,
        args: await argumentsOf(client, last),
        taskQueue: last.taskQueue,
        runKey,
        hash,
        epoch,
        ...(Object.keys(start).length === 0 ? {} : { start }),
        ...(memo.tags === undefined ? {} : { tags: memo.tags }),
        ...(memo.partitionKey === undefined ? {} : { partitionKey: memo.partitionKey }),
        ...(memo.assets === undefined ? {} : { assets: memo.assets }),
        ...(memo.via === undefined ? {} : { via: memo.via }),
      };
      const [marked = request] = await searchAttributes.mark(client, [request]);
      return { request: marked, hash, epoch, rerunOf: idOf(1) };
    },

    /** Dead letters checked again, against what the code says now. */
    async prepareRetries({
      sensor,
      letters,
      rearmed,
    }: {
      sensor: string;
      letters: readonly DeadLetter[];
      rearmed: Readonly<Record<string, number>>;
    }): Promise<PreparedRetries> {
      const definition = definitionOf(registry, sensor);
      const requests: { id: string; request: LaunchRequest }[] = [];
      const failed: { id: string; error: string }[] = [];
      const partitions = applyPartitionRequests(
        [],
        await readSets(setsOf(letters, [], definition), registry.prefix, () => undefined)
      );
      for (const letter of letters) {
        const checked = retried(
          { sensor, jobs: definition.jobs, runIds: definition.runIds, rearmed, partitions },
          letter
        );
        if (typeof checked === 'string') failed.push({ id: letter.id, error: checked });
        else requests.push({ id: letter.id, request: checked });
      }
      const { client } = Context.current();
      const marked = await searchAttributes.mark(
        client,
        requests.map(({ request }) => request)
      );
      return {
        requests: requests.map(({ id, request }, index) => ({ id, request: marked[index] ?? request })),
        failed,
      };
    },
  };
}

function jobOf({ name, jobs }: SensorDefinition, job: string | undefined): JobDefinition {
  const found = job === undefined && jobs.length === 1 ? jobs[0] : jobs.find((each) => each.name === job);
  if (found !== undefined) return found;
  const names = jobs.map((each) => `'${each.name}'`).join(', ') || 'none';
  if (job === undefined && jobs.length > 0)
    throw rejected(
      `sensor '${name}' has ${jobs.length} jobs, so name the key's job (--job, or 'job'); accepted: ${names}`
    );
  throw rejected(`sensor '${name}' has no job ${quote(job)}; accepted: ${names}`);
}

/** What the sensor remembers of the key; fails when that is a backfill. */
async function notOfBackfill(
  sensor: string,
  job: JobDefinition,
  runKey: string,
  ledger: LedgerView | undefined
): Promise<RememberedKey> {
  const remembered = await rememberedKey(sensor, job, runKey, ledger);
  if (typeof remembered === 'object') throw rejected(backfillKeyProblem(runKey, remembered.backfill));
  return remembered;
}

/** One whose workflow ID is somebody else's has not run either, and gets another ID when it is re-armed. */
async function neverRan(client: Client, id: string, remembered: RememberedKey): Promise<boolean> {
  return remembered === 'nothing' && (await describeExecution(client, id)) === undefined;
}

function notRun({ name }: JobDefinition, runKey: string): string {
  return `key ${quote(runKey)} of job '${name}' has not run, as far as the sensor and Temporal know`;
}

/** A run that this sensor started, or `undefined`. */
async function ourRun(client: Client, sensor: string, id: string): Promise<Description | undefined> {
  const run = await describeExecution(client, id);
  return (run?.memo?.[RUN_MEMO] as RunMemo | undefined)?.sensor === sensor ? run : undefined;
}

/** What a run was started with, also when it has continued as new since. */
async function argumentsOf(client: Client, run: Description): Promise<Json[]> {
  return (await readInput(client, { workflowId: run.workflowId, runId: firstRunOf(run) })) as Json[];
}

/** The request of a dead letter, or why it cannot be made. */
function retried(
  given: Pick<RequestRules, 'sensor' | 'jobs' | 'runIds' | 'rearmed' | 'partitions'>,
  letter: DeadLetter
): LaunchRequest | string {
  const { kind, job, runKey, payload, tags, partitionKey, assets, backfill } = letter;
  const again = `let the sensor request it again, then discard this dead letter`;
  if (payload === undefined) return `its config was not kept (over 2 KB); ${again}`;
  if (kind === 'owner') return payload as unknown as LaunchRequest;
  if (!hasWholeKey(letter)) return `its run key was too long to keep; ${again}`;
  if (!given.jobs.some(({ name }) => name === job)) return `the sensor no longer has job '${job}'; discard it`;
  const request = {
    ...requestOf(job ?? '', { runKey, config: payload, tags, partitionKey, assets }),
    ...(backfill === undefined ? {} : { backfill: backfill as unknown as GivenBackfill }),
  };
  const no = (): boolean => false;
  // the same for every retry of this letter: two at once start one run
  const nonce = shortHash(`${letter.id}:${letter.firstAt}`);
  const rules = { ...given, isKnown: no, isForeign: no, now: new Date(), nonce };
  const checked = checkRequests([request], rules);
  return checked.accepted[0] ?? checked.rejected[0]?.error ?? again;
}
