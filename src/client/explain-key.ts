/** What became of a run key of one job, from all that is known of it. Pure. */
import { epochOf, unpackKeys, type Ledger } from '../sensors/key-ledger.js';
import { cutText } from '../sensors/json.js';
import { MAX_AUDITED_KEY_BYTES } from '../sensors/limits.js';
import type { StoredCursor } from '../sensors/cursor.js';
import type { DeadLetter, LoopState, TickRecord } from '../sensors/protocol.js';
import { isLimited } from '../workflows/launch-rules.js';
import { noteOf } from '../workflows/records.js';
import { forgottenRunAgain, requestOf, runAgain, type RequestOfRun, type RunAgain } from './explain-again.js';
import type { SensorRun } from './list-runs.js';
import type { Standing } from './standing.js';

/** A tick as explanations name it. */
export interface TickMention {
  readonly tick: number;
  readonly at: Date;
}

/** Who discarded something, when and why. */
export interface Discarded {
  readonly at: Date;
  readonly by?: string;
  readonly reason?: string;
}

/** A key whose run Temporal knows. */
interface RanKey extends RequestOfRun {
  readonly run: SensorRun;
  /** Why the run failed. */
  readonly error?: string;
  /** It is not the key's first run. */
  readonly repeats?: RunAgain;
}

/** What became of a key of a job. */
export type KeyAnswer = {
  readonly job: string;
  /** An operator re-armed it: its next request starts a run of this epoch. */
  readonly rearmed?: number;
  /** It asked for a backfill, of this ID, and not for a run: `run` is that. */
  readonly backfill?: string;
} & (
  | (RanKey & {
      /** It was requested and has its run; `duplicate`: it was requested again since, which started nothing. */
      readonly kind: 'started' | 'duplicate';
      /** The last time that it was requested again, as far as ticks tell. */
      readonly again?: TickMention;
    })
  | (RanKey & {
      /** It ran, and the sensor has forgotten it since (`dedupe`): once Temporal has, too, it runs again. */
      readonly kind: 'expired';
      /** The earliest time at which it was forgotten. */
      readonly expiredAt: Date;
      readonly again?: TickMention;
    })
  | {
      /** It ran, and both the sensor (`dedupe`) and Temporal have forgotten that since: its next request runs. */
      readonly kind: 'forgotten';
      /** Of the run that is gone. */
      readonly workflowId: string;
      /** The tick that started it, while that is on record. */
      readonly started?: TickMention;
    }
  | {
      /** It ran, and Temporal has forgotten the run; the sensor has not, and starts none again. */
      readonly kind: 'remembered';
      /** Between these times it was started, or requested again. */
      readonly from?: Date;
      readonly to?: Date;
      /** When the sensor forgets it (`dedupe`); absent: never. */
      readonly until?: Date;
      readonly again?: TickMention;
      /** The run that is gone was not the key's first, as far as the sensor's audit still knows. */
      readonly repeats?: RunAgain;
      /** The newest run of an earlier epoch that Temporal knows. */
      readonly run?: SensorRun;
    }
  | {
      readonly kind: 'rejected';
      readonly error: string;
      /** `owner`: its workflow ID belongs to somebody else. */
      readonly what: 'request' | 'owner' | 'event';
      readonly tick: number;
      readonly since: Date;
      readonly lastAt: Date;
      readonly count: number;
      /** ID of its dead letter; absent when that was discarded, or found no room. */
      readonly deadLetter?: string;
      /** Who discarded it, as far as the sensor's audit still knows. */
      readonly discarded?: Discarded;
    }
  | {
      /** It was accepted and waits to be started. */
      readonly kind: 'pending';
      /** How many start before it. */
      readonly ahead: number;
      readonly of: number;
      /** What it waits for: the sensor's start, the next tick of `maxRunsPerTick` runs, or its turn. */
      readonly waitsFor: 'start' | 'maxRunsPerTick' | 'turn';
      readonly dueAt?: Date;
      readonly standing: Standing;
      /** Its run of an earlier epoch. */
      readonly run?: SensorRun;
    }
  | {
      /** It was accepted, and an operator discarded it before it was started. */
      readonly kind: 'discarded';
      readonly tick: number;
      readonly requestedAt?: Date;
      readonly at: Date;
      readonly by?: string;
      readonly reason?: string;
      /** Its run of an earlier epoch. */
      readonly run?: SensorRun;
    }
  | {
      readonly kind: 'notSeen';
      /** Since when the ticks say so that were looked through. */
      readonly since: Date;
      readonly standing: Standing;
      readonly cursor?: StoredCursor;
      /** The tick that changed the cursor last, as far as ticks tell. */
      readonly cursorChanged?: TickMention;
      /** The sensor forgets keys after this time, so that it may have run before. */
      readonly dedupeMs?: number;
      /** Requests were discarded of which not all keys were kept: how many have none on record, and when. */
      readonly discarded?: { readonly requests: number; readonly at: Date };
    }
);

