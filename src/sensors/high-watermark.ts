/**
 * A cursor for items that carry a time: rows with `updated_at`, objects with `LastModified`, entries of a feed.
 *
 * "Everything after the newest time I saw" loses items: two of the same instant, one that is indexed late, one that a
 * slow transaction commits behind a faster one. So each read begins `overlap` before the newest time, and the cursor
 * remembers, as short hashes, which items of that window were given. An item is given once, whatever order items show
 * up in, if it shows up at most `overlap` after its own time. Nothing new leaves the cursor as it is, so an idle sensor
 * folds. Pure, but for SHA-256.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseDuration, type Duration } from './duration.js';
import { DefinitionError, EvaluationError, quote, refuseUnknownOptions } from './errors.js';
import { MAX_CURSOR_BYTES, MAX_INTERVAL_MS } from './limits.js';

/** 72 bits of SHA-256 in base64url. A million items that meet 5,000 others by chance: once in 10^12. */
const HASH_LENGTH = 12;
/** Leaves room for the author's own fields beside it. */
const MAX_BYTES = MAX_CURSOR_BYTES - 4 * 1024;
/** Hashes are kept in groups by time, so that the time is not stored with each. */
const GROUPS_PER_OVERLAP = 32;
/** A group in JSON besides its hashes: `"2026-11-22T05:25:00.000Z":"",`. */
const GROUP_BYTES = 30;
/** Years that ISO 8601 writes with four digits. */
const MIN_TIME = Date.parse('0000-01-01T00:00:00.000Z');
const MAX_TIME = Date.parse('9999-12-31T23:59:59.999Z');

const watermarkSchema = z
  .object({
    /** Everything before this time has been given. Absent: nothing has. */
    since: z.iso.datetime().optional(),
    /** Hashes of the items that were given since then, by the time until which they are remembered. */
    seen: z
      .record(z.iso.datetime(), z.string().regex(/^([\w-]{12})*$/, 'expected hashes of 12 characters'))
      .default({}),
  })
  .default({ seen: {} });

/** A position, as JSON. `{ "since": "2026-11-01T00:00:00Z" }` is one that an operator may set by hand. */
export type WatermarkCursor = z.output<typeof watermarkSchema>;

export interface HighWatermarkOptions<Item> {
  /** When the item says that it was made or changed: a Date, or milliseconds since the epoch. */
  readonly at: (item: Item) => Date | number;
  /**
   * What tells items of one instant apart: an ID. Add a version if an item can change without a new time. It also
   * orders them.
   */
  readonly tieBreak: (item: Item) => string | number;
  /**
   * How much later than its time an item may show up: slow transactions, slow indexes, clocks that differ. 0 to 30 days.
   * A cursor remembers about 5,000 items of so long a time.
   */
  readonly overlap: Duration;
}

/** What {@link HighWatermark.take} needs to know; a sensor's `ctx` has it. */
export interface TakeOptions {
  /** A time before the items were read, such as `ctx.now`. A time in the future never moves the position beyond it. */
  readonly now: Date;
  /** At most so many items, the oldest first. @default all */
  readonly limit?: number;
}

export interface Taken<Item> {
  /** The items that were not given before, by time and tie-break. */
  readonly items: readonly Item[];
  /** The position after them: the same object when there are none. */
  readonly cursor: WatermarkCursor;
  /** Whether `limit` left some for the next time. */
  readonly more: boolean;
}

export interface HighWatermark<Item> {
  /** Schema of the position, for `cursor:` of the sensor or a field of it. */
  readonly schema: typeof watermarkSchema;
  /** From when on to read, inclusive; `undefined` at first: everything. */
  since(cursor: WatermarkCursor): Date | undefined;
  /**
   * Sorts out what was given before. Reading too much is harmless; everything since {@link since} has to be read.
   *
   * @throws {@link EvaluationError} when an item has no time, or more items are within the overlap than a cursor can
   *   remember. Nothing is skipped then: without `limit` it goes on by itself when they are older than the overlap.
   */
  take(cursor: WatermarkCursor, items: Iterable<Item>, options: TakeOptions): Taken<Item>;
}

/**
 * Makes a position for items that carry a time.
 *
 * ```ts
 * const position = highWatermark<Row>({ at: (row) => row.updatedAt, tieBreak: (row) => row.id, overlap: '2 minutes' });
 * defineSensor({
 *   cursor: position.schema,
 *   async evaluate(ctx) {
 *     const rows = await readRows({ from: position.since(ctx.cursor) });
 *     const { items, cursor } = position.take(ctx.cursor, rows, ctx);
 *     ctx.setCursor(cursor);
 *     return items.map((row) => ctx.run({ runKey: `${row.id}@${row.version}`, config: { id: row.id } }));
 *   },
 * });
 * ```
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function highWatermark<Item>(options: HighWatermarkOptions<Item>): HighWatermark<Item> {
  return createWatermark(options, 'fail');
}

/**
 * @param whenFull `'repeat'` gives items that no longer fit the cursor again, for as long as they are within the overlap:
 *   for those whose run keys keep them from running twice
 * @internal
 */
