/**
 * A sensor over a bucket: one run for each object, or for each version of it.
 *
 * - `order: 'key'` reads what comes after the last key, in one call however large the bucket is. Only for keys that
 *   always grow, such as those that begin with a time: one that sorts before the last is never found.
 * - `order: 'modified'` lists everything at each tick and takes what was modified since. S3's times have whole seconds, and
 *   an object that was uploaded in parts has the time when that began, so the last `overlap` is looked at again and what
 *   was found in it is remembered (see `highWatermark`). Objects that are overwritten are found again; those that are
 *   deleted change nothing.
 */
import { z } from 'zod';
import type { JobDefinition } from '../sensors/define-job.js';
import type { Resources } from '../sensors/define-resource.js';
import { defineSensor, type SensorDefinition } from '../sensors/define-sensor.js';
import type { Duration } from '../sensors/duration.js';
import { DefinitionError, quote } from '../sensors/errors.js';
import { createWatermark, type HighWatermark, type WatermarkCursor } from '../sensors/high-watermark.js';
import { checkOrder, listPages, type S3ListClient, type S3Object } from './list-objects.js';
import {
  checkSourceOptions,
  requestRuns,
  type SourceContext,
  type SourceOptions,
  type SourceRequest,
} from './source-options.js';
export type { S3ListClient, S3Object } from './list-objects.js';
export type { SourceRequest } from './source-options.js';

/** By which property new objects are told from old ones. */
export type ObjectOrder = 'key' | 'modified';

/** Objects that one evaluation reads by key; the next one reads on at once. */
const MAX_OBJECTS = 10_000;

const keyCursor = z.strictObject({ after: z.string().optional() }).default({});

/** The position of {@link listObjectsSince}: with `order: 'key'` it is the last key. */
export type ObjectsCursor<Order extends ObjectOrder> = Order extends 'key'
  ? z.output<typeof keyCursor>
  : WatermarkCursor;

export interface ListObjectsOptions<Order extends ObjectOrder> {
  readonly bucket: string;
  /** Beginning of the keys. @default every key */
  readonly prefix?: string;
  readonly order: Order;
  readonly cursor: ObjectsCursor<Order>;
  /** A time before the call, such as `ctx.now`. */
  readonly now: Date;
  /**
   * For `modified`: how much later than its time an object may show up, so longer than the longest upload in parts, and
   * than replication takes. 0 to 30 days. @default '1 hour'
   */
  readonly overlap?: Duration;
  /** Aborts the call, such as `ctx.signal`. */
  readonly signal?: AbortSignal;
}

export interface ObjectsSince<Order extends ObjectOrder> {
  /** New objects, by key or by time. */
  readonly objects: readonly S3Object[];
  /** The position after them: the same object when there are none. */
  readonly cursor: ObjectsCursor<Order>;
  /** By key: there are more than 10,000, and the next call gives those after them. */
  readonly more: boolean;
}

/** The schema of {@link listObjectsSince}'s position, for `cursor:` of a sensor. */
export function objectsCursor<Order extends ObjectOrder>(
  order: Order
): z.ZodType<ObjectsCursor<Order>, ObjectsCursor<Order> | undefined> {
  const schema = order === 'key' ? keyCursor : watermark('1 hour').schema;
  return schema as unknown as z.ZodType<ObjectsCursor<Order>, ObjectsCursor<Order> | undefined>;
}

/**
 * The objects that are new since a position.
 *
 * ```ts
 * defineSensor({
 *   cursor: objectsCursor('key'),
 *   async evaluate(ctx) {
 *     const { now, signal, cursor } = ctx;
 *     const since = await listObjectsSince(s3, { bucket: 'reports', order: 'key', cursor, now, signal });
 *     ctx.setCursor(since.cursor);
 *     return since.objects.map(({ key }) => ctx.run({ runKey: key, config: { key } }));
 *   },
 * });
 * ```
 *
 * With `modified`, when more than 5,000 objects are within the overlap, some come again until it has passed: give their runs
 * a run key.
 *
 * @throws {@link EvaluationError} naming bucket and operation when a page cannot be had or makes no sense
 */
export async function listObjectsSince<Order extends ObjectOrder>(
  client: S3ListClient,
  options: ListObjectsOptions<Order>
): Promise<ObjectsSince<Order>> {
  const since = options.order === 'key' ? sinceKey : sinceModified;
  return (await since(client, options as never)) as ObjectsSince<Order>;
}

async function sinceKey(client: S3ListClient, options: ListObjectsOptions<'key'>): Promise<ObjectsSince<'key'>> {
  const { bucket, prefix, cursor, signal } = options;
  const range = { bucket, prefix, after: cursor.after, signal };
  const objects: S3Object[] = [];
  let { after } = cursor;
  for await (const page of listPages(client, range)) {
    checkOrder(page, range, after);
    objects.push(...page);
    after = page.at(-1)?.key ?? after;
    if (objects.length >= MAX_OBJECTS) break;
  }
  return {
    objects,
    cursor: objects.length === 0 || after === undefined ? cursor : { after },
    more: objects.length >= MAX_OBJECTS,
  };
}

