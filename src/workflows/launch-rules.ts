/** Requests on their way to being runs: pending, started, refused, ended. Pure. */
import { cutText, jsonBytes, type Json } from '../sensors/json.js';
import { applySeal, expireKeys, isKey, rememberKey, type KeyPage, type Seal } from '../sensors/key-ledger.js';
import { MAX_DISCARDED_KEYS, MAX_EPOCHS, MAX_KEPT_PAYLOAD_BYTES, MAX_TEXT_BYTES } from '../sensors/limits.js';
import { addRuns } from '../sensors/recent-runs.js';
import type {
  DiscardedRequests,
  Launch,
  LaunchRequest,
  LoopState,
  Rejection,
  RequestPage,
  TickRecord,
  WaitingAssets,
} from '../sensors/protocol.js';
import { addDeadLetters, addTick, cursorBefore, emptyRecord } from './records.js';
import { isHolding, isRunning } from './state.js';

const SAMPLE = 20;

/** How many requests wait to be started. */
export function waitingRequests({ remaining, staged }: Pick<Launch, 'remaining' | 'staged'>): number {
  return staged.reduce((sum, { requests }) => sum + requests, remaining.length);
}

/** Whether requests should be started now: those of a tick, or pending ones whose time has come. */
export function mayLaunch(state: LoopState, now: number): boolean {
  const { launch, wake } = state;
  if (launch === undefined) return false;
  if (launch.record !== undefined) return true;
  const due = launch.dueAt === undefined || now >= launch.dueAt || wake === 'tick' || wake === 'more';
  return isRunning(state) && due;
}

/** Whether a stop holds back what is not yet started. What somebody asked of a stopped sensor starts, unless a later stop comes. */
export function isHeld(state: LoopState): boolean {
  if (isRunning(state)) return false;
  const { record } = state.launch ?? {};
  const asked = record?.trigger === 'tick' || record?.trigger === 'preview';
  return !asked || (state.choice?.at ?? 0) > record.startedAt;
}

/** A record for pending requests that are started now. */
export function resumeLaunch(state: LoopState, now: number): LoopState {
  if (!isHolding(state) || state.launch === undefined) return state;
  const tick = state.tick + 1;
  const { dueAt: _, trace, ...launch } = state.launch;
  const { wake, ...rest } = state;
  const asked = wake === undefined || wake === 'tick' || wake === 'more' ? {} : { wake };
  const { assetEvents } = launch;
  const record = {
    ...emptyRecord(tick, 'pending', now),
    ...cursorBefore(state.cursor),
    ...(assetEvents === undefined ? {} : { assetEvents: assetEvents.events.length }),
    ...(trace === undefined ? {} : { trace }),
  };
  return { ...rest, ...asked, tick, launch: { ...launch, record } };
}

/** One request is settled: started, or refused because its ID exists (whose it is, `endBatch` says). */
export function settle(
  state: LoopState,
  request: LaunchRequest,
  outcome: 'started' | 'refused',
  now: number
): LoopState {
  const { launch } = state;
  if (launch?.record === undefined) return state;
  if (outcome === 'refused') return { ...state, launch: { ...launch, refused: [...launch.refused, slim(request)] } };
  const { record } = launch;
  const sample = record.runs.sample.length < SAMPLE ? [...record.runs.sample, request.id] : record.runs.sample;
  return {
    ...remember(countRuns(state, 1, now), request, now),
    launch: { ...launch, record: { ...record, runs: { count: record.runs.count + 1, sample } } },
  };
}

export function countRuns(state: LoopState, started: number, now: number): LoopState {
  const { counters } = state;
  return {
    ...state,
    counters: { ...counters, runs: counters.runs + started },
    runs: addRuns(state.runs, started, now),
  };
}

/** Refused requests wait for a look-up; their config is needed only by a dead letter, which keeps little. */
function slim(request: LaunchRequest): LaunchRequest {
  return jsonBytes(request) <= MAX_KEPT_PAYLOAD_BYTES ? request : { ...request, args: [] };
}

/** A key that has run is remembered, and its epoch if it is not the first. */
export function remember(
  state: LoopState,
  { hash, epoch }: Pick<LaunchRequest, 'hash' | 'epoch'>,
  now: number
): LoopState {
  // one that is not a key would shift all others
  if (!isKey(hash)) return state;
  const ledger = rememberKey(state.ledger, hash, now, state.options.dedupeMs);
  if (epoch === undefined) return { ...state, ledger };
  // an operator may have re-armed it again meanwhile
  const { [hash]: rearmed = 0, ...others } = state.rearmed;
  return {
    ...state,
    ledger,
    rearmed: rearmed > epoch ? state.rearmed : others,
    epochs: withEpoch(state.epochs, hash, epoch),
  };
}

