/**
 * A dynamic partition set: a workflow that holds its keys. Changed by updates, each of which may be repeated without
 * harm; read by query, also when it is closed (whoever changes it next starts it again with what it held).
 */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineUpdate,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import { rejected } from '../sensors/failures.js';
import { jsonBytes } from '../sensors/json.js';
import { MAX_HISTORY_EVENTS, MAX_PARTITION_SET_BYTES } from '../sensors/limits.js';
import { PARTITION_KEYS_QUERY, PARTITIONS_UPDATE, type PartitionChange } from '../sensors/protocol.js';
import { parseTexts } from './parse.js';
import { versioning } from './versioning.js';

/** Started by the first change of the set, never by hand. */
export async function sensorPartitions(initial: unknown): Promise<void> {
  let keys = new Set(parseTexts(initial));

  function change(input: unknown): number {
    const { add, delete: gone } = (input ?? {}) as Partial<PartitionChange>;
    const next = new Set(keys);
    for (const key of parseTexts(gone)) next.delete(key);
    for (const key of parseTexts(add)) next.add(key);
    const bytes = jsonBytes([...next]);
    if (bytes > MAX_PARTITION_SET_BYTES) {
      throw rejected(
        `the partition set would have ${next.size} keys of ${bytes} bytes; at most ${MAX_PARTITION_SET_BYTES} (512 KB): delete some first`
      );
    }
    keys = next;
    return keys.size;
  }

  setHandler(defineUpdate<number, [unknown?]>(PARTITIONS_UPDATE), change, {
    description: 'Changes the keys: { "add": [...], "delete": [...] }. Gives their number.',
  });
  setHandler(defineQuery<readonly string[]>(PARTITION_KEYS_QUERY), () => [...keys]);
  await condition(() => {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return (continueAsNewSuggested || historyLength > MAX_HISTORY_EVENTS) && allHandlersFinished();
  });
  await continueAsNew<typeof sensorPartitions>([...keys]);
}
setWorkflowOptions(versioning, sensorPartitions);
