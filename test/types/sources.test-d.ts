/** What must compile and what must not, for an author of ready-made sensors. Checked by `tsc` in `npm run check`; never run. */
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { defineJob, defineSensor, highWatermark } from '../../src/index.js';
import { directorySensor } from '../../src/sources/directory.js';
import { listObjectsSince, objectsCursor, s3Sensor } from '../../src/sources/s3.js';
import { mockS3 } from '../../src/testing/mock-s3.js';

const file = defineJob({ name: 'file', config: z.object({ path: z.string(), retries: z.number().default(3) }) });
const plain = defineJob({ name: 'plain' });

directorySensor({
  name: 'inbox',
  path: './inbox',
  job: file,
  interval: '10s',
  timeout: '5m',
  request: ({ path, size }, ctx) => {
    ctx.log.info('found', { size });
    return size === 0 ? undefined : { runKey: path, config: { path }, tags: { path } };
  },
});
// config is optional when the schema accepts {}
directorySensor({ name: 'plain', path: '.', job: plain, request: () => ({}) });
directorySensor({
  name: 'config',
  path: '.',
  job: file,
  // @ts-expect-error config is required
  request: () => ({ runKey: 'a' }),
});
// @ts-expect-error the cursor is the source's own
directorySensor({ name: 'cursor', path: '.', job: plain, cursor: z.number(), request: () => ({}) });
// @ts-expect-error not an order
s3Sensor({ name: 'order', client: mockS3({}), bucket: 'b', order: 'size', job: plain, request: () => ({}) });

const client = new S3Client({});
s3Sensor({
  name: 'bucket',
  client,
  bucket: 'b',
  order: 'key',
  job: file,
  request: ({ key }) => ({ config: { path: key } }),
});
s3Sensor({ name: 'made', client: () => client, bucket: 'b', order: 'modified', job: plain, request: () => ({}) });
s3Sensor({ name: 'mock', client: mockS3({}), bucket: 'b', order: 'modified', job: plain, request: () => ({}) });
mockS3<S3Client>({}) satisfies S3Client;

defineSensor({
  name: 'by hand',
  job: file,
  cursor: objectsCursor('key'),
  async evaluate(ctx) {
    const { cursor, now, signal } = ctx;
    const since = await listObjectsSince(client, { bucket: 'b', order: 'key', cursor, now, signal });
    // @ts-expect-error a position by key is none by time
    await listObjectsSince(client, { bucket: 'b', order: 'modified', cursor, now });
    ctx.setCursor(since.cursor);
    return since.objects.map(({ key }) => ctx.run({ runKey: key, config: { path: key } }));
  },
});

const position = highWatermark<{ id: number; at: Date }>({
  at: (row) => row.at,
  tieBreak: (row) => row.id,
  overlap: '2 minutes',
});
defineSensor({
  name: 'rows',
  job: plain,
  cursor: z.object({ orders: position.schema, refunds: position.schema }).prefault({}),
  evaluate(ctx) {
    const { items, cursor } = position.take(ctx.cursor.orders, [{ id: 1, at: new Date() }], ctx);
    ctx.setCursor({ ...ctx.cursor, orders: cursor });
    return items.map((row) => ctx.run({ runKey: `${row.id}` }));
  },
});
// @ts-expect-error a position needs an overlap
highWatermark<string>({ at: () => 0, tieBreak: (row) => row });
