/**
 * The world that the sensors look at: items that appear over time, the same for the same seed.
 *
 * It is a file with a schedule, and one with the wall-clock time when it began. Nothing that is killed writes to them, so what should have run is known
 * whatever happens to workers and server.
 */
import { below, seededRandom, type Random } from './random.js';

/** How a sensor asks for runs, and what makes that hard. */
interface Shape {
  readonly name: string;
  /** Requests have run keys; without, each must be asked for exactly once. */
  readonly keyed: boolean;
  /**
   * `cursor`: looks at what is beyond its cursor; `all`: at everything, every time; `events`: at what was pushed; `asset`: at
   * the log of the asset that others make.
   */
  readonly looks: 'cursor' | 'all' | 'events' | 'asset';
  readonly intervalMs: number;
  /** Its items go to two jobs, two of them with the same run key. */
  readonly twoJobs?: true;
  /** Evaluations take up to so long. */
  readonly slowMs?: number;
  /** What its evaluations do while the weather is bad. */
  readonly storm?: 'throws' | 'hangs';
  /** Has items whose config does not fit the job. */
  readonly bad?: true;
  /** All its items appear at one moment, and it has many. */
  readonly big?: true;
  /** Its runs make an asset, and there are many. */
  readonly makes?: true;
  /** Asks for so many a tick, and for the next tick at once. */
  readonly batch?: number;
  readonly hashedIds?: true;
}

/** The first ones are those that a short run takes. */
const SHAPES: readonly Shape[] = [
  { name: 'keyed-cursor', keyed: true, looks: 'cursor', intervalMs: 900 },
  { name: 'keyless', keyed: false, looks: 'cursor', intervalMs: 900 },
  { name: 'keyed-all', keyed: true, looks: 'all', intervalMs: 1_200 },
  { name: 'pushed', keyed: true, looks: 'events', intervalMs: 60_000 },
  { name: 'makers', keyed: true, looks: 'cursor', intervalMs: 500, makes: true },
  { name: 'big-keyless', keyed: false, looks: 'cursor', intervalMs: 1_000, big: true },
  { name: 'bad-keyed', keyed: true, looks: 'cursor', intervalMs: 1_000, bad: true },
  { name: 'throwing-keyless', keyed: false, looks: 'cursor', intervalMs: 900, storm: 'throws' },
  { name: 'more-keyless', keyed: false, looks: 'cursor', intervalMs: 3_000, batch: 3 },
  { name: 'big-keyed', keyed: true, looks: 'all', intervalMs: 1_500, big: true },
  { name: 'two-jobs', keyed: true, looks: 'all', intervalMs: 1_200, twoJobs: true },
  { name: 'slow-keyless', keyed: false, looks: 'cursor', intervalMs: 500, slowMs: 1_500 },
  { name: 'slow-keyed', keyed: true, looks: 'cursor', intervalMs: 500, slowMs: 1_500 },
  { name: 'throwing-keyed', keyed: true, looks: 'all', intervalMs: 900, storm: 'throws' },
  { name: 'throwing-pushed', keyed: true, looks: 'events', intervalMs: 900, storm: 'throws' },
  { name: 'hanging-keyless', keyed: false, looks: 'cursor', intervalMs: 1_000, storm: 'hangs' },
  { name: 'bad-keyed-all', keyed: true, looks: 'all', intervalMs: 1_200, bad: true },
  { name: 'bad-keyless', keyed: false, looks: 'cursor', intervalMs: 1_000, bad: true },
  { name: 'more-keyed', keyed: true, looks: 'cursor', intervalMs: 3_000, batch: 3 },
  { name: 'hashed', keyed: true, looks: 'cursor', intervalMs: 900, hashedIds: true },
  { name: 'two-jobs-cursor', keyed: true, looks: 'cursor', intervalMs: 900, twoJobs: true },
];

