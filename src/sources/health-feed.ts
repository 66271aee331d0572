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
import { formatDuration } from '../sensors/duration.js';
import type { SensorContextBase } from '../sensors/define-sensor.js';
import { EvaluationError } from '../sensors/errors.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { EventHandling, handlingSchema } from '../sensors/handle-events.js';
import { cutText, jsonBytes, sameJson } from '../sensors/json.js';
import { MAX_CURSOR_BYTES } from '../sensors/limits.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';
import { HEALTH_CHANGES, type HealthChangeKind, type SensorHealthEvent } from '../sensors/status-run.js';
import { shortHash } from '../sensors/short-hash.js';

const ASKED_AT_ONCE = 20;
const MAX_MESSAGE_BYTES = 400;
/** Room in the cursor for what a tick may add beside what is wrong. */
const SPARE_BYTES = 24 * 1024;

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

export class HealthFeed {
  readonly #options: HealthFeedOptions;

  constructor(options: HealthFeedOptions) {
    this.#options = options;
  }

  async evaluate(ctx: HealthContext): Promise<readonly (RunRequest | SkipReason | More)[]> {
    const { cursor } = ctx;
    const { handlers, maxAttempts, handleTimeoutMs, intervalMs } = this.#options;
    const handling = new EventHandling<SensorHealthEvent & { readonly ref: Ref }>(
      ctx,
      {
        handlers,
        maxAttempts,
        handleTimeoutMs,
        intervalMs: intervalMs(),
        refOf: ({ ref }) => ref,
        find: async (ref) => this.#eventOf(refSchema.parse(ref), ctx.client.options.namespace),
      },
      cursor
    );
    await handling.again();
    const looked = handling.ready ? await this.#look(ctx, handling) : undefined;
    await handling.finish();
    const { requests, waiting } = handling.settle(undefined);
    const { wrong, recoveredUntil } = looked ?? cursor;
    const next = { wrong, recoveredUntil, ...handling.state };
    if (jsonBytes(wrong) > MAX_CURSOR_BYTES - SPARE_BYTES)
      throw new EvaluationError(
        `${Object.keys(wrong).length} sensors are unhealthy, more than one sensor can keep; watch fewer with sensorHealth({ sensors })`
      );
    const given: (RunRequest | SkipReason | More)[] = [...requests];
    if (!sameJson(next, cursor)) {
      ctx.setCursor(next);
      if (looked?.complete === false && waiting === undefined) given.push(ctx.more());
    }
    if (requests.length === 0 && handling.handled === 0) {
      const count = Object.keys(wrong).length;
      given.push(
        ctx.skip(waiting ?? (count === 0 ? 'all sensors are well' : `${count} sensors are unhealthy, as before`))
      );
    }
    return given;
  }

