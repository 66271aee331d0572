/**
 * The objects of an S3 bucket, page by page, each page checked.
 *
 * A page that is cut short or makes no sense fails the listing: what it left out would otherwise be skipped for ever.
 */
import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { EvaluationError, quote } from '../sensors/errors.js';
import { cutText } from '../sensors/json.js';
import { compareUtf8 } from './utf8-order.js';

const PAGE_SIZE = 1_000;
const MAX_MESSAGE_BYTES = 500;

/** What is needed of an `S3Client`; `mockS3` has it too. */
export interface S3ListClient {
  send(
    command: ListObjectsV2Command,
    options?: { readonly abortSignal?: AbortSignal }
  ): Promise<ListObjectsV2CommandOutput>;
}

/** An object of a bucket, as a listing shows it. */
export interface S3Object {
  readonly key: string;
  /** In bytes. */
  readonly size: number;
  /** Without quotes. Changes with the content. */
  readonly etag: string;
  /** In whole seconds. For an object that was uploaded in parts it is when the upload began. */
  readonly lastModified: Date;
}

/** Which objects to list. */
export interface ListRange {
  readonly bucket: string;
  /** Beginning of the keys. @default every key */
  readonly prefix?: string | undefined;
  /** Only keys behind this one. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One page after the other, up to 1,000 objects each. */
export async function* listPages(client: S3ListClient, range: ListRange): AsyncGenerator<readonly S3Object[]> {
  let token: string | undefined;
  do {
    const page = await requestPage(client, range, token);
    const objects = checkPage(page, range);
    if (page.IsTruncated === true && page.NextContinuationToken === token) {
      throw invalid(range, 'a page says that it comes after itself');
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    range.signal?.throwIfAborted();
    yield objects;
  } while (token !== undefined);
}

/**
 * Makes sure that a page goes on where the last one ended, in the order of the bytes of keys, as S3 lists.
 *
 * @throws {@link EvaluationError} when it does not: a position by key would skip objects then
 */
export function checkOrder(objects: readonly S3Object[], range: ListRange, last: string | undefined): void {
  for (const [index, { key }] of objects.entries()) {
    const before = index === 0 ? last : objects[index - 1]?.key;
    if (before === undefined || compareUtf8(before, key) < 0) continue;
    throw invalid(range, `keys are not in the order of their bytes, which 'key' needs; use 'modified'`);
  }
}

async function requestPage(
  client: S3ListClient,
  range: ListRange,
  token: string | undefined
): Promise<ListObjectsV2CommandOutput> {
  const { bucket, prefix, after, signal } = range;
  const command = new ListObjectsV2Command({
    Bucket: bucket,
    MaxKeys: PAGE_SIZE,
    // keys are data: XML has no place for control characters
    EncodingType: 'url',
    ...(prefix === undefined || prefix === '' ? {} : { Prefix: prefix }),
    ...(token === undefined ? {} : { ContinuationToken: token }),
    ...(token !== undefined || after === undefined ? {} : { StartAfter: after }),
  });
  try {
    return await client.send(command, signal === undefined ? {} : { abortSignal: signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw failed(range, error);
  }
}

function checkPage(page: ListObjectsV2CommandOutput, range: ListRange): readonly S3Object[] {
  const { Contents = [], IsTruncated, NextContinuationToken, KeyCount, EncodingType } = page;
  if (IsTruncated === undefined) throw invalid(range, 'it does not say whether there are more');
  if (IsTruncated && (NextContinuationToken === undefined || NextContinuationToken === '')) {
    throw invalid(range, 'it says that there are more, and not where');
  }
  if (KeyCount !== undefined && KeyCount !== Contents.length) {
    throw invalid(range, `it counts ${KeyCount} objects and has ${Contents.length}`);
  }
  return Contents.map(({ Key, Size, ETag, LastModified }) => {
    if (Key === undefined || LastModified === undefined || Number.isNaN(LastModified.getTime())) {
      throw invalid(range, 'an object has no key or no time');
    }
    const key = EncodingType === 'url' ? decodeKey(Key, range) : Key;
    const etag = (ETag ?? '').replaceAll('"', '');
    return { key, size: Size ?? 0, etag, lastModified: LastModified };
  });
}

function decodeKey(key: string, range: ListRange): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    throw invalid(range, `the key ${quote(key)} is not URL-encoded UTF-8`);
  }
}

function title({ bucket, prefix = '' }: ListRange): string {
  return `ListObjectsV2 of bucket ${quote(bucket)}${prefix === '' ? '' : ` (prefix ${quote(prefix)})`}`;
}

function invalid(range: ListRange, why: string): EvaluationError {
  return new EvaluationError(`${title(range)} gave an invalid answer: ${why}; nothing was started`);
}

const HINTS: Readonly<Record<number, string>> = {
  301: `the bucket is in another region: set the client's region`,
  403: `the client's credentials may not list it (s3:ListBucket)`,
  404: `there is no such bucket at the client's endpoint`,
};

/** What the SDK throws, after its own retries. */
function failed(range: ListRange, error: unknown): EvaluationError {
  const { name, message, $metadata } = error as Partial<Error> & {
    readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
  };
  const status = $metadata?.httpStatusCode;
  const hint = status === undefined ? undefined : HINTS[status];
  const attempts = $metadata?.attempts ?? 1;
  const facts = [
    name ?? 'Error',
    ...(status === undefined ? [] : [`HTTP ${status}`]),
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
  ].join(', ');
  const text = cutText((message ?? String(error)).replaceAll(/\s+/g, ' '), MAX_MESSAGE_BYTES);
  return new EvaluationError(`${title(range)} failed (${facts}): ${text}${hint === undefined ? '' : `; ${hint}`}`, {
    cause: error,
  });
}
