/** A bucket: one run for each new key, by hand and ready-made, and a job that reads the object with the same client. */
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { defineJob, defineResource, defineSensor, withResources } from 'temporal-sensors';
import { s3Sensor } from 'temporal-sensors/sources/s3';
import { z } from 'zod';

const bucket = 'my-data-bucket';

export const processCustomers = defineJob({
  name: 'processCustomers',
  config: z.object({ bucket: z.string(), key: z.string() }),
});

/** Credentials and endpoint come from where the SDK looks for them: environment, profile, role. */
export const s3 = defineResource({
  config: z.object({ region: z.string(), forcePathStyle: z.boolean().default(false) }),
  create: ({ config }) => new S3Client(config),
  dispose: (client) => client.destroy(),
});

export const customerData = defineSensor({
  name: 'customerData',
  job: processCustomers,
  resources: { s3 },
  cursor: z.string(),
  async *evaluate(ctx) {
    const list = new ListObjectsV2Command({ Bucket: bucket, Prefix: 'customer_data/', StartAfter: ctx.cursor });
    const { Contents = [], IsTruncated } = await ctx.resources.s3.send(list, { abortSignal: ctx.signal });
    if (Contents.length === 0) return ctx.skip('no new data');
    for (const { Key: key = '' } of Contents) {
      yield ctx.run({ runKey: key, config: { bucket, key } });
      ctx.setCursor(key);
    }
    return IsTruncated === true ? ctx.more() : null;
  },
});

export const activities = withResources(
  { s3 },
  {
    async countLines({ s3 }, bucket: string, key: string): Promise<number> {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return ((await Body?.transformToString()) ?? '').trimEnd().split('\n').length;
    },
  }
);

export const everyObject = s3Sensor({
  name: 'everyObject',
  job: processCustomers,
  resources: { s3 },
  client: (ctx) => ctx.resources.s3,
  bucket,
  order: 'modified',
  request: ({ key }) => ({ config: { bucket, key } }),
});
