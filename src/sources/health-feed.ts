/** Finds out what is wrong with sensors, compares it with what was wrong before, and has the changes handled. */
import { z } from 'zod';
import { inBatches } from '../client/batches.js';
import {
  SensorClient,
  SensorNotFoundError,
  type SensorDescription,
  type SensorSummary,
} from '../client/sensor-client.js';
import { webLink } from '../client/web-url.js';
import type { SensorContextBase } from '../sensors/define-sensor.js';
import { EvaluationError } from '../sensors/errors.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { feedOf } from '../sensors/feed-host.js';
import { EventHandling, handlingSchema } from '../sensors/handle-events.js';
import { cutText, jsonBytes } from '../sensors/json.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';
import { STOPPED_BY_FAILURES } from '../sensors/protocol.js';
import { HEALTH_CHANGES, type HealthChangeKind, type SensorHealthEvent } from '../sensors/status-run.js';
import { shortHash } from '../sensors/short-hash.js';
import { formatDuration } from '../sensors/text.js';
import { endTick } from './end-tick.js';

const ASKED_AT_ONCE = 20;
/** An event that is handed back is pushed: at most 1 KB. */
const MAX_REF_BYTES = 1_000;
/** 40 bytes of the cursor each. */
const MAX_WRONG = 900;
const TOO_MANY = `more than ${MAX_WRONG} sensors are unhealthy, more than one sensor can keep; watch fewer with sensorHealth({ sensors })`;
/** Attempts at a workflow task that are no accident. */
const FAILED_TASKS = 3;

type Trouble = Exclude<HealthChangeKind, 'recovered'>;

export const cursorSchema = z
  .object({
    /** What is wrong, by the hash of the sensor's name: what, and since when (milliseconds since the epoch). */
    wrong: z.record(z.string(), z.tuple([z.enum(HEALTH_CHANGES).exclude(['recovered']), z.number()])),
    /** Recoveries up to then are told of. */
    recoveredUntil: z.number(),
    ...handlingSchema.shape,
  })
  .default({ wrong: {}, recoveredUntil: 0, retries: [] });

/** An event that is tried again later is kept whole. */
export const refSchema = z.object({
  eventId: z.string(),
  sensor: z.string(),
  change: z.enum(HEALTH_CHANGES),
  at: z.number(),
  message: z.string(),
  unhealthySince: z.number().optional(),
  workflowId: z.string(),
  runId: z.string(),
});
type Ref = z.output<typeof refSchema>;

export type HealthContext = SensorContextBase<typeof cursorSchema, typeof refSchema, {}>;

interface HealthFeedOptions {
  readonly handlers: EventHandlers<SensorHealthEvent>;
  readonly isWatched: (sensor: string) => boolean;
  readonly changes: readonly HealthChangeKind[];
  readonly lateAfterMs: number;
  readonly webUrl: () => string | undefined;
  readonly maxAttempts: number;
  readonly handleTimeoutMs: number;
  readonly intervalMs: () => number;
}

/** What is wrong with a sensor now. */
interface Finding {
  readonly trouble: Trouble;
  /** Since when; the same as long as it is the same trouble. */
  readonly since: number;
  readonly message: string;
}

interface Looked {
  readonly wrong: Record<string, [Trouble, number]>;
  readonly recoveredUntil: number;
  /** Every change was taken. */
  readonly complete: boolean;
}

/** A sensor as Temporal knows it now. */
interface View {
  readonly sensor: Omit<SensorSummary, 'health'>;
  readonly finding: Finding | undefined;
  /** An attempt is under way, or about to be: what becomes of it is not known yet. */
  readonly busy: boolean;
}

/** A trouble that goes on. That nobody takes it is one trouble, however often Temporal tries again in between. */
function steady(
  { sensor, finding, busy }: View,
  before: readonly [Trouble, number] | undefined,
  until: number
): Finding | undefined {
  const untaken = before?.[0] === 'late' || before?.[0] === 'notLoaded';
  // it recovered while it was looked at, or a worker has just taken it: the next tick tells
  const open = before?.[0] === 'failing' ? recoveryOf(sensor) > until : untaken && busy;
  if (finding === undefined && before !== undefined && open)
    return { trouble: before[0], since: before[1], message: '' };
  if (finding === undefined || before?.[0] !== finding.trouble) return finding;
  return untaken ? { ...finding, since: before[1] } : finding;
}

/** When the sensor recovered the last time. */
function recoveryOf({ recovered }: View['sensor']): number {
  return recovered?.at.getTime() ?? 0;
}

export class HealthFeed {
  readonly #options: HealthFeedOptions;

  constructor(options: HealthFeedOptions) {
    this.#options = options;
  }

