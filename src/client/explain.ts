/**
 * One answer from all that Temporal knows of a sensor: its description, the histories of its loop, its runs, the sealed
 * pages of its ledger. What is read here is judged by explain-key.ts and explain-time.ts.
 */
import type { Client } from '@temporalio/client';
import { LOOP_ID_PREFIX, type LoopState, type TickRecord } from '../sensors/protocol.js';
import { pauseMs } from '../sensors/rhythm.js';
import { keyedRunId, runKeyHash } from '../sensors/run-key.js';
import { parseRequests } from '../workflows/parse.js';
import { describeExecution, listExecutions } from './executions.js';
import { decideKey, isPacked, recentSpan, type KeyAnswer, type Span } from './explain-key.js';
import { decideTime, type TimeAnswer } from './explain-time.js';
import { foldRun } from './fold-history.js';
import { readRunError, runOf, type SensorRun } from './list-runs.js';
import { historyOf } from './loops.js';
import { PageMissingError, readPage } from './pages.js';
import { quoted } from './query.js';
import { runMemoOf } from './read-run.js';
import { loopRuns, readTicks } from './read-ticks.js';
import type { SensorDescription } from './sensor-client.js';
import type { Standing } from './standing.js';

/** What is asked: what became of a run key, what took place at a time, where a run came from. */
export type Question =
  | {
      readonly runKey: string;
      /** @default every job of the sensor */
      readonly job?: string | undefined;
    }
  | { readonly at: Date }
  | {
      /** Its workflow ID or run ID. */
      readonly run: string;
    };

/** Where a run came from. */
export type RunAnswer =
  | {
      readonly kind: 'started';
      readonly run: SensorRun;
      /** Why it failed. */
      readonly error?: string;
      readonly requestedAt: Date;
    }
  /** It is a workflow that this sensor did not start; which one did, if one did. */
  | { readonly kind: 'foreign'; readonly workflowId: string; readonly runId: string; readonly sensor?: string }
  /** Temporal knows no such workflow. */
  | { readonly kind: 'unknown' };

export type Explanation = { readonly sensor: string; readonly workflowId: string; readonly runId: string } & (
  | {
      readonly about: 'key';
      readonly runKey: string;
      /** Those that the sensor has; without any, run keys mean nothing. */
      readonly jobs: readonly string[];
      /** One for each job that has to do with the key, at least one where the sensor has jobs. */
      readonly answers: readonly KeyAnswer[];
    }
  | { readonly about: 'time'; readonly at: Date; readonly answer: TimeAnswer }
  | { readonly about: 'run'; readonly run: string; readonly answer: RunAnswer }
);

/** What is known of the sensor before anything is read. */
export interface Known {
  readonly description: SensorDescription;
  readonly standing: Standing;
}

export async function explain(client: Client, sensor: string, question: Question, known: Known): Promise<Explanation> {
  const { workflowId, runId } = known.description;
  const about = { sensor, workflowId, runId };
  if ('at' in question) {
    const { at } = question;
    return { ...about, about: 'time', at, answer: await explainTime(client, sensor, at, known) };
  }
  if ('run' in question) {
    const { run } = question;
    return { ...about, about: 'run', run, answer: await explainRun(client, sensor, run) };
  }
  const { runKey, job } = question;
  return { ...about, about: 'key', runKey, ...(await explainKey(client, sensor, { runKey, job }, known)) };
}

// ------------------------------------------------------------------------------------------------ a key

interface Folded {
  readonly state: LoopState;
  readonly ticks: readonly TickRecord[];
}

async function explainKey(
  client: Client,
  sensor: string,
  { runKey, job }: { readonly runKey: string; readonly job: string | undefined },
  { standing }: Known
): Promise<Pick<Extract<Explanation, { about: 'key' }>, 'jobs' | 'answers'>> {
  const run = await foldRun(client, await historyOf(client, sensor));
  const folded: Folded = { state: run.state, ticks: [...run.ticks.values()].sort((a, b) => a.tick - b.tick) };
  const waiting = await waitingOf(client, folded.state);
  const answers: KeyAnswer[] = [];
  for (const name of job === undefined ? jobsOf(folded, runKey) : [job])
    answers.push(await answerFor(client, sensor, { ...folded, job: name, runKey, standing, waiting }));
  const seen = answers.filter(({ kind }) => kind !== 'notSeen');
  const { jobs } = folded.state.options;
  return { jobs, answers: seen.length > 0 ? seen : answers.slice(0, jobs.length === 0 ? 0 : 1) };
}

/** Jobs that the key may belong to: those of the sensor, and those that it wrongly asked for. */
function jobsOf({ state, ticks }: Folded, runKey: string): readonly string[] {
  const rejections = [...state.deadLetters, ...ticks.flatMap(({ rejected }) => rejected.sample)];
  const asked = rejections.flatMap((each) => (each.runKey === runKey && each.job !== undefined ? [each.job] : []));
  return [...new Set([...state.options.jobs, ...asked])];
}

type AboutKey = Folded & {
  readonly job: string;
  readonly runKey: string;
  readonly standing: Standing;
  readonly waiting: readonly { readonly hash?: string }[];
};

