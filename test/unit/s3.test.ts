import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { DefinitionError, defineJob, EvaluationError, type SensorDefinition } from '../../src/index.js';
import {
  listObjectsSince,
  objectsCursor,
  s3Sensor,
  type ObjectOrder,
  type S3SensorOptions,
} from '../../src/sources/s3.js';
import { compareUtf8 } from '../../src/sources/utf8-order.js';
import { mockS3, type MockS3 } from '../../src/testing/mock-s3.js';
import { s3ClientOf, startS3Server, whyNoS3Server, type S3Server } from '../support/s3-server.js';
import { Ticks } from '../support/ticks.js';

const job = defineJob({ name: 'import', config: z.object({ key: z.string() }) });
const START = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number): Date => new Date(START + seconds * 1000);
const now = at(3600);

function over(
  client: S3SensorOptions<typeof job>['client'],
  options: Partial<S3SensorOptions<typeof job>> = {}
): SensorDefinition {
  return s3Sensor({
    name: 'reports',
    client,
    bucket: 'reports',
    order: 'modified',
    job,
    request: ({ key }) => ({ config: { key } }),
    ...options,
  });
}

/** Keys of the objects that start runs. */
const keysOf = (started: readonly (string | undefined)[]): string[] =>
  started.map((runKey = '') => runKey.replace(/@\d{4}-\d\d-\d\dT.*$/, ''));

describe('a sensor over a bucket, by key', () => {
  test('finds what comes after the last key with one call, and is quiet when nothing does', async () => {
    const contents = Object.fromEntries(Array.from({ length: 2_500 }, (_, n) => [`${n}`.padStart(5, '0'), '']));
    const s3 = mockS3({ reports: contents });
    const ticks = new Ticks(over(s3, { order: 'key' }));
    const first = await ticks.tick({ now });
    expect(first.started).toHaveLength(2_500);
    expect(s3.calls.ListObjectsV2).toBe(3);
    expect(await ticks.tick({ now })).toMatchObject({
      asked: 0,
      quiet: true,
      skipReason: 'no new objects in s3://reports/',
    });
    for (let n = 0; n < 10; n++) s3.put('reports', `9${n}`);
    expect((await ticks.tick({ now })).started).toHaveLength(10);
    expect(s3.calls.ListObjectsV2).toBe(5);
  });

  test('survives that the last object is deleted', async () => {
    const s3 = mockS3({ reports: { a: '', b: '' } });
    const ticks = new Ticks(over(s3, { order: 'key' }));
    await ticks.tick({ now });
    s3.delete('reports', 'b');
    expect((await ticks.tick({ now })).quiet).toBe(true);
    s3.put('reports', 'c');
    expect((await ticks.tick({ now })).started).toEqual(['c']);
  });

  test('reads a large bucket in several ticks, one at once after the other', async () => {
    const contents = Object.fromEntries(Array.from({ length: 12_000 }, (_, n) => [`${n}`.padStart(5, '0'), '']));
    const ticks = new Ticks(over(mockS3({ reports: contents }), { order: 'key' }));
    expect(await ticks.tick({ now })).toMatchObject({ asked: 10_000, more: true });
    expect(await ticks.tick({ now })).toMatchObject({ asked: 2_000, more: false });
  });

  test('keeps keys of any characters apart and in the order of S3', async () => {
    const keys = ['a b', 'a+b', 'a%20b', 'é', '\ufffd', '😀', 'line\nbreak', '\u0001', 'x/../y', '__proto__'];
    const s3 = mockS3({ reports: {} });
    for (const key of keys) s3.put('reports', key);
    const { started } = await new Ticks(over(s3, { order: 'key' })).tick({ now });
    const bytes = (text: string): Buffer => Buffer.from(text);
    expect(started).toEqual(keys.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b))));
  });
});

test('keys compare as their bytes do', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\ue000', '\uffff', '😀', '😁', '\u{10ffff}') });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 1_000 }
  );
});

