/**
 * So many messages and no more: what comes beyond is held, counted, and sent as one digest.
 *
 * A window begins with a message. Once it has had its messages, every event is held until it is over, and all that came
 * later too until the digest is out: order stays, and the digest, which begins the next window, is one of its messages.
 * Each event is sent or counted in exactly one digest. What is held is bounded by its form: counts of 20 names, 10 lines.
 */
import { z } from 'zod';
import { parseDuration, type Duration } from '../sensors/duration.js';
import { DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { EventContextBase, EventHandlers, Memory } from '../sensors/event-handlers.js';
import { cutText, type Json } from '../sensors/json.js';
import { shortHash } from '../sensors/short-hash.js';
import { HEALTH_CHANGES, RUN_STATUSES } from '../sensors/status-run.js';
import { count, plain } from '../sensors/text.js';
import { digestKeyOf, summarize, type AlertDigest, type AlertEvent, type AlertSubject } from './message.js';

/** At most `max` messages per window. */
export interface GroupOptions {
  /** Length of a window, 1 second to 1 day. @default '5m' */
  readonly per?: Duration;
  /** Messages in a window, 1 to 1,000. @default 20 */
  readonly max?: number;
}

export interface Grouping {
  readonly perMs: number;
  readonly max: number;
}

/** Every event has its message, at once. */
const UNGROUPED: Grouping = { perMs: 0, max: Number.POSITIVE_INFINITY };

const DAY_MS = 24 * 60 * 60 * 1000;
const MAX_NAMES = 20;
const MAX_NAME_BYTES = 64;
const MAX_LINES = 10;
const MAX_LINE_BYTES = 140;

/** Sends a message; when it throws, the message is not sent. */
export type Deliver = (ctx: EventContextBase, subject: AlertSubject) => Promise<void>;

const time = z.int().min(0);
const heldSchema = z.object({
  /** Hash of the first one's event ID. */
  id: z.string(),
  count: z.int().min(1),
  since: time,
  until: time,
  counts: z.array(z.object({ name: z.string(), what: z.enum([...RUN_STATUSES, ...HEALTH_CHANGES]), count: z.int() })),
  others: z.int().min(0),
  first: z.array(z.string()),
});
type Held = z.output<typeof heldSchema>;
/** What is kept from event to event: a window, and what it could not send. */
const memorySchema = z.object({ endsAt: time, sent: z.int().min(0), held: heldSchema.optional() });
type Window = z.output<typeof memorySchema>;

/**
 * @throws {@link DefinitionError} for what is neither `false` nor a window and a number
 */
export function checkGroup(group: unknown, place: string): Grouping {
  if (group === false) return UNGROUPED;
  const given: unknown = group ?? {};
  if (typeof given !== 'object' || given === null) {
    throw new DefinitionError(`${place} is ${quote(group)}; accepted: { per, max }, or false for a message per event`);
  }
  refuseUnknownOptions(given, ['per', 'max'], place);
  const { per = '5m', max = 20 } = given as { per?: unknown; max?: unknown };
  if (!Number.isInteger(max) || (max as number) < 1 || (max as number) > 1_000) {
    throw new DefinitionError(`${place}.max is ${quote(max)}; accepted: 1 to 1000 messages per window`);
  }
  return { perMs: parseDuration(per, `${place}.per`, 1_000, DAY_MS), max: max as number };
}

/** Handlers that send each event, or hold it for a digest. */
export function grouped({ perMs, max }: Grouping, deliver: Deliver): EventHandlers<AlertEvent> {
  /** The window that is not over; one with something held stays until its digest is sent. */
  const windowAt = (ctx: EventContextBase, memory: Memory): Window | undefined => {
    const stored = readWindow(ctx, memory);
    // neither a worker's clock that was ahead nor an earlier, longer `per` makes a window longer
    const endsAt = Math.min(stored?.endsAt ?? 0, ctx.now.getTime() + perMs);
    return stored === undefined || (stored.held === undefined && endsAt <= ctx.now.getTime())
      ? undefined
      : { ...stored, endsAt };
  };
  const keep = (memory: Memory, window: Window | undefined): void => {
    memory.value = window as Json | undefined;
  };
  const begin = (ctx: EventContextBase): Window | undefined =>
    perMs === 0 ? undefined : { endsAt: ctx.now.getTime() + perMs, sent: 1 };

  return {
    handle: async (ctx, event, memory) => {
      const window = windowAt(ctx, memory);
      if (window !== undefined && (window.held !== undefined || window.sent >= max)) {
        keep(memory, { ...window, held: hold(window.held, event) });
        return;
      }
      await deliver(ctx, event);
      keep(memory, window === undefined ? begin(ctx) : { ...window, sent: window.sent + 1 });
    },
    finish: async (ctx, memory) => {
      const window = windowAt(ctx, memory);
      if (window?.held === undefined || window.endsAt > ctx.now.getTime()) {
        keep(memory, window);
        return window?.held === undefined ? undefined : window.endsAt;
      }
      await deliver(ctx, digestOf(window.held));
      keep(memory, begin(ctx));
      return undefined;
    },
    describe: (memory) => {
      const { held, endsAt } = memorySchema.safeParse(memory).data ?? {};
      return held && `${count(held.count, 'event')} held for a digest at ${new Date(endsAt ?? 0).toISOString()}`;
    },
  };
}

function readWindow(ctx: EventContextBase, memory: Memory): Window | undefined {
  if (memory.value === undefined) return undefined;
  const read = memorySchema.safeParse(memory.value);
  if (read.success) return read.data;
  ctx.log.warn(
    'what this alert sensor held for a digest was kept by another version and cannot be read: it is forgotten'
  );
  return undefined;
}

function hold(held: Held | undefined, event: AlertEvent): Held {
  const at = event.at.getTime();
  const before = held ?? {
    id: shortHash(event.eventId),
    count: 0,
    since: at,
    until: at,
    counts: [],
    others: 0,
    first: [],
  };
  const { counts, others } = countIn(before, event);
  return {
    ...before,
    count: before.count + 1,
    since: Math.min(before.since, at),
    until: Math.max(before.until, at),
    counts,
    others,
    first:
      before.first.length < MAX_LINES ? [...before.first, cutText(summarize(event), MAX_LINE_BYTES)] : before.first,
  };
}

function countIn(
  { counts, others }: Pick<Held, 'counts' | 'others'>,
  event: AlertEvent
): Pick<Held, 'counts' | 'others'> {
  const { name: whole, what } = digestKeyOf(event);
  const name = cutText(plain(whole), MAX_NAME_BYTES);
  const index = counts.findIndex((each) => each.name === name && each.what === what);
  if (index >= 0) return { others, counts: counts.with(index, { name, what, count: (counts[index]?.count ?? 0) + 1 }) };
  if (counts.length >= MAX_NAMES) return { counts, others: others + 1 };
  return { others, counts: [...counts, { name, what, count: 1 }] };
}

function digestOf({ id, since, until, ...held }: Held): AlertDigest {
  // the count is part of it: a digest that has grown since it failed is another message to its receiver
  return {
    kind: 'digest',
    eventId: `digest/${id}/${held.count}`,
    since: new Date(since),
    until: new Date(until),
    ...held,
  };
}
