/** Looks for an event of a sensor that is fed by events: in its state, and in the logs of the assets that it watches. */
import type { Client } from '@temporalio/client';
import type { AssetEvent } from '../sensors/asset-event.js';
import type { LoopState } from '../sensors/protocol.js';
import { assetEventKey, placeText } from '../sensors/asset-sensor-event.js';
import { AssetLogUnavailableError, assetState, readAsset } from './assets.js';
import {
  decideAssetEvent,
  keptAnswer,
  placesOf,
  readLogOf,
  readsOf,
  type AssetEventFacts,
  type EventAnswer,
  type EventPlace,
} from './explain-event.js';
import { listRuns, readRunError, type SensorRun } from './list-runs.js';
import type { Standing } from './standing.js';

/** How long a log may take to answer. */
const LOG_TIMEOUT_MS = 3_000;
/** Runs that are looked through for one of a match. */
const MAX_RUNS = 1_000;

export interface AboutEvent {
  readonly sensor: string;
  /** ID of the event, or of a dead letter. */
  readonly text: string;
  readonly state: LoopState;
  readonly standing: Standing;
  /** When the sensor's last evaluation was; absent: with its last tick. */
  readonly lookedAt: Date | undefined;
}

/** What is known of it; nothing when the text is no ID of an event that the sensor has to do with. */
export async function explainEvent(
  client: Client,
  { sensor, text, state, standing, lookedAt }: AboutEvent
): Promise<EventAnswer | undefined> {
  const places = placesOf(text);
  const kept = keptAnswer(text, state, standing);
  if (kept?.kind === 'retried' && (await areGone(client, places))) return { ...kept, gone: true };
  if (kept !== undefined) return kept;
  const answers: EventAnswer[] = [];
  for (const place of places) {
    const read = readLogOf(state, place.asset);
    if (read === undefined) return notRead(place, state);
    const about = {
      place,
      read,
      lookedAt: lookedAt?.getTime() ?? state.lastTickAt,
      startedAt: state.startedAt,
      standing,
    };
    const answer = decideAssetEvent({ ...about, ...(await lookUp(client, place)) });
    if (answer.kind !== 'read') return answer;
    const run = read.together ? await runOfMatch(client, sensor, answer.event, answer.recordedAt) : undefined;
    const error = run === undefined ? undefined : await readRunError(client, run);
    answers.push({ ...answer, ...(run === undefined ? {} : { run }), ...(error === undefined ? {} : { error }) });
  }
  return answers[0];
}

/** Where the sensor reads other assets, the ID is a slip. One without the identity of a log may as well be a run key. */
function notRead({ asset, log, position }: EventPlace, state: LoopState): EventAnswer | undefined {
  const reads = readsOf(state);
  if (reads.length === 0 || log === '') return undefined;
  return { kind: 'notRead', event: assetEventKey(asset, placeText(log, position)), asset, position, reads };
}

/** Whether the log of one of these events is known not to be there any more. */
async function areGone(client: Client, places: readonly EventPlace[]): Promise<boolean> {
  for (const place of places) {
    const { log } = await lookUp(client, place);
    if (log === 'none' || (log !== undefined && place.log !== '' && log.id !== place.log)) return true;
  }
  return false;
}

/** What the log of the asset says, if it answers. */
async function lookUp(
  client: Client,
  { asset, log, position }: EventPlace
): Promise<Pick<AssetEventFacts, 'log' | 'event'>> {
  try {
    const state = await assetState(client, asset, { timeoutMs: LOG_TIMEOUT_MS });
    if (state === undefined) return { log: 'none' };
    const { id, first, last } = state;
    const [event]: readonly (AssetEvent | undefined)[] =
      log !== '' && log !== id
        ? []
        : await readAsset(client, asset, { after: Math.max(0, position - 1), limit: 1, log: id });
    return { log: { id, first, last }, event: event?.position === position ? event : undefined };
  } catch (error) {
    if (error instanceof AssetLogUnavailableError) return {};
    throw error;
  }
}

/** The run of a match: its key, unless the handler gave another one, has the IDs of all its events. */
async function runOfMatch(
  client: Client,
  sensor: string,
  event: string,
  since: Date | undefined
): Promise<SensorRun | undefined> {
  let looked = 0;
  for await (const run of listRuns(client, sensor, { since })) {
    if (run.runKey?.split('+').includes(event) === true) return run;
    if (++looked >= MAX_RUNS) return undefined;
  }
  return undefined;
}
