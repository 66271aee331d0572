/**
 * The rules of an asset's log: which events are new, where they go, and what is let go of. Pure.
 *
 * The newest events are in the state (the tail), older ones in pages, of which the state knows the IDs. Everything that
 * is kept is bounded in bytes, so that the state of a log fits one payload whatever happens.
 */
import type {
  AssetEvent,
  AssetRead,
  AssetRetention,
  AssetState,
  AssetSubscriber,
  StoredAssetEvent,
} from '../sensors/asset-event.js';
import { jsonBytes } from '../sensors/json.js';
import {
  MAX_ASSET_BATCH_BYTES,
  MAX_ASSET_PAGES,
  MAX_EVENT_HASHES,
  MAX_SUBSCRIBERS,
  MAX_TAIL_BYTES,
  MIN_EVENT_HASHES,
} from '../sensors/limits.js';
import { PAGE_ID_PREFIX } from '../sensors/protocol.js';
import { eventHash, HASH_CHARS, knowsHash } from './event-hash.js';
import { markPartitions, NO_MARKS, partitionsOf, type PartitionMarks } from './partition-marks.js';

/** A page: the part of its ID that no other page has, the position of its first event, and the time of its last. */
export type LogPage = readonly [hash: string, from: number, until: number];

type Dropped = AssetState['droppedSubscribers'][number];

/** The marks of partitions are of its materializations. */
export interface LogState extends PartitionMarks {
  /** Its identity: a log that began from nothing has another than the one before it; empty when it is not known. */
  readonly id: string;
  /** Position of the newest event; 0 before the first. */
  readonly last: number;
  /** The newest events, oldest first. */
  readonly tail: readonly StoredAssetEvent[];
  readonly tailBytes: number;
  /** Older events, oldest first. */
  readonly pages: readonly LogPage[];
  /** Hashes of the IDs of the newest events, packed. */
  readonly hashes: string;
  readonly materializations: number;
  readonly observations: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly latestMaterialization?: AssetEvent;
  readonly latestObservation?: AssetEvent;
  readonly observed: PartitionMarks;
  readonly subscribers: readonly AssetSubscriber[];
  readonly droppedSubscribers: readonly Dropped[];
  readonly retention: AssetRetention;
  /** IDs of pages that nobody needs any more. */
  readonly released: readonly string[];
}

/** What to write as a page: the oldest events of the tail. */
export interface LogSeal {
  readonly from: number;
  readonly events: readonly StoredAssetEvent[];
}

export const DEFAULT_RETENTION: AssetRetention = { events: 100_000 };
/** A subscriber that says nothing for so long no longer keeps events from being trimmed. */
const SILENT_MS = 30 * 24 * 60 * 60 * 1000;
/** So long a sensor without a workflow may take to come back, as one that was terminated by mistake does. */
const GONE_MS = 24 * 60 * 60 * 1000;
const MAX_DROPPED = 20;
/** Pages that are let go of at once. */
const MAX_RELEASED = 100;

export const NEW_LOG: LogState = {
  id: '',
  last: 0,
  tail: [],
  tailBytes: 2,
  pages: [],
  hashes: '',
  materializations: 0,
  observations: 0,
  duplicates: 0,
  refused: 0,
  ...NO_MARKS,
  observed: NO_MARKS,
  subscribers: [],
  droppedSubscribers: [],
  retention: DEFAULT_RETENTION,
  released: [],
};

/** A log that begins from nothing. @param startedAt in milliseconds since the epoch */
export function newLog(startedAt: number): LogState {
  return { ...NEW_LOG, id: Math.floor(startedAt / 1000).toString(36) };
}

/** What a page of this asset is named before its hash. */
export function pagePrefix(asset: string): string {
  return `${PAGE_ID_PREFIX}${ASSET_PAGE_OWNER}${asset}/${ASSET_PAGE_KIND}/`;
}
/** In the place of a sensor's name, which has no slash: no sensor's pages are meant. */
export const ASSET_PAGE_OWNER = 'asset/';
export const ASSET_PAGE_KIND = 'events';

