/**
 * Where a run status sensor is: everything before `since` is done, and of what came after it the events that are done.
 *
 * Temporal's visibility is eventually consistent, so an event may be listed after one that happened later. Therefore
 * `since` stays so far behind the server's clock that everything before it is listed, and each event behind it is
 * remembered: by 48 bits of the hash of its ID and its distance from the second of `since`, in 7 bytes, because
 * thousands may end within that time.
 */
import { createHash } from 'node:crypto';

/** What happened longer ago is listed. */
export const SETTLED_MS = 2 * 60_000;
const ENTRY_BYTES = 7;
const HASH_BYTES = 6;
const MAX_OFFSET_S = 255;

export interface Position {
  /** Milliseconds since the epoch, by the server's clock. */
  readonly since: number;
  /** Events at or after `since` that are done, packed. */
  readonly seen: string;
}

/** A position while a tick moves it. */
export class MovingPosition {
  readonly #start: Position;
  /** By hash: when the event happened; of those from before this tick, the second. */
  readonly #seen = new Map<string, number>();
  #settledAt: number;
  #since: number;
  #moved = false;

  /** @param clock the server's clock, not later than when the listing began */
  constructor(start: Position, clock: number) {
    this.#start = start;
    this.#since = start.since;
    this.#settledAt = Math.max(start.since, clock - SETTLED_MS);
    const bytes = Buffer.from(start.seen, 'base64');
    const base = secondOf(start.since);
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES)
      this.#seen.set(bytes.toString('hex', at, at + HASH_BYTES), base + 1_000 * (bytes[at + HASH_BYTES] ?? 0));
  }

  /** The listing did not begin before this time: a tick that waited for a worker knows only when it was due. */
  listedAt(clock: number): void {
    this.#settledAt = Math.max(this.#settledAt, clock - SETTLED_MS);
  }

  has(eventId: string): boolean {
    return this.#seen.has(hashOf(eventId));
  }

  /**
   * Whether the event can be remembered, once all that are listed and happened before it are done. What is settled
   * always can: of that, only events of the same time need be.
   */
  fits(at: number, maxBytes: number): boolean {
    const enough = 4 * Math.ceil(((this.#seen.size + 1) * ENTRY_BYTES) / 3) <= maxBytes;
    if (at > this.#settledAt) return enough && at - secondOf(this.#settledAt) <= 1_000 * MAX_OFFSET_S;
    if (!enough) this.#moveTo(at);
    return true;
  }

  /** An event is done, and so are all that are listed and happened before it. */
  take(eventId: string, at: number): void {
    this.#moved = true;
    this.#seen.set(hashOf(eventId), at);
    this.#moveTo(secondOf(Math.min(at, this.#settledAt)));
  }

  /** The same object as at the start when no event was taken: an idle sensor's cursor does not change. */
  get end(): Position {
    if (!this.#moved) return this.#start;
    const base = secondOf(this.#since);
    const bytes = Buffer.alloc(this.#seen.size * ENTRY_BYTES);
    let offset = 0;
    for (const [hash, at] of this.#seen) {
      bytes.write(hash, offset, 'hex');
      bytes[offset + HASH_BYTES] = Math.max(0, Math.min(MAX_OFFSET_S, (secondOf(at) - base) / 1_000));
      offset += ENTRY_BYTES;
    }
    return { since: this.#since, seen: bytes.toString('base64') };
  }

  #moveTo(since: number): void {
    if (since <= this.#since) return;
    this.#moved = true;
    this.#since = since;
    for (const [hash, at] of this.#seen) if (isBefore(at, since)) this.#seen.delete(hash);
  }
}

function secondOf(at: number): number {
  return 1_000 * Math.floor(at / 1_000);
}

/** A whole second may stand for any time in it. */
function isBefore(at: number, since: number): boolean {
  return at < (at % 1_000 === 0 ? secondOf(since) : since);
}

function hashOf(eventId: string): string {
  return createHash('sha256')
    .update(eventId)
    .digest('hex')
    .slice(0, 2 * HASH_BYTES);
}
