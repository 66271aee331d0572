/** A short form of `npm run chaos`: workers, the server and an asset's log are killed, and each item of the world runs once. */
import { expect, inject, test } from 'vitest';
import { describeProblem, runChaos } from './chaos.js';

/** A run that lost something waits for it before it says so. */
const WITH_A_DIAGNOSIS_MS = 240_000;

test(
  'workers, the server and the log of an asset are killed: no request and no event is lost, none counts twice',
  async () => {
    const { problems, logs, ...report } = await runChaos({
      seed: 20,
      sizes: {
        sensors: 9,
        requests: 120,
        worldMs: 5_000,
        workers: 2,
        workerKills: 3,
        serverKills: 1,
        logKills: 2,
        operations: 10,
        mischiefMs: 5_000,
        calmMs: 60_000,
      },
      binary: inject('temporalBinary'),
      bundlePath: inject('bundlePath'),
      log: () => undefined,
    });
    expect(problems.map(describeProblem), `logs and database: ${logs}`).toEqual([]);
    // 18 of the runs make the asset, and each has one that reacts to it
    expect(report).toEqual({ requests: 138, runs: 138, lost: 0, double: 0 });
  },
  WITH_A_DIAGNOSIS_MS
);