/** Adds the events that are not known, in order. */
export function record(
  state: LogState,
  asset: string,
  given: readonly Omit<StoredAssetEvent, 'at'>[],
  now: number
): LogState {
  let { last, tailBytes, hashes, duplicates } = state;
  const added: AssetEvent[] = [];
  const stored: StoredAssetEvent[] = [];
  for (const event of given) {
    const hash = eventHash(event.eventId);
    if (knowsHash(hashes, hash)) {
      duplicates++;
      continue;
    }
    hashes += hash;
    const kept = { ...event, at: now };
    tailBytes += jsonBytes(kept) + 1;
    stored.push(kept);
    added.push({ position: ++last, asset, ...kept });
  }
  if (added.length === 0) return { ...state, duplicates };
  if (hashes.length > MAX_EVENT_HASHES * HASH_CHARS) hashes = hashes.slice(-MIN_EVENT_HASHES * HASH_CHARS);
  const materialized = added.filter(({ kind }) => kind === 'materialization');
  const observed = added.filter(({ kind }) => kind === 'observation');
  const latestMaterialization = materialized.at(-1) ?? state.latestMaterialization;
  const latestObservation = observed.at(-1) ?? state.latestObservation;
  return {
    ...state,
    ...markPartitions(state, materialized),
    observed: markPartitions(state.observed, observed),
    last,
    tail: [...state.tail, ...stored],
    tailBytes,
    hashes,
    duplicates,
    materializations: state.materializations + materialized.length,
    observations: state.observations + observed.length,
    ...(latestMaterialization === undefined ? {} : { latestMaterialization }),
    ...(latestObservation === undefined ? {} : { latestObservation }),
  };
}

/** Takes note of how far a sensor has read; beyond the limit of subscribers, it is only dropped on record. */
export function subscribe(state: LogState, sensor: string, position: number, now: number): LogState {
  const subscriber = { sensor, position: Math.min(Math.max(position, 0), state.last), at: now };
  const others = state.subscribers.filter((each) => each.sensor !== sensor);
  if (others.length < MAX_SUBSCRIBERS) return { ...state, subscribers: [...others, subscriber] };
  const known = state.droppedSubscribers.some((each) => each.sensor === sensor);
  return known ? state : drop(state, [subscriber], `the asset has ${MAX_SUBSCRIBERS} subscribers already`, now);
}

export function unsubscribe(state: LogState, sensor: string): LogState {
  return { ...state, subscribers: state.subscribers.filter((each) => each.sensor !== sensor) };
}

/** A subscriber was woken, or has no workflow that could be: one that stays away is dropped. */
export function woken(state: LogState, sensor: string, exists: boolean, now: number): LogState {
  const subscriber = state.subscribers.find((each) => each.sensor === sensor);
  if (subscriber === undefined) return state;
  const { goneSince = now, ...known } = subscriber;
  if (!exists && now - goneSince > GONE_MS) return drop(state, [subscriber], 'its sensor has been gone for a day', now);
  const next = exists ? known : { ...known, goneSince };
  return { ...state, subscribers: state.subscribers.map((each) => (each === subscriber ? next : each)) };
}

function drop(state: LogState, gone: readonly AssetSubscriber[], reason: string, now: number): LogState {
  if (gone.length === 0) return state;
  const names = new Set(gone.map(({ sensor }) => sensor));
  const dropped = gone.map((each) => ({ ...each, droppedAt: now, reason }));
  return {
    ...state,
    subscribers: state.subscribers.filter(({ sensor }) => !names.has(sensor)),
    droppedSubscribers: [...state.droppedSubscribers, ...dropped].slice(-MAX_DROPPED),
  };
}

/** What should leave the state now, or `undefined` when there is room. */
export function planSeal(state: LogState): LogSeal | undefined {
  if (state.tailBytes <= MAX_TAIL_BYTES) return undefined;
  let bytes = 0;
  const end = state.tail.findIndex((event) => (bytes += jsonBytes(event) + 1) > MAX_ASSET_BATCH_BYTES);
  return { from: tailFrom(state), events: end === -1 ? state.tail : state.tail.slice(0, Math.max(1, end)) };
}

