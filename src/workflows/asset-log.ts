/**
 * The log of an asset: an ordered, durable list of its events, and the sensors that read it.
 *
 * Recording is a signal, so an event is safe as soon as the server has taken it. The rules are pure functions in
 * `asset-log-state.ts`; this file seals what is old into pages, wakes the subscribers, and continues as new.
 *
 * The memo says what a list of assets shows; a change of it costs an event, so it is told at once after a pause and then
 * at most once a minute. That there is nothing yet counts as a pause: the first event shows at once.
 *
 * Traps it avoids: what comes while the log is recovered waits; it never continues as new with more than one payload
 * holds, but seals first; a nudge is a signal to a workflow that may not exist, and no failure of it fails the log.
 */
import { ApplicationFailure } from '@temporalio/common';
import {
  condition,
  defineQuery,
  defineSignal,
  getExternalWorkflowHandle,
  log,
  makeContinueAsNewFunc,
  metricMeter,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  sleep,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { SensorActivities } from '../activities/index.js';
import type { AssetRead, AssetState } from '../sensors/asset-event.js';
import { MAX_HISTORY_BYTES, MAX_LOG_HISTORY_EVENTS } from '../sensors/limits.js';
import { count } from '../sensors/metrics.js';
import {
  ASSET_LOG_ID_PREFIX,
  ASSET_LOG_RECOVERING,
  ASSET_MEMO,
  ASSET_QUERIES,
  ASSET_SIGNALS,
  LOOP_ID_PREFIX,
  SIGNALS,
} from '../sensors/protocol.js';
import { assetDetailsOf, assetMemoOf } from './asset-log-views.js';
import * as rules from './asset-log-state.js';
import { applyAssetMessage, type AssetMessage } from './apply-asset-message.js';
import { Nudges } from './nudges.js';
import { parseLogState, parseRead } from './parse-asset-log.js';
import { versioning } from './versioning.js';

/** Between two changes of the memo. */
const TELL_PAUSE_MS = 60_000;
/** Logs that began before this still wait for a minute before they tell of their first event. */
const TELLS_FIRST = 'temporal-sensors: first asset event';

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  [ASSET_SIGNALS.record]: 'Records events: an array of { kind, eventId, partitionKey, metadata, producer }.',
  [ASSET_SIGNALS.subscribe]: 'A sensor has read so far: { "sensor", "position" }. It is woken by new events.',
  [ASSET_SIGNALS.unsubscribe]: 'A sensor reads no more: { "sensor" }.',
  [ASSET_SIGNALS.retain]: 'How much to keep: { "events", "ageMs" }.',
};

/** Type of the failure of a signal to no workflow. */
const NOT_FOUND = 'ExternalWorkflowExecutionNotFound';

/** The workflow to be woken does not exist, or was closed. */
function isNotFound(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.type === NOT_FOUND;
}

