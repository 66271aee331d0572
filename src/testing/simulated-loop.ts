/**
 * The loop of a sensor on a virtual clock: the same pure rules as the real one in the same order, and the same
 * evaluation, with an array of runs for a server. Waiting costs nothing, so weeks of ticks take milliseconds.
 *
 * What it leaves out is what costs time and changes no outcome: windows of starts, staged pages, history limits.
 */
import { CancelledFailure } from '@temporalio/common';
import { KnownKeys, packSeal } from '../activities/known-keys.js';
import { KnownStreaks } from '../activities/known-streaks.js';
import { quietFailure, type AttemptTimes } from '../sensors/attempt-end.js';
import type { NewAssetEvent } from '../sensors/asset-event.js';
import { eventsOfTick } from '../sensors/asset-requests.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import type { EvaluationServices } from '../sensors/evaluation.js';
import type { Json } from '../sensors/json.js';
import { ledgerKeys, planSeal } from '../sensors/key-ledger.js';
import { HEARTBEAT_TIMEOUT_MS, MAX_STARTS_PER_RUN } from '../sensors/limits.js';
import type { LogSink } from '../sensors/log-book.js';
import type { AssetReader } from '../sensors/narrow-stale.js';
import type { CursorEdit, Health, LaunchRequest, LoopState, StreakRecord, TickRecord } from '../sensors/protocol.js';
import { applyCursorEdit, applyMessage, endEvaluation, type ActivityEnd } from '../workflows/apply.js';
import * as rules from '../workflows/rules.js';
import type { CrashStep } from './crashes.js';
import { recordSimulated, simulatedReader, type SimulatedLogs } from './simulated-assets.js';
import { Abort, simulateAttempt, type AttemptEnd, type Thrown } from './simulated-attempt.js';

/** How long after a crash the next worker goes on. */
const RECOVERY_MS = HEARTBEAT_TIMEOUT_MS + 1_000;
/** Evaluations at one instant after which it is clear that time stands still. */
const MAX_AT_ONE_INSTANT = 10_000;

/** What outlives every worker. */
export interface SimulatedServer {
  /** Contents of the sealed parts of the ledger, by ID. */
  readonly pages: Map<string, string>;
  /** Keys of the dynamic partition sets, by name. */
  readonly partitions: Map<string, ReadonlySet<string>>;
  readonly logs: SimulatedLogs;
  /** Makes IDs that never come again. */
  serial: number;
}

/** The world of a simulated loop. */
export interface LoopWorld {
  readonly services: Omit<EvaluationServices, 'book' | 'signal'>;
  /** Aborts the author's code from outside. */
  readonly signal?: AbortSignal;
  readonly sink: LogSink;
  /** Lets what is planned up to `to` happen, until a message comes; sets the loop's clock. */
  readonly advance: (loop: SimulatedLoop, to: number) => Promise<void> | void;
  /** Called before each evaluation. */
  readonly prepare: () => Promise<void> | void;
  readonly crashes: (step: CrashStep, at: number, tick: number) => boolean;
  /** Asks the server to start a run. */
  readonly start: (request: LaunchRequest, tick: number) => Promise<'started' | 'refused'>;
  /** An event of an asset is on record. */
  readonly recorded: (event: NewAssetEvent) => void;
  readonly ticked: (record: TickRecord) => void;
  /** An evaluation that left no record. */
  readonly folded: (reason: string) => void;
  readonly failed: (failure: Thrown) => void;
}

/** An evaluation in progress. */
interface Current extends rules.Running {
  cancelled: boolean;
  /** Aborts the attempt that runs. */
  abort: Abort | undefined;
}

