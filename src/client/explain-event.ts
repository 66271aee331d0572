/**
 * What became of an event of a sensor that is fed by events (assets, runs, the health of sensors), or of a dead letter,
 * from what the sensor's state says: dead letters, events to be tried again, how far it is in the logs of assets. Pure.
 */
import { assetRefSchema, assetCursorSchema, matchRefSchema, multiAssetCursorSchema } from '../sensors/asset-cursor.js';
import type { AssetEvent } from '../sensors/asset-event.js';
import { isAssetName } from '../sensors/asset-name.js';
import { assetEventKey, placeText } from '../sensors/asset-sensor-event.js';
import { deadLetterId, handlingSchema } from '../sensors/handle-events.js';
import { isObject, type Json } from '../sensors/json.js';
import { doneUntil, highOf, parsePositions, upTo, type Positions } from '../sensors/positions.js';
import type { DeadLetter, LoopState } from '../sensors/protocol.js';
import { hasWholeKey } from '../sensors/run-key.js';
import { discardedLetter, type Discarded } from './explain-key.js';
import type { SensorRun } from './list-runs.js';
import type { SensorDescription } from './sensor-client.js';
import type { Standing } from './standing.js';

/** What a text stands for that is no key which the sensor knows: an event, by its ID, or a dead letter. */
export type EventAnswer =
  | {
      /** It is in the dead letters, or one of them. */
      readonly kind: 'deadLetter';
      /** Of the dead letter. */
      readonly id: string;
      readonly what: 'request' | 'owner' | 'event';
      readonly job?: string;
      readonly runKey?: string;
      readonly error: string;
      readonly tick: number;
      readonly since: Date;
      readonly lastAt: Date;
      readonly count: number;
      /** Enough of it was kept to try it again. */
      readonly retryable: boolean;
    }
  | (Discarded & {
      /** It was a dead letter, and an operator discarded it. */
      readonly kind: 'discarded';
      /** Of the dead letter. */
      readonly id: string;
    })
  | {
      /** It could not be handled, and is tried again. */
      readonly kind: 'retried';
      /** So often it was tried. */
      readonly attempts: number;
      /** When it is tried again, at the earliest; absent: somebody handed it back, and it is next. */
      readonly at?: Date;
      readonly error: string;
      /** The log that it is of is gone: it is parked instead, with the next evaluation that handles events. */
      readonly gone?: true;
      readonly standing: Standing;
    }
  | (AboutAssetEvent &
      (
        | {
            /** The sensor has not read it yet. */
            readonly kind: 'unread';
            /** The last position that it has read. */
            readonly readTo: number;
            /** The position of the newest event; absent when the log did not answer: then there may be no such event. */
            readonly last?: number;
            readonly standing: Standing;
          }
        | {
            /** The sensor looked since and has not consumed it: most likely it waits for events of other assets. */
            readonly kind: 'waiting';
            readonly standing: Standing;
          }
        | {
            /** The sensor is past it, and no run has its ID as its key. */
            readonly kind: 'read';
            readonly readTo: number;
            /** The sensor is of several assets: it consumes events together. */
            readonly together: boolean;
            /** The run that a match with it started, and why it failed. */
            readonly run?: SensorRun;
            readonly error?: string;
            /** When the sensor was last started; one may pass over what was recorded before its first start. */
            readonly startedAt: Date;
          }
        /** The log has no such position. */
        | { readonly kind: 'absent'; readonly first: number; readonly last: number }
        /** The sensor does not read the asset. */
        | { readonly kind: 'notRead'; readonly reads: readonly string[] }
        /** The asset has another log: the one of the event was deleted, unless the ID is a slip. */
        | { readonly kind: 'otherLog'; readonly log: string; readonly last: number }
        /** Nothing was recorded of the asset, or its log was deleted. */
        | { readonly kind: 'noLog' }
        /** The sensor's position is in another log, and the log of the asset did not answer. */
        | { readonly kind: 'unanswered' }
      ));

interface AboutAssetEvent {
  readonly event: string;
  readonly asset: string;
  readonly position: number;
  /** As the log says, if it answered. */
  readonly recordedAt?: Date;
  readonly partitionKey?: string;
  readonly observation?: true;
}

/** Where an event of an asset is, as its ID says. */
export interface EventPlace {
  readonly asset: string;
  /** Identity of its log; empty in IDs of before there were any. */
  readonly log: string;
  readonly position: number;
}

