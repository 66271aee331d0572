/** What a message does to an asset's log: the same in the workflow and where a closed one's history is read. Pure. */
import { ASSET_SIGNALS } from '../sensors/protocol.js';
import { record, subscribe, trim, unsubscribe, type LogState } from './asset-log-state.js';
import { parseAssetEvents, parseRetention, parseSubscription } from './parse-asset-log.js';

/** A signal, as anybody may send it. */
export interface AssetMessage {
  readonly name: string;
  readonly arg: unknown;
  readonly now: number;
}

/** The log after the message; what makes no sense changes nothing. */
export function applyAssetMessage(state: LogState, asset: string, message: AssetMessage): LogState {
  return trim(changed(state, asset, message), asset, message.now);
}

function changed(state: LogState, asset: string, { name, arg, now }: AssetMessage): LogState {
  if (name === ASSET_SIGNALS.record) {
    const { events, refused } = parseAssetEvents(arg);
    return { ...record(state, asset, events, now), refused: state.refused + refused };
  }
  if (name === ASSET_SIGNALS.retain) return { ...state, retention: parseRetention(arg) ?? state.retention };
  const subscription = parseSubscription(arg);
  if (subscription === undefined) return state;
  const { sensor, position } = subscription;
  if (name === ASSET_SIGNALS.subscribe) return subscribe(state, sensor, position, now);
  return name === ASSET_SIGNALS.unsubscribe ? unsubscribe(state, sensor) : state;
}
