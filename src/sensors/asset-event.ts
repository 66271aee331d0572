/** What is known of an asset: events of its log. Types only. */

/** A value of an event's metadata; a bare number or text may be given for the first two. */
export type MetadataValue =
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'text'; readonly value: string }
  | { readonly type: 'url'; readonly value: string }
  | { readonly type: 'path'; readonly value: string }
  | {
      readonly type: 'table';
      readonly columns: readonly string[];
      readonly rows: readonly (readonly (string | number | boolean | null)[])[];
    };

export type Metadata = Readonly<Record<string, MetadataValue>>;
/** As authors give it. */
export type MetadataInput = Readonly<Record<string, MetadataValue | number | string>>;

/** Who recorded an event. */
export interface AssetProducer {
  readonly workflowId?: string;
  readonly runId?: string;
  /** Workflow type. */
  readonly job?: string;
  /** The sensor that started the run, its tick and run key; or that recorded the event itself. */
  readonly sensor?: string;
  readonly tick?: number;
  readonly runKey?: string;
}

/** One entry of an asset's log. */
export interface AssetEvent {
  /** From 1, without gaps: the order in which they were recorded. */
  readonly position: number;
  /** Name of the asset: its key, joined by `/`. */
  readonly asset: string;
  readonly kind: 'materialization' | 'observation';
  /** Recorded once however often it is sent: a log knows those of at least its newest 5,000 events. */
  readonly eventId: string;
  /** When it was recorded, in milliseconds since the epoch by the server's clock. */
  readonly at: number;
  readonly partitionKey?: string;
  readonly metadata: Metadata;
  readonly producer: AssetProducer;
}

/** What is said of an event besides what it is of. */
export interface AssetEventOptions {
  /** Which partition of the asset; a materialization of an asset with partitions must say it. @default none */
  readonly partition?: string;
  /** Named values, at most 8 KB. @default none */
  readonly metadata?: MetadataInput;
}

/** An event that a sensor records with its tick. */
export type TickAssetEvent = Pick<AssetEvent, 'asset' | 'kind' | 'partitionKey' | 'metadata'>;

/** An event that is to be recorded: the log gives it its position and time. */
export type NewAssetEvent = Omit<AssetEvent, 'position' | 'at'>;

/** An event as pages and the log's state hold it: asset and position follow from the place. */
export type StoredAssetEvent = Omit<AssetEvent, 'position' | 'asset'>;

/** How much of a log is kept beyond what its subscribers have still to read. */
export interface AssetRetention {
  /** The newest so many events. @default 100,000 */
  readonly events: number;
  /** Only what is younger, in milliseconds. @default any age */
  readonly ageMs?: number;
}

/** A sensor that reads an asset's log. */
export interface AssetSubscriber {
  readonly sensor: string;
  /** The last event it has read. */
  readonly position: number;
  /** When it last said so, in milliseconds since the epoch. */
  readonly at: number;
  /** Since when it has no workflow that could be woken. */
  readonly goneSince?: number;
}

/** The last event of a partition. */
export interface PartitionMark {
  readonly partitionKey: string;
  readonly position: number;
  readonly at: number;
}

/** When what of an asset came last, of one kind of events. */
export interface PartitionsKnown {
  /** The last event of each partition, that of the newest last; at most 2,000. */
  readonly partitions: readonly PartitionMark[];
  /** Whether there were more: those whose last event is the oldest found no room. */
  readonly partitionsForgotten: boolean;
  /** When the last event came that names no partition, in milliseconds since the epoch. */
  readonly wholeAt?: number;
}

/** What an asset's log says of itself; of partitions, what was materialized. */
export interface AssetState extends PartitionsKnown {
  readonly asset: string;
  /** Identity of the log: another when it began anew, its positions from 1, because it was deleted. */
  readonly id: string;
  /** Positions of the oldest event that is kept and of the newest: 1 and 0 before the first. */
  readonly first: number;
  readonly last: number;
  readonly materializations: number;
  readonly observations: number;
  /** Events that came again and were not recorded twice. */
  readonly duplicates: number;
  /** Events that could not be taken: not whole, or too large. */
  readonly refused: number;
  readonly latestMaterialization?: AssetEvent;
  readonly latestObservation?: AssetEvent;
  /** What was observed. */
  readonly observed: PartitionsKnown;
  readonly subscribers: readonly AssetSubscriber[];
  /** The last 20 sensors whose unread events were no longer kept for them, and why. */
  readonly droppedSubscribers: readonly (AssetSubscriber & { readonly droppedAt: number; readonly reason: string })[];
  readonly retention: AssetRetention;
}

/** Where the events of a stretch of the log are. */
export interface AssetRead {
  /** Identity of the log. */
  readonly id: string;
  readonly first: number;
  readonly last: number;
  /** Pages that hold the older part, oldest first: workflow ID and position of the first event. */
  readonly pages: readonly { readonly id: string; readonly from: number }[];
  /** The newer part. */
  readonly events: readonly AssetEvent[];
  /** What the log knows of the sensor that asks, if it is subscribed. */
  readonly subscriber?: AssetSubscriber;
}