export interface KeyFacts {
  readonly job: string;
  readonly runKey: string;
  /** Of the key, for the job's name and then for its earlier ones. */
  readonly hashes: readonly string[];
  /** The job's name and its earlier ones. */
  readonly names: readonly string[];
  /** Workflow IDs by which ticks may name the key's run: those of its present epoch first. */
  readonly ids: readonly string[];
  readonly state: LoopState;
  /** Oldest first. */
  readonly ticks: readonly TickRecord[];
  /** Since when these are all. */
  readonly since: Date;
  readonly standing: Standing;
  /** The run of its present epoch, while Temporal knows it, and why it failed. */
  readonly run?: SensorRun | undefined;
  readonly error?: string | undefined;
  /** Temporal has forgotten that one: the newest of an earlier epoch that it knows. */
  readonly earlier?: SensorRun | undefined;
  /** The key's first run, where `run` is another one. */
  readonly first?: SensorRun | undefined;
  /** What the sealed part of the ledger says, if the key is in it. */
  readonly sealed?: Span | undefined;
  /** ID of the backfill that it asked for. */
  readonly backfill?: string | undefined;
  /** Requests that wait, in their order. */
  readonly waiting: readonly { readonly hash?: string }[];
  /** When the next of them start, as the loop itself says: of a tick that has just ended its history does not tell. */
  readonly pendingUntil?: Date | undefined;
}

/** What is known of a key outside of the loop, and the names by which it is. */
export type Outside = Pick<
  KeyFacts,
  'names' | 'hashes' | 'ids' | 'run' | 'error' | 'earlier' | 'first' | 'sealed' | 'backfill'
>;

/** From when to when something was remembered. */
export interface Span {
  readonly since: number;
  readonly until: number;
}

export function decideKey(facts: KeyFacts): KeyAnswer {
  const { job, hashes, state, backfill } = facts;
  const [hash = ''] = hashes;
  const rearmed = Object.hasOwn(state.rearmed, hash) ? state.rearmed[hash] : undefined;
  const answer =
    pendingAnswer(facts) ??
    discardedAnswer(facts) ??
    runAnswer(facts) ??
    rejectedAnswer(facts) ??
    rememberedAnswer(facts) ??
    forgottenAnswer(facts);
  const known = { ...(rearmed === undefined ? {} : { rearmed }), ...(backfill === undefined ? {} : { backfill }) };
  return { job, ...known, ...(answer ?? notSeen(facts)) };
}

type Answer = KeyAnswer extends infer One
  ? One extends unknown
    ? Omit<One, 'job' | 'rearmed' | 'backfill'>
    : never
  : never;

function pendingAnswer(facts: KeyFacts): Answer | undefined {
  const { hashes, state, standing, waiting, earlier, run = earlier, pendingUntil } = facts;
  const ahead = waiting.findIndex(({ hash }) => hash !== undefined && hashes.includes(hash));
  if (ahead < 0) return undefined;
  const { launch } = state;
  const dueAt = launch?.dueAt === undefined ? pendingUntil : new Date(launch.dueAt);
  const left = dueAt !== undefined || (launch?.record !== undefined && isLimited(state));
  return {
    kind: 'pending',
    ahead,
    of: waiting.length,
    waitsFor: standing.kind === 'stopped' ? 'start' : left ? 'maxRunsPerTick' : 'turn',
    ...(dueAt === undefined ? {} : { dueAt }),
    standing,
    ...(run === undefined ? {} : { run }),
  };
}