export const MAX_SENSORS = SHAPES.length;
/** Wants one run for each part of the asset. Comes on top of the others, with their makers. */
const REACTOR: Shape = { name: 'on-asset', keyed: false, looks: 'asset', intervalMs: 900 };
export const ASSET = 'chaos/items';
/** A big sensor has so many times the items of another: with 2,000 requests, more than one run of a loop starts. */
const BIG_SHARES = 10;
/** Events of 8 KB: enough for pages of the asset's log. */
const MAKER_SHARES = 3;
/** For so many good items one bad one. */
const GOOD_PER_BAD = 5;
/** How long the weather stays as it is. */
const WEATHER_MS = 700;
const BAD_WEATHER = 0.35;

export type JobName = 'echo' | 'noop' | 'makesItem';

/** Something that appears in the world and asks for one run. */
export interface Item {
  /** Position among the sensor's items, which is the order in which they appear. */
  readonly n: number;
  readonly afterMs: number;
  readonly job: JobName;
  readonly runKey?: string;
  readonly bad?: true;
}

export interface SensorPlan extends Shape {
  readonly items: readonly Item[];
}

export interface World {
  readonly seed: number;
  /** From here on the weather is good. */
  readonly calmAfterMs: number;
  readonly plans: readonly SensorPlan[];
}

/** A world that has begun, at this time of the wall clock. */
export interface StartedWorld extends World {
  readonly startAt: number;
}

export interface WorldSizes {
  readonly sensors: number;
  /** Items that must run; bad ones and reactions to assets come on top. */
  readonly requests: number;
  /** From the first item to the last. */
  readonly worldMs: number;
}

export function createWorld(seed: number, { sensors, requests, worldMs }: WorldSizes): World {
  const random = seededRandom(seed, 1);
  const shapes = SHAPES.slice(0, sensors);
  const shares = shapes.map(({ big, makes }) => (big ? BIG_SHARES : makes ? MAKER_SHARES : 1));
  const share = requests / shares.reduce((sum, each) => sum + each, 0);
  let given = 0;
  let due = 0;
  const plans = shapes.map((shape, index): SensorPlan => {
    due += share * (shares[index] ?? 1);
    const good = Math.round(due) - given;
    given += good;
    return { ...shape, items: createItems(random, shape, good, worldMs) };
  });
  const made = plans.filter(({ makes }) => makes).flatMap(({ items }) => items);
  const reactions = made.map(({ n, afterMs }) => ({ n, afterMs, job: 'echo' as const }));
  const reactors = made.length === 0 ? [] : [{ ...REACTOR, items: reactions }];
  return { seed, calmAfterMs: worldMs, plans: [...plans, ...reactors] };
}

function createItems(random: Random, shape: Shape, good: number, worldMs: number): readonly Item[] {
  const bad = shape.bad ? Math.ceil(good / GOOD_PER_BAD) : 0;
  const together = worldMs * (0.2 + 0.4 * random());
  const moments = Array.from({ length: good + bad }, () => (shape.big ? together : random() * worldMs));
  const badOnes = new Set<number>();
  while (badOnes.size < bad) badOnes.add(below(random, moments.length));
  return moments
    .sort((a, b) => a - b)
    .map((afterMs, n) => ({
      n,
      afterMs: Math.round(afterMs),
      job: jobOf(shape, n),
      ...(shape.keyed ? { runKey: `key ${shape.twoJobs ? Math.floor(n / 2) : n}` } : {}),
      ...(badOnes.has(n) ? { bad: true as const } : {}),
    }));
}

function jobOf({ makes, twoJobs }: Shape, n: number): JobName {
  if (makes) return 'makesItem';
  return twoJobs && n % 2 === 1 ? 'noop' : 'echo';
}

/** How many of a sensor's items can be seen so long after the beginning. */
export function appeared({ items }: SensorPlan, afterMs: number): number {
  const next = items.findIndex((item) => item.afterMs > afterMs);
  return next === -1 ? items.length : next;
}

/** Whether evaluations of this sensor fail at this moment: the same for every worker. */
export function isStormy(world: World, plan: SensorPlan, afterMs: number): boolean {
  if (plan.storm === undefined || afterMs < 0 || afterMs > world.calmAfterMs) return false;
  const weather = seededRandom(world.seed, world.plans.indexOf(plan), Math.floor(afterMs / WEATHER_MS));
  return weather() < BAD_WEATHER;
}
