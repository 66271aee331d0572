/**
 * A backfill: many partitions of a job, each run once, so many at a time. It can be paused, resumed and cancelled, and shows
 * how far it is.
 *
 * What is to be done only a worker with the job knows: an activity plans, and prepares the next runs. The rules are pure
 * functions in `backfill-state.ts`; this file sequences them.
 *
 * Traps it avoids: every start is answered before it continues as new; runs go on when it ends (`ABANDON`), and their IDs
 * derive from its own and the partition, so that a backfill that is started again after a termination finds them.
 */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
  makeContinueAsNewFunc,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  sleep,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import { ActivityFailure } from '@temporalio/common';
import type { SensorActivities } from '../activities/index.js';
import { asDecided, type BackfillPreview, type BackfillProgress, type BackfillResult } from '../sensors/backfill.js';
import { rejected } from '../sensors/failures.js';
import { MAX_HISTORY_BYTES, MAX_HISTORY_EVENTS } from '../sensors/limits.js';
import {
  BACKFILL_ID_PREFIX,
  BACKFILL_MEMO,
  BACKFILL_PLAN_UPDATE,
  BACKFILL_PROGRESS_QUERY,
  BACKFILL_SIGNALS,
  RUN_MEMO,
  type Note,
  type RunMemo,
} from '../sensors/protocol.js';
import * as rules from './backfill-state.js';
import { createBackfillRuns } from './backfill-runs.js';
import { parseNote, parseTexts } from './parse.js';
import {
  parseBackfillInput,
  parsePlan,
  parsePrepared,
  type BackfillInput,
  type PreparedRun,
} from './parse-backfill.js';
import { versioning } from './versioning.js';

/** Progress goes to the memo at most so often: each time costs an event. */
const MEMO_EVERY_MS = 10_000;
/** What was prepared is as its job and the partition set were then: after this time it is prepared anew. */
const PREPARED_FOR_MS = 60_000;
/** In the memo, which lists carry. */
const FAILURES_IN_MEMO = 3;
const PREVIEW_SAMPLE = 20;

type Activities = Pick<SensorActivities, 'planBackfill' | 'readBackfillKeys' | 'prepareBackfill' | 'releasePages'>;

