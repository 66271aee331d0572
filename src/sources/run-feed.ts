/**
 * Reads what became of runs from Temporal's visibility, from the position that a sensor's cursor holds, and has each of
 * them handled.
 */
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { describeRun } from '../client/executions.js';
import { statusOf, statusRunOf } from '../client/read-run.js';
import type { SensorContextBase } from '../sensors/define-sensor.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { feedOf } from '../sensors/feed-host.js';
import { EventHandling, handlingSchema } from '../sensors/handle-events.js';
import { jsonBytes, sameJson } from '../sensors/json.js';
import { MAX_CURSOR_BYTES } from '../sensors/limits.js';
import { LOOP_ID_PREFIX } from '../sensors/protocol.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';
import { eventIdOf, RUN_STATUSES, type RunStatus, type StatusRun } from '../sensors/status-run.js';
import { endTick } from './end-tick.js';
import { inOrder } from './in-order.js';
import { listWindows, type Happened, type Listing, type TimeAttribute, type Window } from './list-window.js';
import { queryOf, typesOf, type RunMonitor } from './run-monitor.js';
import { MovingPosition, SETTLED_MS, type Position } from './run-position.js';

/** The cursor of a sensor of runs. */
export const cursorSchema = z.object({
  /** Everything before is done (milliseconds since the epoch, by the server's clock). */
  since: z.number(),
  /** What came after it and is done, packed. */
  seen: z.string(),
  ...handlingSchema.shape,
});
type Cursor = z.output<typeof cursorSchema>;

/** How to find a run again. */
export const refSchema = z.object({ workflowId: z.string(), runId: z.string(), status: z.enum(RUN_STATUSES) });
type RunRef = z.output<typeof refSchema>;

export type RunContext = SensorContextBase<typeof cursorSchema, typeof refSchema, {}>;

/** Looked for again so often after a nudge, in milliseconds: what has closed may not be listed yet. */
const NUDGE_WAITS_MS = [25, 50, 100, 200, 400, 800];
/** Room in the cursor for what a tick may add beside its position. */
const SPARE_BYTES = 4 * 1024;
const READ_AT_ONCE = 20;
/** For so long after a look at all that may have been listed late, other looks are at what is new. */
const GLANCES_MS = 30_000;
/** What is new may be listed so much later than what happened after it; what is later still waits for the next look. */
const DISORDER_MS = 5_000;

/** Why a tick takes nothing although there is something. */
const TOO_MANY =
  'so many runs ended within the last two minutes that the cursor cannot hold more; they are handled when these are older';

interface RunFeedOptions {
  readonly handlers: EventHandlers<StatusRun>;
  readonly monitor: 'jobs' | 'all' | RunMonitor;
  readonly statuses: readonly RunStatus[];
  readonly ownRuns: boolean;
  readonly webUrl: () => string | undefined;
  readonly maxAttempts: number;
  readonly handleTimeoutMs: number;
  readonly intervalMs: () => number;
}

/** A run with the sensors that led to it. */
type FedRun = StatusRun & { readonly via?: readonly string[] };

/** A run that was listed. */
interface Found {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly ref: RunRef;
  /** Its facts, unless this sensor's handling led to it. */
  readonly load: () => Promise<FedRun | 'passed'>;
}

/** What this worker knows of a position beyond what the cursor says. */
interface Look {
  readonly position: Position;
  /** Everything before is done: an idle sensor's cursor does not move. */
  readonly doneBefore: number;
  /** When it looked at everything since, by the server's clock. */
  readonly at: number;
  /** When the last event happened that is done; all that were listed before it are done. */
  readonly last: number;
  /** Whether something was left. */
  readonly behind: boolean;
}

export class RunFeed {
  readonly #options: RunFeedOptions;
  readonly #attribute: TimeAttribute;
  #look: Look | undefined;

  constructor(options: RunFeedOptions) {
    this.#options = options;
    this.#attribute = options.statuses.includes('started') ? 'StartTime' : 'CloseTime';
  }

  async evaluate(ctx: RunContext): Promise<readonly (RunRequest | SkipReason | More)[]> {
    const cursor = ctx.cursor as Cursor;
    const handling = this.#handling(ctx, cursor);
    await handling.again();
    const start: Position = { since: cursor.since, seen: cursor.seen };
    const { end, behindSince } = handling.ready ? await this.#takeAll(ctx, start, handling) : { end: start };
    await handling.finish();
    const left = behindSince !== undefined;
    return endTick(ctx, handling, { place: end, behindSince, left, nothing: left ? TOO_MANY : this.#nothing(ctx) });
  }

  #nothing(ctx: RunContext): string {
    const types = typesOf(this.#options.monitor, feedOf(ctx));
    return `no new ${this.#options.statuses.join(', ')} runs of ${types === undefined ? 'any type' : types.join(', ')}`;
  }

  #handling(ctx: RunContext, cursor: Cursor): EventHandling<FedRun> {
    const { handlers, maxAttempts, handleTimeoutMs, intervalMs } = this.#options;
    return new EventHandling<FedRun>(
      ctx,
      {
        handlers,
        maxAttempts,
        handleTimeoutMs,
        intervalMs: intervalMs(),
        idOf: (ref) => {
          const run = ref as RunRef;
          return eventIdOf(run, run.status);
        },
        find: (ref) => this.#find(ctx.client, refSchema.parse(ref)),
      },
      cursor
    );
  }

  async #find(client: Client, { workflowId, runId, status }: RunRef): Promise<FedRun | undefined> {
    const execution = await describeRun(client, { workflowId, runId });
    return execution === undefined
      ? undefined
      : this.#fed(await statusRunOf(client, execution, status, { webUrl: this.#options.webUrl() }));
  }

