/** Ten new objects in a bucket of 100,000, against listing all of it and comparing with what was there before. */
import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { listObjectsSince, objectsCursor, type ObjectOrder } from '../src/sources/s3.js';
import { mockS3, type MockS3 } from '../src/testing/mock-s3.js';
import { median, round, type Result } from './support.js';

const OBJECTS = 100_000;
const NEW = 10;
const ROUNDS = 5;
const bucket = 'bench';

export async function* s3(): AsyncGenerator<Result> {
  for (const order of ['key', 'modified'] as const) {
    const ours = await measure((service) => watchSince(service, order));
    const byHand = await measure(watchByHand);
    yield {
      bench: 's3',
      case: `${NEW} new of ${OBJECTS} by ${order}`,
      unit: 'list calls',
      ours: ours.calls,
      handWritten: byHand.calls,
      ratio: round(ours.calls / byHand.calls),
      oursMs: round(ours.ms),
      handWrittenMs: round(byHand.ms),
    };
  }
}

/** Gives the keys that are new since it was last called. */
type Look = () => Promise<readonly string[]>;

/** List calls and time of a look that finds the new ones. */
async function measure(watch: (service: MockS3) => Look): Promise<{ readonly calls: number; readonly ms: number }> {
  let now = Date.now() - 2 * OBJECTS * 1_000;
  const service = mockS3({ [bucket]: {} });
  const put = (key: string): void => service.put(bucket, key, '', new Date((now += 1_000)));
  for (let n = 0; n < OBJECTS; n++) put(keyOf(n));
  const look = watch(service);
  // the first look finds them all, by key in pieces
  while ((await look()).length > 0);
  const durations: number[] = [];
  let calls = 0;
  for (let round_ = 0; round_ < ROUNDS; round_++) {
    for (let n = 0; n < NEW; n++) put(keyOf(OBJECTS + round_ * NEW + n));
    // once sorted, as a service has them
    await service.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }));
    const before = service.calls.ListObjectsV2;
    const began = performance.now();
    const found = await look();
    durations.push(performance.now() - began);
    calls = Math.max(calls, service.calls.ListObjectsV2 - before);
    if (found.length !== NEW) throw new Error(`found ${found.length} of ${NEW} new objects`);
  }
  return { calls, ms: median(durations) };
}

function keyOf(n: number): string {
  return `${n}`.padStart(9, '0');
}

function watchSince(service: MockS3, order: ObjectOrder): Look {
  let cursor = objectsCursor(order).parse(undefined);
  return async () => {
    const since = await listObjectsSince(service, { bucket, order, cursor, now: new Date() });
    ({ cursor } = since);
    return since.objects.map(({ key }) => key);
  };
}

/** What most would write: it also forgets what it knew when the process ends. */
function watchByHand(service: MockS3): Look {
  const known = new Set<string>();
  return async () => {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await service.send(
        new ListObjectsV2Command({ Bucket: bucket, ContinuationToken: token })
      );
      for (const { Key, ETag, LastModified } of page.Contents ?? []) {
        const version = `${Key}:${ETag}:${LastModified?.getTime()}`;
        if (known.has(version)) continue;
        known.add(version);
        found.push(Key ?? '');
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  };
}
