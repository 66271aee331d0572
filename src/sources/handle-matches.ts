/** A tick of a sensor of several assets with a condition: its handler is called for each complete match, on its own. */
import type { AssetCondition } from '../sensors/asset-condition.js';
import { matchRefSchema } from '../sensors/asset-cursor.js';
import { matchOf, type AssetMatch } from '../sensors/asset-match.js';
import type { AssetSensorEvent } from '../sensors/asset-sensor-event.js';
import { assetEventKey, placeText, positionOf } from '../sensors/asset-sensor-event.js';
import { EvaluationError } from '../sensors/errors.js';
import type { EventHandlers } from '../sensors/event-handlers.js';
import { rejected } from '../sensors/failures.js';
import { feedOf } from '../sensors/feed-host.js';
import { EventHandling } from '../sensors/handle-events.js';
import type { Json } from '../sensors/json.js';
import { MAX_CONSUMED_BYTES } from '../sensors/limits.js';
import {
  describeExpired,
  describeWaiting,
  summarizeExpired,
  type Done,
  type MatchOutcome,
} from '../sensors/match-events.js';
import { matchKnown } from '../sensors/match-known.js';
import type { More, RunRequest, SkipReason } from '../sensors/run-request.js';
import { endTick } from './end-tick.js';
import {
  bytesAbove,
  describeFull,
  storedOf,
  tooManyOpen,
  type Cursor,
  type MultiAssetContext,
  type MultiAssetFeed,
  type Opened,
} from './multi-asset-feed.js';

interface MatchOptions {
  readonly handlers: EventHandlers<AssetMatch>;
  readonly condition: AssetCondition;
  readonly maxAttempts: number;
  readonly handleTimeoutMs: number;
  readonly intervalMs: () => number;
}
type Outcomes = readonly MatchOutcome<AssetSensorEvent>[];

/** For events that wait and leave no room for others. */
function remedyFor({ withinMs, kind }: AssetCondition, sensor: string): string {
  const within =
    withinMs === undefined
      ? `give the condition a time after which events expire, such as ${kind}(…, { within: '24h' })`
      : "give the condition a shorter 'within'";
  return `${within}, record what the events wait for, or begin anew without all that waits: sensors cursor clear ${sensor}`;
}
/** What one consumed position adds to the cursor at most. */
const BYTES_OF_ONE = 24;
/** Beyond the limit, events that are given up still find room: mostly they make some. */
const SPARE_BYTES = 8 * 1024;

export async function handleMatches(
  ctx: MultiAssetContext,
  feed: MultiAssetFeed,
  options: MatchOptions
): Promise<readonly (RunRequest | SkipReason | More)[]> {
  const { condition } = options;
  const opened = await feed.open(ctx);
  const handling = handlingOf(ctx, feed, opened, options);
  for (const problem of opened.flatMap(({ reading }) => reading.problems)) handling.report(new Error(problem));
  await handling.again();
  const now = feedOf(ctx).scheduledAt;
  const events = Object.fromEntries(opened.map(({ key, asset }) => [key, asset.open]));
  const knownUntil = knownUntilOf(opened);
  const { outcomes, waiting, byClock } = matchKnown(condition, events, { now, knownUntil });
  const full = describeFull(opened);
  if (full !== undefined && outcomes.length === 0)
    handling.report(new EvaluationError(`${full}: ${remedyFor(condition, ctx.sensor)}`));
  if (full !== undefined && byClock)
    handling.report(new EvaluationError(`${full}; what may have come for those that expired was not read`));
  const { behindSince, expired } = await takeAll(ctx, condition, outcomes, opened, handling);
  const reasons = [summarizeExpired(expired), describeWaiting(waiting, condition), full].filter(
    (each) => each !== undefined
  );
  return endTick(ctx, handling, {
    place: { assets: storedOf(opened) },
    behindSince,
    left: behindSince !== undefined || full !== undefined,
    nothing: reasons.length === 0 ? `no new events of assets ${feed.names}` : reasons.join('; '),
  });
}

/** Of a match with an event of an asset that is not in the map any more. */
function removedText(key: string, keys: readonly string[]): string {
  return (
    `the sensor has no asset under the name '${key}' any more (it has ${keys.join(', ')}): put it back into assets under that ` +
    'name and hand the match back, or discard it'
  );
}