async function sinceModified(
  client: S3ListClient,
  options: ListObjectsOptions<'modified'>
): Promise<ObjectsSince<'modified'>> {
  const { bucket, prefix, cursor, now, signal, overlap = '1 hour' } = options;
  const position = watermark(overlap);
  const since = position.since(cursor)?.getTime() ?? Number.NEGATIVE_INFINITY;
  const recent: S3Object[] = [];
  for await (const page of listPages(client, { bucket, prefix, signal })) {
    recent.push(...page.filter(({ lastModified }) => lastModified.getTime() >= since));
  }
  const taken = position.take(cursor, recent, { now });
  return { objects: taken.items, cursor: taken.cursor, more: false };
}

function watermark(overlap: Duration): HighWatermark<S3Object> {
  return createWatermark(
    { at: ({ lastModified }) => lastModified, tieBreak: ({ key, etag }) => `${key}\0${etag}`, overlap },
    'repeat'
  );
}

/** Any schema of a position. */
type AnyCursor = z.ZodType<ObjectsCursor<ObjectOrder>, ObjectsCursor<ObjectOrder> | undefined>;

export interface S3SensorOptions<J extends JobDefinition, R extends Resources = {}> extends SourceOptions<J, R> {
  /**
   * An `S3Client`, with region, endpoint and credentials as the SDK takes them, or a function that gives one at each
   * evaluation: `({ resources }) => resources.s3`.
   */
  readonly client: S3ListClient | ((ctx: SourceContext<AnyCursor, R>) => S3ListClient | Promise<S3ListClient>);
  readonly bucket: string;
  /** Beginning of the keys. @default every key */
  readonly prefix?: string;
  /** `'key'` for keys that always grow, `'modified'` for all others. */
  readonly order: ObjectOrder;
  /**
   * For `modified`: how much later than its time an object may show up, so longer than the longest upload in parts, and
   * than replication takes. 0 to 30 days. @default '1 hour'
   */
  readonly overlap?: Duration;
  /**
   * What to run for an object; `null` or `undefined` for nothing, now or later. Without a `runKey` it is the key, followed
   * by time and ETag with `modified`.
   */
  readonly request: (
    object: S3Object,
    ctx: SourceContext<AnyCursor, R>
  ) => SourceRequest<J> | Promise<SourceRequest<J>>;
}

/**
 * Defines a sensor that runs `job` once for each object of a bucket, or with `order: 'modified'` once for each version of
 * each object.
 *
 * ```ts
 * export const reports = s3Sensor({
 *   name: 'reports',
 *   client: new S3Client({ region: 'eu-central-1' }),
 *   bucket: 'reports',
 *   prefix: 'daily/',
 *   order: 'key',
 *   job: importReport,
 *   request: ({ key }) => ({ config: { key } }),
 * });
 * ```
 *
 * A call that fails, and a page that is cut short, fail the tick; nothing is skipped.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function s3Sensor<J extends JobDefinition, const R extends Resources = {}>(
  options: S3SensorOptions<J, R>
): SensorDefinition {
  const { client, bucket, prefix, order, overlap, request, ...sensor } = options;
  checkSourceOptions(options);
  const place = `sensor '${options.name}'`;
  if (typeof bucket !== 'string' || bucket === '') {
    throw new DefinitionError(`${place}: bucket is ${quote(bucket)}; accepted: the name of a bucket`);
  }
  if (order !== 'key' && order !== 'modified') {
    throw new DefinitionError(`${place}: order is ${quote(order)}; accepted: 'key' or 'modified'`);
  }
  if (overlap !== undefined && order === 'key') {
    throw new DefinitionError(`${place}: overlap is for order 'modified'; order 'key' has none`);
  }
  if (typeof client !== 'function' && typeof (client as Partial<S3ListClient>)?.send !== 'function') {
    throw new DefinitionError(`${place}: client is no S3Client; accepted: an S3Client, or a function that gives one`);
  }
  // its duration is checked now, not at the first tick
  watermark(overlap ?? '1 hour');

  const where = `s3://${bucket}/${prefix ?? ''}`;
  const evaluate = async (ctx: SourceContext<AnyCursor, R>) => {
    const { now, signal } = ctx;
    const s3 = typeof client === 'function' ? await client(ctx) : client;
    const { objects, cursor, more } = await listObjectsSince(s3, {
      bucket,
      order,
      cursor: ctx.cursor,
      now,
      signal,
      ...(prefix === undefined ? {} : { prefix }),
      ...(overlap === undefined ? {} : { overlap }),
    });
    if (objects.length === 0) return ctx.skip(`no new objects in ${where}`);
    ctx.setCursor(cursor);
    const runs = await requestRuns(ctx, objects, request, (object) => runKeyOf(object, order));
    if (more) return [...runs, ctx.more()];
    return runs.length > 0 ? runs : ctx.skip(`nothing to run for ${objects.length} new objects in ${where}`);
  };
  return defineSensor({
    description: `Objects in ${where}`,
    ...sensor,
    cursor: objectsCursor(order),
    evaluate,
  });
}

function runKeyOf({ key, lastModified, etag }: S3Object, order: ObjectOrder): string {
  return order === 'key' ? key : `${key}@${lastModified.toISOString()}:${etag}`;
}
