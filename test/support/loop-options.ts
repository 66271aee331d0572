/** Options of a loop with one job, as the loop's own rules take them. */
export const loopOptions = {
  intervalMs: 60_000,
  timeoutMs: 60_000,
  defaultStatus: 'running',
  maxEventAttempts: 10,
  definition: '',
  hooks: { onFailure: false, onRecovered: false },
  jobs: ['process'],
  tags: {},
  owners: [],
} as const;
