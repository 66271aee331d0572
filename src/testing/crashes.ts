/** Crashes of a simulation: at which steps of a tick its worker dies. */
import { DefinitionError, quote } from '../sensors/errors.js';

/** The steps of a tick at which a worker may die, in the order in which a tick takes them. */
export const CRASH_STEPS = [
  'before evaluate',
  'after evaluate',
  'after result',
  'before start',
  'after start',
  'before continue-as-new',
  'after continue-as-new',
] as const;

/**
 * - `before evaluate`, `after evaluate`: the attempt is lost, and made again by the next worker.
 * - `after result`: the result is in history, and what it asks for is started by the next worker.
 * - `before start`: before each start; the rest is started by the next worker.
 * - `after start`: the run exists, but the loop is lost with the answer, and recovered: it asks once more and is refused.
 * - `before continue-as-new`, `after continue-as-new`: nothing is lost.
 */
export type CrashStep = (typeof CRASH_STEPS)[number];

/** A step that a simulation takes. */
export interface CrashPoint {
  readonly step: CrashStep;
  /** The virtual time. */
  readonly at: Date;
  /** How often this step was taken before. */
  readonly before: number;
  /** Number of the tick, as it is or will be recorded. */
  readonly tick: number;
}

type Decide = (point: CrashPoint) => boolean;
type CrashList = readonly (CrashStep | { readonly step: CrashStep; readonly tick: number })[];
interface CrashShare {
  readonly seed: number;
  /** From 0 to below 1. */
  readonly share: number;
}

/** Steps to crash at, once each (the first time they are taken, or in a given tick), or a random share of all steps. */
export type Crashes = Decide | CrashList | CrashShare;

/**
 * Whether to crash, asked at each step.
 *
 * @throws {@link DefinitionError} for a step there is not, or a share that is not 0 to 1
 */
export function planCrashes(crashes: Crashes | undefined): (step: CrashStep, at: number, tick: number) => boolean {
  if (crashes === undefined) return () => false;
  const decide = typeof crashes === 'function' ? crashes : 'seed' in crashes ? atRandom(crashes) : fromList(crashes);
  const taken = new Map<CrashStep, number>();
  return (step, at, tick) => {
    const before = taken.get(step) ?? 0;
    taken.set(step, before + 1);
    return decide({ step, at: new Date(at), before, tick });
  };
}

function fromList(list: CrashList): Decide {
  const open = list.map((each) => (typeof each === 'string' ? { step: each, tick: undefined } : each));
  for (const { step } of open) {
    if (!CRASH_STEPS.includes(step)) {
      throw new DefinitionError(`simulate: crashes contains ${quote(step)}; accepted: ${CRASH_STEPS.join(', ')}`);
    }
  }
  return ({ step, tick }) => {
    const found = open.findIndex((each) => each.step === step && (each.tick === undefined || each.tick === tick));
    if (found >= 0) open.splice(found, 1);
    return found >= 0;
  };
}

/** The same seed crashes at the same steps (mulberry32). */
function atRandom({ seed, share }: CrashShare): Decide {
  if (!(share >= 0 && share < 1)) {
    throw new DefinitionError(`simulate: crashes.share is ${quote(share)}; accepted: from 0 to below 1`);
  }
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 < share;
  };
}