  /** Compares, and has the changes handled as long as that may go on; what is left is found again by the next tick. */
  async #look(ctx: HealthContext, handling: EventHandling<SensorHealthEvent & { readonly ref: Ref }>): Promise<Looked> {
    const { client, cursor } = ctx;
    const sensors = new SensorClient(client);
    const watched = (await sensors.list()).filter(
      ({ sensor }) => sensor !== ctx.sensor && this.#options.isWatched(sensor)
    );
    const findings = new Map<string, Finding | undefined>();
    await inBatches(watched, ASKED_AT_ONCE, async (summary) => {
      ctx.signal.throwIfAborted();
      findings.set(summary.sensor, await this.#findingOf(sensors, summary));
    });
    const wrong: Record<string, [Trouble, number]> = {};
    let { recoveredUntil } = cursor;
    const told = Math.max(recoveredUntil, ctx.sensorStartedAt.getTime());
    let complete = true;
    for (const summary of watched) {
      const key = keyOf(summary.sensor);
      const before = cursor.wrong[key];
      const finding = findings.get(summary.sensor);
      const events = this.#changes(summary, before, finding, told);
      let done: boolean = complete;
      for (const event of done ? events : [])
        done &&= await handling.take(this.#eventOf(event, client.options.namespace));
      complete = done;
      if (!done) {
        if (before !== undefined) wrong[key] = [before[0], before[1]];
        continue;
      }
      if (finding !== undefined) wrong[key] = [finding.trouble, finding.since];
    }
    // only when all were told of: those of a tick that was cut short come again
    if (complete)
      for (const { recovered } of watched) recoveredUntil = Math.max(recoveredUntil, recovered?.at.getTime() ?? 0);
    return { wrong, recoveredUntil, complete };
  }

  /** The events that lead from what was known to what is. */
  #changes(
    summary: SensorSummary,
    before: readonly [Trouble, number] | undefined,
    finding: Finding | undefined,
    told: number
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
      events.push({ eventId, sensor, change, workflowId, runId, ...more });
    };
    const recoveredAt = recovered?.at.getTime();
    if (before === undefined && recovered !== undefined && recoveredAt !== undefined && recoveredAt > told) {
      // it failed and recovered since the last tick
      const since = recovered.failingSince.getTime();
      tell('failing', since, { at: since, message: 'it failed, and recovered by itself' });
      tell('recovered', since, { at: recoveredAt, message: 'it had been failing', unhealthySince: since });
    }
    const same =
      before !== undefined && finding !== undefined && before[0] === finding.trouble && before[1] === finding.since;
    if (finding !== undefined && !same)
      tell(finding.trouble, finding.since, { at: finding.since, message: finding.message });
    // an operator who stopped it knows
    if (before !== undefined && finding === undefined && status === 'running') {
      const at = before[0] === 'failing' && recoveredAt !== undefined ? recoveredAt : Date.now();
      tell('recovered', before[1], { at, message: `it was ${TROUBLES[before[0]]}`, unhealthySince: before[1] });
    }
    return events;
  }

  async #findingOf(sensors: SensorClient, summary: SensorSummary): Promise<Finding | undefined> {
    const { sensor, status, statusBy, statusReason } = summary;
    if (status === 'stopped' && statusBy !== 'stopAfterFailures') return undefined;
    let description: SensorDescription;
    try {
      description = await sensors.describe(sensor);
    } catch (error) {
      // pruned since it was listed
      if (error instanceof SensorNotFoundError) return undefined;
      throw error;
    }
    const { evaluation, dueSince, health, failingSince, failedTaskAttempts, startTime, closeTime, statusAt } =
      description;
    const since = (at: Date | undefined): number => (at ?? startTime).getTime();
    if (description.status === 'closed')
      return {
        trouble: 'closed',
        since: since(closeTime),
        message: 'its loop was cancelled or terminated; it comes back when a worker or `sensors start` starts it',
      };
    if (status === 'stopped')
      return { trouble: 'stoppedItself', since: since(statusAt), message: statusReason ?? 'it failed too often' };
    if (health === 'notLoaded')
      return {
        trouble: 'notLoaded',
        since: since(undefined),
        message: evaluation?.lastOutcome ?? 'no worker has its definition',
      };
    const lateMs = dueSince === undefined ? 0 : Date.now() - dueSince.getTime();
    if (lateMs > this.#options.lateAfterMs) {
      const message =
        failedTaskAttempts === undefined
          ? `it has been due for ${formatDuration(lateMs)} and no worker takes it; is a worker of task queue '${description.taskQueue}' running?`
          : `its workflow task has failed ${failedTaskAttempts} times; Temporal Web says why`;
      return { trouble: 'late', since: since(dueSince), message };
    }
    if (health !== 'failing') return undefined;
    return {
      trouble: 'failing',
      since: since(failingSince),
      message: evaluation?.lastOutcome ?? evaluation?.lastTickOutcome ?? 'it fails',
    };
  }

  #eventOf(ref: Ref, namespace: string): SensorHealthEvent & { readonly ref: Ref } {
    const { eventId, sensor, change, at, unhealthySince, workflowId, runId } = ref;
    const message = cutText(ref.message, MAX_MESSAGE_BYTES);
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
      ref: { ...ref, message },
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

/** 48 bits of the name's hash: a sensor's name may be long, and a thousand may be unhealthy. */
function keyOf(sensor: string): string {
  return shortHash(sensor).slice(0, 8);
}