/** What was discarded has not run, unless it was requested again since; that request may have been rejected. */
function discardedAnswer(facts: KeyFacts): Answer | undefined {
  const { hashes, state, ticks, earlier, run = earlier } = facts;
  const entry = state.audit.findLast(({ discarded }) => discarded !== undefined && isPacked(discarded.keys, hashes));
  if (entry?.discarded === undefined) return undefined;
  const ranAt = Math.max(run?.startTime.getTime() ?? 0, run === undefined ? (spanOf(facts)?.until ?? 0) : 0);
  if (ranAt >= entry.at) return undefined;
  const rejection = rejectedAnswer(facts);
  if (rejection !== undefined && rejection.lastAt.getTime() >= entry.at) return undefined;
  const { tick } = entry.discarded;
  const asked = ticks.find((each) => each.tick === tick);
  return {
    kind: 'discarded',
    tick,
    ...(asked === undefined ? {} : { requestedAt: new Date(asked.startedAt) }),
    at: new Date(entry.at),
    ...noteOf(entry),
    ...(run === undefined ? {} : { run }),
  };
}

function runAnswer(facts: KeyFacts): Answer | undefined {
  const { run, error, state, ticks, runKey, first } = facts;
  if (run === undefined) return undefined;
  const repeats = runAgain(run, { runKey, audit: state.audit, ticks, first });
  const about = {
    run,
    ...requestOf(run, ticks),
    ...(repeats === undefined ? {} : { repeats }),
    ...(error === undefined ? {} : { error }),
  };
  const { dedupeMs } = state.options;
  const again = requestedAgain(facts);
  if (dedupeMs !== undefined && spanOf(facts) === undefined) {
    const expiredAt = new Date(run.startTime.getTime() + dedupeMs);
    // a request that Temporal refused because it had the run was remembered as a new one is
    const renewed = again !== undefined && again.at >= expiredAt ? new Date(again.at.getTime() + dedupeMs) : expiredAt;
    return { kind: 'expired', ...about, expiredAt: renewed, ...(again === undefined ? {} : { again }) };
  }
  return again === undefined ? { kind: 'started', ...about } : { kind: 'duplicate', ...about, again };
}

