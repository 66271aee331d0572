/**
 * Contexts for tests: what `evaluate` gets, without a worker or a server.
 *
 * A context that is not told its sensor learns it when that sensor's `evaluate` is called with it; from then on the
 * cursor, its default, events and jobs are checked as in production. The author's function called on its own gets a
 * context that only makes requests.
 */
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import type { TickAssetEvent } from '../sensors/asset-event.js';
import { checkEvents } from '../sensors/check-outcome.js';
import type { StoredCursor } from '../sensors/cursor.js';
import type { JobDefinition } from '../sensors/define-job.js';
import { defineSensor, type Sensor, type SensorDefinition } from '../sensors/define-sensor.js';
import { DefinitionError, EvaluationError, refuseUnknownOptions } from '../sensors/errors.js';
import { EvaluationContext, type EvaluationFacts, type EvaluationServices } from '../sensors/evaluation.js';
import { toJson, type Json } from '../sensors/json.js';
import { MAX_DEAD_LETTERS_BYTES } from '../sensors/limits.js';
import { LogBook, type LogLine } from '../sensors/log-book.js';
import { NO_ASSETS } from '../sensors/narrow-stale.js';
import { BIND, type SensorTestContext } from '../sensors/test-context.js';

/** Options of {@link buildSensorContext}; all may be left out. */
export interface SensorTestContextOptions<Cursor> {
  /** Gives the cursor its type, and has everything checked at once. @default learnt when `evaluate` is called */
  readonly sensor?: Sensor<Cursor>;
  /** The stored position. @default none: the sensor's default, if its schema has one */
  readonly cursor?: Cursor;
  /** What `ctx.resources` holds: the instances themselves, or stand-ins for them. @default none */
  readonly resources?: Readonly<Record<string, unknown>>;
  /** @default the present */
  readonly now?: Date;
  /** Events that were pushed to the sensor. @default none */
  readonly events?: readonly Json[];
  /** Number of the tick. @default 1 */
  readonly tick?: number;
  /** @default none */
  readonly lastTickAt?: Date;
  /** @default none */
  readonly lastRunKey?: string;
  /** @default true without `lastTickAt` */
  readonly isFirstTickSinceStart?: boolean;
  /** @default `now` */
  readonly sensorStartedAt?: Date;
  /** @default one that never aborts */
  readonly signal?: AbortSignal;
  /** @default using `ctx.client` is an error that says so */
  readonly client?: Client;
}

const OPTIONS = [
  'sensor',
  'cursor',
  'resources',
  'now',
  'events',
  'tick',
  'lastTickAt',
  'lastRunKey',
  'isFirstTickSinceStart',
  'sensorStartedAt',
  'signal',
  'client',
] as const;

/** Stands in until the context knows its sensor: takes any cursor. */
const ANY_SENSOR = defineSensor({ name: 'sensor', cursor: z.custom<Json>(), evaluate: () => null });

/**
 * A context for `sensor.evaluate(context)` and `evaluateTick`.
 *
 * ```ts
 * const context = buildSensorContext({ cursor: { mtimeMs: 0 }, resources: { s3: mockS3({ … }) } });
 * const requests = [...newFiles.evaluate(context)];
 * expect(context.cursor).toEqual({ mtimeMs: 1700000000000 });
 * ```
 *
 * @throws DefinitionError for an unknown option; EvaluationError, with `sensor`, for a cursor or event that does not fit it
 */
export function buildSensorContext<Cursor = unknown>(
  options: SensorTestContextOptions<Cursor> = {}
): SensorTestContext<Cursor> {
  refuseUnknownOptions(options, OPTIONS, 'buildSensorContext');
  const now = options.now ?? new Date();
  const { cursor, lastTickAt } = options;
  const book = new LogBook(
    () => undefined,
    () => now.getTime()
  );
  const facts: EvaluationFacts = {
    sensor: options.sensor?.name ?? ANY_SENSOR.name,
    tick: options.tick ?? 1,
    cursor: cursor === undefined ? undefined : { value: toJson(cursor, 'cursor') },
    events: options.events ?? [],
    now,
    lastTickAt,
    lastRunKey: options.lastRunKey,
    isFirstTickSinceStart: options.isFirstTickSinceStart ?? lastTickAt === undefined,
    sensorStartedAt: options.sensorStartedAt ?? now,
    feed: {
      scheduledAt: now.getTime(),
      nudged: false,
      preview: false,
      jobs: [],
      prefix: '',
      deadLetterRoom: MAX_DEAD_LETTERS_BYTES,
      deadLetters: [],
    },
    assets: NO_ASSETS,
  };
  const services: EvaluationServices = {
    signal: options.signal ?? new AbortController().signal,
    heartbeat: () => undefined,
    client: options.client ?? noClient('buildSensorContext'),
    resources: options.resources ?? {},
    book,
  };
  const context = new TestContext(facts, services);
  if (options.sensor !== undefined) context[BIND](options.sensor);
  return context as unknown as SensorTestContext<Cursor>;
}

