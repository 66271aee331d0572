/**
 * How many runs a sensor started in the last 24 hours: one number an hour, so that nobody has to count them on the
 * server. Pure: the workflow bundle contains this file.
 */
const HOUR_MS = 60 * 60 * 1000;
const HOURS = 24;

export interface RecentRuns {
  /** Hours since the epoch, of the newest count. */
  readonly hour: number;
  /** Runs of that hour and of up to 23 before it, newest first. */
  readonly counts: readonly number[];
}

/** The counts after so many more runs. */
export function addRuns(recent: RecentRuns | undefined, runs: number, now: number): RecentRuns {
  const { hour, counts } = recent ?? { hour: hourOf(now), counts: [] };
  // a clock that was set back counts in the newest hour
  const passed = Math.max(0, hourOf(now) - hour);
  const hours = [...Array.from({ length: Math.min(passed, HOURS) }, () => 0), ...counts];
  const [newest = 0, ...older] = hours;
  return { hour: hour + passed, counts: [newest + runs, ...older].slice(0, HOURS) };
}

/** Runs started in this hour and the 23 before it. */
export function runsOfLastDay(recent: RecentRuns | undefined, now: number): number {
  if (recent === undefined) return 0;
  const passed = Math.max(0, hourOf(now) - recent.hour);
  return recent.counts.slice(0, Math.max(0, HOURS - passed)).reduce((sum, runs) => sum + runs, 0);
}

function hourOf(now: number): number {
  return Math.floor(now / HOUR_MS);
}