function handlingOf(
  ctx: MultiAssetContext,
  feed: MultiAssetFeed,
  opened: readonly Opened[],
  options: MatchOptions
): EventHandling<AssetMatch> {
  const { handlers, maxAttempts, handleTimeoutMs, intervalMs } = options;
  const logs = logsOf(opened);
  const find = async (ref: Json): Promise<AssetMatch | undefined> => {
    const found = Object.entries(matchRefSchema.parse(ref)).map(async ([key, place]) => {
      const reader = feed.readerOf(key);
      if (reader === undefined) throw rejected(removedText(key, feed.keys));
      return [key, await reader.find(ctx.client, logs.get(key) ?? '', place)] as const;
    });
    const events: Record<string, AssetSensorEvent> = {};
    for (const [key, event] of await Promise.all(found)) {
      if (event === undefined) return undefined;
      events[key] = event;
    }
    return matchOf(events);
  };
  const isGone = (ref: Json): boolean =>
    Object.entries(matchRefSchema.parse(ref)).some(([key, place]) => {
      const log = logs.get(key);
      return log !== undefined && positionOf(log, place) === undefined;
    });
  const idOf = (ref: Json): string =>
    Object.entries(matchRefSchema.parse(ref))
      .map(([key, place]) => assetEventKey(feed.readerOf(key)?.asset ?? key, place))
      .toSorted()
      .join('+');
  return new EventHandling<AssetMatch>(
    ctx,
    { handlers, maxAttempts, handleTimeoutMs, intervalMs: intervalMs(), idOf, find, isGone },
    ctx.cursor as Cursor
  );
}

/** Takes the matches in their order, as long as it may; consumes them, and what expired before. */
async function takeAll(
  ctx: MultiAssetContext,
  condition: AssetCondition,
  outcomes: Outcomes,
  opened: readonly Opened[],
  handling: EventHandling<AssetMatch>
): Promise<{ readonly behindSince?: number; readonly expired: readonly string[] }> {
  const logs = logsOf(opened);
  const byKey = new Map(opened.map(({ key, asset }) => [key, asset]));
  const expired: string[] = [];
  let bytes = bytesAbove(storedOf(opened));
  let isFull = false;

  function fits(done: readonly Done[], most: number): boolean {
    const more = BYTES_OF_ONE * done.reduce((sum, { positions }) => sum + positions.length, 0);
    if (bytes + more > most) bytes = bytesAbove(storedOf(opened));
    bytes += more;
    return bytes <= most;
  }

  for (const outcome of outcomes) {
    if (outcome.kind === 'match') {
      isFull ||= !fits(outcome.done, MAX_CONSUMED_BYTES);
      if (isFull) continue;
      const match = matchOf(outcome.events);
      if (!(await handling.take(refOf(outcome.events, logs), async () => match)))
        return { behindSince: match.event.recordedAt.getTime(), expired };
    } else if (!fits(outcome.done, MAX_CONSUMED_BYTES + SPARE_BYTES)) {
      isFull = true;
      break;
    }
    if (outcome.kind === 'expired') {
      const text = describeExpired(outcome, condition);
      ctx.log.warn(text);
      expired.push(text);
    }
    for (const { key, positions } of outcome.done) byKey.get(key)?.consume(positions);
  }
  if (isFull) handling.report(tooManyOpen(opened, remedyFor(condition, ctx.sensor)));
  return { expired };
}

/** Of those whose windows are full: up to when they are known. */
function knownUntilOf(opened: readonly Opened[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    opened.flatMap(({ key, reading }) => (reading.fullUntil === undefined ? [] : [[key, reading.fullUntil]]))
  );
}

/** Identities of the logs, by the names in the sensor's map. */
function logsOf(opened: readonly Opened[]): ReadonlyMap<string, string> {
  return new Map(opened.map(({ key, reading }) => [key, reading.log]));
}

function refOf(
  events: Readonly<Record<string, AssetSensorEvent>>,
  logs: ReadonlyMap<string, string>
): Record<string, string> {
  const places = Object.entries(events).map(([key, { position }]) => [key, placeText(logs.get(key) ?? '', position)]);
  return Object.fromEntries(places) as Record<string, string>;
}
