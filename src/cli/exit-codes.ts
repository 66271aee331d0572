/** What the exit code of `sensors` says; scripts rely on it. The table in docs/cli.md is the same. */
export const EXIT = {
  ok: 0,
  /** Unexpected, or a failure on Temporal's side that has no code of its own. */
  failed: 1,
  /** The command line or the connection's configuration is wrong, or nobody said yes; nothing was sent. */
  usage: 2,
  unreachable: 3,
  /** There is no such sensor, asset or backfill. */
  noSuchSensor: 4,
  /** The sensor or backfill refused, or no worker answered for it, or not in time. */
  refused: 5,
  /** The namespace does not exist, or the credentials do not allow this. */
  noAccess: 6,
  /** `tick` and `preview`: the tick ended as a failure, or would. `backfill --wait`: it did not end well. */
  tickFailed: 7,
  /** `init` only: all four files exist. */
  nothingWritten: 8,
  /** Of several things some failed, the others are done; `doctor`: a check failed. */
  someFailed: 9,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