  async evaluate(ctx: HealthContext): Promise<readonly (RunRequest | SkipReason | More)[]> {
    const { cursor } = ctx;
    const { handlers, maxAttempts, handleTimeoutMs, intervalMs } = this.#options;
    const handling = new EventHandling<SensorHealthEvent>(
      ctx,
      {
        handlers,
        maxAttempts,
        handleTimeoutMs,
        intervalMs: intervalMs(),
        idOf: (ref) => (ref as Ref).eventId,
        find: async (ref) => this.#eventOf(refSchema.parse(ref), ctx.client.options.namespace),
      },
      cursor
    );
    await handling.again();
    const looked = handling.ready ? await this.#looked(ctx, handling) : undefined;
    await handling.finish();
    const { wrong, recoveredUntil } = looked ?? cursor;
    const count = Object.keys(wrong).length;
    const nothing = count === 0 ? 'all sensors are well' : `${count} sensors are unhealthy, as before`;
    return endTick(ctx, handling, { place: { wrong, recoveredUntil }, left: looked?.complete === false, nothing });
  }

  /** What was handled before something went wrong counts all the same. */
  async #looked(ctx: HealthContext, handling: EventHandling<SensorHealthEvent>): Promise<Looked | undefined> {
    try {
      return await this.#look(ctx, handling);
    } catch (error) {
      if (!handling.touched) throw error;
      if (!ctx.signal.aborted) handling.report(error);
      return undefined;
    }
  }

  /** Compares, and has the changes handled as long as that may go on; what is left is found again by the next tick. */
  async #look(ctx: HealthContext, handling: EventHandling<SensorHealthEvent>): Promise<Looked> {
    const { client, cursor } = ctx;
    const { scheduledAt } = feedOf(ctx);
    const sensors = new SensorClient(client);
    const watched = (await sensors.list()).filter(
      ({ sensor }) => sensor !== ctx.sensor && this.#options.isWatched(sensor)
    );
    const views = new Map<string, View>();
    await inBatches(watched, ASKED_AT_ONCE, async (summary) => {
      ctx.signal.throwIfAborted();
      views.set(summary.sensor, await this.#view(sensors, summary, scheduledAt));
    });
    const told = { from: Math.max(cursor.recoveredUntil, ctx.sensorStartedAt.getTime()), until: scheduledAt };
    const wrong: Record<string, [Trouble, number]> = {};
    let { recoveredUntil } = cursor;
    let complete = true;
    // in this order everything up to `recoveredUntil` is told of, wherever a tick is cut short
    const ordered = [...views].toSorted(([, a], [, b]) => recoveryOf(a.sensor) - recoveryOf(b.sensor));
    for (const [sensor, view] of ordered) {
      const key = keyOf(sensor);
      const before = cursor.wrong[key];
      const recoveredAt = recoveryOf(view.sensor);
      const finding = steady(view, before, told.until);
      if (finding !== undefined && before === undefined && Object.keys(wrong).length >= MAX_WRONG) {
        if (complete) handling.report(new EvaluationError(TOO_MANY));
        complete = false;
      }
      let reached = before;
      let recoveryTold = false;
      for (const ref of complete ? this.#changes({ ...view, finding }, before, told) : []) {
        complete = await handling.take(ref, async () => this.#eventOf(ref, client.options.namespace));
        if (!complete) break;
        recoveryTold ||= ref.change === 'recovered';
        reached = ref.change === 'recovered' ? undefined : [ref.change, ref.at];
      }
      if (complete) reached = finding && [finding.trouble, finding.since];
      if (reached !== undefined) wrong[key] = [reached[0], reached[1]];
      if (recoveredAt <= told.from || recoveredAt > told.until) continue;
      recoveredUntil =
        complete || recoveryTold ? Math.max(recoveredUntil, recoveredAt) : Math.min(recoveredUntil, recoveredAt - 1);
    }
    return { wrong, recoveredUntil, complete };
  }

  /** The events that lead from what was known to what is. */
  #changes(
    { sensor: summary, finding }: View,
    before: readonly [Trouble, number] | undefined,
    told: { readonly from: number; readonly until: number }
  ): readonly Ref[] {
    const { sensor, workflowId, runId, recovered, status } = summary;
    const events: Ref[] = [];
    const tell = (
      change: HealthChangeKind,
      stamp: number,
      more: Pick<Ref, 'at' | 'message' | 'unhealthySince'>
    ): void => {
      if (!this.#options.changes.includes(change)) return;
      const eventId = `${sensor}/${change}/${new Date(stamp).toISOString()}`;
      events.push(fitted({ eventId, sensor, change, workflowId, runId, ...more }));
    };
    const recoveredAt = recoveryOf(summary);
    if (before === undefined && recovered !== undefined && recoveredAt > told.from && recoveredAt <= told.until) {
      // it failed and recovered since the last tick
      const since = recovered.failingSince.getTime();
      tell('failing', since, { at: since, message: 'it failed, and recovered by itself' });
      tell('recovered', since, { at: recoveredAt, message: 'it had been failing', unhealthySince: since });
    }
    const isOver = recovered?.failingSince.getTime() === before?.[1] && recoveredAt <= told.until;
    if (before?.[0] === 'failing' && isOver && finding !== undefined) {
      // and something is wrong again
      tell('recovered', before[1], { at: recoveredAt, message: 'it was failing', unhealthySince: before[1] });
    }
    if (finding !== undefined && !(before?.[0] === finding.trouble && before[1] === finding.since))
      tell(finding.trouble, finding.since, { at: finding.since, message: finding.message });
    // an operator who stopped it knows
    if (before !== undefined && finding === undefined && status === 'running') {
      const at = before[0] === 'failing' && recoveredAt > before[1] ? recoveredAt : told.until;
      const left = summary.deadLetters === 0 ? '' : `; dead letters wait for a decision: ${summary.deadLetters}`;
      const message = `it was ${TROUBLES[before[0]]}${left}`;
      tell('recovered', before[1], { at, message, unhealthySince: before[1] });
    }
    return events;
  }

  /** What Temporal says of a sensor now; lists may lag behind. */
  async #view(sensors: SensorClient, summary: SensorSummary, now: number): Promise<View> {
    const { sensor, status, statusBy } = summary;
    if (status === 'stopped' && statusBy !== STOPPED_BY_FAILURES)
      return { sensor: summary, finding: undefined, busy: false };
    try {
      const description = await sensors.describe(sensor);
      const busy = description.status === 'running' && description.evaluation?.phase !== 'waiting';
      return { sensor: description, finding: this.#findingOf(description, now), busy };
    } catch (error) {
      // pruned since it was listed
      if (error instanceof SensorNotFoundError) return { sensor: summary, finding: undefined, busy: false };
      throw error;
    }
  }

  #findingOf(description: SensorDescription, now: number): Finding | undefined {
    const { status, statusBy, statusReason, statusAt, evaluation, dueSince, health } = description;
    const { failingSince, error, failedTaskAttempts = 0, startTime, closeTime, taskQueue } = description;
    const since = (at: Date | undefined): number => (at ?? startTime).getTime();
    if (status === 'closed') {
      const message = 'its loop was cancelled or terminated; it comes back when a worker or `sensors start` starts it';
      return { trouble: 'closed', since: since(closeTime), message };
    }
    if (status === 'stopped') {
      if (statusBy !== STOPPED_BY_FAILURES) return undefined;
      return { trouble: 'stoppedItself', since: since(statusAt), message: statusReason ?? 'it failed too often' };
    }
    if (failedTaskAttempts >= FAILED_TASKS) {
      const message = `its workflow task has failed ${failedTaskAttempts} times; Temporal Web says why`;
      return { trouble: 'late', since: since(dueSince), message };
    }
    if (health === 'notLoaded') {
      const message = evaluation?.lastOutcome ?? 'no worker has its definition';
      return { trouble: 'notLoaded', since: since(undefined), message };
    }
    const lateMs = dueSince === undefined ? 0 : now - dueSince.getTime();
    if (lateMs > this.#options.lateAfterMs) {
      const message = `it has been due for ${formatDuration(lateMs)} and no worker takes it; is a worker of task queue '${taskQueue}' running?`;
      return { trouble: 'late', since: since(dueSince), message };
    }
    if (health !== 'failing') return undefined;
    const message = error ?? 'it fails';
    return { trouble: 'failing', since: since(failingSince), message };
  }

  #eventOf(ref: Ref, namespace: string): SensorHealthEvent {
    const { eventId, sensor, change, at, message, unhealthySince, workflowId, runId } = ref;
    const web = this.#options.webUrl();
    return {
      kind: 'sensor',
      eventId,
      sensor,
      change,
      at: new Date(at),
      message,
      ...(unhealthySince === undefined ? {} : { unhealthySince: new Date(unhealthySince) }),
      workflowId,
      ...(web === undefined ? {} : { url: webLink(web, namespace, { workflowId, runId }) }),
    };
  }
}

const TROUBLES: Readonly<Record<Trouble, string>> = {
  failing: 'failing',
  notLoaded: 'not loaded',
  late: 'late',
  stoppedItself: 'stopped by itself',
  closed: 'closed',
};

/** With as much of its message as an event may have. */
function fitted(ref: Ref): Ref {
  let { message } = ref;
  for (let room = MAX_REF_BYTES; room > 50 && jsonBytes({ ...ref, message }) > MAX_REF_BYTES; room -= 50)
    message = cutText(ref.message, room);
  return { ...ref, message };
}

/** 48 bits of the name's hash: a sensor's name may be long, and a thousand may be unhealthy. */
function keyOf(sensor: string): string {
  return shortHash(sensor).slice(0, 8);
}
