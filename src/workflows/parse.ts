/**
 * Parsers for what arrives from outside: activity results, signals, update arguments.
 *
 * Anyone can send anything (`temporal activity complete --result null`, a signal without input), and an exception in
 * workflow code would block the sensor for ever. These never throw. Pure.
 */
import { isAssetName } from '../sensors/asset-name.js';
import { cutText, isObject, isTexts, jsonBytes, utf8Bytes, type Json } from '../sensors/json.js';
import type { KeyPage } from '../sensors/key-ledger.js';
import {
  MAX_INTERVAL_MS,
  MAX_OPTIONS_BYTES,
  MAX_QUIET_REASON_BYTES,
  MAX_QUIET_REASONS,
  MAX_RUN_KEY_BYTES,
  MAX_WORKFLOW_ID_BYTES,
} from '../sensors/limits.js';
import type {
  CursorEdit,
  DeadLetterEdit,
  EvaluationInput,
  EvaluationResult,
  FailureDetails,
  KeyEdit,
  LaunchRequest,
  LoopOptions,
  Note,
  PartitionChange,
  PreviewContent,
  QuietReason,
  RequestPage,
  RestResult,
  WaitingAssets,
} from '../sensors/protocol.js';
import { parseAssetEvents } from './parse-asset-log.js';
import { isTrace } from '../sensors/trace.js';

type Fields = Readonly<Record<string, unknown>>;

/** `by`, `reason` and `until`, as far as they are there and texts. */
export function parseNote(value: unknown): Note {
  if (!isObject(value)) return {};
  const { by, reason, until, at } = value;
  return {
    ...(typeof at === 'number' && Number.isFinite(at) ? { at } : {}),
    ...(typeof by === 'string' ? { by } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof until === 'string' || typeof until === 'number' ? { until } : {}),
  };
}

/** A cursor edit, or `undefined` when it is neither a cursor nor a clear. */
export function parseCursorEdit(value: unknown): CursorEdit | undefined {
  if (!isObject(value)) return undefined;
  const { cursor, beforeTick } = value;
  const note = {
    ...parseNote(value),
    ...(Number.isSafeInteger(beforeTick) ? { beforeTick: beforeTick as number } : {}),
  };
  if (value['clear'] === true) return { ...note, clear: true };
  return cursor === undefined ? undefined : { ...note, cursor: cursor as Json };
}

/** Which cursor a preview begins with; `null`: none, `undefined`: the stored one. */
export function parsePreviewEdit(value: unknown): { readonly value: Json } | null | undefined {
  if (!isObject(value)) return undefined;
  if (value['clear'] === true) return null;
  return value['cursor'] === undefined ? undefined : { value: value['cursor'] as Json };
}

/** ID of the preview to apply. */
export function parsePreviewId(value: unknown): string | undefined {
  return isObject(value) && typeof value['id'] === 'string' ? value['id'] : undefined;
}

/** What a preview's page holds, or `undefined` when it is something else. */
export function parsePreviewContent(value: unknown): PreviewContent | undefined {
  if (!isObject(value) || !isObject(value['input']) || typeof value['cursorEdits'] !== 'number') return undefined;
  const { tick, firstEvent, events } = value['input'];
  const result = parseEvaluationResult(value['result']);
  if (result?.kind !== 'evaluated' || typeof tick !== 'number' || typeof firstEvent !== 'number') return undefined;
  if (!Array.isArray(events)) return undefined;
  return { input: value['input'] as unknown as EvaluationInput, cursorEdits: value['cursorEdits'], result };
}

/** Which dead letters are meant; all of them when nothing names some. */
export function parseDeadLetterEdit(value: unknown): DeadLetterEdit {
  const ids = isObject(value) && Array.isArray(value['ids']) ? value['ids'] : undefined;
  return {
    ...parseNote(value),
    ...(ids === undefined ? {} : { ids: parseTexts(ids) }),
  };
}

/** A key to run again, or `undefined` when none is named. */
export function parseKeyEdit(value: unknown): KeyEdit | undefined {
  if (!isObject(value)) return undefined;
  const { runKey, job } = value;
  if (typeof runKey !== 'string' || runKey === '' || utf8Bytes(runKey) > MAX_RUN_KEY_BYTES) return undefined;
  return { ...parseNote(value), runKey, ...(typeof job === 'string' ? { job } : {}) };
}

/** Pages that requests were copied to, or none when something else answered. */
export function parseRequestPages(value: unknown): readonly RequestPage[] {
  return Array.isArray(value) && value.every(isRequestPage) ? value : [];
}

