/** Where the sensors stand that watch an asset: as they say themselves, or as its log knows. */
import type { Client } from '@temporalio/client';
import type { AssetState, AssetSubscriber } from '../sensors/asset-event.js';
import { consumedIn, parkedOf, positionIn, retriedIn } from '../sensors/asset-position.js';
import { QUERIES, SENSOR_MEMO, type SensorMemo, type SensorState } from '../sensors/protocol.js';
import type { AssetCatalog, AssetSummary } from './asset-catalog.js';
import { inBatches } from './batches.js';
import { loopId } from './loops.js';

const ANSWER_TIMEOUT_MS = 3_000;
const LOOPS_AT_ONCE = 20;

/** A sensor that watches an asset, or reads its log. */
export interface AssetReader {
  readonly sensor: string;
  /** Absent: there is no such sensor any more. */
  readonly status?: 'running' | 'stopped' | 'closed';
  /**
   * Whether it reads the log; one that has not told yet that it does, has no `position`. `false`: it watches the asset in
   * a way of its own. Absent: neither the sensor nor the log has said it.
   */
  readonly reads?: boolean;
  /** The last event up to which it is done with all. */
  readonly position?: number;
  /**
   * How many events it has still to read; of a sensor of several assets, those that are not consumed. As far as the log
   * told at most a minute ago, when that does not answer.
   */
  readonly lag?: number;
  /** Of a sensor of several assets the same as `lag`: events that are not consumed, most of which it may have read. */
  readonly open?: number;
  /** Of those that it has read: how many are tried again; of a sensor of several assets, matches. Absent where only the sensor could tell. */
  readonly retried?: number;
  /** The same of those that are parked in its dead letters. */
  readonly parked?: number;
  /** Of when this is: now when the sensor itself has answered, else when it last told the log, as of one that is closed. */
  readonly at?: Date;
  /** The log keeps all events after this position for it. */
  readonly keptAfter?: number;
}

/** What is known of the log that sensors read. */
export interface ReadAssetLog {
  readonly asset: string;
  /** `none`: there is none. */
  readonly log: AssetSummary['log'];
  /** Absent when it did not answer. */
  readonly state?: Pick<AssetState, 'id' | 'last'> | undefined;
  /** Position of its newest event, as it told at most a minute ago. */
  readonly told?: number | undefined;
}

/** Those that watch it and those that read its log, by name. */
export async function readersOf(
  catalog: AssetCatalog,
  { asset, watchers, log, recorded }: AssetSummary,
  state: AssetState | undefined,
  ask: (sensor: string) => Promise<SensorState | undefined>
): Promise<readonly AssetReader[]> {
  const subscribers = new Map((state?.subscribers ?? []).map((each) => [each.sensor, each]));
  const of: ReadAssetLog = { asset, log, state, told: recorded?.last };
  const readers: AssetReader[] = [];
  await inBatches([...new Set([...watchers, ...subscribers.keys()])], LOOPS_AT_ONCE, async (sensor) => {
    const loop = catalog.loops.get(sensor);
    const status = loop?.status.name === 'RUNNING' ? (memoOf(loop)?.status ?? 'running') : 'closed';
    // a closed loop answers, too, with what was so when it was closed
    const said = status === 'closed' ? undefined : await ask(sensor);
    const place = placeOf(of, said, subscribers.get(sensor));
    readers.push({ sensor, ...(loop === undefined ? {} : { status }), ...place });
  });
  return readers.sort((a, b) => (a.sensor < b.sensor ? -1 : 1));
}

function memoOf({ memo }: { readonly memo?: Record<string, unknown> }): SensorMemo | undefined {
  return memo?.[SENSOR_MEMO] as SensorMemo | undefined;
}

/**
 * Where a sensor is, as it says itself, or as the log knows. All of it from the same one of the two.
 *
 * @param said its state, if it has said it @param subscriber what the log knows of it
 */
export function placeOf(
  { asset, log, state, told }: ReadAssetLog,
  said: Pick<SensorState, 'cursor' | 'tick' | 'deadLetters'> | undefined,
  subscriber: AssetSubscriber | undefined
): Omit<AssetReader, 'sensor' | 'status'> {
  const cursor = said?.cursor?.value;
  const kept = subscriber === undefined ? {} : { keptAfter: subscriber.position };
  const parked = said === undefined ? 0 : parkedOf(said.deadLetters, asset);
  const waits = parked === 0 ? {} : { parked };
  const position = log === 'none' ? undefined : positionIn(cursor, asset, state?.id);
  if (position !== undefined) {
    const consumed = consumedIn(cursor, asset, state?.id);
    const last = state?.last ?? Math.max(told ?? 0, consumed?.newest ?? position);
    const lag = Math.max(0, last - (consumed?.events ?? position));
    return {
      reads: true,
      // it may have read an event that came since the log was asked
      position: Math.min(position, last),
      lag,
      ...(consumed === undefined ? {} : { open: lag }),
      retried: retriedIn(cursor, asset, state?.id),
      ...waits,
      at: new Date(),
      ...kept,
    };
  }
  if (subscriber !== undefined && state !== undefined) {
    const { position: known, at } = subscriber;
    return { reads: true, position: known, lag: state.last - known, ...waits, at: new Date(at), ...kept };
  }
  if (said === undefined) return {};
  // one that was never evaluated has no cursor yet
  const reads = positionIn(cursor, asset) !== undefined || (cursor === undefined && said.tick === 0);
  return { reads, ...(reads ? waits : {}) };
}

/** A sensor tells the log how far it is only with its next evaluation, so it is asked itself. */
export async function askSensor(client: Client, sensor: string): Promise<SensorState | undefined> {
  try {
    return await client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () =>
      client.workflow.getHandle(loopId(sensor)).query<SensorState>(QUERIES.state)
    );
  } catch {
    // without a worker
    return undefined;
  }
}