function rejectedAnswer({
  names,
  runKey,
  hashes,
  state,
  ticks,
}: KeyFacts): Extract<Answer, { kind: 'rejected' }> | undefined {
  const isIt = (each: Pick<DeadLetter, 'id' | 'job' | 'runKey'>): boolean =>
    hashes.includes(each.id) || (each.runKey === runKey && each.job !== undefined && names.includes(each.job));
  const letter = state.deadLetters.find(isIt);
  if (letter !== undefined) {
    const { id, kind, error, tick, firstAt, lastAt, count } = letter;
    const times = { since: new Date(firstAt), lastAt: new Date(lastAt), count };
    return { kind: 'rejected', what: kind, error, tick, ...times, deadLetter: id };
  }
  const mentions = ticks.flatMap(({ tick, startedAt, rejected }) =>
    rejected.sample.filter(isIt).map(({ id, kind, error }) => ({ tick, at: new Date(startedAt), id, kind, error }))
  );
  const [first, last] = [mentions[0], mentions.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const { kind: what, error, tick } = last;
  const discarded = discardedLetter(state, last.id, last.at);
  const by = discarded === undefined ? {} : { discarded };
  return { kind: 'rejected', what, error, tick, since: first.at, lastAt: last.at, count: mentions.length, ...by };
}

/** Who discarded a dead letter. @param since when it was one */
export function discardedLetter(
  { audit }: Pick<LoopState, 'audit'>,
  id: string,
  since: Date = new Date(0)
): Discarded | undefined {
  const cut = cutText(id, MAX_AUDITED_KEY_BYTES);
  const entry = audit.findLast(({ at, letters }) => at >= since.getTime() && letters?.includes(cut) === true);
  return entry === undefined ? undefined : { at: new Date(entry.at), ...noteOf(entry) };
}

function rememberedAnswer(facts: KeyFacts): Answer | undefined {
  const span = spanOf(facts);
  const again = requestedAgain(facts);
  if (span === undefined && again === undefined) return undefined;
  const { dedupeMs } = facts.state.options;
  const { runKey, state, hashes, ticks, earlier, first } = facts;
  const epoch = Math.max(...hashes.map((hash) => epochOf(state, hash)));
  const repeats = forgottenRunAgain(epoch, { runKey, audit: state.audit, ticks, first });
  return {
    kind: 'remembered',
    ...(span === undefined ? {} : { from: new Date(span.since), to: new Date(span.until) }),
    ...(span === undefined || dedupeMs === undefined ? {} : { until: new Date(span.until + dedupeMs) }),
    ...(again === undefined ? {} : { again }),
    ...(repeats === undefined ? {} : { repeats }),
    ...(earlier === undefined ? {} : { run: earlier }),
  };
}

/** What neither the sensor nor Temporal knows any more may be in the record of the tick that started it. */
function forgottenAnswer({ ids, earlier, ticks }: KeyFacts): Answer | undefined {
  const [present] = ids;
  for (const each of ticks.toReversed()) {
    const workflowId = each.runs.sample.find((id) => ids.includes(id));
    if (workflowId !== undefined) return { kind: 'forgotten', workflowId, started: mention(each) };
  }
  return earlier === undefined || present === undefined ? undefined : { kind: 'forgotten', workflowId: present };
}

function notSeen({ state, standing, ticks, since: known }: KeyFacts): Answer {
  const since = askedForNothingSince(known, ticks, state.options.dedupeMs);
  const { cursor, options } = state;
  const changed = ticks.findLast(({ cursorChanged }) => cursorChanged === true);
  const cut = state.audit.findLast(({ discarded }) => discarded?.others !== undefined);
  return {
    kind: 'notSeen',
    since,
    standing,
    ...(cursor === undefined ? {} : { cursor }),
    ...(changed === undefined ? {} : { cursorChanged: mention(changed) }),
    ...(options.dedupeMs === undefined ? {} : { dedupeMs: options.dedupeMs }),
    ...(cut === undefined ? {} : { discarded: { requests: cut.discarded?.others ?? 0, at: new Date(cut.at) } }),
  };
}

/** With a `dedupe` time, a tick whose record has not all of its runs may have started any key that is not known now. */
function askedForNothingSince(known: Date, ticks: readonly TickRecord[], dedupeMs: number | undefined): Date {
  if (dedupeMs === undefined) return known;
  const unsure = ticks.findLast(({ runs }) => runs.count > runs.sample.length);
  return new Date(Math.max(known.getTime(), unsure?.endedAt ?? unsure?.startedAt ?? 0));
}

/** The last tick in which the key was requested though it had run. */
function requestedAgain({ run, ids, ticks }: KeyFacts): TickMention | undefined {
  const found = ticks.findLast(({ duplicates }) =>
    duplicates.sample.some(({ id }) => id === run?.workflowId || ids.includes(id))
  );
  return found === undefined ? undefined : mention(found);
}

function mention({ tick, startedAt }: TickRecord): TickMention {
  return { tick, at: new Date(startedAt) };
}

/** From when to when the ledger has had the key. */
function spanOf({ state, hashes, sealed }: KeyFacts): Span | undefined {
  return recentSpan(state.ledger, hashes) ?? sealed;
}

/** Where the recent part of the ledger has one of these keys. */
export function recentSpan({ recent }: Ledger, hashes: readonly string[]): Span | undefined {
  return recent.find(({ keys }) => isPacked(keys, hashes));
}

/** Whether one of these keys is among packed ones. */
export function isPacked(packed: string, hashes: readonly string[]): boolean {
  const wanted = new Set(hashes);
  for (const key of unpackKeys(packed)) if (wanted.has(key)) return true;
  return false;
}
