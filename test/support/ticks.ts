/** A sensor evaluated tick by tick without a server: its cursor and the keys that ran are kept from one to the next. */
import type { Client } from '@temporalio/client';
import type { SensorDefinition } from '../../src/index.js';
import type { StoredCursor } from '../../src/sensors/cursor.js';
import { evaluate } from '../../src/sensors/evaluation.js';
import { sameJson } from '../../src/sensors/json.js';
import { LogBook } from '../../src/sensors/log-book.js';
import { NO_ASSETS } from '../../src/sensors/narrow-stale.js';

export interface Ticked {
  /** Keys of the runs that start: asked for, and not run before. */
  readonly started: readonly (string | undefined)[];
  /** How many runs the evaluation asked for. */
  readonly asked: number;
  readonly configs: readonly unknown[];
  readonly skipReason: string | undefined;
  readonly warnings: readonly string[];
  /** Nothing started and the cursor is the same, so it would leave no history. */
  readonly quiet: boolean;
  readonly more: boolean;
}

export class Ticks {
  cursor: StoredCursor | undefined;
  readonly #keys = new Set<string>();
  #tick = 0;

  constructor(private readonly sensor: SensorDefinition) {}

  async tick({ now = new Date(), signal = new AbortController().signal } = {}): Promise<Ticked> {
    const book = new LogBook(() => undefined, Date.now);
    const facts = {
      sensor: this.sensor.name,
      tick: ++this.#tick,
      cursor: this.cursor,
      events: [],
      now,
      lastTickAt: undefined,
      lastRunKey: undefined,
      isFirstTickSinceStart: this.#tick === 1,
      sensorStartedAt: now,
      feed: {
        scheduledAt: now.getTime(),
        nudged: false,
        preview: false,
        jobs: [],
        prefix: '',
        deadLetterRoom: 0,
        deadLetters: [],
      },
      assets: NO_ASSETS,
    };
    const services = { signal, heartbeat: () => undefined, client: {} as Client, resources: {}, book };
    const outcome = await evaluate(this.sensor, facts, services);
    const before = this.cursor;
    if (outcome.cursor.kind === 'set') this.cursor = { value: outcome.cursor.value };
    const started = outcome.requests.map(({ runKey }) => runKey).filter((key) => !this.#keys.has(key ?? ''));
    for (const key of started) if (key !== undefined) this.#keys.add(key);
    return {
      started,
      asked: outcome.requests.length,
      configs: outcome.requests.map(({ config }) => config),
      skipReason: outcome.skipReason,
      warnings: book.lines.filter(({ level }) => level === 'warn').map(({ message }) => message),
      quiet: started.length === 0 && sameJson(before?.value, this.cursor?.value),
      more: outcome.more,
    };
  }
}
