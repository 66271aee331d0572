/**
 * Reads what became of runs from Temporal's visibility, from the position that a sensor's cursor holds, and has each of
 * them handled.
 */
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { describeRun } from '../client/executions.js';
import { statusOf, statusRunOf } from '../client/read-run.js';
import type { SensorContextBase } from '../sensors/define-sensor.js';
import { resolveEnv, type EnvValue } from '../sensors/env.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { feedOf } from '../sensors/feed-host.js';
import { EventHandling, handlingSchema } from '../sensors/handle-events.js';
import { jsonBytes, sameJson } from '../sensors/json.js';
import { MAX_CURSOR_BYTES } from '../sensors/limits.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';
import { eventIdOf, RUN_STATUSES, type RunStatus, type StatusRun } from '../sensors/status-run.js';
import { inOrder } from './in-order.js';
import { listWindows, type Happened, type TimeAttribute } from './list-window.js';
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

interface RunFeedOptions {
  readonly handlers: EventHandlers<StatusRun>;
  readonly monitor: 'jobs' | 'all' | RunMonitor;
  readonly statuses: readonly RunStatus[];
  readonly ownRuns: boolean;
  readonly webUrl: string | EnvValue | undefined;
  readonly place: string;
  readonly maxAttempts: number;
  readonly handleTimeoutMs: number;
  readonly intervalMs: () => number;
}

/** A run with the sensors that led to it. */
type FedRun = StatusRun & { readonly via?: readonly string[] };

export class RunFeed {
  readonly #options: RunFeedOptions;
  readonly #attribute: TimeAttribute;
  /** Where this worker may begin to list although the cursor says less: an idle sensor's cursor does not move. */
  #done: { readonly position: Position; readonly from: number } | undefined;

  constructor(options: RunFeedOptions) {
    this.#options = options;
    this.#attribute = options.statuses.includes('started') ? 'StartTime' : 'CloseTime';
  }

  async evaluate(ctx: RunContext): Promise<readonly (RunRequest | SkipReason | More)[]> {
    const cursor = ctx.cursor as Cursor;
    const handling = this.#handling(ctx, cursor);
    await handling.again();
    const position = new MovingPosition(cursor, feedOf(ctx).scheduledAt);
    const behindSince = handling.ready ? await this.#takeAll(ctx, cursor, handling, position) : undefined;
    await handling.finish();
    const { requests, waiting } = handling.settle(behindSince);
    const next: Cursor = { ...position.end, ...handling.state };
    const given: (RunRequest | SkipReason | More)[] = [...requests];
    if (!sameJson(next, cursor)) {
      ctx.setCursor(next);
      if (behindSince !== undefined && waiting === undefined) given.push(ctx.more());
    }
    if (requests.length === 0 && handling.handled === 0) given.push(ctx.skip(waiting ?? this.#nothing(ctx)));
    return given;
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
        refOf: ({ workflowId, runId, status }) => ({ workflowId, runId, status }) satisfies RunRef,
        find: (ref) => this.#find(ctx.client, refSchema.parse(ref)),
      },
      cursor
    );
  }

  async #find(client: Client, { workflowId, runId, status }: RunRef): Promise<FedRun | undefined> {
    const execution = await describeRun(client, { workflowId, runId });
    return execution === undefined ? undefined : this.#fed(await statusRunOf(client, execution, status, this.#web));
  }

  get #web(): { readonly webUrl: string | undefined } {
    const { webUrl, place } = this.#options;
    return { webUrl: webUrl === undefined ? undefined : String(resolveEnv(webUrl, `${place}: webUrl`)) };
  }

  #fed(run: StatusRun): FedRun {
    const { startedBy } = run;
    return startedBy?.via === undefined ? run : { ...run, via: startedBy.via };
  }

  /** Takes new events as long as it may. @returns when the oldest happened that is left */
  async #takeAll(
    ctx: RunContext,
    cursor: Cursor,
    handling: EventHandling<FedRun>,
    position: MovingPosition
  ): Promise<number | undefined> {
    const { scheduledAt, nudged } = feedOf(ctx);
    const start: Position = { since: cursor.since, seen: cursor.seen };
    const known = this.#done !== undefined && sameJson(this.#done.position, start);
    const from = Math.max(start.since, known ? (this.#done?.from ?? 0) : 0);
    for await (const window of this.#windows(ctx, from, scheduledAt, nudged, position)) {
      for await (const { at, run } of this.#read(ctx, window)) {
        const room = MAX_CURSOR_BYTES - SPARE_BYTES - jsonBytes(handling.state);
        if (!position.fits(at, room)) return at;
        if (this.#isOwn(ctx, run)) position.take(run.eventId, at);
        else if (await handling.take(run)) position.take(run.eventId, at);
        else return at;
      }
    }
    this.#done = { position: position.end, from: Math.max(from, scheduledAt - SETTLED_MS) };
    return undefined;
  }

  /** What is new, window by window; after a nudge it is looked for until it is listed. */
  async *#windows(
    ctx: RunContext,
    from: number,
    now: number,
    nudged: boolean,
    position: MovingPosition
  ): AsyncIterable<readonly Happened[]> {
    const { monitor, statuses } = this.#options;
    const query = queryOf(monitor, statuses, feedOf(ctx));
    const listing = { client: ctx.client, query, attribute: this.#attribute };
    for (const wait of nudged ? [...NUDGE_WAITS_MS, 0] : [0]) {
      let found = false;
      for await (const window of listWindows(listing, from, now, ctx.signal)) {
        const fresh = window.filter(({ execution }) => !position.has(this.#idOf(execution)));
        found ||= fresh.length > 0;
        yield fresh;
      }
      if (found || wait === 0) return;
      await new Promise((resolve) => setTimeout(resolve, wait));
      ctx.signal.throwIfAborted();
    }
  }

  /** Facts of these runs, in order; some are read at once. */
  #read(
    { client }: RunContext,
    window: readonly Happened[]
  ): AsyncIterable<{ readonly at: number; readonly run: FedRun }> {
    return inOrder(window, READ_AT_ONCE, async ({ at, execution }) => ({
      at,
      run: this.#fed(await statusRunOf(client, execution, this.#statusOf(execution), this.#web)),
    }));
  }

  #statusOf(execution: Happened['execution']): RunStatus {
    return this.#attribute === 'StartTime' ? 'started' : (statusOf(execution) ?? 'started');
  }

  #idOf(execution: Happened['execution']): string {
    return eventIdOf(execution, this.#statusOf(execution));
  }

  /** Whether this sensor's handling led to the run, directly or through others. */
  #isOwn({ sensor }: RunContext, { startedBy }: StatusRun): boolean {
    if (this.#options.ownRuns || startedBy === undefined) return false;
    return startedBy.sensor === sensor || startedBy.via?.includes(sensor) === true;
  }
}
