/**
 * Wakes the sensors that watch runs when workflows of this worker start or close, so that they need not wait for their
 * interval. A nudge is a `push` signal without events: the sensor looks for itself what there is.
 *
 * It knows its own plugin's sensors from their definitions, and those of other workers from the memos of their loops,
 * which it lists when something closes and its copy is old: nothing is asked while nothing closes. A nudge that gets
 * lost costs only the wait for the interval, so every error is swallowed, and nothing here delays a workflow.
 */
import type { Client } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOOPS_PER_PAGE, listExecutions } from '../client/executions.js';
import { loopId } from '../client/loops.js';
import { readCloseEvent } from '../client/run-history.js';
import {
  LOOP_ID_PREFIX,
  LOOP_TYPE,
  SENSOR_MEMO,
  SIGNALS,
  type RunInterest,
  type SensorMemo,
} from '../sensors/protocol.js';
import { isWatched, parseInterest } from '../sensors/run-interest.js';
import type { RunStatus } from '../sensors/status-run.js';
import { NudgeLane } from './nudge-lane.js';

/** A run that has just started, or is about to close: its workflow task is still to be reported. */
export interface ChangedRun {
  readonly workflowId: string;
  readonly runId: string;
  readonly type: string;
  readonly status: RunStatus;
}

/** Age at which the copy of the interests is read anew; a sensor that is stopped may have been started since. */
const MAX_AGE_MS = 30_000;
const MAX_AGE_WHILE_STOPPED_MS = 5_000;
/** How long a run that is about to close is waited for; the server answers a second earlier. Then the sensor is woken all the same. */
const CLOSE_TIMEOUT_MS = 5_000;
const SIGNAL_TIMEOUT_MS = 5_000;
const LIST_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 1_000;

interface Watcher {
  readonly interest: RunInterest;
  readonly stopped: boolean;
}

type Watchers = ReadonlyMap<string, Watcher>;

/** Which of the sensors a run wakes. Its own loop does not wake a sensor that watches loops. */
function wokenBy(run: ChangedRun, watchers: Watchers, stopped = false): readonly string[] {
  return [...watchers]
    .filter(([sensor, watcher]) => watcher.stopped === stopped && loopId(sensor) !== run.workflowId)
    .filter(([, { interest }]) => isWatched(interest, run))
    .map(([sensor]) => sensor);
}

export class Nudger {
  readonly #own: Watchers;
  readonly #report: (message: string, error: unknown) => void;
  readonly #abort = new AbortController();
  readonly #lanes = new Map<string, NudgeLane<ChangedRun>>();
  /** Runs that are waited for, so that several sensors share one wait. */
  readonly #closing = new Map<string, Promise<void>>();
  /** What closed while the interests are read: the newest run of each type and status. */
  readonly #unread = new Map<string, ChangedRun>();
  #client: Client | undefined;
  #watchers: Watchers;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /**
   * @param own interests of the sensors of the plugin, by their full names
   * @param report told of nudges that are lost
   */
  constructor(own: ReadonlyMap<string, RunInterest>, report: (message: string, error: unknown) => void) {
    this.#own = new Map([...own].map(([sensor, interest]) => [sensor, { interest, stopped: false }]));
    this.#watchers = this.#own;
    this.#report = report;
  }

  start(client: Client): void {
    this.#client = client;
  }

  /** Returns at once and never throws: the SDK waits for it before it reports the workflow task. */
  notify(run: ChangedRun): void {
    if (this.#client === undefined || this.#abort.signal.aborted) return;
    for (const sensor of wokenBy(run, this.#watchers)) this.#nudge(sensor, run);
    const maxAgeMs = wokenBy(run, this.#watchers, true).length > 0 ? MAX_AGE_WHILE_STOPPED_MS : MAX_AGE_MS;
    if (this.#reading === undefined && performance.now() - this.#readAt < maxAgeMs) return;
    this.#unread.set(`${run.status} ${run.type}`, run);
    this.#reading ??= this.#read(this.#client);
  }

  /** Ends; what is under way, and has deadlines of its own, is waited for at most a second. */
  async stop(): Promise<void> {
    this.#abort.abort();
    const patience = new AbortController();
    const { signal } = patience;
    const underWay = Promise.all([this.#reading, ...[...this.#lanes.values()].map((lane) => lane.idle())]);
    await Promise.race([underWay, sleep(STOP_TIMEOUT_MS, undefined, { signal }).catch(() => undefined)]);
    patience.abort();
  }

  /** Reads the interests, and nudges those that were not known for what closed meanwhile. */
  async #read(client: Client): Promise<void> {
    const before = this.#watchers;
    try {
      this.#watchers = await client.withDeadline(Date.now() + LIST_TIMEOUT_MS, () => this.#list(client));
    } catch (error) {
      this.#report('which sensors watch runs could not be listed; they find them at their interval', error);
    }
    this.#readAt = performance.now();
    this.#reading = undefined;
    for (const run of this.#unread.values()) {
      const known = wokenBy(run, before);
      for (const sensor of wokenBy(run, this.#watchers)) if (!known.includes(sensor)) this.#nudge(sensor, run);
    }
    this.#unread.clear();
  }

  async #list(client: Client): Promise<Watchers> {
    const watchers = new Map(this.#own);
    const query = `WorkflowType = '${LOOP_TYPE}' AND ExecutionStatus = 'Running'`;
    for await (const { workflowId, memo } of listExecutions(client, query, LOOPS_PER_PAGE)) {
      if (this.#abort.signal.aborted) break;
      const { options, status } = (memo?.[SENSOR_MEMO] ?? {}) as Partial<SensorMemo>;
      const interest = parseInterest(options);
      if (interest === undefined || !workflowId.startsWith(LOOP_ID_PREFIX)) continue;
      watchers.set(workflowId.slice(LOOP_ID_PREFIX.length), { interest, stopped: status === 'stopped' });
    }
    return watchers;
  }

  #nudge(sensor: string, run: ChangedRun): void {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    const pause = (ms: number): Promise<void> => sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
    const lane = this.#lanes.get(sensor) ?? new NudgeLane((each) => this.#send(sensor, each), pause, signal);
    this.#lanes.set(sensor, lane);
    lane.add(run);
  }

  async #send(sensor: string, run: ChangedRun): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    try {
      if (run.status !== 'started') await this.#closed(client, run);
      if (this.#abort.signal.aborted) return;
      const loop = client.workflow.getHandle(loopId(sensor));
      await client.withDeadline(Date.now() + SIGNAL_TIMEOUT_MS, () => loop.signal(SIGNALS.push));
    } catch (error) {
      this.#report(`sensor '${sensor}' could not be woken; it finds the run at its interval`, error);
    }
  }

  #closed(client: Client, run: ChangedRun): Promise<void> {
    const known = this.#closing.get(run.runId);
    if (known !== undefined) return known;
    const closing = waitUntilClosed(client, run)
      .catch((error: unknown) => this.#report(`whether workflow '${run.workflowId}' has closed is not known`, error))
      .finally(() => this.#closing.delete(run.runId));
    this.#closing.set(run.runId, closing);
    return closing;
  }
}

/** The worker tells of a run before the server knows: a sensor that is woken too early would find nothing. */
async function waitUntilClosed(client: Client, run: ChangedRun): Promise<void> {
  await client.withDeadline(Date.now() + CLOSE_TIMEOUT_MS, () => readCloseEvent(client, run, { wait: true }));
}
