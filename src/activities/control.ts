/** Small activities around the loop: checking a cursor, looking up who owns a workflow ID, health hooks. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { inBatches } from '../client/batches.js';
import { checkCursor } from '../sensors/cursor.js';
import { describeError } from '../sensors/describe-error.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { rejected } from '../sensors/failures.js';
import type { Json } from '../sensors/json.js';
import { RUN_MEMO, type RunMemo } from '../sensors/protocol.js';
import { definitionOf } from './definition.js';
import { earlierName } from '../sensors/registry.js';
import type { SensorActivityDependencies } from './index.js';

const LOOKUPS_AT_ONCE = 20;

export function createControlActivities({ registry }: SensorActivityDependencies) {
  return {
    /** The cursor as it will be stored. Fails, with the schema's message, when it does not fit. */
    async checkCursor({ sensor, cursor }: { sensor: string; cursor: Json }): Promise<Json> {
      const definition = definitionOf(registry, sensor);
      try {
        return checkCursor(definition, cursor);
      } catch (error) {
        throw rejected(describeError(error, `the cursor's schema`));
      }
    },

    /** Of the given workflow IDs those that are not runs of this sensor, with what they are. */
    async findOwners({ sensor, ids }: { sensor: string; ids: readonly string[] }): Promise<Record<string, string>> {
      const { client } = Context.current();
      const definition = registry.sensors.get(sensor);
      const names = new Set([sensor, definition === undefined ? undefined : earlierName(sensor, definition)]);
      const foreign: Record<string, string> = {};
      await inBatches(ids, LOOKUPS_AT_ONCE, async (id) => {
        try {
          const { memo, type } = await client.workflow.getHandle(id).describe();
          const owner = memo?.[RUN_MEMO] as RunMemo | undefined;
          if (owner?.sensor === undefined || !names.has(owner.sensor)) foreign[id] = `a workflow of type '${type}'`;
        } catch (error) {
          // deleted since it was refused: it was there, so it counts as a duplicate
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        }
      });
      return foreign;
    },

    /** Calls the author's `onFailure` or `onRecovered`. */
    async callHealthHook({
      sensor,
      hook,
      error,
      failingSince,
    }: {
      sensor: string;
      hook: 'onFailure' | 'onRecovered';
      error: string;
      failingSince: number;
    }): Promise<void> {
      const { client } = Context.current();
      try {
        await definitionOf(registry, sensor)[hook]?.({ sensor, error, failingSince: new Date(failingSince), client });
      } catch (thrown) {
        throw ApplicationFailure.create({ message: describeError(thrown, hook), type: FAILURE_TYPES.failed });
      }
    },
  };
}
