/**
 * One answer from all that Temporal knows of a sensor: its description, the histories of its loop, its runs, the sealed
 * pages of its ledger. What is read here is judged by explain-key.ts and explain-time.ts.
 */
import type { Client } from '@temporalio/client';
import { aliasesOf } from '../sensors/earlier-names.js';
import type { LoopState } from '../sensors/protocol.js';
import { pauseMs } from '../sensors/rhythm.js';
import { epochOf } from '../sensors/key-ledger.js';
import { runKeyHash } from '../sensors/run-key.js';
import { parseRequests } from '../workflows/parse.js';
import { sensorNames } from './earlier-sensors.js';
import { explainEvent } from './explain-asset-event.js';
import { lookForBackfill } from './explain-backfill.js';
import { lookedAtOf, type EventAnswer } from './explain-event.js';
import {
  decideKey,
  isPacked,
  recentSpan,
  type KeyAnswer,
  type KeyFacts,
  type Outside,
  type Span,
} from './explain-key.js';
import { decideTime, type TimeAnswer } from './explain-time.js';
import { explainRun, type RunAnswer } from './explain-run.js';
import { findRun, keyedIds } from './find-run.js';
import { foldRun, ticksOf } from './fold-history.js';
import { readRunError } from './list-runs.js';
import { historyOf } from './loops.js';
import { PageMissingError, readPage } from './pages.js';
import type { OnHistory } from './read-ticks.js';
import { ticksAround, withOlderTicks, type KnownTicks } from './search-ticks.js';
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

export type Explanation = { readonly sensor: string; readonly workflowId: string; readonly runId: string } & (
  | {
      readonly about: 'key';
      readonly runKey: string;
      /** Those that the sensor has; without any, run keys mean nothing. */
      readonly jobs: readonly string[];
      /** One for each job that has to do with the key; of all jobs where none has, unless it is an `event`. */
      readonly answers: readonly KeyAnswer[];
      /** There is no answer, and the text is no key: an event of what feeds the sensor, by its ID, or a dead letter. */
      readonly event?: EventAnswer;
    }
  | { readonly about: 'time'; readonly at: Date; readonly answer: TimeAnswer }
  | { readonly about: 'run'; readonly run: string; readonly answer: RunAnswer }
);

/** What is known of the sensor before anything is read. */
export interface Known {
  readonly description: SensorDescription;
  readonly standing: Standing;
}

/** What is asked names a job that the sensor does not have. */
export class NoSuchJobError extends Error {
  override readonly name = 'NoSuchJobError';
  constructor(sensor: string, job: string, jobs: readonly string[]) {
    const accepted = jobs.length === 0 ? 'it has none' : `accepted: ${jobs.map((each) => `'${each}'`).join(', ')}`;
    super(`sensor '${sensor}' has no job '${job}'; ${accepted}`);
  }
}

export interface ExplainOptions {
  readonly onHistory?: OnHistory | undefined;
}

export async function explain(
  client: Client,
  sensor: string,
  question: Question,
  known: Known,
  { onHistory }: ExplainOptions = {}
): Promise<Explanation> {
  const { workflowId, runId } = known.description;
  const about = { sensor, workflowId, runId };
  if ('at' in question) {
    const { at } = question;
    return { ...about, about: 'time', at, answer: await explainTime(client, sensor, at, known, onHistory) };
  }
  if ('run' in question) {
    const { run } = question;
    return { ...about, about: 'run', run, answer: await explainRun(client, sensor, run) };
  }
  const { runKey, job } = question;
  const { standing, description } = known;
  const lookedAt = lookedAtOf(description);
  const { pendingUntil } = description;
  const answered = await explainKey(client, sensor, { runKey, job, standing, lookedAt, pendingUntil, onHistory });
  return { ...about, about: 'key', runKey, ...answered };
}

// ------------------------------------------------------------------------------------------------ a key

interface Folded extends KnownTicks {
  readonly state: LoopState;
}

type AboutKey = Pick<KeyFacts, 'runKey' | 'standing' | 'pendingUntil'> & {
  readonly job: string | undefined;
  readonly lookedAt: Date | undefined;
  readonly onHistory: OnHistory | undefined;
};