describe('a sensor over a bucket, by time', () => {
  test('finds objects that are new, overwritten, or of the same second, and ignores deleted ones', async () => {
    const s3 = mockS3({});
    const ticks = new Ticks(over(s3));
    s3.put('reports', 'b', 'one', at(10));
    s3.put('reports', 'a', 'one', at(20));
    expect((await ticks.tick({ now })).started).toEqual([
      'b@2026-01-01T00:00:10.000Z:f97c5d29941bfb1b2fdab0874906ab82',
      'a@2026-01-01T00:00:20.000Z:f97c5d29941bfb1b2fdab0874906ab82',
    ]);
    expect(await ticks.tick({ now })).toMatchObject({ asked: 0, quiet: true });
    s3.put('reports', 'same second', 'one', at(20));
    s3.put('reports', 'a', 'two', at(20));
    expect(keysOf((await ticks.tick({ now })).started)).toEqual(['a', 'same second']);
    s3.put('reports', 'b', 'one', at(30));
    s3.delete('reports', 'a');
    expect(keysOf((await ticks.tick({ now })).started)).toEqual(['b']);
    s3.delete('reports', 'b');
    expect((await ticks.tick({ now })).quiet).toBe(true);
  });

  test('finds an upload in parts, which shows up late with the time of its beginning', async () => {
    const s3 = mockS3({});
    const ticks = new Ticks(over(s3, { overlap: '1 hour' }));
    s3.put('reports', 'small', '', at(3_000));
    await ticks.tick({ now });
    s3.put('reports', 'large', '', at(60));
    expect(keysOf((await ticks.tick({ now })).started)).toEqual(['large']);
  });

  test('lists every page once a tick', async () => {
    const s3 = mockS3({});
    for (let n = 0; n < 2_001; n++) s3.put('reports', `${n}`, '', at(n / 10));
    const ticks = new Ticks(over(s3));
    expect((await ticks.tick({ now })).asked).toBe(2_001);
    expect(s3.calls.ListObjectsV2).toBe(3);
    s3.put('reports', 'new', '', at(400));
    expect((await ticks.tick({ now })).asked).toBe(1);
    expect(s3.calls.ListObjectsV2).toBe(6);
  });

  test('loses none of a burst that is larger than its cursor, and comes to rest after the overlap', async () => {
    const s3 = mockS3({});
    for (let n = 0; n < 9_000; n++) s3.put('reports', `${n}`, '', at(0));
    const ticks = new Ticks(over(s3, { overlap: '1 minute' }));
    expect((await ticks.tick({ now: at(1) })).started).toHaveLength(9_000);
    const again = await ticks.tick({ now: at(2) });
    expect(again).toMatchObject({ started: [], quiet: true });
    s3.put('reports', 'new', '', at(3));
    expect(keysOf((await ticks.tick({ now: at(4) })).started)).toEqual(['new']);
    await ticks.tick({ now: at(120) });
    expect(await ticks.tick({ now: at(121) })).toMatchObject({ asked: 0, quiet: true });
    s3.put('reports', 'late', '', at(100));
    expect(keysOf((await ticks.tick({ now: at(122) })).started)).toEqual(['late']);
  });

  test('runs each version once, whatever is put, overwritten and deleted', async () => {
    const change = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      content: fc.option(fc.constantFrom('one', 'two', 'three')),
      after: fc.integer({ min: 0, max: 30 }),
      tick: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 30 }), async (changes) => {
        const s3 = mockS3({ reports: {} });
        const ticks = new Ticks(over(s3, { overlap: '1 minute' }));
        const current = new Map<string, string>();
        const versions = new Set<string>();
        const started: (string | undefined)[] = [];
        let seconds = 0;
        for (const { key, content, after, tick } of [...changes, { key: 'a', content: 'last', after: 1, tick: true }]) {
          seconds += after;
          if (content === null) s3.delete('reports', key);
          else s3.put('reports', key, content, at(seconds));
          if (content === null) current.delete(key);
          else current.set(key, `${key}@${at(seconds).toISOString()}:${md5(content)}`);
          if (!tick) continue;
          for (const version of current.values()) versions.add(version);
          started.push(...(await ticks.tick({ now: at(seconds) })).started);
        }
        expect(started).toHaveLength(versions.size);
        expect(new Set(started)).toEqual(versions);
        expect((await ticks.tick({ now: at(seconds + 1) })).quiet).toBe(true);
      }),
      { numRuns: 50 }
    );
  });
});

const md5 = (content: string): string => createHash('md5').update(content).digest('hex');