export function createWatermark<Item>(
  options: HighWatermarkOptions<Item>,
  whenFull: 'fail' | 'repeat'
): HighWatermark<Item> {
  refuseUnknownOptions(options, ['at', 'tieBreak', 'overlap'], 'highWatermark');
  for (const name of ['at', 'tieBreak'] as const) {
    if (typeof options[name] !== 'function') {
      throw new DefinitionError(`highWatermark: ${name} is ${quote(options[name])}; accepted: a function of an item`);
    }
  }
  const overlapMs = parseDuration(options.overlap, 'highWatermark: overlap', 0, MAX_INTERVAL_MS);
  const groupMs = Math.max(1, Math.ceil(overlapMs / GROUPS_PER_OVERLAP));

  return {
    schema: watermarkSchema,
    since: ({ since }) => (since === undefined ? undefined : new Date(since)),
    take(cursor, items, { now, limit = Number.POSITIVE_INFINITY }) {
      if (!(limit >= 1)) throw new EvaluationError(`the limit is ${quote(limit)}; accepted: 1 or more`);
      const since = cursor.since === undefined ? MIN_TIME : Date.parse(cursor.since);
      const fresh = freshItems(options, items, since, cursor.seen);
      const taken = fresh.slice(0, limit);
      const last = taken.at(-1);
      if (last === undefined) return { items: [], cursor, more: false };

      // an item's time in the future is a wrong clock, which must not hide what comes in the meantime
      let next = Math.max(since, floor(Math.min(last.at, now.getTime()) - overlapMs));
      let memory = remember(cursor.seen, taken, next, groupMs);
      if (memory.forgotten > 0) {
        // many at once, and then silence: by the clock they may be out of the window, but never those left behind
        const left = fresh[taken.length]?.at ?? Number.POSITIVE_INFINITY;
        const later = Math.max(next, floor(Math.min(now.getTime() - overlapMs, left)));
        const smaller = remember(cursor.seen, taken, later, groupMs);
        // as long as that does not help, the position stays, so that repeats are no news
        if (smaller.forgotten === 0) [next, memory] = [later, smaller];
        else if (whenFull === 'fail') throw tooMany(smaller, overlapMs);
      }
      return {
        items: taken.map(({ item }) => item),
        cursor: { since: new Date(next).toISOString(), seen: memory.seen },
        more: taken.length < fresh.length,
      };
    },
  };
}

interface Candidate<Item> {
  readonly item: Item;
  readonly at: number;
  readonly tieBreak: string;
  readonly hash: string;
}

/** The items since `since` that were not seen, each once, in order. */
function freshItems<Item>(
  { at: timeOf, tieBreak: tieOf }: HighWatermarkOptions<Item>,
  items: Iterable<Item>,
  since: number,
  groups: WatermarkCursor['seen']
): readonly Candidate<Item>[] {
  const seen = new Set(Object.values(groups).flatMap(split));
  const fresh: Candidate<Item>[] = [];
  let index = 0;
  for (const item of items) {
    const given = timeOf(item);
    const time = given instanceof Date ? given.getTime() : given;
    if (typeof time !== 'number' || Number.isNaN(time)) {
      throw new EvaluationError(`highWatermark: 'at' gave no time for item ${index}; expected a Date or milliseconds`);
    }
    index++;
    const at = Math.min(Math.max(time, MIN_TIME), MAX_TIME);
    if (at < since) continue;
    const tieBreak = String(tieOf(item));
    const hash = hashOf(`${time}:${tieBreak}`);
    if (seen.has(hash)) continue;
    seen.add(hash);
    fresh.push({ item, at, tieBreak, hash });
  }
  return fresh.sort((a, b) => a.at - b.at || (a.tieBreak < b.tieBreak ? -1 : Number(a.tieBreak > b.tieBreak)));
}

interface Memory {
  readonly seen: WatermarkCursor['seen'];
  readonly remembered: number;
  /** Items of the window that did not fit. */
  readonly forgotten: number;
}

/** The groups with these items added, without those that ended before `since`. What was remembered stays so. */
function remember(
  groups: WatermarkCursor['seen'],
  taken: readonly Candidate<unknown>[],
  since: number,
  groupMs: number
): Memory {
  const seen = new Map(
    Object.entries(groups)
      .filter(([until]) => Date.parse(until) > since)
      .map(([until, hashes]) => [until, [hashes]])
  );
  let bytes = [...seen.values()].reduce((sum, [hashes = '']) => sum + GROUP_BYTES + hashes.length, 0);
  let remembered = (bytes - seen.size * GROUP_BYTES) / HASH_LENGTH;
  let forgotten = 0;
  for (const { at, hash } of taken) {
    const end = Math.min((Math.floor(at / groupMs) + 1) * groupMs, MAX_TIME);
    // the end of time has no later moment at which it could be forgotten
    if (end <= since && end !== MAX_TIME) continue;
    const until = new Date(end).toISOString();
    const group = seen.get(until);
    const more = HASH_LENGTH + (group === undefined ? GROUP_BYTES : 0);
    if (bytes + more > MAX_BYTES) {
      forgotten++;
      continue;
    }
    if (group === undefined) seen.set(until, [hash]);
    else group.push(hash);
    bytes += more;
    remembered++;
  }
  return {
    seen: Object.fromEntries([...seen].map(([until, hashes]) => [until, hashes.join('')])),
    remembered,
    forgotten,
  };
}

function split(hashes: string): string[] {
  return hashes.match(/.{12}/g) ?? [];
}

function hashOf(text: string): string {
  // utf16le keeps lone surrogates apart, which UTF-8 would turn into the same replacement character
  return createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url').slice(0, HASH_LENGTH);
}

/** A whole millisecond that ISO 8601 can write. */
function floor(time: number): number {
  return Math.max(MIN_TIME, Math.floor(time));
}

function tooMany({ remembered, forgotten }: Memory, overlapMs: number): EvaluationError {
  return new EvaluationError(
    `${remembered + forgotten} items are within the overlap of ${overlapMs} ms, and a cursor remembers ${remembered} of them; nothing was ` +
      `skipped: without a limit it goes on when they are older than that, and with a shorter overlap sooner`
  );
}
