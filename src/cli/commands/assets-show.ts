/** `sensors assets show`: lineage, partitions, and where the sensors that watch it stand. */
import type { AssetDescription } from '../../client/index.js';
import type { AssetEvent } from '../../sensors/asset-event.js';
import { keyOf } from '../../sensors/asset-sensor-event.js';
import { count, formatDuration, plain, relative } from '../../sensors/text.js';
import { metadataText, producerText, readerCells, treeLines, type Branch } from '../asset-text.js';
import { assetDescriptionView } from '../asset-views.js';
import { colored, fields, table, type Colors, type Output } from '../output.js';
import type { Session, WebUrlOf } from '../session.js';

const SHOWN_PARTITIONS = 10;
const SHOWN_RELATIVES = 40;
const SHOWN_DROPPED = 3;

/** `sensors assets show <asset>` */
export async function showAsset(session: Session, output: Output, name: string): Promise<void> {
  const asset = await session.call(() => session.sensors.describeAsset(name));
  output.result(assetDescriptionView(asset, session.webUrlOf), (colors) => text(asset, session.webUrlOf, colors));
}

function text(asset: AssetDescription, webUrlOf: WebUrlOf, colors: Colors): string[] {
  const { state, workflowId, runId } = asset;
  const { latestMaterialization, latestObservation } = state ?? {};
  const run = runOf(latestMaterialization);
  return [
    `${colors.bold(plain(asset.asset))}: ${summary(asset)}`,
    ...warnings(asset).map((warning) => `${colors.yellow('warning:')} ${plain(warning)}`),
    '',
    ...fields(
      [
        ['Description', asset.description === undefined ? undefined : plain(asset.description)],
        ['Metadata', asset.metadata === undefined ? undefined : metadataText(asset.metadata, 200)],
        ['Made by', asset.owners.length === 0 ? 'no job that a sensor starts' : plain(asset.owners.join(', '))],
        ['Partitions', partitionsLine(asset)],
        ['Events', eventsLine(asset)],
        ['Last materialized', eventLine(latestMaterialization)],
        ['Its key', latestMaterialization && plain(keyOf(latestMaterialization, state?.id ?? ''))],
        ['By run', run === undefined ? undefined : (webUrlOf(run) ?? plain(run.workflowId))],
        ['Last observed', eventLine(latestObservation)],
        ['Kept', state === undefined ? undefined : retentionLine(state.retention)],
        ['Log', logLine(asset)],
        ['Temporal Web', workflowId === undefined || runId === undefined ? undefined : webUrlOf({ workflowId, runId })],
      ],
      colors
    ),
    ...lineage('Made from', asset.asset, upward(asset), asset.ancestors.length),
    ...lineage('Made into', asset.asset, downward(asset), asset.descendants.length),
    ...partitions(asset, colors),
    ...readers(asset, colors),
  ];
}

function summary({ log, recorded, state, unknown }: AssetDescription): string {
  const at = state?.latestMaterialization?.at ?? recorded?.materializedAt;
  if (at !== undefined) return `materialized ${relative(at)}.`;
  if (log === 'none') return 'nothing was recorded of it yet.';
  return unknown === undefined ? 'never materialized.' : `${plain(unknown)}.`;
}

function warnings({ problems, stateError, state }: AssetDescription): readonly string[] {
  const dropped = state?.droppedSubscribers.slice(-SHOWN_DROPPED) ?? [];
  return [
    ...problems,
    ...(stateError === undefined ? [] : [`what only the log knows is missing: ${stateError}`]),
    ...dropped.map(
      ({ sensor, position, droppedAt, reason }) =>
        `events after ${position} were no longer kept for ${sensor} ${relative(droppedAt)}: ${reason}`
    ),
  ];
}

function runOf(event: AssetEvent | undefined): { readonly workflowId: string; readonly runId: string } | undefined {
  const { workflowId, runId } = event?.producer ?? {};
  return workflowId === undefined || runId === undefined ? undefined : { workflowId, runId };
}

function partitionsLine({ partitions, recorded, state }: AssetDescription): string | undefined {
  const made = state?.partitions.length ?? recorded?.partitions;
  if (partitions === undefined && (made ?? 0) === 0) return undefined;
  const more = (state ?? recorded)?.partitionsForgotten === true ? 'at least ' : '';
  return [partitions, made === undefined ? undefined : `${more}${made} materialized`].filter(Boolean).join(', ');
}

