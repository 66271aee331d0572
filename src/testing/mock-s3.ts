/**
 * A bucket in memory, usable where a sensor's `S3Client` is: no server, no credentials, and `@aws-sdk/client-s3` only for
 * the commands that the code under test sends.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { compareUtf8 } from '../sources/utf8-order.js';

/** The operations it answers. */
export type MockS3Operation = 'ListObjectsV2' | 'GetObject' | 'HeadObject' | 'PutObject' | 'DeleteObject';

export interface MockS3Options {
  /** The time of objects that are put. @default the real time */
  readonly now?: () => Date;
}

/** What {@link mockS3} gives. */
export interface MockS3 {
  /** Answers a command of `@aws-sdk/client-s3`, told by its name. */
  send<Output>(command: object, options?: { readonly abortSignal?: AbortSignal }): Promise<Output>;
  /** How often each operation was asked for. */
  readonly calls: Readonly<Record<MockS3Operation, number>>;
  /** Puts an object, in a new bucket if there is none of that name. `lastModified` is cut to whole seconds, as S3 does. */
  put(bucket: string, key: string, content?: MockContent, lastModified?: Date): void;
  /** Deletes an object, if it is there. */
  delete(bucket: string, key: string): void;
}

type MockContent = string | Uint8Array;

interface StoredObject {
  readonly content: Buffer;
  readonly ETag: string;
  readonly LastModified: Date;
}

interface Input {
  readonly Bucket?: string;
  readonly Key?: string;
  readonly Prefix?: string;
  readonly StartAfter?: string;
  readonly ContinuationToken?: string;
  readonly MaxKeys?: number;
  readonly EncodingType?: string;
  readonly Body?: unknown;
}

/**
 * An S3 service in memory.
 *
 * ```ts
 * const s3 = mockS3({ reports: { 'daily/1.csv': 'a,b' } });
 * s3.put('reports', 'daily/2.csv', 'c,d');
 * ```
 *
 * `mockS3<S3Client>(…)` has the type of the SDK's client too. Other operations fail with an error that names them.
 *
 * @param buckets contents by bucket and key
 */
export function mockS3<Client = unknown>(
  buckets: Readonly<Record<string, Readonly<Record<string, MockContent>>>>,
  options: MockS3Options = {}
): MockS3 & Client {
  return new MockService(buckets, options) as unknown as MockS3 & Client;
}

class MockService implements MockS3 {
  readonly calls = { ListObjectsV2: 0, GetObject: 0, HeadObject: 0, PutObject: 0, DeleteObject: 0 };
  private readonly buckets = new Map<string, Bucket>();
  private readonly now: () => Date;

  constructor(
    buckets: Readonly<Record<string, Readonly<Record<string, MockContent>>>>,
    { now = () => new Date() }: MockS3Options
  ) {
    this.now = now;
    for (const [name, contents] of Object.entries(buckets)) {
      this.buckets.set(name, new Bucket());
      for (const [key, content] of Object.entries(contents)) this.put(name, key, content);
    }
  }

  put(bucket: string, key: string, content: MockContent = '', lastModified = this.now()): void {
    const objects = this.buckets.get(bucket) ?? new Bucket();
    this.buckets.set(bucket, objects);
    const bytes = Buffer.from(content as string);
    const ETag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const LastModified = new Date(Math.floor(lastModified.getTime() / 1000) * 1000);
    objects.set(key, { content: bytes, ETag, LastModified });
  }

  delete(bucket: string, key: string): void {
    this.buckets.get(bucket)?.delete(key);
  }

  async send<Output>(command: object, options: { readonly abortSignal?: AbortSignal } = {}): Promise<Output> {
    options.abortSignal?.throwIfAborted();
    const operation = command.constructor.name.replace(/Command$/, '');
    if (!isOperation(operation, this.calls)) {
      throw new Error(`mockS3 does not answer ${operation}; it answers ${Object.keys(this.calls).join(', ')}`);
    }
    this.calls[operation]++;
    const { input } = command as { readonly input: Input };
    // a real answer comes later, and is nobody else's
    return await Promise.resolve(this.answer(operation, input) as Output);
  }

