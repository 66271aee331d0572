/** What an evaluation reads of dynamic partition sets, and what its tick changes. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { changePartitions, readPartitions } from '../client/partitions.js';
import { EvaluationError, FAILURE_TYPES } from '../sensors/errors.js';
import type { PartitionChange } from '../sensors/protocol.js';

/** Of one query. */
const DEADLINE_MS = 5_000;

export function createPartitionActivities() {
  return {
    /**
     * Changes sets as a tick decided. What a set refuses, it refuses for ever.
     *
     * @returns why, by the name of the set
     */
    async changePartitions({
      changes,
    }: {
      changes: readonly PartitionChange[];
    }): Promise<Readonly<Record<string, string>>> {
      const { client, info } = Context.current();
      const refused: Record<string, string> = {};
      for (const change of changes) {
        try {
          await changePartitions(client, change, info.taskQueue);
        } catch (error) {
          if (!(error instanceof ApplicationFailure) || error.type !== FAILURE_TYPES.rejected) throw error;
          refused[change.set] = error.message;
        }
      }
      return refused;
    },
  };
}

/** Keys by the name of their set, without the prefix. */
export async function readSets(
  names: readonly string[],
  prefix: string,
  alive: () => void
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { client } = Context.current();
  const sets = new Map<string, readonly string[]>();
  for (const name of names) {
    try {
      alive();
      // a set whose workers are gone answers no query
      const read = (): ReturnType<typeof readPartitions> => readPartitions(client, prefix + name);
      sets.set(name, await client.withDeadline(Date.now() + DEADLINE_MS, read));
    } catch (error) {
      throw new EvaluationError(`partition set '${name}' cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return sets;
}