/** Texts of a list, without what is none. */
export function parseTexts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}

/** Partition sets that refused a change, and why. */
export function parseRefusals(value: unknown): readonly (readonly [set: string, error: string])[] {
  return isObject(value)
    ? Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    : [];
}

/** Assets that take no events yet; none when something else completed the activity. */
export function parseWaitingAssets(value: unknown): WaitingAssets {
  const { waiting, why } = isObject(value) ? value : {};
  return { waiting: isTexts(waiting) ? waiting : [], why: typeof why === 'string' ? why : '' };
}

/** A page of run keys, or `undefined` when something else completed the activity. */
export function parseKeyPage(value: unknown): KeyPage | undefined {
  const whole =
    isObject(value) &&
    typeof value['id'] === 'string' &&
    ['keys', 'since', 'until'].every((field) => typeof value[field] === 'number');
  return whole ? (value as unknown as KeyPage) : undefined;
}

/** Requests to try again, by the ID of their dead letter. */
export function parseRetries(value: unknown): readonly { readonly id: string; readonly request: LaunchRequest }[] {
  const whole = (each: unknown): boolean =>
    isObject(each) && typeof each['id'] === 'string' && isLaunchRequest(each['request']);
  return Array.isArray(value) ? value.filter(whole) : [];
}

/** Dead letters that cannot be tried again, and why. */
export function parseFailed(value: unknown): readonly { readonly id: string; readonly error: string }[] {
  const whole = (each: unknown): boolean =>
    isObject(each) && typeof each['id'] === 'string' && typeof each['error'] === 'string';
  return Array.isArray(value) ? value.filter(whole) : [];
}

/** The requests of a page; what is not one cannot be started. */
export function parseRequests(value: unknown): readonly LaunchRequest[] {
  return Array.isArray(value) ? value.filter(isLaunchRequest) : [];
}

/** The result of an evaluation, or `undefined` when something else completed the activity. */
export function parseEvaluationResult(value: unknown): EvaluationResult | RestResult | undefined {
  if (!isObject(value)) return undefined;
  if (value['kind'] === 'rest') return { kind: 'rest', quiet: parseQuiet(value['quiet']) };
  if (value['kind'] !== 'evaluated') return undefined;
  const { requests, staged, partitions = [], assetEvents, cleared, rejected, duplicates, cursor, logs, quiet } = value;
  const whole =
    Array.isArray(requests) &&
    requests.every(isLaunchRequest) &&
    Array.isArray(staged) &&
    staged.every(isRequestPage) &&
    Array.isArray(partitions) &&
    partitions.every(isPartitionChange) &&
    (assetEvents === undefined || isAssetRecording(assetEvents)) &&
    Array.isArray(cleared) &&
    Array.isArray(rejected) &&
    rejected.every(isObject) &&
    isObject(duplicates) &&
    typeof duplicates['count'] === 'number' &&
    Array.isArray(duplicates['sample']) &&
    isObject(cursor) &&
    (cursor['kind'] === 'keep' || cursor['kind'] === 'clear' || (cursor['kind'] === 'set' && 'value' in cursor)) &&
    Array.isArray(logs) &&
    Array.isArray(quiet);
  if (!whole) return undefined;
  const { skipReason, lastRunKey, trace, ...rest } = value;
  return {
    ...(rest as unknown as EvaluationResult),
    more: value['more'] === true,
    ...parseNumbers(value),
    ...(typeof skipReason === 'string' ? { skipReason } : {}),
    ...(typeof lastRunKey === 'string' ? { lastRunKey } : {}),
    ...parseTrace(trace),
  };
}

/** What quiet evaluations said, as long as it may be: the loop carries it on. */
function parseQuiet(value: unknown): readonly QuietReason[] {
  const whole = (each: unknown): each is QuietReason =>
    isObject(each) &&
    typeof each['reason'] === 'string' &&
    typeof each['since'] === 'number' &&
    (each['until'] === undefined || typeof each['until'] === 'number');
  if (!Array.isArray(value)) return [];
  return value
    .filter(whole)
    .slice(-MAX_QUIET_REASONS)
    .map(({ reason, since, until, notEvaluated }) => ({
      reason: cutText(reason, MAX_QUIET_REASON_BYTES),
      since,
      ...(until === undefined ? {} : { until }),
      ...(notEvaluated === true ? { notEvaluated } : {}),
    }));
}

function isPartitionChange(value: unknown): value is PartitionChange {
  return (
    isObject(value) && typeof value['set'] === 'string' && Array.isArray(value['add']) && Array.isArray(value['delete'])
  );
}

