/**
 * Parsers for what arrives at a backfill, which anybody may start with anything. These never throw. Pure.
 */
import { BACKFILL_POLICIES, backfillProblem, type BackfillRequest, type DecidedBackfill } from '../sensors/backfill.js';
import { cutText, isObject, utf8Bytes } from '../sensors/json.js';
import { MAX_BACKFILL_ID_BYTES, MAX_NOTE_BYTES } from '../sensors/limits.js';
import type { LaunchRequest } from '../sensors/protocol.js';
import type { BackfillState, StoredPlan } from './backfill-state.js';
import { isLaunchRequest, parseTexts } from './parse.js';

/** Argument of a backfill's workflow. */
export interface BackfillInput {
  readonly request: BackfillRequest;
  /** Only plan, and end with the plan. */
  readonly dryRun?: boolean;
  /** Of one that is started again: what an earlier run of it had decided. */
  readonly decided?: DecidedBackfill;
  /** Carried over by continue-as-new. */
  readonly state?: BackfillState;
}

/** A run that can start, or why it cannot. */
export type PreparedRun = { readonly key: string } & ({ readonly request: LaunchRequest } | { readonly error: string });

/** A run that has ended: well, or with an error. */
export interface RunEnded {
  readonly id: string;
  readonly error?: string;
}

/** What a backfill was started with, or what is wrong with it. */
export function parseBackfillInput(workflowId: string, value: unknown): BackfillInput | string {
  if (utf8Bytes(workflowId) > MAX_BACKFILL_ID_BYTES)
    return `the workflow ID of a backfill has at most ${MAX_BACKFILL_ID_BYTES} bytes; those of its runs derive from it`;
  if (!isObject(value)) return 'a backfill is started with an object { request }';
  const problem = backfillProblem(value['request']);
  if (problem !== undefined) return problem;
  const { state } = value;
  const decided = parseDecided(value['decided']);
  return {
    request: withShortNote(value['request'] as BackfillRequest),
    ...(value['dryRun'] === true ? { dryRun: true } : {}),
    ...(decided === undefined ? {} : { decided }),
    ...(isState(state) ? { state } : {}),
  };
}

/** Who asked for it, and why, is in the memo of each run, and many of these start in one workflow task. */
function withShortNote({ by, reason, ...request }: BackfillRequest): BackfillRequest {
  return {
    ...request,
    ...(by === undefined ? {} : { by: cutText(by, MAX_NOTE_BYTES) }),
    ...(reason === undefined ? {} : { reason: cutText(reason, MAX_NOTE_BYTES) }),
  };
}

function parseDecided(value: unknown): DecidedBackfill | undefined {
  if (!isObject(value)) return undefined;
  const { policy, first, last } = value;
  const known = BACKFILL_POLICIES.find((each) => each === policy);
  return known !== undefined && typeof first === 'string' && typeof last === 'string'
    ? { policy: known, first, last }
    : undefined;
}

function isState(value: unknown): value is BackfillState {
  if (!isObject(value)) return false;
  const { keys, pages, running, failures, failedPartitions, startedAt, done, failed, failedBytes } = value;
  return (
    [keys, pages, running, failures, failedPartitions].every((list) => Array.isArray(list)) &&
    [startedAt, done, failed, failedBytes].every((each) => typeof each === 'number')
  );
}

/** What a worker found out, or `undefined` when something else completed the activity. */
export function parsePlan(value: unknown): (StoredPlan & Pick<BackfillState, 'keys' | 'pages'>) | undefined {
  if (!isObject(value)) return undefined;
  const { policy, first, last, partitions, runs, keys, pages } = value;
  const known = BACKFILL_POLICIES.find((each) => each === policy);
  const whole =
    known !== undefined &&
    typeof first === 'string' &&
    typeof last === 'string' &&
    typeof partitions === 'number' &&
    typeof runs === 'number' &&
    Array.isArray(keys) &&
    Array.isArray(pages);
  return whole
    ? { policy: known, first, last, partitions, runs, keys: parseTexts(keys), pages: parseTexts(pages) }
    : undefined;
}

/** The runs that were prepared, in order; nothing when something else completed the activity. */
export function parsePrepared(value: unknown): readonly PreparedRun[] {
  const whole = (each: unknown): boolean =>
    isObject(each) &&
    typeof each['key'] === 'string' &&
    (isLaunchRequest(each['request']) || typeof each['error'] === 'string');
  return Array.isArray(value) && value.every(whole) ? (value as readonly PreparedRun[]) : [];
}

/** Those of the runs that have ended. */
export function parseEnds(value: unknown): readonly RunEnded[] {
  const whole = (each: unknown): boolean =>
    isObject(each) &&
    typeof each['id'] === 'string' &&
    (each['error'] === undefined || typeof each['error'] === 'string');
  return Array.isArray(value) ? value.filter(whole) : [];
}