async function explainKey(
  client: Client,
  sensor: string,
  { runKey, job, standing, lookedAt, pendingUntil, onHistory }: AboutKey
): Promise<Pick<Extract<Explanation, { about: 'key' }>, 'jobs' | 'answers' | 'event'>> {
  const run = await foldRun(client, await historyOf(client, sensor));
  const { state } = run;
  const { jobs } = state.options;
  const present = ticksOf(run);
  const waiting = await waitingOf(client, state);
  const found = new Map<string, Outside>();
  const decide = async (known: KnownTicks): Promise<readonly KeyAnswer[]> => {
    const answers: KeyAnswer[] = [];
    for (const name of job === undefined ? jobsOf({ ...known, state }, runKey) : [job]) {
      const outside = found.get(name) ?? (await lookOutside(client, sensor, state, { job: name, runKey, waiting }));
      found.set(name, outside);
      answers.push(decideKey({ ...known, ...outside, state, job: name, runKey, standing, waiting, pendingUntil }));
    }
    return answers;
  };
  const seen = (await decide({ ticks: present, since: new Date() })).filter(({ kind }) => kind !== 'notSeen');
  if (seen.length > 0) return { jobs, answers: seen };
  const event = await explainEvent(client, { sensor, text: runKey, state, standing, lookedAt });
  const told = { jobs, answers: [], ...(event === undefined ? {} : { event }) };
  // what a handler asked for older ticks may know
  if (jobs.length === 0 || (event !== undefined && event.kind !== 'read')) return told;
  const all = await decide(await withOlderTicks(client, sensor, present, onHistory));
  const earlier = all.filter(({ kind }) => kind !== 'notSeen');
  if (earlier.length > 0) return { jobs, answers: earlier };
  // what a job did that the sensor has no more is told; else its name is a mistake
  if (job !== undefined && !jobs.some((each) => each === job || aliasesOf(state.options, each).includes(job)))
    throw new NoSuchJobError(sensor, job, jobs);
  return event === undefined ? { jobs, answers: all } : told;
}

/** Jobs that the key may belong to: those of the sensor, and those that it wrongly asked for. */
function jobsOf({ state: { options, deadLetters }, ticks }: Folded, runKey: string): readonly string[] {
  const rejections = [...deadLetters, ...ticks.flatMap(({ rejected }) => rejected.sample)];
  const asked = rejections.flatMap((each) => (each.runKey === runKey && each.job !== undefined ? [each.job] : []));
  const aliases = new Set(options.jobs.flatMap((job) => aliasesOf(options, job)));
  return [...new Set([...options.jobs, ...asked.filter((job) => !aliases.has(job))])];
}

async function lookOutside(
  client: Client,
  sensor: string,
  state: LoopState,
  { job, runKey, waiting }: Pick<KeyFacts, 'job' | 'runKey' | 'waiting'>
): Promise<Outside> {
  const names = [job, ...aliasesOf(state.options, job)];
  const hashes = names.map((name) => runKeyHash(name, runKey));
  const sensors = sensorNames(sensor, state);
  const epoch = Math.max(...hashes.map((hash) => epochOf(state, hash)));
  const ids = [...new Set([epoch, 1])].flatMap((of) =>
    names.flatMap((name) => sensors.flatMap((each) => keyedIds({ sensor: each, job: name, runKey, epoch: of })))
  );
  const found = await findRun(client, sensors, { names, runKey, state });
  const run = found === undefined || (found.epoch ?? 1) < epoch ? undefined : found;
  const earlier = run === undefined ? found : undefined;
  if (found === undefined) {
    const about = {
      job,
      runKey,
      state,
      waiting,
      sealedSpan: (keys: readonly string[]) => sealedSpan(client, state, keys),
    };
    const backfill = await lookForBackfill(client, sensors, about);
    if (backfill !== undefined) return backfill;
  }
  const asked = run === undefined || state.options.dedupeMs !== undefined;
  const sealed =
    asked && recentSpan(state.ledger, hashes) === undefined ? await sealedSpan(client, state, hashes) : undefined;
  const error = run === undefined ? undefined : await readRunError(client, run);
  const first = epoch === 1 ? undefined : await findRun(client, sensors, { names, runKey, state, newest: 1 });
  return { names, hashes, ids, run, error, earlier, first, sealed };
}

/** Requests that wait to be started, in their order. */
async function waitingOf(client: Client, { launch }: LoopState): Promise<readonly { readonly hash?: string }[]> {
  const waiting: { readonly hash?: string }[] = [...(launch?.remaining ?? [])];
  for (const { id } of launch?.staged ?? []) waiting.push(...parseRequests(await pageOf(client, id)));
  return waiting;
}

/** Where the sealed pages have one of these keys; the newest are looked through first. */
async function sealedSpan(client: Client, { ledger }: LoopState, hashes: readonly string[]): Promise<Span | undefined> {
  for (const page of ledger.pages.toReversed()) {
    const content = await pageOf(client, page.id);
    if (typeof content === 'string' && isPacked(content, hashes)) return page;
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
  { description, standing }: Known,
  onHistory: OnHistory | undefined
): Promise<TimeAnswer> {
  const around = await ticksAround(client, sensor, at, onHistory);
  const { state, audit } = await foldRun(client, await historyOf(client, sensor));
  return decideTime({
    at,
    now: Date.now(),
    ...around,
    intervalMs: description.intervalMs,
    pauseMs: lastPause(state, description),
    dueSince: description.dueSince,
    closedAt: description.closeTime,
    audit,
    evaluation: description.evaluation,
    streak: state.streak,
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
