/** Words for assets on a terminal: events, who produced them, and lineage as an indented tree. Pure. */
import type { AssetReader } from '../client/index.js';
import type { AssetEvent, AssetProducer, Metadata, MetadataValue } from '../sensors/asset-event.js';
import { count, plain, relative } from '../sensors/text.js';

/** Who recorded an event: the run, and the sensor behind it; who says nothing of itself is a program with a client. */
export function producerText({ workflowId, job, sensor, runKey }: AssetProducer): string {
  if (workflowId === undefined) return sensor === undefined ? 'a program' : `sensor ${plain(sensor)}`;
  const by =
    sensor === undefined ? '' : ` (${plain(sensor)}${runKey === undefined ? '' : `, key ${plain(runKey, 40)}`})`;
  return `${plain(job ?? workflowId)}${by}`;
}

/** `rows=120 file=/data/orders.csv`. */
export function metadataText(metadata: Metadata, max = 80): string {
  const values = Object.entries(metadata).map(([name, value]) => `${name}=${valueText(value)}`);
  return plain(values.join(' '), max);
}

function valueText(value: MetadataValue): string {
  if (value.type === 'table') return `(${count(value.rows.length, 'row')} of ${value.columns.join(', ')})`;
  return String(value.value);
}

/** `, 2 being retried`. */
export function retriedText(retried = 0): string {
  return retried === 0 ? '' : `, ${retried} being retried`;
}

/** Of a reader: how far it has read, what it has still to do, and as of when. */
export function readerCells({ reads, position, lag, open, retried, parked = 0, at }: AssetReader): string[] {
  const unread = reads === true ? 'has not looked at this log yet' : reads === false ? 'does not read it' : 'unknown';
  const behind = open === undefined ? `${lag ?? ''}` : `${open} open`;
  const waiting = parked === 0 ? '' : `${lag === undefined ? '' : ', '}${parked} parked`;
  return [
    position === undefined ? unread : `${position}`,
    `${behind}${retriedText(retried)}${waiting}`,
    at === undefined ? '' : relative(at),
  ];
}

/** Cells of an event in the order of {@link EVENT_HEADER}. */
export function eventCells({ position, at, kind, partitionKey = '', producer, metadata }: AssetEvent): string[] {
  return [
    String(position),
    new Date(at).toISOString(),
    kind,
    plain(partitionKey, 60),
    producerText(producer),
    metadataText(metadata),
  ];
}

export const EVENT_HEADER = ['EVENT', 'RECORDED', 'KIND', 'PARTITION', 'BY', 'METADATA'] as const;

/** An asset in a tree. */
export interface Branch {
  readonly asset: string;
  /** What is said of it besides its name. */
  readonly note: string;
}

/**
 * What hangs below an asset, indented. An asset that is in the tree more than once has its own branches once: a diamond
 * does not grow, and a circle ends.
 */
export function treeLines(root: string, branchesOf: (asset: string) => readonly Branch[], indent = '  '): string[] {
  const walked = new Set<string>();
  const walk = (asset: string, depth: number): string[] => {
    walked.add(asset);
    return branchesOf(asset).flatMap(({ asset: below, note }) => {
      const again = walked.has(below) && branchesOf(below).length > 0;
      const line = `${indent.repeat(depth)}${plain(below)}${note}${again ? ' …' : ''}`;
      return again ? [line] : [line, ...walk(below, depth + 1)];
    });
  };
  return walk(root, 1);
}
