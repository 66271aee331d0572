/** The end of a tick of a sensor that is fed by events: what it stores, and what it gives back. */
import type { EventHandling, HandlingState } from '../sensors/handle-events.js';
import type { FeedEvent } from '../sensors/call-handler.js';
import { sameJson } from '../sensors/json.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';

interface TickContext<Place extends object> {
  readonly cursor: (Place & HandlingState) | undefined;
  readonly setCursor: (cursor: Place & HandlingState) => void;
  readonly skip: (reason: string) => SkipReason;
  readonly more: () => More;
}

interface Taken<Place extends object> {
  /** The feed's own part of the cursor, from now on. */
  readonly place: Place;
  /** When the oldest event happened that is still to be handled. */
  readonly behindSince?: number | undefined;
  /** Whether something is left for the next tick. */
  readonly left: boolean;
  /** Why nothing was handled, if nothing was. */
  readonly nothing: string;
}

/** Settles the handling and stores what changed; a preview only says what would be handled. */
export function endTick<T extends FeedEvent, Place extends object>(
  ctx: TickContext<Place>,
  handling: EventHandling<T>,
  { place, behindSince, left, nothing }: Taken<Place>
): readonly (RunRequest | SkipReason | More)[] {
  if (handling.foreseen !== undefined) return [ctx.skip(handling.foreseen)];
  const { requests, waiting, held } = handling.settle(behindSince);
  const next = { ...place, ...handling.state };
  const given: (RunRequest | SkipReason | More)[] = [...requests];
  if (!sameJson(next, ctx.cursor)) {
    ctx.setCursor(next);
    if (left && waiting === undefined) given.push(ctx.more());
  }
  const reason = waiting ?? held ?? (handling.handled === 0 ? nothing : undefined);
  if (requests.length === 0 && reason !== undefined) given.push(ctx.skip(reason));
  return given;
}
