/**
 * An asset as a sensor of several assets sees it: the events that are not consumed, and the means to consume them. Knows
 * nothing of Temporal.
 *
 * Consuming an event consumes those of its partition before it. Others stay: they are passed over, and remembered.
 */
import type { AssetSensorEvent } from './asset-sensor-event.js';
import type { AssetDefinition } from './define-asset.js';
import { EvaluationError, quote } from './errors.js';
import { highOf, withDone, withPassed, type Positions } from './positions.js';

/** One asset in `ctx.assets`. What is consumed shows at once, and is stored when the tick ends well. */
export interface AssetView {
  /** Name of the asset. */
  readonly name: string;
  /** Position of the newest event that is consumed. */
  readonly position: number;
  /** The newest event after the position. */
  latest(): AssetSensorEvent | undefined;
  /** Events after the position, oldest first. @param options `limit`: at most so many. @default all */
  eventsSince(options?: { readonly limit?: number }): readonly AssetSensorEvent[];
  /** Events up to the position that are not consumed: they were passed over. Oldest first. */
  unconsumed(): readonly AssetSensorEvent[];
  /** The newest event that is not consumed, passed over or not, of each partition, in the order of their positions. */
  latestByPartition(): ReadonlyMap<string, AssetSensorEvent>;
  /**
   * Whether each of these partitions has a materialization that is not consumed; `false` for no partitions.
   *
   * @param partitions @default those of the asset's partition set at this time
   * @throws EvaluationError without partitions for an asset whose partitions its definition does not know
   */
  allMaterializedSince(partitions?: readonly string[]): boolean;
  /**
   * Consumes an event, and what is older of the same partition.
   *
   * @throws EvaluationError for an event of another asset, or one that was not read
   */
  advance(event: AssetSensorEvent): void;
  /** Consumes everything, passed over or not. */
  advanceAll(): void;
}

/** What was read of an asset's log. */
export interface AssetReading {
  /** What is consumed. */
  readonly positions: Positions;
  /** What is not, oldest first. */
  readonly events: readonly AssetSensorEvent[];
  /** Positions of events that nobody is to look at, such as observations. */
  readonly passed: readonly number[];
  /** The position up to which the log was read. */
  readonly read: number;
}

export class OpenAsset implements AssetView {
  readonly name: string;
  readonly #definition: AssetDefinition;
  readonly #reading: AssetReading;
  readonly #now: Date;
  readonly #open: Map<number, AssetSensorEvent>;
  readonly #byPartition = new Map<string | undefined, number[]>();
  readonly #done: number[] = [];
  #position: number;

  constructor(definition: AssetDefinition, reading: AssetReading, now: Date) {
    this.name = definition.name;
    this.#definition = definition;
    this.#reading = reading;
    this.#now = now;
    this.#open = new Map(reading.events.map((event) => [event.position, event]));
    this.#position = highOf(reading.positions);
    for (const { position, partitionKey } of reading.events) {
      const same = this.#byPartition.get(partitionKey);
      if (same === undefined) this.#byPartition.set(partitionKey, [position]);
      else same.push(position);
    }
    // own, bound properties: authors take them apart
    this.advance = this.advance.bind(this);
    this.advanceAll = this.advanceAll.bind(this);
  }

  get position(): number {
    return this.#position;
  }

  /** Whether anything was consumed. */
  get advanced(): boolean {
    return this.#done.length > 0;
  }

  /** Everything that is not consumed, oldest first. */
  get open(): readonly AssetSensorEvent[] {
    return [...this.#open.values()];
  }

  /** What is consumed now. */
  get positions(): Positions {
    return withPassed(withDone(this.#reading.positions, this.#done), this.#reading.passed);
  }

  latest(): AssetSensorEvent | undefined {
    const last = this.open.at(-1);
    return last !== undefined && last.position > this.#position ? last : undefined;
  }

  eventsSince({ limit = Number.POSITIVE_INFINITY }: { readonly limit?: number } = {}): readonly AssetSensorEvent[] {
    return this.open.filter(({ position }) => position > this.#position).slice(0, limit);
  }

  unconsumed(): readonly AssetSensorEvent[] {
    return this.open.filter(({ position }) => position < this.#position);
  }

  latestByPartition(): ReadonlyMap<string, AssetSensorEvent> {
    const latest = new Map<string, AssetSensorEvent>();
    for (const event of this.open) {
      if (event.partitionKey === undefined) continue;
      latest.delete(event.partitionKey);
      latest.set(event.partitionKey, event);
    }
    return latest;
  }

  allMaterializedSince(partitions: readonly string[] = this.#knownPartitions()): boolean {
    const made = this.open.filter(({ kind }) => kind === 'materialization').map(({ partitionKey }) => partitionKey);
    const all = new Set(made);
    return partitions.length > 0 && partitions.every((partition) => all.has(partition));
  }

  advance(event: AssetSensorEvent): void {
    const { asset, position, partitionKey } = event;
    if (asset !== this.name)
      throw new EvaluationError(`advance of asset '${this.name}' got an event of asset ${quote(asset)}`);
    if (!Number.isInteger(position) || position > this.#reading.read)
      throw new EvaluationError(
        `advance of asset '${this.name}' got position ${quote(position)}, and ${this.#reading.read} is the newest that was read`
      );
    const same = this.#byPartition.get(partitionKey) ?? [];
    const after = same.findIndex((each) => each > position);
    this.consume(same.splice(0, after === -1 ? same.length : after));
  }

  advanceAll(): void {
    this.consume([...this.#open.keys()]);
    this.#byPartition.clear();
  }

  /** Consumes just these. */
  consume(positions: readonly number[]): void {
    for (const position of positions) {
      if (!this.#open.delete(position)) continue;
      this.#done.push(position);
      this.#position = Math.max(this.#position, position);
    }
  }

  #knownPartitions(): readonly string[] {
    const { partitions } = this.#definition;
    if (partitions !== undefined && partitions.type !== 'dynamic') return partitions.keys(this.#now);
    const why = partitions === undefined ? 'has no partitions' : `has the dynamic partitions '${partitions.name}'`;
    throw new EvaluationError(`asset '${this.name}' ${why}: give allMaterializedSince the partitions that are meant`);
  }
}
