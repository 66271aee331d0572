/**
 * Lists what happened since a time, oldest first, however much that is: the server lists newest first and page by page,
 * so a time with too much in it is split until each part fits.
 */
import type { Client } from '@temporalio/client';
import { listExecutions, type Execution } from '../client/executions.js';

/** What one window holds at most, as long as it can be split: a page of the server. */
const MAX_LISTED = 1_000;
/** More is counted before it is listed. */
const MAX_UNCOUNTED = 200;

export type TimeAttribute = 'CloseTime' | 'StartTime';

export interface Happened {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly execution: Execution;
}

export interface Listing {
  readonly client: Client;
  /** A visibility query, without the time. */
  readonly query: string;
  readonly attribute: TimeAttribute;
  readonly signal: AbortSignal;
}

export interface Window {
  /** In order of time. */
  readonly happened: readonly Happened[];
  /** The server's clock in milliseconds since the epoch, not later than when the first window was listed. */
  readonly clock: number;
}

/** From `start` on, in milliseconds since the epoch; before `end`, if there is one. */
interface Span {
  readonly start: number;
  readonly end?: number;
}

/**
 * Windows of what happened from `from` on, in order and without gaps; the last one is open, so that what happens
 * meanwhile is in it. One request when there is little.
 *
 * @param from milliseconds since the epoch, included
 * @param now the server's clock, not later than now
 */
export async function* listWindows(listing: Listing, from: number, now: number): AsyncIterable<Window> {
  const few = await list(listing, { start: from }, MAX_UNCOUNTED);
  const clock = few.reduce((latest, { at }) => Math.max(latest, at), now);
  if (few.length <= MAX_UNCOUNTED) {
    yield { happened: few, clock };
    return;
  }
  const all = { start: from };
  for await (const span of split(listing, all, clock, await countIn(listing, all)))
    yield { happened: await list(listing, span), clock };
}

/**
 * Parts of a span that hold little enough, in order; empty ones are left out where that is known.
 *
 * @param clock nothing is split behind it
 * @param count how much is in the span, or was a moment ago
 */
async function* split(listing: Listing, span: Span, clock: number, count: number): AsyncIterable<Span> {
  listing.signal.throwIfAborted();
  const { start, end } = span;
  const middle = end === undefined ? clock : start + Math.ceil((end - start) / 2);
  if (count <= MAX_LISTED || middle <= start || middle === end) {
    yield span;
    return;
  }
  const first = { start, end: middle };
  const inFirst = await countIn(listing, first);
  if (inFirst > 0) yield* split(listing, first, clock, inFirst);
  // only a guess, so never a reason to leave it out
  yield* split(listing, { ...span, start: middle }, clock, count - inFirst);
}

async function countIn({ client, query, attribute }: Listing, span: Span): Promise<number> {
  const { count } = await client.workflow.count(`${query} AND ${within(attribute, span)}`);
  return count;
}

/** In order of time; if it is more than `max`, some of it. */
async function list(
  { client, query, attribute, signal }: Listing,
  span: Span,
  max?: number
): Promise<readonly Happened[]> {
  const found: (Happened & { readonly order: readonly [seconds: number, nanos: number] })[] = [];
  const pageSize = max === undefined ? undefined : max + 1;
  for await (const execution of listExecutions(client, `${query} AND ${within(attribute, span)}`, pageSize)) {
    signal.throwIfAborted();
    const { closeTime, startTime } = execution.raw;
    const time = attribute === 'CloseTime' ? closeTime : startTime;
    const order = [Number(time?.seconds ?? 0), time?.nanos ?? 0] as const;
    found.push({ at: 1_000 * order[0] + Math.floor(order[1] / 1e6), execution, order });
    if (max !== undefined && found.length > max) break;
  }
  return found.sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1] || compare(a, b));
}

function compare(a: Happened, b: Happened): number {
  return a.execution.runId < b.execution.runId ? -1 : 1;
}

function within(attribute: TimeAttribute, { start, end }: Span): string {
  const from = `${attribute} >= '${new Date(start).toISOString()}'`;
  return end === undefined ? from : `${from} AND ${attribute} < '${new Date(end).toISOString()}'`;
}
