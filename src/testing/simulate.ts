/**
 * A sensor over days and weeks of virtual time, in milliseconds: the world changes, workers crash, operators stop and
 * start, and every tick and run is recorded. Same code, same order, same result each time.
 */
import type { Client } from '@temporalio/client';
import { checkCursor } from '../sensors/cursor.js';
import type { TickAssetEvent } from '../sensors/asset-event.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { parseDuration, type Duration } from '../sensors/duration.js';
import { DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { Json } from '../sensors/json.js';
import type { LogLine } from '../sensors/log-book.js';
import { loopOptions } from '../sensors/loop-options.js';
import {
  SIGNALS,
  type LaunchRequest,
  type LoopState,
  type Note,
  type SensorState,
  type TickRecord,
} from '../sensors/protocol.js';
import * as rules from '../workflows/rules.js';
import { stateView } from '../workflows/views.js';
import { noClient, requireClient } from './context.js';
import { planCrashes, type Crashes } from './crashes.js';
import { requireSensor, startedRun, type StartedRun } from './evaluate-tick.js';
import type { MadeAssetsOption } from './simulated-assets.js';
import { SimulatedLoop, SimulationError, type LoopWorld, type SimulatedServer } from './simulated-loop.js';
import { serverOf, stateOf, type KnownKeysOption, type PartitionsOption } from './simulated-state.js';
import { Timeline, type Changes } from './timeline.js';

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;
const START = new Date('2026-01-01T00:00:00Z');
const WATCH_EVERY_MS = 100;

type Values = Readonly<Record<string, unknown>>;

/** Options of {@link simulate}. */
export interface SimulateOptions<R extends Values, W> {
  /** How much virtual time passes: the interval begins with an evaluation and ends before one. At most 366 days. */
  readonly for: Duration;
  /** When it begins. @default 2026-01-01T00:00:00Z, or the end of `after` */
  readonly start?: Date;
  /** What `ctx.resources` holds: the instances themselves, or stand-ins for them. @default none */
  readonly resources?: R;
  /** What `at` and `jobs` are given to change. @default the resources */
  readonly world?: W;
  /** Changes the world: before each evaluation (a function), or at times since the start (`{ '2h': … }`), or both. */
  readonly at?: Changes<W>;
  /** Steps at which the worker dies. @default none */
  readonly crashes?: Crashes;
  /** What a run of a job does to the world, when it starts. One that throws has failed. @default nothing */
  readonly jobs?: Readonly<
    Record<string, (config: Json | undefined, run: SimulatedRun, world: W) => void | Promise<void>>
  >;
  /** The stored position. @default none */
  readonly cursor?: unknown;
  /** Run keys that have run before. @default none */
  readonly knownKeys?: KnownKeysOption;
  /** Keys of dynamic partition sets, by name. @default none, or those of `after` */
  readonly partitions?: PartitionsOption;
  /** When assets were last made, by name, for requests with `staleOnly`; those with partitions by partition. @default never */
  readonly assets?: MadeAssetsOption;
  /** Leaves the sensor as its code says; else it is started if it is not running. @default false */
  readonly stopped?: boolean;
  /** Goes on where another simulation ended, with this definition: a deploy. */
  readonly after?: Simulation;
  /** @default using `ctx.client` is an error that says so */
  readonly client?: Client;
  /** Real time that one evaluation may take: virtual time stands still while it runs. @default '10s' */
  readonly hangsAfter?: Duration;
}

const OPTIONS = [
  'for',
  'start',
  'resources',
  'world',
  'at',
  'crashes',
  'jobs',
  'cursor',
  'knownKeys',
  'partitions',
  'assets',
  'stopped',
  'after',
  'client',
  'hangsAfter',
] as const;

/** What operators and other programs can do to the sensor meanwhile. */
export interface SimulationControl {
  readonly start: (note?: Note) => void;
  readonly stop: (note?: Note) => void;
  /** Evaluates now, also when stopped. */
  readonly tick: () => void;
  /** Hands events to the sensor and wakes it. */
  readonly push: (...events: readonly Json[]) => void;
  /** @throws EvaluationError when it does not fit the schema */
  readonly setCursor: (cursor: unknown) => void;
  readonly clearCursor: () => void;
  readonly state: SensorState;
}

/** A run that the sensor started. */
export interface SimulatedRun extends StartedRun {
  readonly at: Date;
  readonly tick: number;
  /** Why it failed, if what `jobs` has for it threw. */
  error?: unknown;
}

/** What a tick recorded of an asset. */
export interface SimulatedAssetEvent extends TickAssetEvent {
  readonly at: Date;
  readonly tick: number;
}

/** Evaluations in a row that left no record, with one reason. */
export interface QuietStretch {
  readonly reason: string;
  readonly count: number;
  readonly since: Date;
  readonly until: Date;
}

/** An evaluation that failed. */
export interface SimulatedFailure {
  readonly at: Date;
  /** As a tick says it. */
  readonly error: string;
  /** What was thrown. */
  readonly cause: unknown;
}

/** A line that `ctx.log` wrote. */
export interface SimulatedLogLine extends LogLine {
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What happened. */
export interface Simulation {
  /** Every tick that was recorded, as `sensors ticks` shows them. */
  readonly ticks: readonly TickRecord[];
  /** How many evaluations left no record, and why they did not. */
  readonly quietTicks: number;
  readonly quiet: readonly QuietStretch[];
  /** Every run, in the order of their starts. */
  readonly runs: readonly SimulatedRun[];
  /** Everything that ticks recorded of assets, in order. */
  readonly assetEvents: readonly SimulatedAssetEvent[];
  /** Every evaluation that failed, also those that left no record. */
  readonly failures: readonly SimulatedFailure[];
  /** Every line of every evaluation. */
  readonly logs: readonly SimulatedLogLine[];
  /** How the sensor is in the end: status, health, counters, dead letters, what is pending. */
  readonly state: SensorState;
  /** The stored position in the end. */
  readonly cursor: Json | undefined;
  /** The virtual time in the end. */
  readonly now: Date;
}

interface Rest {
  readonly state: LoopState;
  readonly server: SimulatedServer;
  readonly runs: ReadonlySet<string>;
}

/** What a simulation needs to go on. */
const rests = new WeakMap<Simulation, Rest>();

/**
 * Runs a sensor on a virtual clock: the loop's own rules, and the evaluation as a worker makes it. `ctx.now` is the
 * virtual time; an evaluation takes none of it. What the author's code awaits is really awaited.
 *
 * ```ts
 * const inbox = new Map<string, string>();
 * const { runs, quietTicks } = await simulate(newFiles, {
 *   for: '3 days',
 *   resources: { inbox },
 *   at: { '2h': (_, { inbox }) => inbox.set('a.csv', '1,2'), '1 day': (_, { inbox }) => inbox.set('b.csv', '3,4') },
 *   crashes: ['after evaluate', 'before start'],
 * });
 * ```
 *
 * @throws {@link SimulationError} for an evaluation that never ends, or a sensor that asks for more for ever;
 *   DefinitionError for options that cannot be; and what `at` throws
 */
export async function simulate<R extends Values = {}, W = R>(
  definition: SensorDefinition,
  options: SimulateOptions<R, W>
): Promise<Simulation> {
  requireSensor(definition, 'simulate');
  refuseUnknownOptions(options, OPTIONS, 'simulate');
  const durationMs = parseDuration(options.for, 'simulate: for', 1, YEAR_MS);
  const hangsAfterMs = parseDuration(options.hangsAfter ?? '10s', 'simulate: hangsAfter', 1, YEAR_MS);
  checkJobs(definition, options.jobs);
  const client = options.client ?? noClient('simulate');
  requireClient(definition, client, 'simulate');
  const before = restOf(options.after);
  const start = (options.start ?? options.after?.now ?? START).getTime();
  const recorder = new Recorder(definition, () => loop.now, before?.runs ?? new Set());
  const world = (options.world ?? options.resources ?? {}) as W;
  const fresh = serverOf(options.partitions, options.assets);
  const server =
    before === undefined
      ? fresh
      : {
          pages: new Map(before.server.pages),
          partitions: new Map([...before.server.partitions, ...fresh.partitions]),
          logs: new Map([...before.server.logs, ...fresh.logs]),
          serial: before.server.serial,
        };
  const timeline = new Timeline(options.at, start);
  const loopWorld: LoopWorld = {
    services: {
      heartbeat: () => undefined,
      client,
      resources: options.resources ?? {},
    },
    sink: (level, message, metadata) => recorder.logs.push({ level, at: loop.now, message, metadata }),
    advance: (each, to) => timeline.advance(each, to, world, control),
    prepare: () => timeline.prepare(loop.now, world, control),
    crashes: planCrashes(options.crashes),
    start: async (request, tick) => {
      const run = recorder.start(request, tick);
      if (run === undefined) return 'refused';
      await runJob(run, options.jobs, world);
      return 'started';
    },
    recorded: ({ eventId: _, producer: { tick = 0 }, ...event }) =>
      recorder.assetEvents.push({ ...event, at: new Date(loop.now), tick }),
    ticked: (record) => recorder.ticked(record),
    folded: (reason) => recorder.folded(reason),
    failed: ({ message, cause }) => recorder.failures.push({ at: new Date(loop.now), error: message, cause }),
  };
  const state =
    before === undefined
      ? stateOf(definition, start, options)
      : rules.configure(before.state, loopOptions(definition), start);
  const loop = new SimulatedLoop(definition, loopWorld, state, start, server);
  const control = controlOf(loop, definition);
  if (options.stopped !== true && !rules.isRunning(loop.state)) control.start({ by: 'simulate' });
  await unlessItHangs(loop, definition.name, hangsAfterMs, () => loop.runUntil(start + durationMs));
  const simulation = recorder.end(stateView(definition.name, loop.state, false));
  rests.set(simulation, { state: loop.state, server, runs: recorder.ids });
  return simulation;
}

function restOf(after: Simulation | undefined): Rest | undefined {
  if (after === undefined) return undefined;
  const rest = rests.get(after);
  if (rest === undefined) throw new DefinitionError('simulate: after is not what simulate returned');
  return rest;
}

function checkJobs({ name, jobs }: SensorDefinition, given: Values = {}): void {
  const unknown = Object.keys(given).find((each) => !jobs.some((job) => job.name === each));
  if (unknown === undefined) return;
  const names = jobs.map((job) => `'${job.name}'`).join(', ') || 'none';
  throw new DefinitionError(
    `simulate: jobs has ${quote(unknown)}, which is no job of sensor '${name}'; accepted: ${names}`
  );
}

async function runJob<W>(run: SimulatedRun, jobs: SimulateOptions<Values, W>['jobs'], world: W): Promise<void> {
  try {
    await jobs?.[run.job]?.(run.config, run, world);
  } catch (error) {
    run.error = error;
  }
}

function controlOf(loop: SimulatedLoop, definition: SensorDefinition): SimulationControl {
  const noted = (note: Note | undefined): Json => (note === undefined ? null : { ...note });
  return {
    start: (note) => loop.take(SIGNALS.start, noted(note)),
    stop: (note) => loop.take(SIGNALS.stop, noted(note)),
    tick: () => loop.take(SIGNALS.tick),
    push: (...events) => loop.take(SIGNALS.push, ...events),
    setCursor: (cursor) => loop.editCursor({ cursor: checkCursor(definition, cursor) }),
    clearCursor: () => loop.editCursor({ clear: true }),
    get state() {
      return stateView(definition.name, loop.state, false);
    },
  };
}

/**
 * @throws {@link SimulationError} when one evaluation takes more than `ms` of real time
 */
async function unlessItHangs(loop: SimulatedLoop, sensor: string, ms: number, act: () => Promise<void>): Promise<void> {
  let watch: NodeJS.Timeout | undefined;
  const hung = new Promise<never>((_, reject) => {
    watch = setInterval(
      () => {
        const began = loop.attemptBeganAt;
        if (began === undefined || performance.now() - began < ms) return;
        reject(
          new SimulationError(
            `the evaluation of sensor '${sensor}' at ${new Date(loop.now).toISOString()} did not end within ${ms} ms of real time. ` +
              `Virtual time stands still while it runs: what it waits for must come by itself, or from a stand-in (resources)`
          )
        );
      },
      Math.min(ms, WATCH_EVERY_MS)
    );
  });
  try {
    await Promise.race([act(), hung]);
  } finally {
    clearInterval(watch);
  }
}

/** Collects what happens. */
class Recorder {
  readonly logs: SimulatedLogLine[] = [];
  readonly failures: SimulatedFailure[] = [];
  readonly assetEvents: SimulatedAssetEvent[] = [];
  /** Workflow IDs of all runs that exist. */
  readonly ids: Set<string>;
  private readonly ticks: TickRecord[] = [];
  private readonly runs: SimulatedRun[] = [];
  private readonly quiet: { reason: string; count: number; since: number; until: number }[] = [];
  private streak = false;

  constructor(
    private readonly definition: SensorDefinition,
    private readonly now: () => number,
    ids: ReadonlySet<string>
  ) {
    this.ids = new Set(ids);
  }

  /** A run, unless there is one of this ID. */
  start(request: LaunchRequest, tick: number): SimulatedRun | undefined {
    if (this.ids.has(request.id)) return undefined;
    this.ids.add(request.id);
    const run = { ...startedRun(this.definition, request), at: new Date(this.now()), tick };
    this.runs.push(run);
    return run;
  }

  ticked(record: TickRecord): void {
    this.ticks.push(record);
    this.streak = false;
  }

  folded(reason: string): void {
    const last = this.quiet.at(-1);
    const now = this.now();
    if (this.streak && last?.reason === reason) {
      last.count++;
      last.until = now;
    } else this.quiet.push({ reason, count: 1, since: now, until: now });
    this.streak = true;
  }

  end(state: SensorState): Simulation {
    const quiet = this.quiet.map((each) => ({ ...each, since: new Date(each.since), until: new Date(each.until) }));
    return {
      ticks: this.ticks,
      quietTicks: quiet.reduce((sum, { count }) => sum + count, 0),
      quiet,
      runs: this.runs,
      assetEvents: this.assetEvents,
      failures: this.failures,
      logs: this.logs,
      state,
      cursor: state.cursor?.value,
      now: new Date(this.now()),
    };
  }
}
