/** Removing what may be thousands of workflows. */
import { ReadOnlyError } from '../../client/index.js';
import { explainError } from '../errors.js';
import { EXIT } from '../exit-codes.js';
import type { Output } from '../output.js';
import { withProgress } from '../progress.js';

/** Shows how far it is. It may be thousands of calls, so each of them has the deadline, and not all together. */
export async function removing<T>(output: Output, remove: (onRemoved: (of: number) => void) => Promise<T>): Promise<T> {
  return await withProgress(output, 'workflows', async (onRemoved) => {
    try {
      return await remove(onRemoved);
    } catch (error) {
      const nothing = error instanceof ReadOnlyError || explainError(error, undefined).exitCode === EXIT.noSuchSensor;
      if (!nothing) output.note(`It was not finished; what is gone is gone. To go on, run the same command again.`);
      throw error;
    }
  });
}
