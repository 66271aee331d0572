/**
 * The JSON of `--json`: the client's types with every time as an ISO text.
 *
 * Fields are listed one by one, so that what must not be printed (cursor values, configs, payloads) cannot slip in
 * when a type grows. A field that is undefined is absent in the JSON. docs/cli.md has the tables.
 */
import type {
  Backfill,
  DeadLetter,
  SensorDescription,
  SensorRun,
  SensorState,
  SensorSummary,
  LastPosition,
  SensorWorker,
  TickRecord,
} from '../client/index.js';
import type { QuietReason } from '../sensors/protocol.js';
import type { WebUrlOf } from './session.js';
import { consumedIn, positionIn, retriedIn } from '../sensors/asset-position.js';

type LogLine = NonNullable<TickRecord['logs']>[number];
type Rejected = TickRecord['rejected']['sample'][number];

function isoTime(at: Date | number): string {
  return new Date(at).toISOString();
}

/** An ISO text, where there is a time. */
export function iso(at: Date | number | undefined): string | undefined {
  return at === undefined ? undefined : isoTime(at);
}

/** What `list` and `describe` have in common. */
export function sensorView(sensor: SensorSummary | SensorDescription) {
  const { statusFrom, statusBy, statusReason, statusUntil, health, intervalMs, jobs, pending, deadLetters } = sensor;
  const { description, tags, owners, workflowId, runId, unreadable } = sensor;
  return {
    sensor: sensor.sensor,
    status: sensor.status,
    statusFrom,
    statusBy,
    statusReason,
    statusUntil: iso(statusUntil),
    health,
    behindSince: iso(sensor.behindSince),
    unfolded: sensor.unfolded,
    intervalMs,
    jobs,
    pending,
    pendingUntil: iso(sensor.pendingUntil),
    deadLetters,
    description,
    tags,
    owners,
    workflowId,
    runId,
    unreadable,
  };
}

/** One element of `list`. */
export function listView(sensor: SensorDescription) {
  const { lastTick, runsLastDay, evaluation } = sensor;
  return {
    ...sensorView(sensor),
    failingSince: iso(sensor.failingSince),
    error: sensor.error,
    lastTick: lastTick === undefined ? undefined : { ...lastTick, at: iso(lastTick.at) },
    lastOutcome: evaluation?.lastOutcome,
    nextAt: iso(nextAt(sensor)),
    runsLastDay,
    // what a closed loop left undone is not due
    dueSince: iso(sensor.status === 'closed' ? undefined : sensor.dueSince),
  };
}

/** When the sensor does something next, as far as that has a time. */
export function nextAt({ status, statusUntil, evaluation, pendingUntil }: SensorDescription): Date | undefined {
  if (status === 'closed') return undefined;
  if (status === 'stopped') return statusUntil;
  return evaluation === undefined ? pendingUntil : evaluation.nextAt;
}

/** What `describe` knows besides the description. */
export interface DescriptionExtras {
  readonly workers: readonly SensorWorker[];
  /** The loop's own answer, when a worker gave it. */
  readonly state?: SensorState | undefined;
  /** The last recorded tick, from the same answer. */
  readonly lastTick?: TickRecord | undefined;
  /** The newest events of the assets that it reads, where their logs said them. */
  readonly lasts?: ReadonlyMap<string, LastPosition> | undefined;
  /** Why there is no answer of the loop. */
  readonly stateError?: string | undefined;
  readonly webUrl?: string | undefined;
}

/** The object of `describe`. */
export function descriptionView(
  description: SensorDescription,
  { workers, state, lastTick, stateError, webUrl, lasts }: DescriptionExtras
) {
  const evaluation = description.status === 'closed' ? undefined : description.evaluation;
  return {
    ...sensorView(description),
    taskQueue: description.taskQueue,
    timeoutMs: description.timeoutMs,
    historyLength: description.historyLength,
    failedTaskAttempts: description.failedTaskAttempts,
    watches: description.watches.length === 0 ? undefined : watchedViews(description, state, lasts),
    evaluation:
      evaluation === undefined
        ? undefined
        : {
            phase: evaluation.phase,
            attempt: evaluation.attempt,
            nextAt: iso(evaluation.nextAt),
            lastAttemptAt: iso(evaluation.lastAttemptAt),
            lastOutcome: evaluation.lastOutcome,
            lastTickOutcome: evaluation.lastTickOutcome,
            folded: evaluation.folded,
            notLoaded: evaluation.notLoaded,
            paused: evaluation.paused,
            streak: evaluation.streak.map(quietView),
          },
    workers: workers.map(({ identity, lastSeen }) => ({ identity, lastSeen: iso(lastSeen) })),
    lastTick: lastTick === undefined ? undefined : tickView(lastTick),
    state: state === undefined ? undefined : stateView(state),
    stateError,
    webUrl,
  };
}

/**
 * What a sensor watches, and how far it has read: its cursor says so if it is a sensor of assets. Of a log that began anew
 * it has read nothing, whatever it has read of the one before.
 *
 * @param lasts what the logs said when they were asked; without that, what they tell may be a minute old
 */