/** What a context was built of, for an evaluation of a whole tick. */
export interface ContextParts {
  readonly facts: EvaluationFacts;
  readonly services: EvaluationServices;
}

/**
 * @throws {@link EvaluationError} when `buildSensorContext` did not make it
 */
export function partsOf(context: SensorTestContext): ContextParts {
  if (context instanceof TestContext) return context.parts();
  throw new EvaluationError('the context was not made by buildSensorContext');
}

const absent = new WeakSet<Client>();

/** A client that says what is missing as soon as it is used. */
export function noClient(of: string): Client {
  const client = new Proxy({} as Client, {
    get: (_, property) => {
      if (typeof property === 'symbol') return undefined;
      throw new EvaluationError(`ctx.client is used, and this test has no client: give one to ${of} ({ client })`);
    },
  });
  absent.add(client);
  return client;
}

/**
 * @throws {@link DefinitionError} for a sensor of runs that is to be evaluated without a client
 */
export function requireClient({ name, watchesRuns }: SensorDefinition, client: Client, place: string): void {
  if (watchesRuns === undefined || !absent.has(client)) return;
  throw new DefinitionError(
    `${place}: sensor '${name}' reads what became of runs from a Temporal server; call its handle with what ` +
      `buildRunStatusSensorContext gives, or use createSensorTestEnvironment`
  );
}

class TestContext extends EvaluationContext {
  readonly #facts: EvaluationFacts;
  readonly #services: EvaluationServices;
  /** The context of the sensor that was called last. */
  #bound: EvaluationContext | undefined;

  constructor(facts: EvaluationFacts, services: EvaluationServices) {
    super(ANY_SENSOR, facts, services, facts.cursor);
    this.#facts = facts;
    this.#services = services;
  }

  override get cursor(): undefined {
    return this.#bound === undefined ? super.cursor : this.#bound.cursor;
  }

  override setCursor(cursor: unknown): void {
    if (this.#bound === undefined) super.setCursor(cursor);
    else this.#bound.setCursor(cursor);
  }

  override clearCursor(): void {
    if (this.#bound === undefined) super.clearCursor();
    else this.#bound.clearCursor();
  }

  get logs(): readonly LogLine[] {
    return this.#services.book.lines;
  }

  get assetEvents(): readonly TickAssetEvent[] {
    return [...this.recorded, ...(this.#bound?.recorded ?? [])].map(({ event }) => event);
  }

  parts(): ContextParts {
    return { facts: { ...this.#facts, cursor: this.#stored() }, services: this.#services };
  }

  /** The context of this sensor, from where this one is. */
  [BIND](definition: SensorDefinition): EvaluationContext {
    const cursor = this.#stored();
    if (cursor === undefined && definition.initialCursor !== undefined) {
      throw new EvaluationError(
        `sensor '${definition.name}' has an initialCursor, and this context no cursor: give it one, or use evaluateTick`
      );
    }
    const { events, rejected } = checkEvents({ events: this.#facts.events, firstEvent: 1 }, definition);
    if (rejected[0] !== undefined) throw new EvaluationError(rejected[0].error);
    const facts = { ...this.#facts, sensor: definition.name, cursor, events };
    this.#bound = new EvaluationContext(definition, facts, this.#services, cursor);
    return this.#bound;
  }

  /** Without its sensor a context cannot tell which job is meant when the request names none. */
  protected override resolveJob(job: unknown): Pick<JobDefinition, 'name'> {
    return typeof job === 'object' && job !== null && 'name' in job ? { name: String(job.name) } : { name: 'job' };
  }

  #stored(): StoredCursor | undefined {
    const cursor: unknown = this.cursor;
    return cursor === undefined ? undefined : { value: cursor as Json };
  }
}