/** Started by the first event or subscriber, never by hand. */
export async function sensorAssetLog(input?: unknown): Promise<void> {
  const asset = workflowInfo().workflowId.slice(ASSET_LOG_ID_PREFIX.length);
  const carried = parseLogState(input);
  const fresh = rules.newLog(workflowInfo().startTime.getTime());
  let state = carried ?? fresh;
  /** It may have been closed before: what it knew then is still to be found. */
  let recovering = carried === undefined;
  const early: AssetMessage[] = [];
  const nudges = new Nudges();
  let waking = false;
  let nudging = false;
  /** The run before this one told everything when it ended. */
  let toldAt = recovering ? Number.NEGATIVE_INFINITY : Date.now();
  let telling = false;

  // without a limit: events must neither be forgotten nor let the state grow
  const { sealAssetEvents, recoverAssetLog } = proxyActivities<
    Pick<SensorActivities, 'sealAssetEvents' | 'recoverAssetLog'>
  >({
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: '1 minute',
    summary: `events of ${asset}`,
    retry: { initialInterval: '1 second', maximumInterval: '10 seconds' },
  });
  const { releasePages } = proxyActivities<Pick<SensorActivities, 'releasePages'>>({
    startToCloseTimeout: '30 seconds',
    summary: `terminate old pages of ${asset}`,
    retry: { initialInterval: '1 second', maximumAttempts: 5 },
  });

  // -------------------------------------------------------------------------------------------- messages

  function take(name: string, arg: unknown): void {
    const message = { name, arg, now: Date.now() };
    if (recovering) early.push(message);
    else apply(message);
  }

  function apply(message: AssetMessage): void {
    const { last } = state;
    state = applyAssetMessage(state, asset, message);
    setCurrentDetails(assetDetailsOf(state, asset));
    if (state.last === last) return;
    count(metricMeter, 'sensors_asset_events_total', state.last - last, { asset });
    startNudging();
    startTelling();
  }

  /** A log that is being recovered knows less than it will: whoever asks has to ask again. */
  function known(): rules.LogState {
    if (recovering) throw new Error(`the log of asset '${asset}' ${ASSET_LOG_RECOVERING}`);
    return state;
  }

  for (const [name, description] of Object.entries(DESCRIPTIONS))
    setHandler(defineSignal<[unknown?]>(name), (arg) => take(name, arg), { description });
  setHandler(defineQuery<AssetRead, [unknown?]>(ASSET_QUERIES.read), (given) =>
    rules.readLog(known(), asset, parseRead(given))
  );
  setHandler(defineQuery<AssetState>(ASSET_QUERIES.state), () => rules.stateOf(known(), asset));

  // -------------------------------------------------------------------------------------------- nudges

  function nextNudge(): number | undefined {
    return nudges.next(state.subscribers, state.last);
  }

  /** Wakes the subscribers now, and once more after a pause if something came meanwhile. */
  function startNudging(): void {
    if (nudging || nextNudge() === undefined) return;
    nudging = true;
    // cancelled in Temporal Web: the log itself ends
    void nudge().catch(() => undefined);
  }

  async function nudge(): Promise<void> {
    for (let at = nextNudge(); at !== undefined; at = nextNudge()) {
      if (at > Date.now()) {
        await condition(() => (nextNudge() ?? Number.NEGATIVE_INFINITY) <= Date.now(), at - Date.now());
        continue;
      }
      waking = true;
      await Promise.all(nudges.take(state.subscribers, state.last, Date.now()).map(wake));
      waking = false;
    }
    nudging = false;
  }

  async function wake(sensor: string): Promise<void> {
    try {
      await getExternalWorkflowHandle(LOOP_ID_PREFIX + sensor).signal(SIGNALS.push);
      state = rules.woken(state, sensor, true, Date.now());
    } catch (error) {
      if (isNotFound(error)) state = rules.woken(state, sensor, false, Date.now());
      log.debug(`sensor '${sensor}' could not be woken for asset '${asset}'; it looks at its interval`, { error });
    }
  }

  // -------------------------------------------------------------------------------------------- the memo

  function startTelling(): void {
    if (telling) return;
    telling = true;
    // cancelled in Temporal Web: the log itself ends
    void tell().catch(() => undefined);
  }

  async function tell(): Promise<void> {
    // what arrives in the same moment is told with it
    await Promise.resolve();
    const pauseMs = toldAt + TELL_PAUSE_MS - Date.now();
    if (pauseMs > 0) await sleep(pauseMs, { summary: 'the memo follows' });
    upsertMemo({ [ASSET_MEMO]: assetMemoOf(state) });
    if (state.last > 0 || !patched(TELLS_FIRST)) toldAt = Date.now();
    telling = false;
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
      log.warn(
        `asset '${asset}' could not terminate ${ids.length} pages that are no longer needed: ${ids.join(', ')}`,
        {
          error,
        }
      );
    }
    const released = new Set(ids);
    state = { ...state, released: state.released.filter((id) => !released.has(id)) };
  }

  async function recover(): Promise<void> {
    state = parseLogState(await recoverAssetLog({ asset, runId: workflowInfo().runId })) ?? fresh;
    recovering = false;
    for (const message of early.splice(0)) apply(message);
    startTelling();
  }

  if (recovering) await recover();
  setCurrentDetails(assetDetailsOf(state, asset));
  startNudging();
  for (;;) {
    await condition(() => rules.planSeal(state) !== undefined || state.released.length > 0 || (isFull() && !waking));
    const due = rules.planSeal(state);
    if (due !== undefined) await seal(due);
    else if (state.released.length > 0) await release(state.released);
    else break;
  }
  const memo = { ...workflowInfo().memo, [ASSET_MEMO]: assetMemoOf(state) };
  await makeContinueAsNewFunc<typeof sensorAssetLog>({ memo })(state);
}
setWorkflowOptions(versioning, sensorAssetLog);