const PLACE = /^([^@]+)@(?:([0-9a-z]+)\.)?(0|[1-9]\d{0,14})$/;

/** The events that an ID names: one, or those of a match; none when it is no ID of an asset's event. */
export function placesOf(text: string): readonly EventPlace[] {
  const places = text.split('+').map((part) => {
    const [, asset, log = '', position] = PLACE.exec(part) ?? [];
    return isAssetName(asset) ? { asset, log, position: Number(position) } : undefined;
  });
  return places.some((place) => place === undefined) ? [] : places.filter((place) => place !== undefined);
}

/** What waits for somebody, or for another try, under this ID: of an event, of a run that is one, or of a dead letter. */
export function keptAnswer(text: string, state: LoopState, standing: Standing): EventAnswer | undefined {
  const letter = state.deadLetters.findLast((each) => isLetterOf(each, text));
  if (letter !== undefined) {
    const { id, kind: what, job, runKey, error, tick, firstAt, lastAt, count } = letter;
    const of = { ...(job === undefined ? {} : { job }), ...(runKey === undefined ? {} : { runKey }) };
    const times = { since: new Date(firstAt), lastAt: new Date(lastAt), count };
    return { kind: 'deadLetter', id, what, ...of, error, tick, ...times, retryable: isRetryable(letter) };
  }
  const retry = handlingSchema
    .safeParse(state.cursor?.value)
    .data?.retries.findLast(({ ref, error }) => isRefOf(ref, error, text));
  if (retry === undefined) return discardedAnswer(text, state);
  const { attempts, at, error } = retry;
  return { kind: 'retried', attempts, ...(at === 0 ? {} : { at: new Date(at) }), error, standing };
}

/** What was a dead letter until somebody discarded it. */
function discardedAnswer(text: string, state: LoopState): EventAnswer | undefined {
  for (const id of [text, deadLetterId(text)]) {
    const discarded = discardedLetter(state, id);
    if (discarded !== undefined) return { kind: 'discarded', id, ...discarded };
  }
  return undefined;
}

/** An operator can have it tried again: what could not be kept is refused. */
function isRetryable(letter: DeadLetter): boolean {
  return letter.payload !== undefined && (letter.kind !== 'request' || hasWholeKey(letter));
}

function isLetterOf({ id, kind, payload, error }: DeadLetter, text: string): boolean {
  if (id === text || id === deadLetterId(text)) return true;
  return kind === 'event' && payload !== undefined && isRefOf(payload, error, text);
}

/** Whether an event is found again by this ref. @param error begins with its ID, unless that is too long */
function isRefOf(ref: Json, error: string, text: string): boolean {
  if (!isObject(ref)) return false;
  const { workflowId, runId, status, eventId } = ref;
  if (eventId === text) return true;
  if (typeof workflowId === 'string' && typeof runId === 'string' && typeof status === 'string')
    return [`${workflowId}/${runId}/${status}`, `${workflowId}/${runId}`, workflowId, runId].includes(text);
  const places = placesOf(text);
  const [first] = places;
  if (first === undefined) return false;
  const { data: of } = assetRefSchema.safeParse(ref);
  if (of !== undefined) return assetEventKey(of.asset ?? first.asset, placeText(of.log, of.position)) === text;
  const { data: match } = matchRefSchema.safeParse(ref);
  const [, id = ''] = /^(\S+@\S+?)(?: \(\d+ tries\))?: /.exec(error) ?? [];
  const parts = new Set(id === '' ? Object.values(match ?? {}) : id.split('+'));
  return places.every(({ asset, log, position }) => {
    const place = placeText(log, position);
    return parts.has(id === '' ? place : assetEventKey(asset, place));
  });
}

/** How far a sensor is in the log of an asset. */
export interface ReadLog {
  /** Identity of the log; empty before there was one. */
  readonly log: string;
  readonly positions: Positions;
  /** Its events may wait for those of other assets. */
  readonly together: boolean;
}