/** Adds an epoch to a bounded list; the oldest goes. */
export function withEpoch(
  epochs: Readonly<Record<string, number>>,
  hash: string,
  epoch: number
): Readonly<Record<string, number>> {
  const { [hash]: _, ...others } = epochs;
  return Object.fromEntries([...Object.entries(others), [hash, epoch]].slice(-MAX_EPOCHS));
}

/** Keys past their time are forgotten, whole pages at once. */
export function expire(state: LoopState, now: number): LoopState {
  const { ledger, expired } = expireKeys(state.ledger, now, state.options.dedupeMs);
  if (ledger === state.ledger) return state;
  return release({ ...state, ledger }, expired);
}

/** A part of the ledger is sealed in a page. */
export function seal(state: LoopState, sealing: Seal, page: KeyPage): LoopState {
  const next = release({ ...state, ledger: applySeal(state.ledger, sealing, page) }, sealing.merge);
  return afterRelease(next, [page.id]);
}

/** These pages are let go of, or needed again. */
export function afterRelease(state: LoopState, ids: readonly string[]): LoopState {
  return { ...state, released: state.released.filter((id) => !ids.includes(id)) };
}

export function release(state: LoopState, pages: readonly { readonly id: string }[]): LoopState {
  return pages.length === 0 ? state : { ...state, released: [...state.released, ...pages.map(({ id }) => id)] };
}

/** The next staged page is read: its requests come next. */
export function loadPage(state: LoopState, id: string, requests: readonly LaunchRequest[]): LoopState {
  const { launch } = state;
  if (launch?.staged[0]?.id !== id) return state;
  return release(
    { ...state, launch: { ...launch, remaining: [...launch.remaining, ...requests], staged: launch.staged.slice(1) } },
    [{ id }]
  );
}

/** A staged page is gone: what was in it cannot be started, and nobody may overlook that. */
export function losePage(state: LoopState, id: string, error: string, now: number): LoopState {
  const { launch } = state;
  const [page] = launch?.staged ?? [];
  if (launch?.record === undefined || page?.id !== id) return state;
  const what = `${page.requests} accepted requests cannot be started: ${error}`;
  const rejection: Rejection = { id, kind: 'request', error: what };
  const next = { ...state, launch: { ...launch, staged: launch.staged.slice(1) } };
  return withRejections(next, [rejection], page.requests, now);
}

/** Some staged pages were copied, in this order, to pages that do not expire. */
export function keepPages(state: LoopState, pages: readonly RequestPage[], kept: readonly RequestPage[]): LoopState {
  const { launch } = state;
  if (launch === undefined || kept.length !== pages.length) return state;
  const copies = new Map(pages.map(({ id }, index) => [id, kept[index]]));
  const staged = launch.staged.map((page) => copies.get(page.id) ?? page);
  const ids = new Set(kept.map(({ id }) => id));
  const before = pages.filter(({ id }) => !ids.has(id));
  return afterRelease(release({ ...state, launch: { ...launch, staged } }, before), [...ids]);
}

/**
 * Settles the refused requests: those of this sensor's own runs are duplicates, the others are rejected.
 *
 * @param foreign IDs that belong to someone else, with what owns them
 */
export function endBatch(state: LoopState, foreign: ReadonlyMap<string, string>, now: number): LoopState {
  const { launch } = state;
  if (launch?.record === undefined || launch.refused.length === 0) return state;
  const { record } = launch;
  const rejections = launch.refused.flatMap((request): Rejection[] => {
    const owner = foreign.get(request.id);
    return owner === undefined ? [] : [ownedByOther(request, owner)];
  });
  const ours = launch.refused.filter(({ id }) => !foreign.has(id));
  const ended: TickRecord = {
    ...record,
    duplicates: {
      count: record.duplicates.count + ours.length,
      sample: [
        ...record.duplicates.sample,
        ...ours.map(({ id, runKey }) => ({ id, ...(runKey === undefined ? {} : { runKey: cutText(runKey, 256) }) })),
      ].slice(0, SAMPLE),
    },
  };
  const remembered = ours.reduce((next, request) => remember(next, request, now), state);
  const { counters } = remembered;
  const next = {
    ...remembered,
    launch: { ...launch, refused: [], record: ended },
    counters: { ...counters, duplicates: counters.duplicates + ours.length },
  };
  return withRejections(next, rejections, rejections.length, now);
}

