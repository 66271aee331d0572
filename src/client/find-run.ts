/** The run of a key, by its workflow ID. */
import type { Client } from '@temporalio/client';
import type { LoopState } from '../sensors/protocol.js';
import { epochOf } from '../sensors/key-ledger.js';
import { keyedRunId, runKeyHash, type KeyedRun } from '../sensors/run-key.js';
import { describeExecution } from './executions.js';
import { runOf, type SensorRun } from './list-runs.js';
import { runMemoOf } from './read-run.js';

interface SoughtKey {
  /** Of its job, the present one first. */
  readonly names: readonly string[];
  readonly runKey: string;
  readonly state: LoopState;
  /** Epoch to begin with. @default that of the key */
  readonly newest?: number;
}

/** The newest run of a key that Temporal still knows, and that this sensor started, whatever it and its job were called. */
export async function findRun(
  client: Client,
  sensors: readonly string[],
  { names, runKey, state, newest }: SoughtKey
): Promise<SensorRun | undefined> {
  for (const job of names) {
    for (let epoch = newest ?? epochOf(state, runKeyHash(job, runKey)); epoch >= 1; epoch--) {
      for (const id of sensors.flatMap((sensor) => keyedIds({ sensor, job, runKey, epoch }))) {
        const execution = await describeExecution(client, id);
        const owner = runMemoOf(execution?.memo ?? {})?.sensor;
        if (execution !== undefined && owner !== undefined && sensors.includes(owner)) return runOf(execution);
      }
    }
  }
  return undefined;
}

/** In each form: which one the author chose is not known here. */
export function keyedIds(run: Omit<KeyedRun, 'form'>): readonly string[] {
  return [...new Set((['readable', 'hashed'] as const).map((form) => keyedRunId({ ...run, form })))];
}