  private answer(operation: MockS3Operation, input: Input): unknown {
    const { Bucket: name = '', Key: key = '' } = input;
    const bucket = this.buckets.get(name);
    if (bucket === undefined) throw serviceError('NoSuchBucket', 404, 'The specified bucket does not exist');
    const $metadata = { httpStatusCode: 200 };
    if (operation === 'ListObjectsV2') return { $metadata, ...bucket.list(name, input) };
    if (operation === 'PutObject') {
      this.put(name, key, bodyOf(input.Body));
      return { $metadata, ETag: bucket.get(key)?.ETag };
    }
    if (operation === 'DeleteObject') {
      bucket.delete(key);
      return { $metadata };
    }
    const object = bucket.get(key);
    if (object === undefined && operation === 'HeadObject') throw serviceError('NotFound', 404, 'UnknownError');
    if (object === undefined) throw serviceError('NoSuchKey', 404, 'The specified key does not exist.');
    const { content, ETag, LastModified } = object;
    const head = { $metadata, ETag, LastModified, ContentLength: content.length };
    return operation === 'HeadObject' ? head : { ...head, Body: streamOf(content) };
  }
}

/** Objects by key, and the keys in S3's order. */
class Bucket {
  private readonly objects = new Map<string, StoredObject>();
  /** Absent when a key came or went. */
  private sorted: readonly string[] | undefined;

  get(key: string): StoredObject | undefined {
    return this.objects.get(key);
  }

  set(key: string, object: StoredObject): void {
    if (!this.objects.has(key)) this.sorted = undefined;
    this.objects.set(key, object);
  }

  delete(key: string): void {
    if (this.objects.delete(key)) this.sorted = undefined;
  }

  list(name: string, input: Input) {
    const { Prefix = '', StartAfter, ContinuationToken, MaxKeys = 1_000, EncodingType } = input;
    this.sorted ??= [...this.objects.keys()].sort(compareUtf8);
    const after = ContinuationToken === undefined ? StartAfter : Buffer.from(ContinuationToken, 'base64url').toString();
    const size = Math.min(MaxKeys, 1_000);
    const page: string[] = [];
    let more = false;
    for (let at = firstFrom(this.sorted, after, Prefix); at < this.sorted.length; at++) {
      const key = this.sorted[at] ?? '';
      if (!key.startsWith(Prefix)) break;
      more = page.length === size;
      if (more) break;
      page.push(key);
    }
    const Contents = page.map((key) => {
      const { content, ETag = '', LastModified } = this.objects.get(key) ?? {};
      const Key = EncodingType === 'url' ? encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') : key;
      return { Key, ETag, LastModified, Size: content?.length ?? 0 };
    });
    return {
      Name: name,
      Prefix,
      MaxKeys,
      KeyCount: page.length,
      IsTruncated: more,
      ...(more ? { NextContinuationToken: Buffer.from(page.at(-1) ?? '').toString('base64url') } : {}),
      ...(EncodingType === undefined ? {} : { EncodingType }),
      ...(page.length === 0 ? {} : { Contents }),
    };
  }
}

/** Index of the first key behind `after` that may have the prefix. */
function firstFrom(sorted: readonly string[], after: string | undefined, prefix: string): number {
  const isBefore = (key: string): boolean =>
    (after !== undefined && compareUtf8(key, after) <= 0) || compareUtf8(key, prefix) < 0;
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(sorted[middle] ?? '')) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isOperation(name: string, calls: object): name is MockS3Operation {
  return Object.hasOwn(calls, name);
}

/** A body as the SDK's: a stream with ways to read all of it. */
function streamOf(content: Buffer): Readable {
  return Object.assign(Readable.from([content]), {
    transformToString: (encoding?: BufferEncoding) => Promise.resolve(content.toString(encoding)),
    transformToByteArray: () => Promise.resolve(new Uint8Array(content)),
  });
}

function bodyOf(body: unknown): MockContent {
  if (body === undefined) return '';
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  throw new Error('mockS3 takes a text or bytes as the body of PutObject');
}

/** As the SDK throws what a service answers. */
function serviceError(name: string, httpStatusCode: number, message: string): Error {
  return Object.assign(new Error(message), {
    name,
    Code: name,
    $fault: 'client',
    $metadata: { httpStatusCode, attempts: 1 },
  });
}