test('a hand-written sensor lists what is new since its cursor', async () => {
  const s3 = mockS3({ reports: { 'daily/1': '', 'daily/2': '', other: '' } });
  const since = async <Order extends ObjectOrder>(order: Order, cursor = objectsCursor(order).parse(undefined)) =>
    await listObjectsSince(s3, { bucket: 'reports', prefix: 'daily/', order, cursor, now });
  for (const order of ['key', 'modified'] as const) {
    const first = await since(order);
    expect(first.objects.map(({ key }) => key)).toEqual(['daily/1', 'daily/2']);
    const second = await since(order, first.cursor);
    expect(second.objects).toEqual([]);
    expect(second.cursor).toBe(first.cursor);
  }
  expect(objectsCursor('key').safeParse((await since('modified')).cursor).success).toBe(false);
});

test('the client may come from a function, at each evaluation', async () => {
  const s3 = mockS3({ reports: { a: '' } });
  const ticks = new Ticks(over(() => Promise.resolve(s3)));
  expect(keysOf((await ticks.tick({ now })).started)).toEqual(['a']);
});

test.each([
  [{ bucket: '' }, `sensor 'reports': bucket is ''; accepted: the name of a bucket`],
  [{ order: 'time' }, `sensor 'reports': order is 'time'; accepted: 'key' or 'modified'`],
  [{ order: 'key', overlap: '1 hour' }, `sensor 'reports': overlap is for order 'modified'`],
  [{ overlap: 'long' }, `overlap is 'long', which is not a duration`],
  [{ client: {} }, `sensor 'reports': client is no S3Client`],
  [{ request: undefined }, `sensor 'reports': request is undefined`],
])('a sensor over a bucket refuses %o', (options, message) => {
  const define = (): unknown => over(mockS3({}), options as never);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
});

