/** The cursor as it was before a tick, from the ticks that a sensor keeps. Pure. */
import type { StoredCursor } from '../sensors/cursor.js';
import type { TickRecord } from '../sensors/protocol.js';

/** `cursor` is absent when there was none; `refusal` says why it is not known. */
export type EarlierCursor = { readonly cursor?: StoredCursor } | { readonly refusal: string };

/** @param ticks oldest first */
export function cursorBefore(ticks: readonly TickRecord[], tick: number): EarlierCursor {
  const record = ticks.find((each) => each.tick === tick);
  if (record === undefined) {
    const [first, last] = [ticks.at(0)?.tick, ticks.at(-1)?.tick];
    const kept = first === undefined || last === undefined ? 'it has none yet' : `${first} to ${last}`;
    return {
      refusal: `tick ${tick} is not among the ticks that the sensor keeps (${kept}), nor in Temporal's histories`,
    };
  }
  if (record.cursorBefore !== undefined) return { cursor: record.cursorBefore };
  if (record.noCursorBefore === true) return {};
  if (record.cursorOmitted === true)
    return { refusal: `the cursor of tick ${tick} is not kept, because it is larger than 1 KB` };
  // older versions left out large cursors without a word
  return { refusal: `tick ${tick} was recorded by an older version, which does not tell whether there was a cursor` };
}
