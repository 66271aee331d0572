/**
 * What a sensor remembers about itself: ticks, dead letters, audit. Each list is bounded in bytes, because all of it
 * crosses continue-as-new. Pure.
 */
import type { StoredCursor } from '../sensors/cursor.js';
import { cutText, jsonBytes } from '../sensors/json.js';
import {
  MAX_AUDIT_BYTES,
  MAX_AUDIT_ENTRIES,
  MAX_DEAD_LETTERS_BYTES,
  MAX_NOTE_BYTES,
  MAX_RING_BYTES,
  MAX_RING_TICKS,
} from '../sensors/limits.js';
import type { AuditEntry, DeadLetter, Note, Rejection, TickRecord, Trigger } from '../sensors/protocol.js';

const SAMPLE = 20;
const REJECTED_SAMPLE = 5;
/** A longer cursor is left out of tick records; the state has it. */
const MAX_RECORDED_CURSOR_BYTES = 1024;

/** The record of a tick that begins. */
export function emptyRecord(tick: number, trigger: Trigger, startedAt: number): TickRecord {
  return {
    tick,
    status: 'started',
    trigger,
    startedAt,
    runs: { count: 0, sample: [] },
    duplicates: { count: 0, sample: [] },
    rejected: { count: 0, sample: [] },
    pending: 0,
    events: 0,
  };
}

/** What a record says of the cursor before its tick. */
export function cursorBefore(cursor: StoredCursor | undefined): Pick<TickRecord, 'cursorBefore' | 'noCursorBefore'> {
  return cursor === undefined ? { noCursorBefore: true } : { cursorBefore: cursor };
}

/** A tick as the ring keeps it: samples instead of whole lists, small cursors only. */
function compactRecord(record: TickRecord): TickRecord {
  const { cursorBefore: before, cursorAfter, ...rest } = record;
  const large = (cursor: TickRecord['cursorBefore']): boolean =>
    cursor !== undefined && jsonBytes(cursor) > MAX_RECORDED_CURSOR_BYTES;
  return {
    ...rest,
    runs: { count: record.runs.count, sample: record.runs.sample.slice(0, SAMPLE) },
    duplicates: { count: record.duplicates.count, sample: record.duplicates.sample.slice(0, SAMPLE) },
    rejected: {
      count: record.rejected.count,
      sample: record.rejected.sample.slice(0, REJECTED_SAMPLE).map(({ payload: _, ...rejection }) => rejection),
    },
    ...(before === undefined || large(before) ? {} : { cursorBefore: before }),
    ...(cursorAfter === undefined || large(cursorAfter) ? {} : { cursorAfter }),
    ...(large(before) ? { cursorOmitted: true as const } : {}),
  };
}

/** The last 50 ticks in 64 KB: older ones lose their log lines first, then the oldest go. */
export function addTick(ring: readonly TickRecord[], record: TickRecord): readonly TickRecord[] {
  let kept = [...ring, compactRecord(record)].slice(-MAX_RING_TICKS);
  const sizes = kept.map(bytesOf);
  let total = sizes.reduce((sum, size) => sum + size, 0);
  for (let index = 0; index < kept.length - 1 && total > MAX_RING_BYTES; index++) {
    const { logs, ...rest } = kept[index] as TickRecord;
    if (logs === undefined) continue;
    const slim = { ...rest, logLinesDropped: (rest.logLinesDropped ?? 0) + logs.length };
    total -= (sizes[index] ?? 0) - bytesOf(slim);
    sizes[index] = bytesOf(slim);
    kept[index] = slim;
  }
  while (kept.length > 1 && total > MAX_RING_BYTES) {
    total -= sizes.shift() ?? 0;
    kept = kept.slice(1);
  }
  return kept;
}

const measured = new WeakMap<readonly DeadLetter[] | TickRecord, number>();

/** Measured once: each tick asks for every record in the ring, and each event that is too large for the dead letters. */
function bytesOf(value: readonly DeadLetter[] | TickRecord): number {
  const bytes = measured.get(value) ?? jsonBytes(value);
  measured.set(value, bytes);
  return bytes;
}

/** Bytes left in the dead letters. */
export function deadLetterRoom(letters: readonly DeadLetter[]): number {
  return MAX_DEAD_LETTERS_BYTES - bytesOf(letters);
}

/**
 * Adds rejections, one entry per job and key, counted. The evaluation checked that requests fit; what does not fit
 * is returned as `refused`.
 */
export function addDeadLetters(
  letters: readonly DeadLetter[],
  rejections: readonly Rejection[],
  tick: number,
  now: number
): { readonly letters: readonly DeadLetter[]; readonly refused: readonly Rejection[] } {
  const byId = new Map(letters.map((letter) => [letter.id, letter]));
  const refused: Rejection[] = [];
  let room = deadLetterRoom(letters);
  for (const rejection of rejections) {
    const known = byId.get(rejection.id);
    const letter = {
      ...rejection,
      ...(known === undefined
        ? {}
        : { error: known.error, ...(known.payload === undefined ? {} : { payload: known.payload }) }),
      tick,
      firstAt: known?.firstAt ?? now,
      lastAt: now,
      count: (known?.count ?? 0) + 1,
    };
    const bytes = jsonBytes(letter) + 1 - (known === undefined ? 0 : jsonBytes(known));
    if (bytes > room) {
      refused.push(rejection);
      continue;
    }
    room -= bytes;
    byId.set(letter.id, letter);
  }
  return { letters: refused.length === rejections.length ? letters : [...byId.values()], refused };
}

/** The last 50 things operators did. */
export function addAudit(
  audit: readonly AuditEntry[],
  what: string,
  note: Note,
  at: number,
  more: Pick<AuditEntry, 'discarded' | 'letters'> = {}
): readonly AuditEntry[] {
  const entry: AuditEntry = { at, what: cutText(what, MAX_NOTE_BYTES), ...noteOf(note), ...more };
  let kept = [...audit, entry].slice(-MAX_AUDIT_ENTRIES);
  while (jsonBytes(kept) > MAX_AUDIT_BYTES) kept = kept.slice(1);
  return kept;
}

/** Who and why, cut to what the state can hold. */
export function noteOf({ by, reason }: Note): { readonly by?: string; readonly reason?: string } {
  return {
    ...(by === undefined ? {} : { by: cutText(by, MAX_NOTE_BYTES) }),
    ...(reason === undefined ? {} : { reason: cutText(reason, MAX_NOTE_BYTES) }),
  };
}
