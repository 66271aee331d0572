import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

// tests of the loop run with the workflow cache off: every workflow task replays the whole history; in `long` with it on
const replayed = ['test/integration/loop/{control,operator}.test.ts'];
// thousands of messages one after the other, a thousand runs of one tick: `npm run test:long`
const long = ['test/integration/{big-tick,load}.test.ts'];
const integration = {
  include: ['test/integration/**/*.test.ts', 'test/chaos/**/*.test.ts', 'test/replay/**/*.test.ts'],
  setupFiles: ['test/support/harness-setup.ts'],
  // loading Temporal's packages costs seconds: once for each worker process, not for each file
  isolate: false,
  testTimeout: 120_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    // most tests wait for the server more than they compute
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          isolate: false,
          include: ['test/unit/**/*.test.ts', 'examples/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      { test: { ...integration, name: 'integration', exclude: [...long, ...replayed] } },
      { test: { ...integration, name: 'long', include: [...long, ...replayed] } },
      { test: { ...integration, name: 'cache off', include: replayed, env: { MAX_CACHED_WORKFLOWS: '0' } } },
    ],
  },
});
