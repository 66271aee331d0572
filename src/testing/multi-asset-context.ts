/**
 * Contexts for tests of sensors of several assets: what `handle` gets of events by hand, without a worker or a server.
 * The events are read, matched and consumed by the rules of production; `positions` carries what is consumed to the next tick.
 */
import type { AssetRequest } from '../sensors/asset-requests.js';
import type { AssetCondition } from '../sensors/asset-condition.js';
import { matchOf, type AssetMatch, type MatchOf } from '../sensors/asset-match.js';
import type { AssetSensorEvent } from '../sensors/asset-sensor-event.js';
import { OpenAsset } from '../sensors/asset-view.js';
import { eventBackfill, eventRequest, handlerContext } from '../sensors/call-handler.js';
import type { AssetDefinition } from '../sensors/define-asset.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { feedOf } from '../sensors/feed-host.js';
import { DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import { describeExpired, describeWaiting, matchEvents } from '../sensors/match-events.js';
import {
  doneUntil,
  isStoredPositions,
  parsePositions,
  storePositions,
  upTo,
  type Positions,
  type StoredPositions,
} from '../sensors/positions.js';
import type { GivenBackfillRequest, GivenRequest, RunRequest } from '../sensors/run-request.js';
import { BIND, type MultiAssetTestContext } from '../sensors/test-context.js';
import { assetsContext, unconsumedProblem } from '../sources/handle-assets.js';
import type { MultiAssetSensor } from '../sources/multi-asset-sensor.js';
import { assetEventOf, type AssetEventFacts } from './asset-facts.js';
import type { ContextParts } from './context.js';
import { EVENT_TEST_OPTIONS, evaluationContextOf, unboundContext, type EventTestOptions } from './event-context.js';

type KeyOf<A> = Extract<keyof A, string>;
type ByKey<A, T> = { readonly [Key in KeyOf<A>]?: T };

/** Options of {@link buildMultiAssetSensorContext}; all but `sensor` may be left out. */
export interface MultiAssetTestOptions<
  A extends Readonly<Record<string, AssetDefinition>>,
  W extends AssetCondition | undefined,
> extends EventTestOptions {
  readonly sensor: MultiAssetSensor<A, W>;
  /** The log of each asset, oldest event first: positions count from 1 unless an event has its own. @default empty logs */
  readonly events?: ByKey<A, readonly AssetEventFacts[]>;
  /**
   * What is consumed before: of each asset the position up to which everything is, or the `positions` of an earlier
   * context. `'latest'`: everything but the newest event of each asset. @default nothing
   */
  readonly positions?: 'latest' | ByKey<A, number | StoredPositions>;
}

/** What a test calls `handle` with, and what it looks at afterwards. */
export interface MultiAssetTest<Keys extends string, Match extends AssetMatch> {
  readonly ctx: MultiAssetTestContext<Keys>;
  /** With `when`: the complete matches, each for a call of `handle`. */
  readonly matches: readonly Match[];
  /** With `when`: what expired, and what is waited for, as a tick says it. */
  readonly expired: readonly string[];
  readonly waiting: string | undefined;
  /** What is consumed by now: by `advance`, or with `when` by all matches. For `positions` of the next context. */
  readonly positions: { readonly [Key in Keys]: StoredPositions };
  /** What the tick would fail with: without `when`, requests without anything consumed. */
  readonly failure: string | undefined;
}

/**
 * Context for `sensor.handle(ctx)`; with `when`, matches for `sensor.handle(ctx, match)`.
 *
 * ```ts
 * const test = buildMultiAssetSensorContext({
 *   sensor: dailyReport,
 *   events: { orders: [{ partitionKey: 'mon' }, { partitionKey: 'tue' }], customers: [{ partitionKey: 'mon' }] },
 * });
 * for (const match of test.matches) await dailyReport.handle(test.ctx, match);
 * expect(test.ctx.requests).toMatchObject([{ config: { day: 'mon' } }]);
 * expect(test.waiting).toMatch('waiting for customers of tue');
 * ```
 *
 * @throws DefinitionError for an unknown option, asset or fact
 */
export function buildMultiAssetSensorContext<
  A extends Readonly<Record<string, AssetDefinition>>,
  W extends AssetCondition | undefined,
>(options: MultiAssetTestOptions<A, W>): MultiAssetTest<KeyOf<A>, MatchOf<W>> {
  const builder = 'buildMultiAssetSensorContext';
  refuseUnknownOptions(options, ['sensor', 'events', 'positions', ...EVENT_TEST_OPTIONS], builder);
  const { sensor, events = {}, positions = {}, ...rest } = options;
  const keys = Object.keys(sensor.assets);
  refuseUnknownOptions(events, keys, `${builder}: events`);
  if (positions !== 'latest') refuseUnknownOptions(positions, keys, `${builder}: positions`);
  const { parts } = unboundContext(rest, builder);
  const { now } = parts.facts;
  const opened = Object.entries<AssetDefinition>(sensor.assets).map(([key, asset]) => {
    const facts = (events as ByKey<Loose, readonly AssetEventFacts[]>)[key] ?? [];
    const log = logOf(asset, facts, now, `${builder}: events.${key}`);
    const begin = positions === 'latest' ? positions : (positions as ByKey<Loose, number | StoredPositions>)[key];
    const consumed = consumedOf(begin, log, `${builder}: positions.${key}`);
    return { key, asset: openAsset(asset, log, consumed, sensor.observations, now) };
  });
  const { matches, expired, waiting } = matched(sensor.when, opened, now.getTime());
  const ctx = contextFor(sensor, opened, parts);
  return {
    ctx,
    matches: matches as unknown as readonly MatchOf<W>[],
    expired,
    waiting,
    get positions() {
      const stored = opened.map(({ key, asset }) => [key, storePositions(asset.positions)] as const);
      return Object.fromEntries(stored) as { readonly [Key in KeyOf<A>]: StoredPositions };
    },
    get failure() {
      if (sensor.when !== undefined || opened.some(({ asset }) => asset.advanced)) return undefined;
      return unconsumedProblem(ctx.requests.length);
    },
  };
}

type Loose = Readonly<Record<string, unknown>>;
interface OpenedForTest {
  readonly key: string;
  readonly asset: OpenAsset;
}

function logOf(
  asset: AssetDefinition,
  facts: readonly AssetEventFacts[],
  now: Date,
  place: string
): readonly AssetSensorEvent[] {
  const log: AssetSensorEvent[] = [];
  for (const [index, each] of facts.entries()) {
    const last = log.at(-1)?.position ?? 0;
    const event = assetEventOf(each, asset, { position: last + 1, now, place: `${place}[${index}]` });
    if (event.position <= last)
      throw new DefinitionError(`${place}[${index}] has position ${event.position}; accepted: more than ${last}`);
    log.push(event);
  }
  return log;
}

function consumedOf(begin: unknown, log: readonly AssetSensorEvent[], place: string): Positions {
  if (begin === 'latest') return upTo((log.at(-1)?.position ?? 1) - 1);
  const given = typeof begin === 'object' ? begin : { low: begin ?? 0, above: '' };
  if (isStoredPositions(given)) return parsePositions(given);
  throw new DefinitionError(`${place} is ${quote(begin)}; accepted: a position, or positions of an earlier context`);
}

function openAsset(
  asset: AssetDefinition,
  log: readonly AssetSensorEvent[],
  positions: Positions,
  observations: boolean,
  now: Date
): OpenAsset {
  const open = log.filter(({ position }) => doneUntil(positions, position) === undefined);
  const events = open.filter(({ kind }) => kind === 'materialization' || observations);
  const passed = open.filter((event) => !events.includes(event)).map(({ position }) => position);
  return new OpenAsset(asset, { positions, events, passed, read: log.at(-1)?.position ?? 0 }, now);
}

/** What a tick would find, and consume. */
function matched(
  when: AssetCondition | undefined,
  opened: readonly OpenedForTest[],
  now: number
): Pick<MultiAssetTest<string, AssetMatch>, 'matches' | 'expired' | 'waiting'> {
  if (when === undefined) return { matches: [], expired: [], waiting: undefined };
  const events = Object.fromEntries(opened.map(({ key, asset }) => [key, asset.open]));
  const { outcomes, waiting } = matchEvents(when, events, { now });
  const matches: AssetMatch[] = [];
  const expired: string[] = [];
  for (const outcome of outcomes) {
    if (outcome.kind === 'match') matches.push(matchOf(outcome.events));
    if (outcome.kind === 'expired') expired.push(describeExpired(outcome, when));
    for (const { key, positions } of outcome.done) opened.find((each) => each.key === key)?.asset.consume(positions);
  }
  return { matches, expired, waiting: describeWaiting(waiting, when) };
}

/** The context for all calls: with a match, requests without a run key get its ID. */
function contextFor(
  sensor: SensorDefinition,
  opened: readonly OpenedForTest[],
  parts: ContextParts
): MultiAssetTestContext {
  const base = evaluationContextOf(sensor, parts);
  const requests: RunRequest[] = [];
  const recorded: AssetRequest[] = [];
  const contextOf = (match: AssetMatch | undefined): MultiAssetTestContext => {
    const context = {
      ...handlerContext(base, parts.services.signal, recorded),
      ...assetsContext(opened),
      skip: (reason: string) => base.skip(reason),
      more: () => base.more(),
      run: (request?: GivenRequest) => {
        const made = match === undefined ? base.run(request) : eventRequest(base, feedOf(base), match, request);
        requests.push(made);
        return made;
      },
      backfill: (request: GivenBackfillRequest) => {
        const made = match === undefined ? base.backfill(request) : eventBackfill(base, feedOf(base), match, request);
        requests.push(made);
        return made;
      },
      requests,
      get assetEvents() {
        return recorded.map(({ event }) => event);
      },
      get logs() {
        return parts.services.book.lines;
      },
      [BIND]: (_: SensorDefinition, of: AssetMatch | undefined) => contextOf(of),
    };
    return context;
  };
  return contextOf(undefined);
}