/** Started by a client, or by a sensor's request, never by hand. */
export async function sensorBackfill(given?: unknown): Promise<BackfillResult | BackfillPreview> {
  const { workflowId, memo = {}, startTime } = workflowInfo();
  const id = idOf(workflowId);
  const parsed = parseBackfillInput(workflowId, given);
  if (typeof parsed === 'string') throw rejected(parsed);
  const { request, dryRun } = parsed;
  let state = parsed.state ?? rules.newBackfill(startTime.getTime(), parsed.decided);
  let prepared: readonly PreparedRun[] = [];
  let preparedAt = 0;
  let shown: BackfillProgress | undefined;
  /** The memo lacks something. */
  let isBehind = false;
  /** A timer runs that will add it. */
  let isTimed = false;

  const retry = { initialInterval: '1 second', maximumInterval: '10 seconds' } as const;
  // a job that no worker has is told, and not waited for
  const { planBackfill } = proxyActivities<Activities>({
    startToCloseTimeout: '2 minutes',
    summary: `plan ${id}`,
    retry: { ...retry, maximumAttempts: 30 },
  });
  const { readBackfillKeys, prepareBackfill } = proxyActivities<Activities>({
    startToCloseTimeout: '1 minute',
    summary: `next runs of ${id}`,
    retry,
  });
  const { releasePages } = proxyActivities<Activities>({
    startToCloseTimeout: '30 seconds',
    summary: `terminate pages that ${id} has read`,
    retry: { ...retry, maximumAttempts: 5 },
  });
  /** What a worker is asked: who cancels the backfill waits for no answer that may never come. */
  const asking = new CancellationScope();
  const runs = createBackfillRuns(workflowId, factsOf(workflowId, request, memo[RUN_MEMO]), {
    get: () => state,
    set: (next) => change(next),
  });

  // -------------------------------------------------------------------------------------------- messages

  function change(next: rules.BackfillState): void {
    state = next;
    publish();
  }

  /** Current details follow the state, the memo now and then. */
  function publish(): void {
    if (dryRun === true) return;
    const now = Date.now();
    const progress = rules.progressOf(state, request, now);
    setCurrentDetails(rules.backfillDetails(id, progress));
    if (shown !== undefined && shown.status === progress.status && now - shown.at < MEMO_EVERY_MS) {
      isBehind = true;
      void publishLater(shown.at + MEMO_EVERY_MS - now);
      return;
    }
    isBehind = false;
    shown = progress;
    upsertMemo({ [BACKFILL_MEMO]: memoOf(now) });
  }

  async function publishLater(ms: number): Promise<void> {
    if (isTimed) return;
    isTimed = true;
    try {
      await sleep(ms);
    } catch {
      // the backfill itself was cancelled in Temporal Web
      return;
    }
    isTimed = false;
    if (isBehind) publish();
  }

  function memoOf(now: number): BackfillProgress {
    return rules.progressOf(state, request, now, FAILURES_IN_MEMO);
  }

  function take(name: string, description: string, act: (note: Note, arg: unknown) => void): void {
    setHandler(defineSignal<[unknown?]>(name), (arg) => act(parseNote(arg), arg), { description });
  }
  take(BACKFILL_SIGNALS.pause, 'Starts no more runs until it is resumed: { "by", "reason" }.', (note) => {
    // what was prepared may be outdated when it goes on
    prepared = [];
    change(rules.pause(state, note, Date.now()));
  });
  take(BACKFILL_SIGNALS.resume, 'Goes on: { "by", "reason" }.', (note) =>
    change(rules.resume(state, note, Date.now()))
  );
  take(
    BACKFILL_SIGNALS.cancel,
    'Starts no more runs, and ends with those that run; { "runs": true } cancels these, too. { "by", "reason" }.',
    (note, arg) => {
      change(rules.cancel(state, note, Date.now()));
      asking.cancel();
      if ((arg as { readonly runs?: unknown } | null | undefined)?.runs === true) runs.cancel();
    }
  );
  setHandler(defineQuery<BackfillProgress>(BACKFILL_PROGRESS_QUERY), () => rules.answerOf(state, request, Date.now()));
  setHandler(
    defineUpdate<BackfillProgress>(BACKFILL_PLAN_UPDATE),
    async () => {
      await condition(() => state.plan !== undefined || rules.isOver(state));
      if (state.rejected !== undefined) throw rejected(state.rejected);
      return rules.progressOf(state, request, Date.now());
    },
    { description: 'Waits until it is known what is to be done, and gives the progress.' }
  );

  // -------------------------------------------------------------------------------------------- what is next

  /** @throws when the backfill itself was cancelled in Temporal Web */
  async function attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (isCancellation(error) && state.cancelled && !CancellationScope.current().consideredCancelled) return;
      if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
      change(rules.reject(state, error.cause?.message ?? error.message));
    }
  }

  async function plan(): Promise<void> {
    const wanted = state.decided === undefined ? request : asDecided(request, state.decided);
    const asked = { workflowId, request: wanted, dryRun: dryRun === true };
    const made = parsePlan(await asking.run(() => planBackfill(asked)));
    // else somebody completed the activity by hand: once more
    if (made !== undefined) change(rules.planned(state, made));
  }

  async function load(page: string): Promise<void> {
    const keys = parseTexts(await asking.run(() => readBackfillKeys({ id: page })));
    if (keys.length === 0) return;
    change(rules.loadKeys(state, page, keys));
    await release([page]);
  }

  async function release(ids: readonly string[]): Promise<void> {
    try {
      await releasePages({ ids });
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.warn(`backfill '${workflowId}' could not terminate pages that are no longer needed: ${ids.join(', ')}`, {
        error,
      });
    }
  }

  async function prepare(): Promise<void> {
    const keys = rules.nextKeys(state, request);
    const { policy = 'perPartition' } = state.plan ?? {};
    const ready = parsePrepared(await asking.run(() => prepareBackfill({ workflowId, request, policy, keys })));
    // what was paused meanwhile is prepared anew
    if (!ready.every(({ key }, index) => key === keys[index]) || state.paused) return;
    prepared = ready;
    preparedAt = Date.now();
  }

  function isPrepared(): boolean {
    return prepared.length > 0 && Date.now() - preparedAt <= PREPARED_FOR_MS;
  }

  async function startNext(): Promise<void> {
    const next = prepared.slice(0, rules.room(state, request));
    prepared = prepared.slice(next.length);
    await runs.start(next);
  }

  function isFull(): boolean {
    const { continueAsNewSuggested, historyLength, historySize } = workflowInfo();
    return continueAsNewSuggested || historyLength > MAX_HISTORY_EVENTS || historySize > MAX_HISTORY_BYTES;
  }

  async function continueAsNew(): Promise<never> {
    await condition(allHandlersFinished);
    return await makeContinueAsNewFunc<typeof sensorBackfill>({
      memo: { ...memo, [BACKFILL_MEMO]: memoOf(Date.now()) },
    })({ request, state } satisfies BackfillInput);
  }

  // -------------------------------------------------------------------------------------------- the backfill

  publish();
  runs.watch();
  while (!rules.isOver(state)) {
    const { plan: known, keys, pages } = state;
    const [page] = pages;
    if (known === undefined) await attempt(plan);
    else if (dryRun === true) return previewOf(state, request);
    else if (isFull()) await continueAsNew();
    else if (rules.room(state, request) > 0 && keys.length === 0 && page !== undefined) await attempt(() => load(page));
    else if (rules.room(state, request) > 0 && keys.length > 0) await (isPrepared() ? startNext() : attempt(prepare));
    else await condition(() => rules.isOver(state) || isFull() || hasRoom());
  }
  if (state.pages.length > 0) await release(state.pages);
  publish();
  await condition(allHandlersFinished);
  const result = rules.resultOf(state, request, Date.now());
  // as a failed workflow it can be started again, and goes on
  if (state.rejected !== undefined) throw rejected(state.rejected, ...(result.status === 'failed' ? [result] : []));
  return result;

  function hasRoom(): boolean {
    return rules.room(state, request) > 0 && state.keys.length + state.pages.length > 0;
  }
}
setWorkflowOptions(versioning, sensorBackfill);

/** What people call it. */
function idOf(workflowId: string): string {
  return workflowId.startsWith(BACKFILL_ID_PREFIX) ? workflowId.slice(BACKFILL_ID_PREFIX.length) : workflowId;
}

/** Who asked for its runs: the sensor that asked for it, or an operator. */
function factsOf(workflowId: string, { by, reason }: BackfillInput['request'], started: unknown): Omit<RunMemo, 'job'> {
  const { sensor, tick, via } = (started ?? {}) as Partial<RunMemo>;
  return {
    ...(typeof sensor === 'string' && typeof tick === 'number' ? { sensor, tick } : {}),
    backfill: idOf(workflowId),
    ...(Array.isArray(via) ? { via } : {}),
    ...(by === undefined ? {} : { by }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function previewOf(state: rules.BackfillState, request: BackfillInput['request']): BackfillPreview {
  const { policy = 'perPartition', first = '', last = '', partitions = 0, runs = 0 } = state.plan ?? {};
  const sample = state.keys.slice(0, PREVIEW_SAMPLE);
  const concurrency = rules.concurrencyOf(request);
  return { job: request.job, policy, first, last, partitions, runs, concurrency, sample };
}