/** A simulation that cannot go on. The message says at what virtual time, and why. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
}

export class SimulatedLoop {
  /** Grows with each message. */
  messages = 0;
  /** Real time at which the attempt that runs began. */
  attemptBeganAt: number | undefined;
  #current: Current | undefined;
  #abort: Abort | undefined;
  #evaluations = 0;
  #starts = 0;
  #fresh = true;
  readonly #streaks = new KnownStreaks();
  #resting = false;
  #prepared = false;
  #instant = { at: Number.NaN, evaluations: 0 };
  readonly #assets: AssetReader;
  /** What the worker remembers of the run keys. */
  #keys = new KnownKeys();

  /** @param now milliseconds since the epoch */
  constructor(
    private readonly definition: SensorDefinition,
    private readonly world: LoopWorld,
    public state: LoopState,
    public now: number,
    private readonly server: SimulatedServer
  ) {
    this.#assets = simulatedReader(definition, server);
  }

  /** A message to the loop, as a signal or an update brings it. */
  take(name: string, ...args: readonly Json[]): void {
    this.state = applyMessage(this.state, { kind: 'signal', name, args }, this.now);
    this.#wake();
  }

  /** An operator's cursor, checked. */
  editCursor(edit: CursorEdit): void {
    this.state = applyCursorEdit(this.state, edit, this.now);
    this.#wake();
  }

  #wake(): void {
    this.messages++;
    const current = this.#current;
    if (current === undefined) return;
    current.cancelled ||= rules.givesWay(this.state, current);
    const reason = current.cancelled ? rules.abortReason(this.state, current) : null;
    if (reason !== null)
      current.abort?.abort(
        new CancelledFailure(reason === 'stop' ? 'the sensor was stopped' : 'the cursor was edited')
      );
  }

  /** Goes on up to this time, exclusive. */
  async runUntil(end: number): Promise<void> {
    while (this.now < end) {
      this.state = rules.resumeWhenDue(this.state, this.now);
      if (rules.mayLaunch(this.state, this.now)) await this.#launch();
      await this.#tidy();
      if (this.#resting || this.#starts >= MAX_STARTS_PER_RUN) await this.#continueAsNew();
      if (rules.mayLaunch(this.state, this.now)) continue;
      const step = rules.nextStep(this.state, this.now);
      if (step.kind === 'evaluate') await this.#evaluate(step.delayMs, end);
      else await this.world.advance(this, Math.min(end, this.now + (step.ms ?? Number.POSITIVE_INFINITY)));
    }
  }

  /** One evaluation now, and everything it asks for. */
  async tick(): Promise<void> {
    do {
      await this.#evaluate(0, Number.POSITIVE_INFINITY);
      while (this.state.launch?.record !== undefined) {
        this.#starts = 0;
        await this.#launch();
      }
      // the first one of a sensor with an initial cursor only stores that
    } while (this.state.wake === 'tick');
  }

  // -------------------------------------------------------------------------------------------- evaluation

  async #evaluate(delayMs: number, end: number): Promise<void> {
    const begin = { sensor: this.definition.name, evaluation: ++this.#evaluations, delayMs, rest: !this.#fresh };
    const { evaluated, state } = rules.beginEvaluation(this.state, begin, this.now);
    this.state = state;
    const current: Current = { evaluated, cursorEdits: state.cursorEdits, cancelled: false, abort: undefined };
    this.#current = current;
    const activityEnd = await this.#activity(current, end);
    this.#current = undefined;
    this.#fresh = false;
    if (activityEnd === undefined) {
      this.state = rules.interrupted(this.state, evaluated, false, this.now);
      return;
    }
    const { health } = this.state;
    const after = endEvaluation(this.state, current, activityEnd, this.now);
    this.state = after.state;
    if (after.kind === 'interrupted') return;
    this.#resting = after.kind === 'rested' || evaluated.trigger === 'start';
    if (after.kind === 'rested') return;
    await this.#callHook(health);
    if (this.state.launch?.record === undefined) this.#tickEnded();
  }

  /** The evaluation activity with all its attempts; gives nothing when the simulation ends first. */
  async #activity(current: Current, end: number): Promise<ActivityEnd | undefined> {
    const { dueAt, input } = current.evaluated;
    const nonce = `simulated${++this.server.serial}`;
    let streak = this.#streaks.before(input);
    let due = dueAt;
    for (;;) {
      if (this.now < due) await this.world.advance(this, Math.min(due, end));
      if (current.cancelled) return { error: new CancelledFailure('woken') };
      if (this.now >= end) return undefined;
      if (!this.#prepared) await this.world.prepare();
      this.#prepared = true;
      if (current.cancelled) return { error: new CancelledFailure('woken') };
      this.#countInstant();
      if (this.#crashes('before evaluate', input.tick)) {
        due = this.#lost();
        continue;
      }
      const times = { scheduledAt: due, waitedMs: due - dueAt + input.delayMs };
      const ended = await this.#attempt(current, times, nonce, streak);
      this.#prepared = false;
      if (ended.kind === 'aborted') return { error: ended.error };
      if (this.#crashes('after evaluate', input.tick)) {
        due = this.#lost();
        continue;
      }
      if (ended.kind !== 'folded') {
        if (ended.kind === 'failed') this.world.failed(ended.failure);
        if (ended.kind === 'rested') this.world.folded(ended.reason);
        if (this.#crashes('after result', input.tick)) await this.#recover();
        return ended.kind === 'failed' ? { error: ended.error } : { value: ended.result };
      }
      this.world.folded(ended.reason);
      if (ended.failure !== undefined) this.world.failed(ended.failure);
      due = this.now + ended.pauseMs;
      streak = ended.streak;
      if (streak !== undefined) this.#streaks.keep(input, streak, due);
      if (current.cancelled) return { error: quietFailure(ended.reason, ended.pauseMs, undefined) };
    }
  }

  async #attempt(
    current: Current,
    times: AttemptTimes,
    nonce: string,
    streak: StreakRecord | undefined
  ): Promise<AttemptEnd> {
    const { services, sink } = this.world;
    const abort = this.#signalOf(current);
    this.attemptBeganAt = performance.now();
    try {
      return await simulateAttempt({
        definition: this.definition,
        input: current.evaluated.input,
        times,
        now: this.now,
        nonce,
        streak,
        knownKeys: () => this.#knownKeys(current),
        assets: this.#assets,
        services,
        abort,
        sink,
      });
    } finally {
      this.attemptBeganAt = undefined;
      current.abort = undefined;
    }
  }

  /** One signal does until it is aborted: a new one for each attempt would cost as much as the attempt. */
  #signalOf(current: Current): Abort {
    if (this.#abort?.reason !== undefined) this.#abort = undefined;
    this.#abort ??= new Abort(this.world.signal);
    current.abort = this.#abort;
    return this.#abort;
  }

  async #knownKeys({ evaluated }: Current): Promise<KnownKeys> {
    await this.#keys.refresh(evaluated.input.ledger, {
      ask: async () => ledgerKeys(this.state.ledger),
      readPage: async (id) => this.server.pages.get(id),
      alive: () => undefined,
    });
    return this.#keys;
  }

  #changePartitions(): void {
    for (const { set, add, delete: gone } of this.state.launch?.partitions ?? []) {
      const keys = new Set(this.server.partitions.get(set));
      for (const key of gone) keys.delete(key);
      for (const key of add) keys.add(key);
      this.server.partitions.set(set, keys);
    }
    this.state = rules.endPartitions(this.state, [], this.now);
  }

  #recordAssets(): void {
    const { assetEvents, record } = this.state.launch ?? {};
    if (assetEvents === undefined || record === undefined) return;
    for (const event of eventsOfTick(assetEvents, this.definition.name, record.tick))
      if (recordSimulated(this.server.logs, event, this.now)) this.world.recorded(event);
    this.state = rules.endAssetEvents(this.state, undefined, this.now);
  }

  #countInstant(): void {
    if (this.#instant.at !== this.now) this.#instant = { at: this.now, evaluations: 0 };
    if (++this.#instant.evaluations <= MAX_AT_ONE_INSTANT) return;
    throw new SimulationError(
      `sensor '${this.definition.name}' was evaluated ${MAX_AT_ONE_INSTANT} times at ${new Date(this.now).toISOString()} without ` +
        `any time passing; does it ever stop asking for more (ctx.more)?`
    );
  }

  async #callHook(before: Health): Promise<void> {
    const hooked = rules.healthHook(this.state, before);
    if (hooked === undefined) return;
    const { hook, error, failingSince } = hooked;
    const { name: sensor } = this.definition;
    const { client } = this.world.services;
    try {
      await this.definition[hook]?.({ sensor, error, failingSince: new Date(failingSince), client });
    } catch (thrown) {
      this.world.sink('warn', `${hook} of sensor '${sensor}' failed`, { error: thrown });
    }
  }

  #tickEnded(): void {
    const record = this.state.ring.at(-1);
    if (record !== undefined) this.world.ticked(record);
  }

  // -------------------------------------------------------------------------------------------- launch

  async #launch(): Promise<void> {
    this.state = rules.resumeLaunch(this.state, this.now);
    this.#changePartitions();
    this.#recordAssets();
    await this.#startBatch();
    this.state = rules.endBatch(this.state, new Map(), this.now);
    const { launch } = this.state;
    if (launch?.record === undefined) return;
    if (rules.waitingRequests(launch) > 0 && !rules.isHeld(this.state) && !rules.isLimited(this.state)) return;
    this.state = rules.endLaunch(this.state, this.now);
    this.#tickEnded();
  }

  async #startBatch(): Promise<void> {
    const { launch } = this.state;
    if (launch?.record === undefined || launch.remaining.length === 0) return;
    const { tick } = launch.record;
    let settled = 0;
    for (const request of launch.remaining) {
      if (rules.isHeld(this.state) || this.#starts >= MAX_STARTS_PER_RUN || rules.isLimited(this.state)) break;
      if (this.#crashes('before start', tick)) await this.#recover();
      this.#starts++;
      let outcome = await this.world.start(request, tick);
      if (this.#crashes('after start', tick)) {
        await this.#recover();
        outcome = await this.world.start(request, tick);
      }
      this.state = rules.settle(this.state, request, outcome, this.now);
      settled++;
    }
    const after = this.state;
    if (after.launch === undefined) return;
    this.state = { ...after, launch: { ...after.launch, remaining: launch.remaining.slice(settled) } };
  }

  async #tidy(): Promise<void> {
    this.state = rules.expire(this.state, this.now);
    const { dedupeMs } = this.state.options;
    for (
      let seal = planSeal(this.state.ledger, dedupeMs);
      seal !== undefined;
      seal = planSeal(this.state.ledger, dedupeMs)
    ) {
      const { content, page } = packSeal(
        seal,
        seal.merge.map(({ id }) => this.server.pages.get(id) ?? '')
      );
      const id = `page/${this.definition.name}/keys/${++this.server.serial}`;
      this.server.pages.set(id, content);
      this.state = rules.seal(this.state, seal, { id, ...page });
    }
    const { released } = this.state;
    if (released.length === 0) return;
    for (const id of released) this.server.pages.delete(id);
    this.state = rules.afterRelease(this.state, released);
  }

  async #continueAsNew(): Promise<void> {
    if (this.#crashes('before continue-as-new', this.state.tick)) await this.#recover();
    this.#starts = 0;
    this.#evaluations = 0;
    this.#fresh = true;
    this.#resting = false;
    if (this.#crashes('after continue-as-new', this.state.tick)) await this.#recover();
  }

  // -------------------------------------------------------------------------------------------- crashes

  #crashes(step: CrashStep, tick: number): boolean {
    return this.world.crashes(step, this.now, tick);
  }

  /** An attempt is lost with its worker. Gives when the next one comes. */
  #lost(): number {
    this.#keys = new KnownKeys();
    return this.now + RECOVERY_MS;
  }

  /** The next worker goes on with what is on the server: the state as JSON, and nothing else. */
  async #recover(): Promise<void> {
    this.state = JSON.parse(JSON.stringify(this.state)) as LoopState;
    await this.world.advance(this, this.#lost());
  }
}