function ownedByOther(request: LaunchRequest, owner: string): Rejection {
  const { id, hash, job, runKey, args } = request;
  const error = `the workflow ID '${cutText(id, 300)}' belongs to ${owner}, which this sensor did not start`;
  return {
    id: hash ?? id,
    kind: 'owner',
    job,
    error,
    ...(runKey === undefined ? {} : { runKey: cutText(runKey, 256) }),
    ...(args.length === 0 ? {} : { payload: withoutSearch(request) as unknown as Json }),
  };
}

/** What cannot be started is in the tick's record, and a dead letter as far as there is room. */
function withRejections(state: LoopState, rejections: readonly Rejection[], count: number, now: number): LoopState {
  const { launch, counters } = state;
  if (launch?.record === undefined) return state;
  const { record } = launch;
  const { letters, refused } = addDeadLetters(state.deadLetters, rejections, record.tick, now);
  const sample = [...record.rejected.sample, ...rejections].slice(0, SAMPLE);
  const rejected = { count: record.rejected.count + count, sample };
  return {
    ...state,
    launch: { ...launch, record: { ...record, rejected } },
    deadLetters: letters,
    counters: {
      ...counters,
      rejected: counters.rejected + count,
      deadLettersDropped: counters.deadLettersDropped + refused.length,
    },
  };
}

/** The tick's changes of partition sets have taken effect, but for those that a set refused. */
export function endPartitions(
  state: LoopState,
  refusals: readonly (readonly [set: string, error: string])[],
  now: number
): LoopState {
  if (state.launch?.record === undefined) return state;
  const { partitions: _, ...launch } = state.launch;
  const rejections = refusals.map(([set, error]): Rejection => ({
    id: `partitions-${set}`,
    kind: 'request',
    error: cutText(error, MAX_TEXT_BYTES),
  }));
  return withRejections({ ...state, launch }, rejections, rejections.length, now);
}

/** The tick's events of assets are on record, unless `error` says why they cannot be. */
export function endAssetEvents(state: LoopState, error: string | undefined, now: number): LoopState {
  if (state.launch?.record === undefined) return state;
  const { assetEvents: _, ...launch } = state.launch;
  const { waitsFor: __, ...record } = state.launch.record;
  if (error === undefined) return { ...state, launch: { ...launch, record } };
  const rejection: Rejection = {
    id: `asset-events-${state.launch.record.tick}`,
    kind: 'request',
    error: cutText(error, MAX_TEXT_BYTES),
  };
  return withRejections(dropAssetEvents(state), [rejection], 1, now);
}

/** The tick's events of assets are on record, but for those of assets that take none yet. */
export function applyRecorded(state: LoopState, { waiting, why }: WaitingAssets, now: number): LoopState {
  const { launch } = state;
  const { events, places, ...recording } = launch?.assetEvents ?? { id: '', events: [] };
  const left = [...events.entries()].filter(([, { asset }]) => waiting.includes(asset));
  if (left.length === 0 || launch?.record === undefined) return endAssetEvents(state, undefined, now);
  const assetEvents = {
    ...recording,
    events: left.map(([, event]) => event),
    // their IDs must not change
    places: left.map(([index]) => places?.[index] ?? index),
  };
  return delayAssetEvents({ ...state, launch: { ...launch, assetEvents } }, why);
}

/** The tick's events of assets cannot be recorded yet, and all that comes after them waits. */
export function delayAssetEvents(state: LoopState, why: string): LoopState {
  const { launch } = state;
  if (launch?.record === undefined || launch.assetEvents === undefined) return state;
  const { events, tick = launch.record.tick } = launch.assetEvents;
  const waitsFor = cutText(`${events.length} asset events of tick ${tick} wait to be recorded: ${why}`, MAX_TEXT_BYTES);
  return { ...state, launch: { ...launch, record: { ...launch.record, waitsFor } } };
}

/** The tick without its events of assets: all else is as code left it that knew nothing of them. */
export function dropAssetEvents(state: LoopState): LoopState {
  if (state.launch?.record === undefined) return state;
  const { assetEvents: _, ...launch } = state.launch;
  const { assetEvents: __, waitsFor: ___, ...record } = state.launch.record;
  return { ...state, launch: { ...launch, record } };
}

