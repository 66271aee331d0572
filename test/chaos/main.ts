/**
 * `npm run chaos -- [--seed n]`: kills workers and the server while sensors look at a world, and counts the runs.
 *
 * Ends with `seed n: R requests, R runs, 0 lost, 0 double`, or with exit code 1 and a line for each thing that is
 * wrong. The seed repeats the world, the kills and what operators do.
 */
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { Command, InvalidArgumentError } from 'commander';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTemporalBinary } from '../../src/cli/temporal-binary.js';
import { describeProblem, runChaos } from './chaos.js';
import { MAX_SENSORS } from './world.js';

const { seed, requests, sensors } = new Command('chaos')
  .option('--seed <n>', 'repeats an earlier run', wholeNumber, Date.now() % 1_000_000)
  .option('--requests <n>', 'how many runs there should be in the end', wholeNumber, 2_000)
  .option('--sensors <n>', `at most ${MAX_SENSORS}`, wholeNumber, MAX_SENSORS)
  .parse()
  .opts<{ seed: number; requests: number; sensors: number }>();

console.log(`seed ${seed}`);
const folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-'));
try {
  const bundlePath = join(folder, 'workflows.js');
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../support/workflows.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  await writeFile(bundlePath, code);
  const { problems, logs, ...report } = await runChaos({
    seed,
    sizes: {
      sensors,
      requests,
      worldMs: 30_000,
      workers: 3,
      workerKills: 10,
      serverKills: 4,
      logKills: 2,
      operations: 60,
      mischiefMs: 36_000,
      calmMs: 300_000,
    },
    binary: await findTemporalBinary({ log: (line) => console.log(line) }),
    bundlePath,
    log: (line) => console.log(line),
  });
  for (const problem of problems) console.log(describeProblem(problem));
  if (logs !== undefined) console.log(`logs and database: ${logs}`);
  console.log(
    `seed ${seed}: ${report.requests} requests, ${report.runs} runs, ${report.lost} lost, ${report.double} double`
  );
  process.exitCode = problems.length > 0 ? 1 : 0;
} finally {
  await rm(folder, { recursive: true, force: true });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('accepted: a whole number from 1');
  return value;
}
