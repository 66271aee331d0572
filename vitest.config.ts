import { defineConfig } from 'vitest/config';

const integration = ['test/integration/**/*.test.ts', 'test/chaos/**/*.test.ts', 'test/replay/**/*.test.ts'];
// tests of the loop also run with the workflow cache off: every workflow task then replays the whole history
const replayed = ['test/integration/loop/**/*.test.ts'];

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    // most tests wait for the server more than they compute
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: 'unit',
          isolate: false,
          include: ['test/unit/**/*.test.ts', 'examples/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      { test: { name: 'integration', include: integration, testTimeout: 120_000, hookTimeout: 60_000 } },
      {
        test: {
          name: 'cache off',
          include: replayed,
          testTimeout: 120_000,
          hookTimeout: 60_000,
          env: { MAX_CACHED_WORKFLOWS: '0' },
        },
      },
    ],
  },
});
