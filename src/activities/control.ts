/** Small activities around the loop: checking a cursor, looking up who owns a workflow ID, health hooks. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/client';
import { checkCursor } from '../sensors/cursor.js';
import type { SensorDefinition } from '../sensors/define-sensor.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { cutText, type Json } from '../sensors/json.js';
import { MAX_TEXT_BYTES } from '../sensors/limits.js';
import { RUN_MEMO, type RunMemo } from '../sensors/protocol.js';
import type { SensorActivityDependencies } from './index.js';

const LOOKUPS_AT_ONCE = 20;

export function createControlActivities({ registry }: SensorActivityDependencies) {
  function definitionOf(sensor: string): SensorDefinition {
    const definition = registry.sensors.get(sensor);
    if (definition !== undefined) return definition;
    throw ApplicationFailure.create({
      message: `sensor '${sensor}' is not loaded by this worker`,
      type: FAILURE_TYPES.notLoaded,
    });
  }

  return {
    /** The cursor as it will be stored. Fails, with the schema's message, when it does not fit. */
    async checkCursor({ sensor, cursor }: { sensor: string; cursor: Json }): Promise<Json> {
      const definition = definitionOf(sensor);
      try {
        return checkCursor(definition, cursor);
      } catch (error) {
        throw ApplicationFailure.create({
          message: cutText((error as Error).message, MAX_TEXT_BYTES),
          type: FAILURE_TYPES.rejected,
          nonRetryable: true,
        });
      }
    },

    /** Of the given workflow IDs those that are not runs of this sensor, with what they are. */
    async findOwners({ sensor, ids }: { sensor: string; ids: readonly string[] }): Promise<Record<string, string>> {
      const { client } = Context.current();
      const foreign: Record<string, string> = {};
      for (let index = 0; index < ids.length; index += LOOKUPS_AT_ONCE) {
        Context.current().heartbeat();
        await Promise.all(
          ids.slice(index, index + LOOKUPS_AT_ONCE).map(async (id) => {
            try {
              const { memo, type } = await client.workflow.getHandle(id).describe();
              const owner = memo?.[RUN_MEMO] as RunMemo | undefined;
              if (owner?.sensor !== sensor) foreign[id] = `a workflow of type '${type}'`;
            } catch (error) {
              // deleted since it was refused: it was there, so it counts as a duplicate
              if (!(error instanceof WorkflowNotFoundError)) throw error;
            }
          })
        );
      }
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
      await definitionOf(sensor)[hook]?.({ sensor, error, failingSince: new Date(failingSince), client });
    },
  };
}
