/**
 * The events of an asset that a sensor has not consumed, kept between the ticks of a process: a long window is not read
 * again at each tick, and what was consumed is let go of.
 */
import type { Client } from '@temporalio/client';
import type { AssetSensorEvent } from '../sensors/asset-sensor-event.js';
import { sensorEvent } from '../sensors/asset-sensor-event.js';
import type { AssetReading } from '../sensors/asset-view.js';
import { jsonBytes } from '../sensors/json.js';
import { doneUntil, includesAll, lowOf, union, type Positions } from '../sensors/positions.js';
import type { AssetReader, OpenLog } from './asset-reader.js';

const READ_AT_ONCE = 500;
/** Of events that are not consumed; with more of them, newer ones are read when some are consumed. */
export const MAX_WINDOW_BYTES = 32 * 1024 * 1024;

interface Held {
  readonly event: AssetSensorEvent;
  readonly bytes: number;
}

/** What was read for consumed events like these. */
interface Known {
  readonly client: Client;
  /** Identity of the log. */
  readonly log: string;
  readonly positions: Positions;
  readonly held: readonly Held[];
  readonly passed: readonly number[];
  /** The position up to which it was read. */
  readonly read: number;
  /** When the last event that was read was recorded; `undefined` before the first. */
  readonly readAt: number | undefined;
  /** Events that the log had let go of before they were read. */
  readonly gone: readonly [from: number, to: number] | undefined;
}

export interface WindowReading extends AssetReading {
  /** Identity of the log. */
  readonly log: string;
  /** There is more than the window holds: events that were recorded after this time are not known. */
  readonly fullUntil: number | undefined;
  /** What the tick has to say: events are gone from the log without having been read, or it is another one. */
  readonly problems: readonly string[];
}

export class AssetWindow {
  readonly #reader: Pick<AssetReader, 'read' | 'gone'>;
  readonly #observations: boolean;
  #known: Known | undefined;

  constructor(reader: Pick<AssetReader, 'read' | 'gone'>, observations: boolean) {
    this.#reader = reader;
    this.#observations = observations;
  }

  /** @param positions what is consumed, as it is stored @param found the log as it is now */
  async open(
    { client, signal }: { readonly client: Client; readonly signal: AbortSignal },
    positions: Positions,
    { log, last, problem }: Omit<OpenLog, 'anew'>
  ): Promise<WindowReading> {
    const known = this.#reusable(client, log, positions);
    const held = known.held.filter(({ event }) => doneUntil(positions, event.position) === undefined);
    const passed = known.passed.filter((position) => doneUntil(positions, position) === undefined);
    let bytes = held.reduce((sum, each) => sum + each.bytes, 0);
    let { read, readAt, gone } = known;
    if (gone !== undefined && doneUntil(positions, gone[0]) !== undefined) gone = undefined;
    let isLast = false;
    for (;;) {
      // kept also if the tick comes to nothing, or runs out of time while it reads
      this.#known = { client, log, positions, held, passed, read, readAt, gone };
      if (isLast || bytes > MAX_WINDOW_BYTES) break;
      read = doneUntil(positions, read + 1) ?? read;
      const events = await this.#reader.read(client, log, read, READ_AT_ONCE);
      signal.throwIfAborted();
      for (const event of events) {
        // a log lets go of its oldest events, and of no others
        if (event.position > read + 1) gone = [read + 1, event.position - 1];
        read = event.position;
        readAt = event.at;
        if (doneUntil(positions, read) !== undefined) continue;
        if (event.kind === 'observation' && !this.#observations) passed.push(read);
        else {
          const size = jsonBytes(event);
          held.push({ event: sensorEvent(event, log), bytes: size });
          bytes += size;
        }
      }
      isLast = events.length < READ_AT_ONCE;
    }
    return {
      log,
      positions: gone === undefined ? positions : union(positions, [gone]),
      events: held.map(({ event }) => event),
      passed,
      read,
      fullUntil: isLast || read >= last ? undefined : readAt,
      problems: [
        ...(problem === undefined ? [] : [problem]),
        ...(gone === undefined ? [] : [this.#reader.gone(...gone)]),
      ],
    };
  }

  /** What is known already, if everything is still consumed that was so when it was read: an operator may set the cursor back. */
  #reusable(client: Client, log: string, positions: Positions): Known {
    const known = this.#known;
    if (known?.client === client && known.log === log && includesAll(positions, known.positions)) return known;
    return { client, log, positions, held: [], passed: [], read: lowOf(positions), readAt: undefined, gone: undefined };
  }
}