/** How far the sensor is in the log of an asset that it watches; `undefined` for any other asset. */
export function readLogOf({ options, cursor }: LoopState, asset: string): ReadLog | undefined {
  // anybody may have sent the options
  const told: unknown = options.lineage?.assets;
  const facts: Readonly<Record<string, unknown>> = isObject(told) ? told : {};
  const watched = Object.keys(facts).filter((name) => isObject(facts[name]) && facts[name]['watched'] === true);
  const isWatched = watched.includes(asset);
  if (cursor === undefined)
    return isWatched ? { log: '', positions: upTo(0), together: watched.length > 1 } : undefined;
  const { value } = cursor;
  // a cursor of a sensor's own may look alike
  if (!isObject(value) || !Array.isArray(value['retries'])) return undefined;
  const { data: several } = multiAssetCursorSchema.safeParse(value);
  if (several !== undefined) {
    if (!Object.hasOwn(several.assets, asset))
      return isWatched ? { log: '', positions: upTo(0), together: true } : undefined;
    const { log = '', ...stored } = several.assets[asset] ?? { low: 0, above: '' };
    return { log, positions: parsePositions(stored), together: true };
  }
  const { data: one } = assetCursorSchema.safeParse(value);
  if (one === undefined || (one.asset === undefined ? !isWatched : one.asset !== asset)) return undefined;
  return { log: one.log, positions: upTo(one.position), together: false };
}

/** The assets that the sensor reads; none when it is no sensor of assets. */
export function readsOf(state: LoopState): readonly string[] {
  const told: unknown = state.options.lineage?.assets;
  const value = state.cursor?.value;
  const several = isObject(value) && isObject(value['assets']) ? Object.keys(value['assets']) : [];
  const names = new Set([...Object.keys(isObject(told) ? told : {}), ...several]);
  return [...names].filter((name) => readLogOf(state, name) !== undefined).toSorted();
}

/** When a quiet evaluation looked last: an attempt that failed, or only waited, says nothing of what there is. */
export function lookedAtOf({ evaluation }: Pick<SensorDescription, 'evaluation'>): Date | undefined {
  return evaluation?.folded === true ? evaluation.lastAttemptAt : undefined;
}

export interface AssetEventFacts {
  readonly place: EventPlace;
  readonly read: ReadLog;
  /** The log of the asset as it is now; `none`: there is none; absent: it did not answer. */
  readonly log?: { readonly id: string; readonly first: number; readonly last: number } | 'none' | undefined;
  /** The event, if the log has it. */
  readonly event?: Pick<AssetEvent, 'kind' | 'at' | 'partitionKey'> | undefined;
  /** When the sensor looked last: when it evaluated, and not only tried to. */
  readonly lookedAt?: number | undefined;
  readonly startedAt: number;
  readonly standing: Standing;
}

/** Where an event of an asset is that is neither parked nor tried again. */
export function decideAssetEvent(facts: AssetEventFacts): Extract<EventAnswer, AboutAssetEvent> {
  const { place, read, log, event, lookedAt = 0, startedAt, standing } = facts;
  const { asset, position } = place;
  const about = {
    event: assetEventKey(asset, placeText(place.log, position)),
    asset,
    position,
    ...(event === undefined ? {} : { recordedAt: new Date(event.at) }),
    ...(event?.partitionKey === undefined ? {} : { partitionKey: event.partitionKey }),
    ...(event?.kind === 'observation' ? { observation: true as const } : {}),
  };
  const isRead = read.log === '' || place.log === '' || read.log === place.log;
  const readTo = isRead ? highOf(read.positions) : 0;
  const isDone = isRead && position > 0 && doneUntil(read.positions, position) !== undefined;
  if (log === 'none' && !isDone) return { kind: 'noLog', ...about };
  if (log === undefined && !isRead) return { kind: 'unanswered', ...about };
  if (log !== undefined && log !== 'none') {
    const isOther = place.log !== '' && place.log !== log.id;
    if (isOther && !isDone) return { kind: 'otherLog', ...about, log: log.id, last: log.last };
    const isGone = position > log.last || (position < log.first && !isDone);
    if (!isOther && isGone) return { kind: 'absent', ...about, first: log.first, last: log.last };
  }
  if (isDone) return { kind: 'read', ...about, readTo, together: read.together, startedAt: new Date(startedAt) };
  const isSeen = position < readTo || (event !== undefined && event.at < lookedAt);
  if (read.together && isSeen) return { kind: 'waiting', ...about, standing };
  const { last } = log === undefined || log === 'none' ? { last: undefined } : log;
  return { kind: 'unread', ...about, readTo, ...(last === undefined ? {} : { last }), standing };
}
