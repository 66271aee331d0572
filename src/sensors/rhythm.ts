/**
 * When the next evaluation comes: after the interval, later while a sensor is idle or failing. Pure: the workflow
 * bundle contains this file.
 *
 * A backoff needs no counter (Temporal's attempt number is an operator's to reset): the pause is as long as the
 * stretch has lasted so far, which doubles it each time, from its minimum to its maximum.
 */

/** A pause that grows from `minMs` to `maxMs`. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/** The pause after an evaluation of a stretch (idle, or failing) that has lasted this long. */
export function pauseMs(backoff: Backoff | undefined, intervalMs: number, lastedMs: number): number {
  return backoff === undefined ? intervalMs : clamp(lastedMs, backoff);
}

/** The pause that came before, seen from the evaluation after it. */
export function lastPauseMs(backoff: Backoff | undefined, intervalMs: number, lastedMs: number): number {
  return backoff === undefined ? intervalMs : clamp(lastedMs / 2, backoff);
}

/** A share of 0 to 1 that is always the same for a name (FNV-1a). */
export function stableShare(name: string): number {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}

function clamp(ms: number, { minMs, maxMs }: Backoff): number {
  return Math.min(maxMs, Math.max(minMs, Math.ceil(ms)));
}