/** The log once `seal` is written as the page of this ID. */
export function applySeal(state: LogState, { from, events }: LogSeal, hash: string): LogState {
  const until = events.at(-1)?.at;
  if (until === undefined || from !== tailFrom(state)) return state;
  const bytes = events.reduce((sum, event) => sum + jsonBytes(event) + 1, 0);
  return {
    ...state,
    tail: state.tail.slice(events.length),
    tailBytes: state.tailBytes - bytes,
    pages: [...state.pages, [hash, from, until]],
  };
}

/** Lets go of what is beyond the retention and read by every subscriber, a page at a time. */
export function trim(before: LogState, asset: string, now: number): LogState {
  const silent = before.subscribers.filter(({ at }) => now - at > SILENT_MS);
  let state = drop(before, silent, 'it said nothing for 30 days', now);
  const { events, ageMs = Number.POSITIVE_INFINITY } = state.retention;
  for (let [page] = state.pages; page !== undefined && state.released.length < MAX_RELEASED; [page] = state.pages) {
    const [hash, , until] = page;
    const end = (state.pages[1]?.[1] ?? tailFrom(state)) - 1;
    const full = state.pages.length > MAX_ASSET_PAGES;
    const unread = state.subscribers.filter(({ position }) => position < end);
    const old = end <= state.last - events || now - until > ageMs;
    if (!full && (!old || unread.length > 0)) break;
    state = drop(state, unread, `it was more than ${MAX_ASSET_PAGES} pages of events behind`, now);
    state = { ...state, pages: state.pages.slice(1), released: [...state.released, pagePrefix(asset) + hash] };
  }
  return state;
}

/** Where the events after a position are, at most `limit` of them, and what is known of the sensor that asks. */
export function readLog(
  state: LogState,
  asset: string,
  { after, limit, sensor }: { readonly after: number; readonly limit: number; readonly sensor?: string }
): AssetRead {
  const first = firstKept(state);
  const from = Math.max(after + 1, first);
  const to = Math.min(from + limit - 1, state.last);
  const start = tailFrom(state);
  const pages = state.pages.flatMap(([hash, begin], index) => {
    const end = (state.pages[index + 1]?.[1] ?? start) - 1;
    return begin <= to && end >= from ? [{ id: pagePrefix(asset) + hash, from: begin }] : [];
  });
  const events: AssetEvent[] = [];
  let bytes = 0;
  for (let position = Math.max(from, start); position <= to; position++) {
    const stored = state.tail[position - start];
    if (stored === undefined) break;
    bytes += jsonBytes(stored);
    // a tail that waits to be sealed may be larger than one answer
    if (bytes > MAX_ASSET_BATCH_BYTES && events.length > 0) break;
    events.push({ position, asset, ...stored });
  }
  const subscriber = state.subscribers.find((each) => each.sensor === sensor);
  return { id: state.id, first, last: state.last, pages, events, ...(subscriber === undefined ? {} : { subscriber }) };
}

/** What a log says of itself. */
export function stateOf(state: LogState, asset: string): AssetState {
  const { latestMaterialization, latestObservation } = state;
  return {
    asset,
    id: state.id,
    first: firstKept(state),
    last: state.last,
    materializations: state.materializations,
    observations: state.observations,
    duplicates: state.duplicates,
    refused: state.refused,
    ...(latestMaterialization === undefined ? {} : { latestMaterialization }),
    ...(latestObservation === undefined ? {} : { latestObservation }),
    ...partitionsOf(state),
    observed: partitionsOf(state.observed),
    subscribers: state.subscribers,
    droppedSubscribers: state.droppedSubscribers,
    retention: state.retention,
  };
}

function firstKept(state: LogState): number {
  return state.pages[0]?.[1] ?? tailFrom(state);
}

/** Position of the first event of the tail, or of the next event when it is empty. */
function tailFrom({ last, tail }: LogState): number {
  return last - tail.length + 1;
}
