/**
 * Lists what happened since a time, oldest first, however much that is: the server lists newest first and page by page,
 * so a time with too much in it is split until the oldest part of it fits.
 */
import type { Client } from '@temporalio/client';
import { listExecutions, type Execution } from '../client/executions.js';

/** What one window holds at most, as long as it can be split. */
const MAX_LISTED = 2_000;

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
}

/**
 * Windows of what happened from `from` on, in order and without gaps; the last one is open, so that what happens
 * meanwhile is in it. One request when there is little.
 *
 * @param from milliseconds since the epoch, included
 * @param now milliseconds since the epoch: nothing is split behind it
 */
export async function* listWindows(
  listing: Listing,
  from: number,
  now: number,
  signal: AbortSignal
): AsyncIterable<readonly Happened[]> {
  let start = from;
  for (;;) {
    const rest = await list(listing, start, undefined, MAX_LISTED, signal);
    if (rest !== undefined) {
      yield rest;
      return;
    }
    const end = await findEnd(listing, start, now, signal);
    const window = await list(listing, start, end, Number.POSITIVE_INFINITY, signal);
    yield window ?? [];
    if (end === undefined) return;
    start = end;
  }
}

/** Where a window that begins at `start` has to end to hold little enough; nowhere if it cannot be split. */
async function findEnd(
  { client, query, attribute }: Listing,
  start: number,
  now: number,
  signal: AbortSignal
): Promise<number | undefined> {
  let end = now;
  while (end - start > 1) {
    signal.throwIfAborted();
    end = start + Math.ceil((end - start) / 2);
    const { count } = await client.workflow.count(`${query} AND ${between(attribute, start, end)}`);
    if (count <= MAX_LISTED) return end;
  }
  return end > start ? end : undefined;
}

/** In order of time; `undefined` when it is more than `max`. */
async function list(
  { client, query, attribute }: Listing,
  start: number,
  end: number | undefined,
  max: number,
  signal: AbortSignal
): Promise<readonly Happened[] | undefined> {
  const found: (Happened & { readonly order: readonly [seconds: number, nanos: number] })[] = [];
  for await (const execution of listExecutions(client, `${query} AND ${between(attribute, start, end)}`)) {
    signal.throwIfAborted();
    const { closeTime, startTime } = execution.raw;
    const time = attribute === 'CloseTime' ? closeTime : startTime;
    const order = [Number(time?.seconds ?? 0), time?.nanos ?? 0] as const;
    found.push({ at: 1_000 * order[0] + Math.floor(order[1] / 1e6), execution, order });
    if (found.length > max) return undefined;
  }
  return found.sort((a, b) => a.order[0] - b.order[0] || a.order[1] - b.order[1] || compare(a, b));
}

function compare(a: Happened, b: Happened): number {
  return a.execution.runId < b.execution.runId ? -1 : 1;
}

function between(attribute: TimeAttribute, start: number, end: number | undefined): string {
  const from = `${attribute} >= '${new Date(start).toISOString()}'`;
  return end === undefined ? from : `${from} AND ${attribute} < '${new Date(end).toISOString()}'`;
}
