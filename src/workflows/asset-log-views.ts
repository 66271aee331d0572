/** What operators see of an asset's log: its memo, which needs no worker, and Temporal Web's current details. Pure. */
import type { AssetEvent, AssetProducer } from '../sensors/asset-event.js';
import type { AssetMemo } from '../sensors/protocol.js';
import { readLog, type LogState } from './asset-log-state.js';
import { commands, escaped, iso, table } from './markdown.js';

const SHOWN_EVENTS = 10;
const SHOWN_SUBSCRIBERS = 20;

/** What a list of assets shows. Each change costs a history event, so the workflow tells it rarely. */
export function assetMemoOf(state: LogState): AssetMemo {
  const { last, materializations, observations, latestMaterialization, latestObservation, partitions } = state;
  return {
    last,
    materializations,
    observations,
    partitions: partitions.length,
    ...(state.partitionsForgotten ? { partitionsForgotten: true } : {}),
    ...(latestMaterialization === undefined ? {} : { materializedAt: latestMaterialization.at }),
    ...(latestObservation === undefined ? {} : { observedAt: latestObservation.at }),
  };
}

/** Markdown for Temporal Web. It has no metadata of events. */
export function assetDetailsOf(state: LogState, asset: string): string {
  const { last, materializations, observations, duplicates, refused, partitions, subscribers } = state;
  const { events } = readLog(state, asset, { after: last - SHOWN_EVENTS, limit: SHOWN_EVENTS });
  const dropped = state.droppedSubscribers.at(-1);
  const forgotten = state.partitionsForgotten ? 'at least ' : '';
  return [
    `**${escaped(asset)}** has ${last} events: materializations ${materializations} · observations ${observations}` +
      ` · repeated ${duplicates} · refused ${refused} · partitions ${forgotten}${partitions.length}`,
    '',
    `Kept: ${retentionOf(state)}, and what its subscribers have still to read.`,
    '',
    ...(dropped === undefined
      ? []
      : [`No longer waited for: ${escaped(dropped.sensor)}, because ${dropped.reason}.`, '']),
    '### Last events',
    '',
    ...table(
      ['event', 'kind', 'at', 'partition', 'by'],
      [...events]
        .reverse()
        .map(({ position, kind, at, partitionKey, producer }: AssetEvent) => [
          position,
          kind,
          iso(at),
          partitionKey,
          producedBy(producer),
        ])
    ),
    '',
    '### Who reads it',
    '',
    ...(subscribers.length === 0 ? ['No sensor.'] : subscriberTable(state)),
    '',
    '### What to do next',
    '',
    ...commands([`sensors assets show ${asset}`, `sensors assets events ${asset}`]),
  ].join('\n');
}

function retentionOf({ retention: { events, ageMs } }: LogState): string {
  const age = ageMs === undefined ? '' : ` of the last ${Math.round(ageMs / 360_000) / 10} h`;
  return `the newest ${events} events${age}`;
}

function subscriberTable({ subscribers, last }: LogState): string[] {
  const hidden = subscribers.length - SHOWN_SUBSCRIBERS;
  return [
    ...table(
      ['sensor', 'has read', 'behind', 'said so'],
      subscribers
        .slice(0, SHOWN_SUBSCRIBERS)
        .map(({ sensor, position, at }) => [sensor, position, last - position, iso(at)])
    ),
    ...(hidden > 0 ? ['', `and ${hidden} more`] : []),
  ];
}

/** A producer comes from a signal, which anybody may send. */
function producedBy({ workflowId, sensor }: AssetProducer): string {
  const by: unknown = workflowId ?? (sensor === undefined ? 'a program' : `sensor ${sensor}`);
  return typeof by === 'string' ? by : '?';
}