/** As the log of an asset takes its events: what it refuses would be sent to it for nothing. */
function isAssetRecording(value: unknown): boolean {
  if (!isObject(value) || !Array.isArray(value['events'])) return false;
  const { id, events } = value;
  return (events as unknown[]).every(
    (event) =>
      isObject(event) && isAssetName(event['asset']) && parseAssetEvents([{ ...event, eventId: id }]).refused === 0
  );
}

function isRequestPage(value: unknown): value is RequestPage {
  return isObject(value) && typeof value['id'] === 'string' && typeof value['requests'] === 'number';
}

export function isLaunchRequest(value: unknown): value is LaunchRequest {
  return (
    isObject(value) &&
    typeof value['id'] === 'string' &&
    utf8Bytes(value['id']) <= MAX_WORKFLOW_ID_BYTES &&
    typeof value['job'] === 'string' &&
    Array.isArray(value['args']) &&
    (value['taskQueue'] === undefined || typeof value['taskQueue'] === 'string') &&
    isStartOptions(value['start'] ?? {}) &&
    Object.values(value['searchAttributes'] ?? {}).every((each) => typeof each === 'string')
  );
}

/** As `defineJob` checked them, as far as the SDK would throw otherwise. */
function isStartOptions(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { retry = {}, priority = {}, ...timeouts } = value;
  const retries = isObject(retry) ? [retry['initialInterval'], retry['maximumInterval']] : ['no retry policy'];
  const durations = [...Object.values(timeouts), ...retries];
  return isObject(priority) && durations.every((each) => each === undefined || typeof each === 'number');
}

function parseNumbers(value: Fields): Pick<FailureDetails, 'durationMs' | 'logLinesDropped'> {
  const count = (given: unknown): number => (typeof given === 'number' && given >= 0 && given < 1e12 ? given : 0);
  return { durationMs: count(value['durationMs']), logLinesDropped: count(value['logLinesDropped']) };
}

/** Details of a failed evaluation; empty ones when it failed in another way. */
export function parseFailureDetails(value: unknown, durationMs: number): FailureDetails {
  if (!isObject(value) || !Array.isArray(value['logs']) || !Array.isArray(value['quiet'])) {
    return { logs: [], logLinesDropped: 0, durationMs, quiet: [] };
  }
  const { retryAfterMs, trace, ...details } = value;
  const later = typeof retryAfterMs === 'number' && retryAfterMs > 0 && retryAfterMs <= MAX_INTERVAL_MS;
  return {
    ...(details as unknown as FailureDetails),
    ...parseNumbers(value),
    ...(later ? { retryAfterMs } : {}),
    ...parseTrace(trace),
  };
}

function parseTrace(trace: unknown): { readonly trace?: string } {
  return isTrace(trace) ? { trace } : {};
}

/** What a worker tells at start: its protocol, and the options of its definition if they are whole. */
export function parseConfigure(value: unknown): {
  readonly options: LoopOptions | undefined;
  readonly protocol: number;
} {
  const { options, protocol } = isObject(value) ? value : {};
  return { options: parseOptions(options), protocol: typeof protocol === 'number' ? protocol : 0 };
}

function parseOptions(value: unknown): LoopOptions | undefined {
  if (!isObject(value)) return undefined;
  const { intervalMs, timeoutMs, defaultStatus, maxEventAttempts, definition, hooks, jobs, tags, owners } = value;
  const { dedupeMs, maxRunsPerTick, stopAfterFailures, idleBackoff, failureBackoff } = value;
  const duration = (given: unknown): boolean => typeof given === 'number' && given > 0 && given <= MAX_INTERVAL_MS;
  const whole =
    jsonBytes(value) <= MAX_OPTIONS_BYTES &&
    duration(intervalMs) &&
    duration(timeoutMs) &&
    (defaultStatus === 'running' || defaultStatus === 'stopped') &&
    typeof maxEventAttempts === 'number' &&
    typeof definition === 'string' &&
    [dedupeMs, maxRunsPerTick, stopAfterFailures].every((each) => each === undefined || typeof each === 'number') &&
    [idleBackoff, failureBackoff].every(
      (each) => each === undefined || (isObject(each) && duration(each['minMs']) && duration(each['maxMs']))
    ) &&
    isObject(hooks) &&
    Array.isArray(jobs) &&
    isObject(tags) &&
    Array.isArray(owners);
  return whole ? (value as unknown as LoopOptions) : undefined;
}