/** Ends the launch: everything is started or refused, or waits as pending. */
export function endLaunch(state: LoopState, now: number): LoopState {
  const { launch, ...rest } = state;
  if (launch?.record === undefined) return state;
  const { remaining, staged } = launch;
  const { record, kept } = keepAssetEvents(launch, launch.record);
  const pending = waitingRequests(launch);
  const ended: TickRecord = { ...record, pending, endedAt: now, ...outcome(record, pending) };
  // left over by maxRunsPerTick; what a stop holds back comes as soon as it is started
  const dueAt = isLimited(state) ? { dueAt: now + state.options.intervalMs } : {};
  const trace = record.trace === undefined ? {} : { trace: record.trace };
  const tick = record.trigger === 'pending' ? askedAt(state) : record.tick;
  return {
    ...rest,
    ring: addTick(state.ring, ended),
    ...(pending > 0 || kept.assetEvents !== undefined
      ? { launch: { remaining: remaining.map(withoutSearch), staged, refused: [], ...kept, ...dueAt, ...trace, tick } }
      : {}),
    counters: { ...state.counters, ticks: state.counters.ticks + 1 },
  };
}

/** Events of assets that a stop came before are pending as requests are, and are still of their tick. */
function keepAssetEvents(
  { assetEvents }: Launch,
  { waitsFor, ...record }: TickRecord
): { readonly record: TickRecord; readonly kept: Pick<Launch, 'assetEvents'> } {
  if (assetEvents === undefined) return { record, kept: {} };
  const { assetEvents: said = 0, ...without } = record;
  const recorded = said - assetEvents.events.length;
  return {
    record: {
      ...without,
      ...(recorded > 0 ? { assetEvents: recorded } : {}),
      skipReason: `the sensor was stopped; ${waitsFor ?? 'asset events are pending'}`,
    },
    kept: { assetEvents: { tick: record.tick, ...assetEvents } },
  };
}

/** What waits may be started when a search attribute is no longer registered, and naming it would block the sensor. */
export function withoutSearch({ searchAttributes: _, ...request }: LaunchRequest): LaunchRequest {
  return request;
}

/** Whether this tick has started as many runs as the author allows. */
export function isLimited({ launch, options }: LoopState, inFlight = 0): boolean {
  return (launch?.record?.runs.count ?? 0) + inFlight >= (options.maxRunsPerTick ?? Number.POSITIVE_INFINITY);
}

/** What the audit says of pending requests that are dropped: their keys, as far as the state has them and they are not too many. */
export function discardedRequests(state: LoopState): DiscardedRequests {
  const { remaining, staged } = state.launch ?? { remaining: [], staged: [] };
  const hashes = remaining.flatMap(({ hash }) => (isKey(hash) ? [hash] : []));
  const kept = hashes.slice(0, MAX_DISCARDED_KEYS);
  const others = waitingRequests({ remaining: [], staged }) + hashes.length - kept.length;
  return { tick: askedAt(state), keys: kept.join(''), ...(others === 0 ? {} : { others }) };
}

/** The tick that asked for what is pending. */
function askedAt({ launch, ring, tick }: LoopState): number {
  return launch?.tick ?? ring.findLast(({ trigger }) => trigger !== 'pending')?.tick ?? tick;
}

/** Drops what is pending, on purpose. */
export function discardPending(state: LoopState): LoopState {
  const { launch, ...rest } = state;
  return launch === undefined || launch.record !== undefined ? state : release(rest, launch.staged);
}

function outcome(record: TickRecord, pending: number): Pick<TickRecord, 'status' | 'skipReason' | 'error'> {
  if (record.error !== undefined) return { status: 'failure' };
  if (record.runs.count > 0 || (record.handled ?? 0) > 0 || (record.assetEvents ?? 0) > 0) return { status: 'success' };
  if (pending > 0) return { status: 'skipped', skipReason: `the sensor was stopped; ${pending} requests are pending` };
  if (record.skipReason !== undefined) return { status: 'skipped' };
  if (record.rejected.count > 0) {
    const [first] = record.rejected.sample;
    return {
      status: 'failure',
      error: `all ${record.rejected.count} new requests were rejected; the first: ${first?.error ?? ''}`,
    };
  }
  const reason =
    record.duplicates.count > 0 ? `${record.duplicates.count} requests, all already run` : 'evaluate asked for nothing';
  return { status: 'skipped', skipReason: reason };
}