async function answerFor(client: Client, sensor: string, about: AboutKey): Promise<KeyAnswer> {
  const { state, job, runKey } = about;
  const hash = runKeyHash(job, runKey);
  const run = await findRun(client, sensor, { job, runKey, epoch: epochOf(state, hash) });
  const asked = run === undefined || state.options.dedupeMs !== undefined;
  const sealed =
    asked && recentSpan(state.ledger, hash) === undefined ? await sealedSpan(client, state, hash) : undefined;
  const error = run === undefined ? undefined : await readRunError(client, run);
  return decideKey({ ...about, hash, run, error, sealed });
}

function epochOf({ epochs }: LoopState, hash: string): number {
  return Object.hasOwn(epochs, hash) ? (epochs[hash] ?? 1) : 1;
}

/** The newest run of a key that Temporal still knows, and that this sensor started. */
async function findRun(
  client: Client,
  sensor: string,
  { job, runKey, epoch }: { readonly job: string; readonly runKey: string; readonly epoch: number }
): Promise<SensorRun | undefined> {
  for (let each = epoch; each >= 1; each--) {
    // which form the author chose is not known here
    const [readable, hashed] = (['readable', 'hashed'] as const).map((form) =>
      keyedRunId({ sensor, job, runKey, form, epoch: each })
    );
    for (const id of new Set([readable, hashed])) {
      const execution = id === undefined ? undefined : await describeExecution(client, id);
      if (execution !== undefined && runMemoOf(execution.memo ?? {})?.sensor === sensor) return runOf(execution);
    }
  }
  return undefined;
}

/** Requests that wait to be started, in their order. */
async function waitingOf(client: Client, { launch }: LoopState): Promise<readonly { readonly hash?: string }[]> {
  const waiting: { readonly hash?: string }[] = [...(launch?.remaining ?? [])];
  for (const { id } of launch?.staged ?? []) waiting.push(...parseRequests(await pageOf(client, id)));
  return waiting;
}

/** Where the sealed pages have a key; the newest are looked through first. */
async function sealedSpan(client: Client, { ledger }: LoopState, hash: string): Promise<Span | undefined> {
  for (const page of ledger.pages.toReversed()) {
    const content = await pageOf(client, page.id);
    if (typeof content === 'string' && isPacked(content, hash)) return page;
  }
  return undefined;
}

/** Nothing when somebody deleted it. */
async function pageOf(client: Client, id: string): Promise<unknown> {
  try {
    return await readPage(client, id);
  } catch (error) {
    if (error instanceof PageMissingError) return undefined;
    throw error;
  }
}

// ------------------------------------------------------------------------------------------------ a time

async function explainTime(
  client: Client,
  sensor: string,
  at: Date,
  { description, standing }: Known
): Promise<TimeAnswer> {
  let after: TickRecord | undefined;
  let before: TickRecord | undefined;
  for await (const tick of readTicks(client, sensor)) {
    if (tick.startedAt <= at.getTime()) {
      before = tick;
      break;
    }
    after = tick;
  }
  let knownSince: Date | undefined;
  if (before === undefined) for await (const { startTime } of loopRuns(client, sensor)) knownSince = startTime;
  const { state } = await foldRun(client, await historyOf(client, sensor));
  return decideTime({
    at,
    now: Date.now(),
    before,
    after,
    knownSince,
    intervalMs: description.intervalMs,
    pauseMs: lastPause(state, description),
    dueSince: description.dueSince,
    closedAt: description.closeTime,
    audit: state.audit,
    evaluation: description.evaluation,
    idleSince: state.idleSince,
    standing,
  });
}

/** The pause after the last attempt: longer where the sensor backs off. */
function lastPause(state: LoopState, { evaluation, intervalMs }: SensorDescription): number {
  const { options, health, idleSince, lastTickAt = state.startedAt } = state;
  const failing = health.status === 'failing';
  const since = failing ? health.since : (idleSince ?? lastTickAt);
  const lastedMs = (evaluation?.lastAttemptAt?.getTime() ?? since) - since;
  return pauseMs(failing ? options.failureBackoff : options.idleBackoff, intervalMs, lastedMs);
}

// ------------------------------------------------------------------------------------------------ a run

const RUN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

async function explainRun(client: Client, sensor: string, id: string): Promise<RunAnswer> {
  const execution = RUN_ID.test(id) ? await withRunId(client, id) : await describeExecution(client, id);
  if (execution === undefined || execution.workflowId.startsWith(LOOP_ID_PREFIX)) return { kind: 'unknown' };
  const memo = runMemoOf(execution.memo ?? {});
  const { workflowId, runId } = execution;
  if (memo?.sensor !== sensor)
    return { kind: 'foreign', workflowId, runId, ...(memo === undefined ? {} : { sensor: memo.sensor }) };
  const run = runOf(execution);
  const error = await readRunError(client, run);
  return { kind: 'started', run, requestedAt: run.startTime, ...(error === undefined ? {} : { error }) };
}

async function withRunId(client: Client, runId: string) {
  for await (const execution of listExecutions(client, `RunId = ${quoted(runId)}`)) return execution;
  return undefined;
}
