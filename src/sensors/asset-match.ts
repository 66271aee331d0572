/** What handlers of a sensor of several assets with `when` are called for. */
import type { AssetCondition } from './asset-condition.js';
import type { AssetSensorEvent } from './asset-sensor-event.js';

/** A complete match of `Keys`: of `allOf` it has an event of each, of `anyOf` of one of them. */
export interface AssetMatch<
  Keys extends string = string,
  Kind extends AssetCondition['kind'] = AssetCondition['kind'],
> {
  /** Names, logs and positions of its events, such as `customers@tmqgz4.7+orders@tmq8b1.5`: no other match ever has the same. */
  readonly eventId: string;
  /** Its events, by their names in the sensor's map. */
  readonly events: 'anyOf' extends Kind
    ? { readonly [Key in Keys]?: AssetSensorEvent }
    : { readonly [Key in Keys]: AssetSensorEvent };
  /** The event that completed it. */
  readonly event: AssetSensorEvent;
  /** The partition of its events with `by: 'partition'`; otherwise that of `event`. */
  readonly partitionKey?: string;
}

/** The match that a condition makes. */
export type MatchOf<W> = W extends AssetCondition<infer Keys, infer Kind> ? AssetMatch<Keys, Kind> : never;

/** A match of these events. */
export function matchOf(events: Readonly<Record<string, AssetSensorEvent>>): AssetMatch {
  const ids = Object.values(events).map(({ eventId }) => eventId);
  // of the same time, the last of them, as when they were matched
  const event = Object.values(events).reduce((last, each) => (each.recordedAt >= last.recordedAt ? each : last));
  const { partitionKey } = event;
  return {
    eventId: ids.toSorted().join('+'),
    events,
    event,
    ...(partitionKey === undefined ? {} : { partitionKey }),
  };
}