function eventsLine({ recorded, state }: AssetDescription): string | undefined {
  const facts = state ?? recorded;
  if (facts === undefined) return undefined;
  const { materializations, observations, last } = facts;
  const refused =
    state === undefined || state.refused === 0 ? '' : `; ${count(state.refused, 'event')} could not be taken`;
  const kept = state === undefined || last === 0 ? '' : `; ${state.first} to ${last} are kept`;
  return `${count(materializations, 'materialization')}, ${count(observations, 'observation')}${kept}${refused}`;
}

function eventLine(event: AssetEvent | undefined): string | undefined {
  if (event === undefined) return undefined;
  const { at, position, partitionKey, producer, metadata } = event;
  const parts = [
    `${relative(at)} (${new Date(at).toISOString()}), event ${position}`,
    partitionKey === undefined ? '' : `partition ${plain(partitionKey, 60)}`,
    `by ${producerText(producer)}`,
    metadataText(metadata, 200),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** `the newest 100000 events`, `… of the last 30 d`. */
export function retentionLine({ events, ageMs }: { readonly events: number; readonly ageMs?: number }): string {
  const age = ageMs === undefined ? '' : ` of the last ${formatDuration(ageMs)}`;
  return `the newest ${count(events, 'event')}${age}, and what its sensors have still to read`;
}

function logLine({ workflowId, taskQueue, state }: AssetDescription): string | undefined {
  if (workflowId === undefined) return undefined;
  const identity = state === undefined ? '' : `, identity ${plain(state.id)}`;
  return `${plain(workflowId)} on task queue ${plain(taskQueue ?? '')}${identity}`;
}

function lineage(title: string, asset: string, branchesOf: (asset: string) => readonly Branch[], assets: number) {
  if (assets === 0) return [];
  const lines = treeLines(asset, branchesOf);
  const hidden = lines.length - SHOWN_RELATIVES;
  const more = hidden > 0 ? [`  and ${hidden} more lines; --json has all`] : [];
  return ['', `${title}:`, ...lines.slice(0, SHOWN_RELATIVES), ...more];
}

function upward({ asset, upstream, ancestors }: AssetDescription): (asset: string) => readonly Branch[] {
  const all = new Map(ancestors.map((each) => [each.asset, each]));
  return (name) =>
    Object.entries(name === asset ? upstream : (all.get(name)?.upstream ?? {})).map(([above, mapping]) => ({
      asset: above,
      note: noteOf(mapping, all.get(above)?.owners ?? []),
    }));
}

function downward({ descendants }: AssetDescription): (asset: string) => readonly Branch[] {
  return (name) =>
    descendants.flatMap(({ asset, upstream, owners }) => {
      const mapping = upstream[name];
      return mapping === undefined ? [] : [{ asset, note: noteOf(mapping, owners) }];
    });
}

function noteOf(mapping: string, owners: readonly string[]): string {
  const by = owners.length === 0 ? '' : `, made by ${plain(owners.join(', '), 60)}`;
  return `  (${mapping}${by})`;
}

function partitions({ state }: AssetDescription, colors: Colors): string[] {
  if (state === undefined || state.partitions.length === 0) return [];
  const shown = state.partitions.slice(-SHOWN_PARTITIONS).reverse();
  const hidden = state.partitions.length - shown.length;
  const rows = shown.map(({ partitionKey, position, at }) => [
    plain(partitionKey, 60),
    relative(at),
    `event ${position}`,
  ]);
  return [
    '',
    `Partitions${hidden === 0 ? '' : ` (the ${shown.length} materialized last; --json has all)`}:`,
    ...table(['PARTITION', 'MATERIALIZED', 'BY'], rows, colors).map((line) => `  ${line}`),
  ];
}

function readers({ readers: all }: AssetDescription, colors: Colors): string[] {
  if (all.length === 0) return ['', 'No sensor watches it.'];
  const rows = all.map((reader) => [
    plain(reader.sensor),
    colored(reader.status ?? 'gone', colors),
    ...readerCells(reader),
  ]);
  return [
    '',
    'Sensors:',
    ...table(['SENSOR', 'STATUS', 'HAS READ', 'BEHIND', 'AS OF'], rows, colors).map((line) => `  ${line}`),
  ];
}