describe('an S3 service that misbehaves fails the tick and moves no cursor', () => {
  let server: Server | undefined;
  let client: S3Client | undefined;
  let requests = 0;
  afterEach(() => {
    client?.destroy();
    server?.closeAllConnections();
    server?.close();
  });

  type Answer = (response: ServerResponse, request: IncomingMessage) => void;

  /** A sensor over a service that gives these answers one after the other, the last one again and again. */
  async function ticksOver(order: ObjectOrder, ...answers: Answer[]): Promise<Ticks> {
    requests = 0;
    const listening = createServer((request, response) => {
      answers[Math.min(requests++, answers.length - 1)]?.(response, request);
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    client = s3ClientOf(`http://127.0.0.1:${(listening.address() as AddressInfo).port}`);
    return new Ticks(over(client, { order, prefix: 'daily/' }));
  }

  const PLACE = `ListObjectsV2 of bucket 'reports' (prefix 'daily/')`;
  const fails =
    (status: number, code: string, message: string): Answer =>
    (response) => {
      response.writeHead(status, { 'content-type': 'application/xml' });
      response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
    };
  const answers =
    (body: string): Answer =>
    (response) => {
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end(`<?xml version="1.0" encoding="UTF-8"?>${body}`);
    };
  const object = (key: string): string =>
    `<Contents><Key>${key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>`;
  const page = (more: string, ...keys: string[]): string =>
    `<ListBucketResult><Name>reports</Name><KeyCount>${keys.length}</KeyCount>${more}${keys.map(object).join('')}</ListBucketResult>`;
  const LAST = '<IsTruncated>false</IsTruncated>';
  const FIRST = '<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>';

  async function failure(order: ObjectOrder, ...given: Answer[]): Promise<string> {
    const ticks = await ticksOver(order, ...given);
    const error: unknown = await ticks.tick({ now }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EvaluationError);
    expect(ticks.cursor).toBeUndefined();
    return (error as Error).message;
  }

  test('a good answer is a good tick', async () => {
    const ticks = await ticksOver('key', answers(page(FIRST, 'a', 'b')), answers(page(LAST, 'c')));
    expect((await ticks.tick({ now })).started).toEqual(['a', 'b', 'c']);
    expect(requests).toBe(2);
  });

  test.each([
    [
      '403',
      fails(403, 'AccessDenied', 'Access Denied'),
      `${PLACE} failed (AccessDenied, HTTP 403): Access Denied; the client's credentials may not list it`,
    ],
    [
      '404',
      fails(404, 'NoSuchBucket', 'It does not exist'),
      `${PLACE} failed (NoSuchBucket, HTTP 404): It does not exist; there is no such bucket`,
    ],
    [
      '301',
      fails(301, 'PermanentRedirect', 'Elsewhere'),
      `${PLACE} failed (PermanentRedirect, HTTP 301): Elsewhere; the bucket is in another region`,
    ],
    [
      '500',
      fails(500, 'InternalError', 'Try again'),
      `${PLACE} failed (InternalError, HTTP 500, 2 attempts): Try again`,
    ],
    [
      'an error in an answer that says 200',
      answers('<Error><Code>InternalError</Code></Error>'),
      'failed (InternalError',
    ],
    ['nothing', answers(''), `${PLACE} failed (`],
    ['a list of nothing', answers('<ListBucketResult></ListBucketResult>'), 'does not say whether there are more'],
    ['text that is no XML', answers('<html><body>Please log in</html>'), PLACE],
    ['XML that is cut off', answers(page(LAST, 'a', 'b').slice(0, -60)), PLACE],
    [
      'fewer objects than it counts',
      answers(page(LAST, 'a', 'b').replace(object('b'), '')),
      'it counts 2 objects and has 1',
    ],
    [
      'no place to go on',
      answers(page('<IsTruncated>true</IsTruncated>', 'a')),
      'it says that there are more, and not where',
    ],
    [
      'an object without a time',
      answers(page(LAST, 'a').replace(/<LastModified>.*<.LastModified>/, '')),
      'an object has no key or no time',
    ],
    ['a page that comes after itself', answers(page(FIRST)), 'a page says that it comes after itself'],
  ])('%s', async (_, answer, message) => {
    for (const order of ['key', 'modified'] as const) {
      expect(await failure(order, answer)).toContain(message);
      client?.destroy();
      server?.closeAllConnections();
      server?.close();
    }
  });

  test('half a page', async () => {
    const half: Answer = (response) => {
      const body = page(LAST, 'a', 'b');
      response.writeHead(200, { 'content-type': 'application/xml', 'content-length': body.length });
      response.write(body.slice(0, body.length / 2));
      setTimeout(() => response.destroy(), 20);
    };
    expect(await failure('modified', half)).toContain(`${PLACE} failed (`);
  });

  test('a second page that fails', async () => {
    expect(await failure('key', answers(page(FIRST, 'a')), fails(500, 'InternalError', 'Try again'))).toContain(
      'HTTP 500'
    );
  });

  test('keys that are out of order, when they are the position', async () => {
    expect(await failure('key', answers(page(LAST, 'b', 'a')))).toContain('not in the order of their bytes');
    const ticks = await ticksOver('modified', answers(page(LAST, 'b', 'a')));
    expect((await ticks.tick({ now })).started).toHaveLength(2);
  });

  test('a server that is not there', async () => {
    const ticks = await ticksOver('key', answers(''));
    server?.close();
    await expect(ticks.tick({ now })).rejects.toThrow(`${PLACE} failed (`);
  });

  test('an answer that does not come is aborted with the evaluation', async () => {
    const ticks = await ticksOver('modified', () => undefined);
    const timeout = AbortSignal.timeout(200);
    const error: unknown = await ticks.tick({ now, signal: timeout }).catch((thrown: unknown) => thrown);
    expect(timeout.aborted).toBe(true);
    expect(error).toBe(timeout.reason);
  });
});

/** What a client hears when it puts, lists, reads and deletes objects. */
async function story(client: S3Client, bucket: string): Promise<unknown[]> {
  if (client instanceof S3Client) await client.send(new CreateBucketCommand({ Bucket: bucket }));
  else (client as MockS3).put(bucket, 'first', 'first');
  const nameOf = (error: unknown): string => (error as Error).name;
  const of = { Bucket: bucket };
  const told: unknown[] = [];
  for (const key of ['first', 'a/1', 'a/2', 'a/3', 'b c']) {
    const { ETag } = await client.send(new PutObjectCommand({ ...of, Key: key, Body: key }));
    told.push(ETag);
  }
  for (const input of [
    {},
    { Prefix: 'a/', MaxKeys: 2 },
    { StartAfter: 'a/2' },
    { Prefix: 'a/', StartAfter: 'a/1' },
    { Prefix: 'none' },
  ]) {
    const { Contents = [], IsTruncated, KeyCount } = await client.send(new ListObjectsV2Command({ ...of, ...input }));
    told.push([IsTruncated, KeyCount, Contents.map(({ Key, ETag, Size }) => [Key, ETag, Size])]);
  }
  const first = await client.send(new ListObjectsV2Command({ ...of, MaxKeys: 2 }));
  const next = { ...of, MaxKeys: 9, ContinuationToken: first.NextContinuationToken };
  told.push((await client.send(new ListObjectsV2Command(next))).Contents?.map(({ Key }) => Key));
  const { Body, ContentLength } = await client.send(new GetObjectCommand({ ...of, Key: 'b c' }));
  told.push(await Body?.transformToString(), ContentLength);
  await client.send(new DeleteObjectCommand({ ...of, Key: 'b c' }));
  await client.send(new DeleteObjectCommand({ ...of, Key: 'b c' }));
  told.push(await client.send(new GetObjectCommand({ ...of, Key: 'b c' })).catch(nameOf));
  told.push(await client.send(new HeadObjectCommand({ ...of, Key: 'b c' })).catch(nameOf));
  told.push((await client.send(new HeadObjectCommand({ ...of, Key: 'a/1' }))).ETag);
  told.push(await client.send(new ListObjectsV2Command({ Bucket: 'none' })).catch(nameOf));
  return told;
}

test('mockS3 answers the commands of the SDK, counts them, and refuses others by name', async () => {
  const s3 = mockS3<S3Client>({});
  expect(await story(s3, 'story')).toContainEqual([
    true,
    2,
    [
      ['a/1', `"${md5('a/1')}"`, 3],
      ['a/2', `"${md5('a/2')}"`, 3],
    ],
  ]);
  expect(s3.calls).toEqual({ ListObjectsV2: 8, GetObject: 2, HeadObject: 2, PutObject: 5, DeleteObject: 2 });
  await expect(s3.send(new CreateBucketCommand({ Bucket: 'b' }))).rejects.toThrow(
    'mockS3 does not answer CreateBucket'
  );
});

describe.skipIf(whyNoS3Server() !== undefined)('a real S3 server', () => {
  let s3: S3Server | undefined;
  let client: S3Client;
  beforeAll(async () => {
    s3 = await startS3Server();
    client = s3.client;
    await vi.waitFor(() => client.send(new CreateBucketCommand({ Bucket: 'reports' })), { timeout: 20_000 });
  });
  afterAll(() => s3?.stop());

  const put = async (key: string, body: string): Promise<void> =>
    void (await client.send(new PutObjectCommand({ Bucket: 'reports', Key: key, Body: body })));

  test('is listed by key and by time, over pages and with keys of any characters', async () => {
    const keys = Array.from({ length: 1_001 }, (_, n) => `many/${`${n}`.padStart(4, '0')}`);
    for (let n = 0; n < keys.length; n += 50) await Promise.all(keys.slice(n, n + 50).map((key) => put(key, key)));
    const odd = ['odd/a b', 'odd/a+b', 'odd/a%20b', 'odd/é', 'odd/😀', 'odd/x&y'];
    for (const key of odd) await put(key, key);

    const byKey = new Ticks(over(client, { order: 'key' }));
    expect((await byKey.tick()).started).toEqual([...keys, ...odd].toSorted(compareUtf8));
    expect((await byKey.tick()).quiet).toBe(true);
    const byTime = new Ticks(over(client));
    expect(keysOf((await byTime.tick()).started).toSorted()).toEqual([...keys, ...odd].toSorted());
    expect((await byTime.tick()).quiet).toBe(true);

    await put('odd/é', 'overwritten');
    await put('zzz', 'new');
    await client.send(new DeleteObjectCommand({ Bucket: 'reports', Key: 'many/1000' }));
    expect((await byKey.tick()).started).toEqual(['zzz']);
    expect(keysOf((await byTime.tick()).started).toSorted()).toEqual(['odd/é', 'zzz']);
    expect((await byTime.tick()).quiet).toBe(true);
  });

  test('answers as mockS3 does', async () => {
    expect(await story(client, 'story')).toEqual(await story(mockS3<S3Client>({}), 'story'));
  });

  test('says what is wrong', async () => {
    const missing = new Ticks(over(client, { bucket: 'not-there' }));
    await expect(missing.tick()).rejects.toThrow(`ListObjectsV2 of bucket 'not-there' failed (NoSuchBucket, HTTP 404)`);
  });
});
