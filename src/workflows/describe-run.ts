/**
 * What Temporal Web shows of a run before anything else: who asked for it, and the way back there. Pure.
 *
 * It has no config, and a run key only where the workflow ID may have it (`runIds`).
 */
import { cutText } from '../sensors/json.js';
import { BACKFILL_ID_PREFIX, LOOP_ID_PREFIX, type LaunchRequest, type RunMemo } from '../sensors/protocol.js';
import { plain } from '../sensors/text.js';
import { escaped } from './markdown.js';

/** Temporal takes 400, with all that JSON and a codec add. */
const MAX_SUMMARY_BYTES = 200;
const MAX_KEY_BYTES = 100;
/** The workflow ID of a key that nobody may read. */
const HASHED_ID = /#~[0-9a-f]{64}$/;

/** Of a run that is about to start: one line, and Markdown with links to the sensor or backfill. */
export function describeRun(
  request: LaunchRequest,
  { sensor, tick, backfill, rerunOf }: Omit<RunMemo, 'job'>,
  namespace: string
): { readonly staticSummary: string; readonly staticDetails: string } {
  const [by, workflowId, name] =
    backfill === undefined
      ? [`tick ${tick} of sensor`, `${LOOP_ID_PREFIX}${sensor}`, `${sensor}`]
      : ['backfill', `${BACKFILL_ID_PREFIX}${backfill}`, backfill];
  const key = keyOf(request, backfill);
  // what a rerun repeats is an activity's word
  const repeats = typeof rerunOf === 'string' ? ` It repeats ${linkTo(namespace, rerunOf, rerunOf)}.` : '';
  return {
    staticSummary: cutText(`${key}${by} ${plain(name)}`, MAX_SUMMARY_BYTES),
    staticDetails: `Started by ${by} ${linkTo(namespace, workflowId, name)}.${repeats}`,
  };
}

function keyOf({ id, runKey, partitionKey }: LaunchRequest, backfill: string | undefined): string {
  if (HASHED_ID.test(id)) return '';
  const [what, key] = backfill === undefined ? ['run key', runKey] : ['partition', partitionKey];
  return typeof key === 'string' ? `${what} ${cutText(plain(key, MAX_KEY_BYTES), MAX_KEY_BYTES)}, ` : '';
}

/** A link that Temporal Web follows in itself. */
function linkTo(namespace: string, workflowId: string, text: string): string {
  const [inNamespace, of] = [namespace, workflowId].map((part) => encodeURIComponent(part.toWellFormed()));
  return `[${escaped(text, 1_000)}](</namespaces/${inNamespace}/workflows/${of}>)`;
}