  #fed(run: StatusRun): FedRun {
    const { startedBy } = run;
    return startedBy?.via === undefined ? run : { ...run, via: startedBy.via };
  }

  /**
   * Takes new events as long as it may. Each look costs the server what it lists, so a look that comes soon after
   * another (a nudge, or a tick that goes on where the last one stopped) is only at what came after that.
   */
  async #takeAll(
    ctx: RunContext,
    start: Position,
    handling: EventHandling<FedRun>
  ): Promise<{ readonly end: Position; readonly behindSince?: number }> {
    const { scheduledAt, nudged } = feedOf(ctx);
    const known = this.#look !== undefined && sameJson(this.#look.position, start) ? this.#look : undefined;
    const doneBefore = Math.max(start.since, known?.doneBefore ?? 0);
    const glance = known !== undefined && (nudged || known.behind) && scheduledAt - known.at < GLANCES_MS;
    const from = glance ? Math.max(doneBefore, known.last - DISORDER_MS) : doneBefore;
    let at = glance ? known.at : scheduledAt;
    let last = known?.last ?? doneBefore;
    const position = new MovingPosition(start, at);
    const ended = (behindSince?: number) => {
      const end = position.end;
      const behind = behindSince !== undefined;
      const before = behind || glance ? doneBefore : Math.max(doneBefore, at - SETTLED_MS);
      this.#look = { position: end, doneBefore: before, at, last: Math.min(last, behindSince ?? last), behind };
      return { end, ...(behind ? { behindSince } : {}) };
    };
    try {
      for await (const { happened, clock } of this.#windows(ctx, from, nudged, position)) {
        if (!glance) position.listedAt((at = clock));
        for await (const { at: when, ref, load } of this.#read(ctx, happened)) {
          const room = MAX_CURSOR_BYTES - SPARE_BYTES - jsonBytes(handling.state);
          if (!position.fits(when, room) || !(await handling.take(ref, load))) return ended(when);
          position.take(eventIdOf(ref, ref.status), when);
          last = Math.max(last, when);
        }
      }
      return ended();
    } catch (error) {
      // what was handled counts all the same
      if (!handling.touched) throw error;
      if (!ctx.signal.aborted) handling.report(error);
      this.#look = undefined;
      return { end: position.end };
    }
  }

  /** What is new, window by window; after a nudge it is looked for until it is listed. */
  async *#windows(ctx: RunContext, from: number, nudged: boolean, position: MovingPosition): AsyncIterable<Window> {
    const { monitor, statuses } = this.#options;
    const { client, signal } = ctx;
    const query = queryOf(monitor, statuses, feedOf(ctx));
    const listing: Listing = { client, query, attribute: this.#attribute, signal };
    for (const wait of nudged && this.#isNudgedPrecisely ? [...NUDGE_WAITS_MS, 0] : [0]) {
      let found = false;
      for await (const { happened, clock } of listWindows(listing, from, feedOf(ctx).scheduledAt)) {
        const fresh = happened.filter(({ execution }) => !position.has(this.#idOf(execution)));
        found ||= fresh.length > 0;
        yield { happened: fresh, clock };
      }
      if (found || wait === 0) return;
      await new Promise((resolve) => setTimeout(resolve, wait));
      signal.throwIfAborted();
    }
  }

  /** Nudges tell types of workflows apart, and nothing else: others are mostly not for this sensor. */
  get #isNudgedPrecisely(): boolean {
    const { monitor } = this.#options;
    if (typeof monitor === 'string') return true;
    return monitor.taskQueue === undefined && monitor.sensor === undefined && monitor.query === undefined;
  }

  /** These runs, in order; the facts of some are read at once. */
  #read(ctx: RunContext, window: readonly Happened[]): AsyncIterable<Found> {
    return inOrder(window, READ_AT_ONCE, async ({ at, execution }) => {
      const { workflowId, runId } = execution;
      const status = this.#statusOf(execution);
      const read = statusRunOf(ctx.client, execution, status, { webUrl: this.#options.webUrl() });
      // one that cannot be read fails when it is to be handled
      await read.catch(() => undefined);
      const load = async (): Promise<FedRun | 'passed'> => {
        const run = await read;
        return this.#isOwn(ctx, execution, run) ? 'passed' : this.#fed(run);
      };
      return { at, ref: { workflowId, runId, status }, load };
    });
  }

  #statusOf(execution: Happened['execution']): RunStatus {
    return this.#attribute === 'StartTime' ? 'started' : (statusOf(execution) ?? 'started');
  }

  #idOf(execution: Happened['execution']): string {
    return eventIdOf(execution, this.#statusOf(execution));
  }

  /** Whether this sensor's handling led to the run, directly or through others. */
  #isOwn({ sensor }: RunContext, { rootExecution }: Happened['execution'], { startedBy }: StatusRun): boolean {
    if (this.#options.ownRuns) return false;
    // children of the runs that it started, and theirs
    if (rootExecution?.workflowId === LOOP_ID_PREFIX + sensor) return true;
    return startedBy?.sensor === sensor || startedBy?.via?.includes(sensor) === true;
  }
}
