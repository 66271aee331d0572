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
  /** Recorded once however often it is sent. */
  readonly eventId: string;
  /** When it was recorded, in milliseconds since the epoch by the server's clock. */
  readonly at: number;
  readonly partitionKey?: string;
  readonly metadata: Metadata;
  readonly producer: AssetProducer;
}
