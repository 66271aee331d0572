/**
 * Operating sensors from outside: one implementation for programs, the CLI and tests.
 *
 * `list` and `describe` read visibility and Temporal's own description, never a query, so they answer in milliseconds
 * with no worker alive. `start` and `stop` are signals, for the same reason. What needs an answer from the loop
 * (`tick`, `setCursor`, `reset`, `state`, `ticks`) needs a worker.
 */
import { WorkflowFailedError, WorkflowNotFoundError, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { optionalTsToDate } from '@temporalio/common/lib/time.js';
import { CURSOR_MISFIT, type StoredCursor } from '../sensors/cursor.js';
import { jsonBytes, type Json } from '../sensors/json.js';
import { MAX_EVENT_BYTES } from '../sensors/limits.js';
import {
  ASSET_LOG_ID_PREFIX,
  LOOP_ID_PREFIX,
  LOOP_TYPE,
  QUERIES,
  SENSOR_MEMO,
  SIGNALS,
  UPDATES,
  type DeadLetterEdit,
  type KeyEdit,
  type LoopOptions,
  type Note,
  type Preview,
  type PreviewEdit,
  type RerunResult,
  type RetryResult,
  type SensorMemo,
  type SensorState,
  type TickRecord,
} from '../sensors/protocol.js';
import type { AssetRetention } from '../sensors/asset-event.js';
import { assetNameOf, type AssetReference } from '../sensors/asset-name.js';
import { logQueueOf } from './asset-queue.js';
import { retainAsset } from './assets.js';
import { assetsLike, readCatalog, requireAsset, type AssetSummary } from './asset-catalog.js';
import { BackfillClient } from './backfills.js';
import { recordFromClient, type ClientRecordOptions } from './asset-events.js';
import { describeAsset, type AssetDescription, type DescribeAssetOptions } from './describe-asset.js';
import { describePending, type EvaluationStatus } from './describe-pending.js';
import { inBatches } from './batches.js';
import { lookUpExecution, withMemo, type Description } from './executions.js';
import { explain, type ExplainOptions, type Explanation, type Question } from './explain.js';
import { isPruned, latestRuns } from './latest-runs.js';
import { listAssetEvents, type AssetEventsOptions, type ListedAssetEvent } from './list-asset-events.js';
import { hasRuns, listRuns, readRunError, type RunFilter, type SensorRun } from './list-runs.js';
import { loopId, recoverLoop, SensorPrunedError, SensorRenamedError } from './loops.js';
import { Outbox } from './outbox.js';
import { readPartitions } from './partitions.js';
import { processed } from './processed.js';
import { refuseChange, type SensorClientOptions } from './read-only.js';
import { cursorBefore } from './rewind.js';
import { prune, pruneAsset, type PruneOptions, type Pruned, type PrunedAsset } from './prune.js';
import { readTicks, type OnHistory, type TickHistoryOptions } from './read-ticks.js';
import { sensorFilter, type SensorFilter } from './sensor-filter.js';
import { isSignalLimit } from './signal-limit.js';
import { standingOf } from './standing.js';
import { recentTicks, type RecentTicks } from './tick-facts.js';
import { lastPositions, watchedAssets, type LastPosition, type WatchedAsset } from './watched-assets.js';

const DESCRIBES_AT_ONCE = 50;
/** `TASK_QUEUE_TYPE_WORKFLOW` of Temporal's API. */
const WORKFLOW_TASKS = 1;
/** `PENDING_WORKFLOW_TASK_STATE_SCHEDULED` of Temporal's API. */
const TASK_SCHEDULED = 1;

/** A sensor as `list` shows it; `lastTick` and `runsLastDay` only while it is stopped: `describe` has them always. */
export interface SensorSummary extends RecentTicks {
  readonly sensor: string;
  /** `closed`: its loop was cancelled or terminated; it comes back at the next worker start or `start`. */
  readonly status: 'running' | 'stopped' | 'closed';
  /** Whose decision the status is. */
  readonly statusFrom: 'operator' | 'code';
  readonly statusBy?: string;
  readonly statusReason?: string;
  /** When the operator decided it. */
  readonly statusAt?: Date;
  /** When a stop ends by itself. */
  readonly statusUntil?: Date;
  readonly health: 'ok' | 'failing';
  /** Since when it fails. */
  readonly failingSince?: Date;
  /** Why it fails, cut to 300 bytes. */
  readonly error?: string;
  /** The last time that it failed and recovered. */
  readonly recovered?: { readonly failingSince: Date; readonly at: Date };
  /** When the oldest event happened that a sensor fed by events has still to handle: its lag, as its last tick knew. */
  readonly behindSince?: Date;
  /** Why its idle ticks cost history (`the cursor changes at every tick`); absent while they fold and cost none. */
  readonly unfolded?: string;
  readonly intervalMs: number;
  readonly jobs: readonly string[];
  readonly pending: number;
  /** When the next of them start, if `maxRunsPerTick` left them over. */
  readonly pendingUntil?: Date;
  readonly deadLetters: number;
  readonly description?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly owners: readonly string[];
  readonly workflowId: string;
  readonly runId: string;
  /**
   * Its memo is encoded by a codec that this client does not have: all but its name, `closed` and what Temporal itself
   * says is unknown.
   */
  readonly unreadable?: true;
}

/** A sensor as `describe` shows it. */
export interface SensorDescription extends Omit<SensorSummary, 'health'> {
  /** `notLoaded`: no worker that was asked has the definition. */
  readonly health: 'ok' | 'failing' | 'notLoaded';
  readonly taskQueue: string;
  /** Of the loop's run: it continues as new now and then. */
  readonly startTime: Date;
  readonly closeTime?: Date;
  /** Of one evaluation; unknown until the loop has run for the first time. */
  readonly timeoutMs?: number;
  /** How long it remembers run keys; absent: for ever. */
  readonly dedupeMs?: number;
  readonly historyLength: number;
  /**
   * Attempts of a workflow task that fails again and again: the workers have no `sensorLoop`, or one that does not fit
   * the loop's history. The sensor stands still until that is repaired.
   */
  readonly failedTaskAttempts?: number;
  /** Its evaluation or its loop is due since then, and no worker has taken it. */
  readonly dueSince?: Date;
  /** The evaluation that runs or waits, as Temporal sees it. */
  readonly evaluation?: EvaluationStatus;
  /** Assets that it watches. */
  readonly watches: readonly WatchedAsset[];
}

/** How the cursor before a tick is looked up. */
export interface CursorBeforeOptions {
  /** What {@link SensorClient.ticks} gave. @default asks for them */
  readonly ticks?: readonly TickRecord[];
  /** Told of each older history that is read. */
  readonly onHistory?: OnHistory;
}

/** A worker that polls a task queue. */
export interface SensorWorker {
  readonly identity: string;
  /** Its last poll, by the server's clock; a live worker polls at least once a minute. */
  readonly lastSeen: Date;
}

/** There is no such sensor on this namespace. */
export class SensorNotFoundError extends Error {
  override readonly name = 'SensorNotFoundError';
  constructor(
    readonly sensor: string,
    readonly namespace: string,
    /** There was one: runs that it started are still known. */
    readonly hasRuns: boolean = false,
    /** It was pruned, and the server has not removed all of it yet. */
    readonly pruned: boolean = false
  ) {
    super(
      hasRuns
        ? `there is no sensor '${sensor}' in namespace '${namespace}' any more: it was pruned, or its loop was deleted, and ` +
            `with it what it knew of keys and ticks. Runs that it started remain: 'sensors runs ${sensor}' lists them`
        : pruned
          ? `there is no sensor '${sensor}' in namespace '${namespace}' any more: it was pruned, and begins anew when a worker ` +
            `that has it starts`
          : `there is no sensor '${sensor}' in namespace '${namespace}'; a sensor appears when a worker with it starts ` +
            `('sensors list' shows those that exist; names include the plugin's prefix)`
    );
  }
}

/** The loop refused; the message says why. */
export class SensorRejectedError extends Error {
  override readonly name = 'SensorRejectedError';
  constructor(
    readonly sensor: string,
    message: string,
    cause: unknown
  ) {
    super(message, { cause });
  }
}

export class SensorClient {
  private readonly outboxes = new Map<string, Outbox<Json>>();

  /** @param client a Temporal client of the cluster and namespace, with the data converter of the workers */
  constructor(
    private readonly client: Client,
    private readonly options: SensorClientOptions = {}
  ) {}

  /**
   * Sensors of the namespace, by name: all, or those that match the filter. Their health is what the loops say, so that
   * none is `notLoaded`; {@link describeAll} knows more.
   */
  async list(filter: SensorFilter = {}): Promise<SensorSummary[]> {
    const loops = await latestRuns(this.client, LOOP_TYPE, LOOP_ID_PREFIX);
    const matches = sensorFilter(filter);
    return loops
      .map(summaryOf)
      .filter(matches)
      .sort((a, b) => a.sensor.localeCompare(b.sensor));
  }

  /**
   * The same with what Temporal says of each, 50 at a time: what its evaluation waits for and last said. No query.
   *
   * @param onDescribed called after each, with how many there are
   */
  async describeAll(
    { health, ...filter }: SensorFilter = {},
    onDescribed?: (total: number) => void
  ): Promise<SensorDescription[]> {
    const summaries = await this.list(filter);
    const described = new Map<string, SensorDescription>();
    await inBatches(summaries, DESCRIBES_AT_ONCE, async ({ sensor }) => {
      try {
        described.set(sensor, await this.describe(sensor));
      } catch (error) {
        // pruned a moment ago
        if (!(error instanceof SensorNotFoundError)) throw error;
      }
      onDescribed?.(summaries.length);
    });
    const matches = sensorFilter({ health });
    return summaries.flatMap(({ sensor }) => {
      const description = described.get(sensor);
      return description !== undefined && matches(description) ? [description] : [];
    });
  }

  /**
   * @throws {@link SensorNotFoundError}
   */
  async describe(sensor: string): Promise<SensorDescription> {
    const loop = await this.lastLoop(sensor);
    if (loop === undefined) throw await this.notFound(sensor);
    const evaluation = await describePending(this.client, loop.raw.pendingActivities ?? []);
    const { unfolded, ...summary } = summaryOf(loop);
    const { pendingWorkflowTask: task } = loop.raw;
    const dueSince =
      evaluation?.dueSince ?? (task?.state === TASK_SCHEDULED ? optionalTsToDate(task.scheduledTime) : undefined);
    return {
      ...summary,
      // what the loop last knew; it does not hear of ticks that fold
      ...(unfolded === undefined || evaluation?.folded === true ? {} : { unfolded }),
      ...evaluation?.recent,
      health: evaluation?.notLoaded === true ? 'notLoaded' : summary.health,
      taskQueue: loop.taskQueue,
      startTime: loop.startTime,
      ...(loop.closeTime === undefined ? {} : { closeTime: loop.closeTime }),
      ...optionsOf(loop),
      historyLength: loop.historyLength,
      ...((loop.raw.pendingWorkflowTask?.attempt ?? 1) > 1
        ? { failedTaskAttempts: loop.raw.pendingWorkflowTask?.attempt ?? 1 }
        : {}),
      ...(dueSince === undefined ? {} : { dueSince }),
      ...(evaluation === undefined ? {} : { evaluation }),
      watches: await watchedAssets(this.client, (loop.memo?.[SENSOR_MEMO] as SensorMemo | undefined)?.options),
    };
  }

  /** Starts the sensor. One whose loop is closed comes back with its state. */
  async start(sensor: string, note: Note = {}): Promise<void> {
    refuseChange(this.options, 'start');
    const loop = await lookUpExecution(this.client, loopId(sensor));
    if (loop === undefined) throw new SensorNotFoundError(sensor, this.namespace);
    // what this client cannot read it would bring back without
    if (loop.status.name !== 'RUNNING') await this.recover(sensor, withMemo(loop).taskQueue);
    await this.choose(sensor, 'start', { at: Date.now(), ...note });
  }

  /** Stops the sensor: cursor, keys and pending requests stay; running jobs go on. */
  async stop(sensor: string, note: Note = {}): Promise<void> {
    await this.choose(sensor, 'stop', note);
  }

  /** Evaluates now, also when stopped, and waits for the tick. */
  async tick(sensor: string, note: Note = {}): Promise<TickRecord> {
    return await this.update<TickRecord>(sensor, UPDATES.tick, note);
  }

  /**
   * Hands events to the sensor and wakes it; each at most 1 KB of JSON. Without events it only wakes. Events of one
   * client arrive in the order of its calls; calls that come together share a signal.
   *
   * @throws {@link SensorRejectedError} when an event is too large, or so many signals came during one evaluation that
   *   Temporal takes no more
   */
  async push(sensor: string, ...events: Json[]): Promise<void> {
    for (const event of events) {
      const bytes = jsonBytes(event);
      if (bytes <= MAX_EVENT_BYTES) continue;
      const message = `an event for sensor '${sensor}' is ${bytes} bytes; at most ${MAX_EVENT_BYTES} (1 KB): push a reference to it`;
      throw new SensorRejectedError(sensor, message, undefined);
    }
    const outbox = this.outboxes.get(sensor) ?? new Outbox<Json>((all) => this.signal(sensor, SIGNALS.push, ...all));
    this.outboxes.set(sensor, outbox);
    await outbox.push(events);
  }

  /** Sets the cursor; an evaluation that runs at this moment is dropped and repeated. */
  async setCursor(sensor: string, cursor: Json, note: Note = {}): Promise<SensorState> {
    return await this.update<SensorState>(sensor, UPDATES.setCursor, { ...note, cursor });
  }

  /**
   * Sets the cursor to what it was before a tick, so that what came since is evaluated again. Keys that have run do not
   * run again.
   *
   * @param tick one of {@link ticks} or {@link tickHistory}
   * @throws {@link SensorRejectedError} when nobody knows that cursor any more: a tick that the server has forgotten too, or a large
   *   cursor; or when it does not fit today's schema
   */
  async rewindCursor(sensor: string, tick: number, note: Note = {}): Promise<SensorState> {
    refuseChange(this.options, 'rewindCursor');
    return await this.rewindCursorTo(sensor, tick, await this.cursorBefore(sensor, tick), note);
  }

  /**
   * The same with what {@link cursorBefore} gave, which is not looked up again.
   *
   * @param cursor undefined: there was none
   */
  async rewindCursorTo(
    sensor: string,
    tick: number,
    cursor: StoredCursor | undefined,
    note: Note = {}
  ): Promise<SensorState> {
    const edit = cursor === undefined ? { clear: true } : { cursor: cursor.value };
    try {
      return await this.update<SensorState>(sensor, UPDATES.setCursor, { ...note, ...edit, beforeTick: tick });
    } catch (error) {
      if (!(error instanceof SensorRejectedError) || !error.message.startsWith(CURSOR_MISFIT)) throw error;
      const where = error.message.slice(CURSOR_MISFIT.length);
      const message =
        `the cursor as it was before tick ${tick} does not fit the schema that sensor '${sensor}' has today${where}; ` +
        `set one that does, from where it should go on: sensors cursor set ${sensor} <json>`;
      throw new SensorRejectedError(sensor, message, error);
    }
  }

  /**
   * The cursor before a tick, or undefined when there was none; throws as {@link rewindCursor}. Asks a worker, and reads
   * the histories of the loop for a tick that it no longer remembers.
   */
  async cursorBefore(
    sensor: string,
    tick: number,
    { ticks, onHistory }: CursorBeforeOptions = {}
  ): Promise<StoredCursor | undefined> {
    const remembered = ticks ?? (await this.ticks(sensor));
    const isThere = remembered.some((each) => each.tick === tick);
    const older = isThere ? [] : await this.olderTick(sensor, tick, onHistory);
    const known = cursorBefore([...older, ...remembered], tick);
    if (!('refusal' in known)) return known.cursor;
    throw new SensorRejectedError(sensor, `the cursor cannot be rewound: ${known.refusal}; set it instead`, undefined);
  }

  /** A tick that the loop no longer remembers. */
  private async olderTick(sensor: string, tick: number, onHistory?: OnHistory): Promise<readonly TickRecord[]> {
    for await (const record of readTicks(this.client, sensor, { before: tick + 1, onHistory }))
      return record.tick === tick ? [record] : [];
    return [];
  }

  /** Forgets the cursor. */
  async clearCursor(sensor: string, note: Note = {}): Promise<SensorState> {
    return await this.update<SensorState>(sensor, UPDATES.setCursor, { ...note, clear: true });
  }

  /**
   * Evaluates without committing, also a stopped sensor: what would start, what is a duplicate, what would be rejected.
   * The author's code runs, with whatever it does outside.
   *
   * @param edit with another cursor than the stored one, or with none
   */
  async preview(sensor: string, edit: PreviewEdit = {}): Promise<Preview> {
    return await this.update<Preview>(sensor, UPDATES.preview, edit);
  }

  /**
   * Commits exactly what a preview showed, as a tick.
   *
   * @param id of the preview
   * @throws {@link SensorRejectedError} when the sensor has done something else since
   */
  async apply(sensor: string, id: string, note: Note = {}): Promise<TickRecord> {
    return await this.update<TickRecord>(sensor, UPDATES.apply, { ...note, id });
  }

  /** Forgets the operator's start or stop: the code's default counts again. */
  async reset(sensor: string, note: Note = {}): Promise<SensorState> {
    return await this.update<SensorState>(sensor, UPDATES.reset, note);
  }

  /**
   * Runs a key again, now: with the config of its last run, under an ID of its own, linked to the first run. A call that
   * ends by its deadline may still take effect, for up to 2 min; the same call again is another run.
   *
   * @throws {@link SensorRejectedError} when the key has no run on the server, or its last one still runs
   */
  async rerun(sensor: string, edit: KeyEdit): Promise<RerunResult> {
    return await this.update<RerunResult>(sensor, UPDATES.rerun, edit);
  }

  /**
   * Lets the next request of a key start a run, once, whatever ran before.
   *
   * @throws {@link SensorRejectedError} when the key has not run, as far as is known: its next request runs anyway
   */
  async rearm(sensor: string, edit: KeyEdit): Promise<SensorState> {
    return await this.update<SensorState>(sensor, UPDATES.rearm, edit);
  }

  /** Tries dead letters again, up to 40 at once: requests against today's code, events by handing them on. */
  async retryDeadLetters(sensor: string, edit: DeadLetterEdit = {}): Promise<RetryResult> {
    return await this.update<RetryResult>(sensor, UPDATES.retryDeadLetters, edit);
  }

  /** Drops dead letters: those named by `ids`, else all. */
  async discardDeadLetters(sensor: string, edit: DeadLetterEdit = {}): Promise<SensorState> {
    return await this.update<SensorState>(sensor, UPDATES.discardDeadLetters, edit);
  }

  /** Drops the requests that wait to be started. */
  async discardPending(sensor: string, note: Note = {}): Promise<SensorState> {
    return await this.update<SensorState>(sensor, UPDATES.discardPending, note);
  }

  /**
   * Forgets the sensor: loop, cursor, run keys and pages. Its runs stay, so within the namespace's retention their
   * keys still do not run again. A worker that has the sensor starts it anew at its next start. One that failed half-way
   * goes on when it is called again.
   *
   * @throws {@link SensorNotFoundError} when there is nothing to forget
   */
  async prune(sensor: string, options: PruneOptions = {}): Promise<Pruned> {
    refuseChange(this.options, 'prune');
    const pruned = await prune(this.client, sensor, options);
    if (pruned.loopRuns === 0 && pruned.pages === 0) throw new SensorNotFoundError(sensor, this.namespace);
    return pruned;
  }

  /** What the loop knows: cursor, counters, dead letters, audit. Asks a worker. */
  async state(sensor: string): Promise<SensorState> {
    return await this.ask(sensor, () => this.handle(sensor).query<SensorState>(QUERIES.state));
  }

  /** The last ticks that were recorded, oldest first. Asks a worker. */
  async ticks(sensor: string): Promise<readonly TickRecord[]> {
    return await this.ask(sensor, () => this.handle(sensor).query<readonly TickRecord[]>(QUERIES.ticks));
  }

  /**
   * Ticks from the histories of the loop, newest first, also those that the loop no longer remembers: as far back as the
   * server keeps them. Asks no worker. The last tick may still be `started` here when it has just ended.
   */
  tickHistory(sensor: string, options: TickHistoryOptions = {}): AsyncIterable<TickRecord> {
    return readTicks(this.client, sensor, options);
  }

  /** The keys of a dynamic partition set, by its name with the plugin's prefix, as they were added. Asks a worker. */
  async partitions(set: string): Promise<readonly string[]> {
    return await readPartitions(this.client, set);
  }

  /**
   * Records that an asset was made, outside of any run: by a script, a notebook, another system.
   *
   * @param asset its definition, key (`['sales', 'orders']`) or name (`'sales/orders'`)
   * @throws `ApplicationFailure` for a name, partition or metadata that cannot be recorded
   */
  async materialize(asset: AssetReference, options: ClientRecordOptions = {}): Promise<void> {
    refuseChange(this.options, 'materialize');
    await recordFromClient(this.client, 'materialization', asset, options);
  }

  /** Records what was seen of an asset without making it; otherwise like {@link materialize}. */
  async observe(asset: AssetReference, options: ClientRecordOptions = {}): Promise<void> {
    refuseChange(this.options, 'observe');
    await recordFromClient(this.client, 'observation', asset, options);
  }

  /**
   * The assets that sensors of the namespace tell of or that something was recorded of, by name. Asks no worker.
   *
   * @param options.name pattern such as `sales/*` or `sales/**`; without a slash it is that of the last part. @default all
   */
  async assets({ name }: { readonly name?: string } = {}): Promise<AssetSummary[]> {
    return assetsLike(await readCatalog(this.client), name);
  }

  /**
   * An asset with its lineage, the last materialization of each partition and how far its readers are.
   *
   * @throws {@link AssetNotFoundError}
   */
  async describeAsset(asset: AssetReference, options: DescribeAssetOptions = {}): Promise<AssetDescription> {
    return await describeAsset(this.client, assetNameOf(asset), options);
  }

  /**
   * Positions of the newest events of assets, by name, as their logs say now, each with the identity of its log: without
   * those that do not answer within 3 s, and those that have no log. Asks workers.
   */
  async lastPositions(assets: readonly AssetReference[]): Promise<ReadonlyMap<string, LastPosition>> {
    return await lastPositions(this.client, assets.map(assetNameOf));
  }

  /**
   * Events of an asset in the order in which they were recorded: the newest, or those after a position. Asks a worker.
   *
   * @throws {@link AssetNotFoundError}
   */
  async assetEvents(asset: AssetReference, options: AssetEventsOptions = {}): Promise<readonly ListedAssetEvent[]> {
    const name = assetNameOf(asset);
    const events = await listAssetEvents(this.client, name, options);
    if (events.length === 0 && (await lookUpExecution(this.client, ASSET_LOG_ID_PREFIX + name)) === undefined)
      requireAsset(await readCatalog(this.client), name, this.namespace);
    return events;
  }

  /**
   * Sets how much of an asset's log is kept beyond what its readers have still to read. Needs no worker.
   *
   * @throws {@link AssetNotFoundError}
   * @throws `ApplicationFailure` when nothing was recorded of it yet
   */
  async retainAsset(asset: AssetReference, retention: AssetRetention): Promise<void> {
    refuseChange(this.options, 'retainAsset');
    const { asset: name } = requireAsset(await readCatalog(this.client), assetNameOf(asset), this.namespace);
    const taskQueue = await logQueueOf(this.client, name);
    await retainAsset(this.client, name, { ...retention, taskQueue });
  }

  /**
   * Forgets what was recorded of an asset: its log, with all events, and how far its readers are. The runs that made it
   * stay. Its next event begins the log anew; a sensor that still reads it says so and handles that one from the first.
   * Needs no worker. One that failed half-way goes on when it is called again.
   *
   * @throws {@link AssetNotFoundError}
   */
  async pruneAsset(asset: AssetReference, options: PruneOptions = {}): Promise<PrunedAsset> {
    refuseChange(this.options, 'pruneAsset');
    const name = assetNameOf(asset);
    const pruned = await pruneAsset(this.client, name, options);
    if (pruned.logRuns === 0 && pruned.pages === 0) requireAsset(await readCatalog(this.client), name, this.namespace);
    return pruned;
  }

  /**
   * What became of a run key, what took place at a time and why not more, or where a run came from: one answer from
   * all that Temporal still knows. Asks no worker, but of an event of an asset its log, for 3 s.
   *
   * @param options.onHistory is told of each older history that is read: a key that nothing asked for may cost 20
   * @throws {@link SensorNotFoundError}, which says whether runs are left of a sensor that was pruned
   */
  async explain(sensor: string, question: Question, options: ExplainOptions = {}): Promise<Explanation> {
    const description = await this.describe(sensor).catch(async (error: unknown) => {
      if (!(error instanceof SensorNotFoundError)) throw error;
      throw new SensorNotFoundError(sensor, this.namespace, await hasRuns(this.client, sensor), error.pruned);
    });
    const standing = standingOf(description, await this.workers(description.taskQueue));
    return await explain(this.client, sensor, question, { description, standing }, options);
  }

  /** Why a run failed or was terminated, in one message; undefined for any other. */
  async runError(run: SensorRun): Promise<string | undefined> {
    return await readRunError(this.client, run);
  }

  /** The runs of a sensor, newest first: all, or those that match the filter. */
  runs(sensor: string, filter: RunFilter = {}): AsyncIterable<SensorRun> {
    return listRuns(this.client, sensor, filter);
  }

  /**
   * The workers that have polled this task queue of a sensor, seen last first. One that is gone stays listed for up to
   * five minutes; with none at all, what needs a worker's answer can only wait.
   */
  async workers(taskQueue: string): Promise<readonly SensorWorker[]> {
    const { pollers } = await this.client.workflowService.describeTaskQueue({
      namespace: this.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: WORKFLOW_TASKS,
    });
    return (pollers ?? [])
      .map(({ identity, lastAccessTime }) => ({
        identity: identity ?? '',
        lastSeen: optionalTsToDate(lastAccessTime) ?? new Date(0),
      }))
      .sort((a, b) => b.lastSeen.getTime() - a.lastSeen.getTime());
  }

  /** Backfills: many partitions of a job, each run once. */
  get backfills(): BackfillClient {
    return new BackfillClient(this.client, this.options);
  }

  get namespace(): string {
    return this.client.options.namespace;
  }

  private async recover(sensor: string, taskQueue: string): Promise<void> {
    try {
      await recoverLoop(this.client, { sensor, taskQueue });
    } catch (error) {
      // a worker was faster
      if (error instanceof SensorRenamedError || error instanceof SensorPrunedError)
        throw new SensorRejectedError(sensor, error.message, error);
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  private handle(sensor: string) {
    return this.client.workflow.getHandle(loopId(sensor));
  }

  /** A signal, which needs no worker; an update where those who push have used up the signals. */
  private async choose(sensor: string, name: 'start' | 'stop', note: Note): Promise<void> {
    try {
      await this.signal(sensor, SIGNALS[name], note);
    } catch (error) {
      if (!(error instanceof SensorRejectedError) || !isSignalLimit(error.cause)) throw error;
      await this.update<SensorState>(sensor, UPDATES[name], note);
    }
  }

  private async signal(sensor: string, name: string, ...args: unknown[]): Promise<void> {
    refuseChange(this.options, name);
    await this.ask(sensor, () => this.handle(sensor).signal(name, ...args));
  }

  /** A preview, too, is none of a read-only client's: it runs the author's code. */
  private async update<T>(sensor: string, name: string, arg: unknown): Promise<T> {
    refuseChange(this.options, name);
    const send = (): Promise<T> => this.handle(sensor).executeUpdate<T, [unknown]>(name, { args: [arg] });
    return await this.ask(sensor, () => processed(send));
  }

  private async ask<T>(sensor: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) throw await this.explainMissing(sensor);
      if (
        (error instanceof WorkflowUpdateFailedError || error instanceof WorkflowFailedError) &&
        error.cause instanceof ApplicationFailure
      ) {
        throw new SensorRejectedError(sensor, error.cause.message, error);
      }
      if (isSignalLimit(error)) {
        const message =
          `sensor '${sensor}' takes no more messages until its evaluation has ended: Temporal's limit of signals in one run ` +
          `(10,000 by default) is reached. Send again then`;
        throw new SensorRejectedError(sensor, message, error);
      }
      throw error;
    }
  }

  /** The last run of the sensor's loop; none when it was pruned, though the server may take a minute to delete it. */
  private async lastLoop(sensor: string): Promise<Description | undefined> {
    const loop = await lookUpExecution(this.client, loopId(sensor));
    return loop?.status.name === 'TERMINATED' && (await isPruned(this.client, loop)) ? undefined : loop;
  }

  /** Of a sensor without a loop that counts: one that is left was pruned. */
  private async notFound(sensor: string): Promise<SensorNotFoundError> {
    const left = await lookUpExecution(this.client, loopId(sensor));
    return new SensorNotFoundError(sensor, this.namespace, false, left !== undefined);
  }

  private async explainMissing(sensor: string): Promise<Error> {
    const loop = await this.lastLoop(sensor);
    if (loop === undefined) return await this.notFound(sensor);
    return new SensorRejectedError(
      sensor,
      `the loop of sensor '${sensor}' is closed (${loop.status.name}); 'sensors start ${sensor}' brings it back`,
      undefined
    );
  }
}

interface LoopExecution {
  readonly workflowId: string;
  readonly runId: string;
  readonly status: { readonly name: string };
  readonly memo?: Record<string, unknown>;
  readonly unreadable?: Error;
}

function summaryOf({ workflowId, runId, status, memo: memos, unreadable }: LoopExecution): SensorSummary {
  const memo = memos?.[SENSOR_MEMO] as SensorMemo | undefined;
  return {
    sensor: workflowId.slice(LOOP_ID_PREFIX.length),
    status: status.name === 'RUNNING' ? (memo?.status ?? 'running') : 'closed',
    statusFrom: memo?.statusFrom ?? 'code',
    ...(memo?.statusBy === undefined ? {} : { statusBy: memo.statusBy }),
    ...(memo?.statusReason === undefined ? {} : { statusReason: memo.statusReason }),
    ...(memo?.statusAt === undefined ? {} : { statusAt: new Date(memo.statusAt) }),
    ...(memo?.statusUntil === undefined ? {} : { statusUntil: new Date(memo.statusUntil) }),
    health: memo?.health ?? 'ok',
    ...(memo?.failingSince === undefined ? {} : { failingSince: new Date(memo.failingSince) }),
    ...(memo?.error === undefined ? {} : { error: memo.error }),
    ...(memo?.recovered === undefined
      ? {}
      : {
          recovered: { failingSince: new Date(memo.recovered.failingSince), at: new Date(memo.recovered.at) },
        }),
    ...(memo?.behindSince === undefined ? {} : { behindSince: new Date(memo.behindSince) }),
    ...(memo?.unfolded === undefined ? {} : { unfolded: memo.unfolded }),
    ...recentTicks(memo?.facts),
    intervalMs: memo?.intervalMs ?? 0,
    jobs: memo?.jobs ?? [],
    pending: memo?.pending ?? 0,
    ...(memo?.pendingUntil === undefined ? {} : { pendingUntil: new Date(memo.pendingUntil) }),
    deadLetters: memo?.deadLetters ?? 0,
    ...(memo?.description === undefined ? {} : { description: memo.description }),
    tags: memo?.tags ?? {},
    owners: memo?.owners ?? [],
    workflowId,
    runId,
    ...(unreadable === undefined ? {} : { unreadable: true }),
  };
}

function optionsOf({ memo: memos }: LoopExecution): Pick<SensorDescription, 'timeoutMs' | 'dedupeMs'> {
  const memo = memos?.[SENSOR_MEMO] as SensorMemo | undefined;
  if (memo === undefined) return {};
  const { timeoutMs, dedupeMs } = JSON.parse(memo.options) as LoopOptions;
  return { timeoutMs, ...(dedupeMs === undefined ? {} : { dedupeMs }) };
}