export function watchedViews(
  { watches }: SensorDescription,
  state: SensorState | undefined,
  lasts?: ReadonlyMap<string, LastPosition>
) {
  return watches.map(({ asset, last: told }) => {
    const cursor = state?.cursor?.value;
    const ever = positionIn(cursor, asset);
    if (ever === undefined) return { asset, last: told };
    const said = lasts?.get(asset);
    // of the log that there is now, if it has said which one it is
    const read = positionIn(cursor, asset, said?.id);
    const position = read ?? 0;
    const consumed = consumedIn(cursor, asset, said?.id);
    const last = Math.max(consumed?.newest ?? position, said?.last ?? told ?? 0);
    const lag = last - (consumed?.events ?? position);
    const open = consumedIn(cursor, asset) === undefined ? undefined : lag;
    return {
      asset,
      position,
      last,
      lag,
      open,
      retried: retriedIn(cursor, asset, said?.id),
      old: said === undefined ? true : undefined,
      anew: read === undefined ? true : undefined,
    };
  });
}

function stateView(state: SensorState) {
  return {
    startedAt: iso(state.startedAt),
    tick: state.tick,
    lastTickAt: iso(state.lastTickAt),
    lastRunKey: state.lastRunKey,
    nextAt: iso(state.nextAt),
    evaluating: state.evaluating,
    health: {
      status: state.health.status,
      since: iso(state.health.since),
      error: state.health.error,
      failures: state.health.failures,
    },
    pending: state.pending,
    keys: state.keys,
    deadLetters: state.deadLetters.map(deadLetterView),
    eventsWaiting: state.eventsWaiting,
    counters: state.counters,
    audit: state.audit.map(auditView),
  };
}

/** One element of `audit`. */
export function auditView({ at, what, by, reason }: SensorState['audit'][number]) {
  return { at: iso(at), what, by, reason };
}

function rejectionView({ id, kind, job, runKey, error }: Rejected) {
  return { id, kind, job, runKey, error };
}

/** One element of `dead-letters list`. */
export function deadLetterView(letter: DeadLetter) {
  const { tick, firstAt, lastAt, count } = letter;
  return { ...rejectionView(letter), tick, firstAt: iso(firstAt), lastAt: iso(lastAt), count };
}

function quietView({ reason, since, until, notEvaluated }: QuietReason) {
  return { reason, since: iso(since), until: iso(until), notEvaluated };
}

/** The object of `tick`, and one element of `ticks`. */
export function tickView(tick: TickRecord) {
  return {
    tick: tick.tick,
    status: tick.status,
    trigger: tick.trigger,
    startedAt: iso(tick.startedAt),
    endedAt: iso(tick.endedAt),
    evaluationMs: tick.evaluationMs,
    runs: tick.runs,
    duplicates: tick.duplicates,
    rejected: { count: tick.rejected.count, sample: tick.rejected.sample.map(rejectionView) },
    pending: tick.pending,
    events: tick.events,
    partitions: tick.partitions,
    assetEvents: tick.assetEvents,
    skipReason: tick.skipReason,
    error: tick.error,
    logs: tick.logs?.map(({ level, at, message }) => ({ level, at: isoTime(at), message })),
    logLinesDropped: tick.logLinesDropped,
    quiet: tick.quiet?.map(quietView),
    trace: tick.trace,
  };
}

/** One element of `logs`. */
export function logView(tick: number, { level, at, message }: LogLine) {
  return { tick, level, at: isoTime(at), message };
}

/** One element of `runs`. */
export function runView(run: SensorRun, error: string | undefined, webUrl: string | undefined) {
  return {
    workflowId: run.workflowId,
    runId: run.runId,
    job: run.job,
    status: run.status,
    tick: run.tick,
    requestedAtTick: run.requestedAtTick,
    runKey: run.runKey,
    partitionKey: run.partitionKey,
    assets: run.assets,
    epoch: run.epoch,
    by: run.by,
    reason: run.reason,
    tags: run.tags,
    startTime: iso(run.startTime),
    closeTime: iso(run.closeTime),
    error,
    webUrl,
  };
}

/** One element of `backfills`, and the object of `backfill`. */
export function backfillView(backfill: Backfill, webUrlOf: WebUrlOf) {
  const { id, job, status, policy, first, last, partitions, runs, waiting, running, done, failed } = backfill;
  const { concurrency, failures, runningRuns, by, reason, note, retryOf, error } = backfill;
  const { sensor, workflowId, runId, taskQueue, untaken } = backfill;
  return {
    id,
    job,
    status,
    policy,
    first,
    last,
    partitions,
    runs,
    waiting,
    running,
    done,
    failed,
    concurrency,
    failures: failures.map((each) => ({ partition: each.partition, error: each.error })),
    runningRuns: runningRuns?.map(({ partition, id: run }) => ({
      partition,
      id: run,
      webUrl: webUrlOf({ workflowId: run }),
    })),
    by,
    reason,
    note: note === undefined ? undefined : { what: note.what, at: iso(note.at), by: note.by, reason: note.reason },
    untaken: untaken?.map(({ what, at }) => ({ what, at: iso(at) })),
    retryOf,
    error,
    sensor,
    workflowId,
    runId,
    taskQueue,
    startTime: iso(backfill.startTime),
    closeTime: iso(backfill.closeTime),
    at: iso(backfill.at),
    webUrl: webUrlOf(backfill),
  };
}
