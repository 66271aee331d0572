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
  const began = first === undefined ? {} : { first: { ...tickOf(first), at: requestedAt(first, ticks) } };
  if (run.rerunOf !== undefined) return { how: 'rerun', at: run.startTime, ...noteOf(run), ...began };
  const rearmed = audit.findLast(
    ({ what, at }) => at <= run.startTime.getTime() && what === `rearm ${cutText(runKey, MAX_AUDITED_KEY_BYTES)}`
  );
  const asked = rearmed === undefined ? {} : { at: new Date(rearmed.at), ...noteOf(rearmed) };
  return { how: 'rearm', ...asked, ...began };
}

/** When its tick began that is known; what an operator ran again was not requested by one. */
export function requestedAt(run: SensorRun, ticks: readonly TickRecord[]): Date {
  const asked = run.rerunOf === undefined ? ticks.find(({ tick }) => tick === run.tick) : undefined;
  return asked === undefined ? run.startTime : new Date(asked.startedAt);
}

function tickOf({ tick }: SensorRun): { readonly tick?: number } {
  return tick === undefined ? {} : { tick };
}
