/**
 * Where a run status sensor is: everything before `since` is done, and of what came after it the events that are done.
 *
 * Temporal's visibility is eventually consistent, so an event may be listed after one that happened later. Therefore
 * `since` stays so far behind the server's clock that everything before it is listed, and each event behind it is
 * remembered: by 48 bits of the hash of its ID and its distance from `since` in seconds, in 7 bytes, because thousands
 * may end within that time.
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
  readonly #settledAt: number;
  /** By hash: when the event happened. */
  readonly #seen = new Map<string, number>();
  #since: number;
  #moved = false;

  /** @param now the server's clock, not later than when the listing began */
  constructor(start: Position, now: number) {
    this.#start = start;
    this.#since = start.since;
    this.#settledAt = Math.max(start.since, now - SETTLED_MS);
    const bytes = Buffer.from(start.seen, 'base64');
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES)
      this.#seen.set(bytes.toString('hex', at, at + HASH_BYTES), start.since + 1_000 * (bytes[at + HASH_BYTES] ?? 0));
  }

  /** Everything that happened before is listed. */
  get settledAt(): number {
    return this.#settledAt;
  }

  has(eventId: string): boolean {
    return this.#seen.has(hashOf(eventId));
  }

  /** Whether the event can be remembered; what is settled need not be, once all before it is done. */
  fits(at: number, maxBytes: number): boolean {
    return at <= this.#settledAt || 4 * Math.ceil(((this.#seen.size + 1) * ENTRY_BYTES) / 3) <= maxBytes;
  }

  /** An event is done, and so are all that are listed and happened before it. */
  take(eventId: string, at: number): void {
    this.#moved = true;
    this.#seen.set(hashOf(eventId), Math.max(at, this.#start.since));
    // whole seconds, so that distances from it are not rounded up again and again
    const since = 1_000 * Math.floor(Math.min(at, this.#settledAt) / 1_000);
    if (since <= this.#since) return;
    this.#since = since;
    for (const [hash, when] of this.#seen) if (when < since) this.#seen.delete(hash);
  }

  /** The same object as at the start when no event was taken: an idle sensor's cursor does not change. */
  get end(): Position {
    if (!this.#moved) return this.#start;
    const since = this.#since;
    const entries = [...this.#seen].map(([hash, at]) => {
      const offset = Math.min(MAX_OFFSET_S, Math.max(0, Math.ceil((at - since) / 1_000)));
      return Buffer.concat([Buffer.from(hash, 'hex'), Buffer.from([offset])]);
    });
    return { since, seen: Buffer.concat(entries).toString('base64') };
  }
}

function hashOf(eventId: string): string {
  return createHash('sha256')
    .update(eventId)
    .digest('hex')
    .slice(0, 2 * HASH_BYTES);
}
