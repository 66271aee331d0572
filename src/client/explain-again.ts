/** How a run came about that is not the first of its key: by an operator. Pure. */
import { cutText } from '../sensors/json.js';
import { MAX_AUDITED_KEY_BYTES } from '../sensors/limits.js';
import { noteOf } from '../workflows/records.js';
import type { AuditEntry, TickRecord } from '../sensors/protocol.js';
import type { SensorRun } from './list-runs.js';

/** A run of a key that an operator ran again, or re-armed so that its next request ran. */
export interface RunAgain {
  readonly how: 'rerun' | 'rearm';
  /** When, by whom and why, as far as the sensor's audit still knows of a re-arming. */
  readonly at?: Date;
  readonly by?: string;
  readonly reason?: string;
  /** When the key was requested first, while Temporal knows of that run. */
  readonly first?: { readonly tick?: number; readonly at: Date };
}

export interface RunAgainFacts {
  readonly runKey: string;
  readonly audit: readonly AuditEntry[];
  readonly ticks: readonly TickRecord[];
  /** The key's first run. */
  readonly first?: SensorRun | undefined;
}

/** Nothing for the first run of a key. */
export function runAgain(run: SensorRun, { runKey, audit, ticks, first }: RunAgainFacts): RunAgain | undefined {
  if (run.epoch === undefined) return undefined;
  const began = first === undefined ? {} : { first: firstOf(requestOf(first, ticks)) };
  if (run.rerunOf !== undefined) return { how: 'rerun', at: run.startTime, ...noteOf(run), ...began };
  const rearmed = audit.findLast(
    ({ what, at }) => at <= run.startTime.getTime() && what === `rearm ${cutText(runKey, MAX_AUDITED_KEY_BYTES)}`
  );
  const asked = rearmed === undefined ? {} : { at: new Date(rearmed.at), ...noteOf(rearmed) };
  return { how: 'rearm', ...asked, ...began };
}

/** The same of a run that Temporal has forgotten, as far as the audit still knows. @param epoch of that run */
export function forgottenRunAgain(epoch: number, { runKey, audit, ticks, first }: RunAgainFacts): RunAgain | undefined {
  const key = cutText(runKey, MAX_AUDITED_KEY_BYTES);
  const rerun = audit.findLast(({ what }) => what === `rerun ${key} as epoch ${epoch}`);
  const asked = rerun ?? audit.findLast(({ what }) => what === `rearm ${key}`);
  if (epoch <= 1 || asked === undefined) return undefined;
  const began = first === undefined ? {} : { first: firstOf(requestOf(first, ticks)) };
  return { how: rerun === undefined ? 'rearm' : 'rerun', at: new Date(asked.at), ...noteOf(asked), ...began };
}

/** When a run was requested, and by which tick. */
export interface RequestOfRun {
  /** When that tick began; when the run started, where the tick is not known or an operator asked for the run. */
  readonly requestedAt: Date;
  /** Another one than started it where it was pending meanwhile. */
  readonly requestedAtTick?: number;
}

export function requestOf(run: SensorRun, ticks: readonly TickRecord[]): RequestOfRun {
  const tick = run.rerunOf === undefined ? askedBy(run, ticks) : run.tick;
  const asked = run.rerunOf === undefined ? ticks.find((each) => each.tick === tick) : undefined;
  const requestedAt = asked === undefined ? run.startTime : new Date(asked.startedAt);
  return { requestedAt, ...(tick === undefined ? {} : { requestedAtTick: tick }) };
}

/** Nothing is evaluated while requests are pending: those that a tick found so are of the last one that was no such tick. */
function askedBy({ tick, requestedAtTick }: SensorRun, ticks: readonly TickRecord[]): number | undefined {
  if (requestedAtTick !== undefined || tick === undefined) return requestedAtTick ?? tick;
  const started = ticks.find((each) => each.tick === tick);
  if (started?.trigger !== 'pending') return tick;
  return ticks.findLast((each) => each.tick < tick && each.trigger !== 'pending')?.tick ?? tick;
}

function firstOf({ requestedAt, requestedAtTick }: RequestOfRun): NonNullable<RunAgain['first']> {
  return { ...(requestedAtTick === undefined ? {} : { tick: requestedAtTick }), at: requestedAt };
}
