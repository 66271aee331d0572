/**
 * Run keys and the workflow IDs that derive from them.
 *
 * - with a run key: `<sensor>:<job>:<runKey>`
 * - with a run key that does not fit or would not survive the wire: `<sensor>:<job>#<readable prefix>~<SHA-256>`
 * - without: `<sensor>:<job>!<nonce>.<index>`; the nonce is minted by the evaluation and part of its result, so that
 *   an evaluation that is repeated after a reset in Temporal Web never meets the runs of its first life
 *
 * - a deliberate re-run of a key (epoch 2, 3, …): the job part is `<job>@<epoch>`
 *
 * Names of sensors and jobs cannot contain `:`, `!`, `#`, `@` or `/`, so the three forms never meet and no two
 * different (sensor, job, key) share an ID.
 */
import { createHash } from 'node:crypto';
import { utf8Bytes } from './json.js';
import { MAX_WORKFLOW_ID_BYTES } from './limits.js';
import { BACKFILL_ID_PREFIX, BACKFILL_TYPE, type DeadLetter } from './protocol.js';

/** Bytes of a hashed key that stay readable. */
const PREFIX_BYTES = 100;

export interface KeyedRun {
  readonly sensor: string;
  readonly job: string;
  readonly runKey: string;
  readonly form: 'readable' | 'hashed';
  /** @default the first */
  readonly epoch?: number | undefined;
}

/** Workflow ID of the one run of a run key. */
export function keyedRunId({ sensor, job, runKey, form, epoch = 1 }: KeyedRun): string {
  const of = `${sensor}:${job}${epoch === 1 ? '' : `@${epoch}`}`;
  const readable = `${of}:${runKey}`;
  if (form === 'readable' && isPlain(runKey) && utf8Bytes(readable) <= MAX_WORKFLOW_ID_BYTES) return readable;
  // utf16le keeps lone surrogates apart, which UTF-8 would turn into the same replacement character
  const hash = createHash('sha256').update(Buffer.from(runKey, 'utf16le')).digest('hex');
  const prefix = form === 'readable' ? readablePrefix(runKey) : '';
  return `${of}#${prefix}~${hash}`;
}

/** Workflow ID of a request without a run key. */
export function keylessRunId({
  sensor,
  job,
  nonce,
  index,
}: {
  readonly sensor: string;
  readonly job: string;
  readonly nonce: string;
  readonly index: number;
}): string {
  return `${sensor}:${job}!${nonce}.${index}`;
}

/** 128 bits that stand for (job, run key) where the sensor remembers it: 22 characters of base64url. */
export function runKeyHash(job: string, runKey: string): string {
  const hash = createHash('sha256').update(`${job}:`).update(Buffer.from(runKey, 'utf16le')).digest();
  return hash.toString('base64url', 0, 16);
}

/** The same for a request; a backfill and a run of one job and key are two things. */
export function requestHash({
  job,
  runKey,
  backfill,
}: {
  readonly job: string;
  readonly runKey: string;
  readonly backfill?: unknown;
}): string {
  return backfill === undefined ? runKeyHash(job, runKey) : runKeyHash(BACKFILL_TYPE, `${job}:${runKey}`);
}

/** Whether a dead letter has the whole run key of its request: a long one is cut. */
export function hasWholeKey({ id, job = '', runKey, backfill }: DeadLetter): boolean {
  return runKey === undefined || requestHash({ job, runKey, backfill }) === id;
}

/** Workflow ID of the backfill that a sensor asked for. @param identity hash of its key, or what stands for it */
export function sensorBackfillId(sensor: string, identity: string): string {
  return `${BACKFILL_ID_PREFIX}${sensor}.${identity}`;
}

/** Whether the key is the same after a trip through UTF-8 and shows as it is on a terminal. */
function isPlain(runKey: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return isWellFormed(runKey) && !/[\u0000-\u001f\u007f-\u009f]/.test(runKey);
}

function isWellFormed(text: string): boolean {
  return Buffer.from(text, 'utf8').toString('utf8') === text;
}

function readablePrefix(runKey: string): string {
  const plain = runKey.replaceAll(/[^\p{L}\p{N} _.:/=@+-]/gu, '_');
  let prefix = '';
  for (const character of plain) {
    if (utf8Bytes(prefix + character) > PREFIX_BYTES) break;
    prefix += character;
  }
  return prefix;
}
