/**
 * The log of an asset: an ordered, durable list of its events, and the sensors that read it.
 *
 * Recording is a signal, so an event is safe as soon as the server has taken it. The rules are pure functions in
 * `asset-log-state.ts`; this file seals what is old into pages, wakes the subscribers, and continues as new.
 *
 * Traps it avoids: what comes while the log is recovered waits; it never continues as new with more than one payload
 * holds, but seals first; a nudge is a signal to a workflow that may not exist, and every failure of it is ignored.
 */
import {
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  log,
  proxyActivities,
  setHandler,
  setWorkflowOptions,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { SensorActivities } from '../activities/index.js';
import type { AssetRead, AssetState } from '../sensors/asset-event.js';
import { MAX_HISTORY_BYTES, MAX_LOG_HISTORY_EVENTS } from '../sensors/limits.js';
import { ASSET_LOG_ID_PREFIX, ASSET_QUERIES, ASSET_SIGNALS, LOOP_ID_PREFIX, SIGNALS } from '../sensors/protocol.js';
import * as rules from './asset-log-state.js';
import {
  parseAssetEvents,
  parseLogState,
  parseRead,
  parseRetention,
  parseSubscription,
} from './parse-asset-log.js';
import { versioning } from './versioning.js';

/** Between two nudges of the same subscribers. */
const NUDGE_PAUSE_MS = 500;

/** Started by the first event or subscriber, never by hand. */
export async function sensorAssetLog(input?: unknown): Promise<void> {
  const asset = workflowInfo().workflowId.slice(ASSET_LOG_ID_PREFIX.length);
  let state = parseLogState(input) ?? rules.NEW_LOG;
  /** There is something that the subscribers were not woken for. */
  let news = rules.behind(state).length > 0;
  let waking = false;
  let nudging = false;

  const { sealAssetEvents } = proxyActivities<Pick<SensorActivities, 'sealAssetEvents'>>({
    // without a limit: events that cannot be sealed must neither be forgotten nor let the state grow
    startToCloseTimeout: '1 minute',
    summary: `seal events of ${asset}`,
    retry: { initialInterval: '1 second', maximumInterval: '10 seconds' },
  });
  const { releasePages } = proxyActivities<Pick<SensorActivities, 'releasePages'>>({
    startToCloseTimeout: '30 seconds',
    retry: { initialInterval: '1 second', maximumAttempts: 5 },
  });

  // -------------------------------------------------------------------------------------------- messages

  function recordEvents(batch: unknown): void {
    const { events, refused } = parseAssetEvents(batch);
    const before = state.last;
    const recorded = rules.record(state, asset, events, Date.now());
    state = rules.trim({ ...recorded, refused: recorded.refused + refused }, asset, Date.now());
    if (state.last === before) return;
    news = true;
    startNudging();
  }

  function subscribe(given: unknown): void {
    const subscription = parseSubscription(given);
    if (subscription === undefined) return;
    const { sensor, position } = subscription;
    state = rules.trim(rules.subscribe(state, sensor, position, Date.now()), asset, Date.now());
  }

  function unsubscribe(given: unknown): void {
    const subscription = parseSubscription(given);
    if (subscription !== undefined) state = rules.unsubscribe(state, subscription.sensor);
  }

  function retain(given: unknown): void {
    state = rules.trim({ ...state, retention: parseRetention(given) ?? state.retention }, asset, Date.now());
  }

  setHandler(defineSignal<[unknown?]>(ASSET_SIGNALS.record), recordEvents, {
    description: 'Records events: an array of { kind, eventId, partitionKey, metadata, producer }.',
  });
  setHandler(defineSignal<[unknown?]>(ASSET_SIGNALS.subscribe), subscribe, {
    description: 'A sensor has read so far: { "sensor", "position" }. It is woken by new events.',
  });
  setHandler(defineSignal<[unknown?]>(ASSET_SIGNALS.unsubscribe), unsubscribe, {
    description: 'A sensor reads no more: { "sensor" }.',
  });
  setHandler(defineSignal<[unknown?]>(ASSET_SIGNALS.retain), retain, {
    description: 'How much to keep: { "events", "ageMs" }.',
  });
  setHandler(defineQuery<AssetRead, [unknown?]>(ASSET_QUERIES.read), (given) => {
    const { after, limit } = parseRead(given);
    return rules.readLog(state, asset, after, limit);
  });
  setHandler(defineQuery<AssetState>(ASSET_QUERIES.state), () => rules.stateOf(state, asset));

  // -------------------------------------------------------------------------------------------- nudges

  /** Wakes the subscribers now, and once more after the pause if something came meanwhile. */
  function startNudging(): void {
    if (nudging || !news) return;
    nudging = true;
    // cancelled in Temporal Web: the log itself ends
    void nudge().catch(() => undefined);
  }

  async function nudge(): Promise<void> {
    while (news) {
      news = false;
      const sensors = rules.behind(state);
      if (sensors.length === 0) break;
      waking = true;
      await Promise.all(sensors.map(wake));
      waking = false;
      await sleep(NUDGE_PAUSE_MS);
    }
    nudging = false;
  }

  async function wake(sensor: string): Promise<void> {
    try {
      await getExternalWorkflowHandle(LOOP_ID_PREFIX + sensor).signal(SIGNALS.push);
    } catch (error) {
      log.debug(`sensor '${sensor}' could not be woken for asset '${asset}'; it looks at its interval`, { error });
    }
  }

  // -------------------------------------------------------------------------------------------- the log

  function isFull(): boolean {
    const { continueAsNewSuggested, historyLength, historySize } = workflowInfo();
    return continueAsNewSuggested || historyLength > MAX_LOG_HISTORY_EVENTS || historySize > 2 * MAX_HISTORY_BYTES;
  }

  async function seal(due: rules.LogSeal): Promise<void> {
    const id: unknown = await sealAssetEvents({ asset, seal: due });
    const prefix = rules.pagePrefix(asset);
    // else somebody completed the activity by hand: once more
    if (typeof id === 'string' && id.startsWith(prefix)) state = rules.applySeal(state, due, id.slice(prefix.length));
  }

  async function release(ids: readonly string[]): Promise<void> {
    try {
      await releasePages({ ids });
    } catch (error) {
      log.warn(`asset '${asset}' could not terminate ${ids.length} pages that are no longer needed: ${ids.join(', ')}`, {
        error,
      });
    }
    const released = new Set(ids);
    state = { ...state, released: state.released.filter((id) => !released.has(id)) };
  }

  startNudging();
  for (;;) {
    await condition(() => rules.planSeal(state) !== undefined || state.released.length > 0 || (isFull() && !waking));
    const due = rules.planSeal(state);
    if (due !== undefined) await seal(due);
    else if (state.released.length > 0) await release(state.released);
    else break;
  }
  await continueAsNew<typeof sensorAssetLog>(state);
}
setWorkflowOptions(versioning, sensorAssetLog);
