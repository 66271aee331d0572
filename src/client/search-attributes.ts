/**
 * Search attributes of the namespace. Runs carry their tags as keywords where an attribute has the tag's name; nothing
 * depends on it.
 */
import type { Client } from '@temporalio/client';
import { listExecutions } from './executions.js';
import { LOOP_ID_PREFIX, RUN_MEMO, type RunMemo } from '../sensors/protocol.js';
import { quoted } from './query.js';

/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;
/** `IndexedValueType` of Temporal's API, by number. */
const TYPES = ['Unspecified', 'Text', 'Keyword', 'Int', 'Double', 'Bool', 'Datetime', 'KeywordList'];
/** How many of the newest runs are looked at for their tags. */
const RUNS_LOOKED_AT = 1_000;

/** Temporal's name of each custom attribute's type, such as `Keyword`, by the attribute's name. */
export async function listSearchAttributes(client: Client): Promise<ReadonlyMap<string, string>> {
  const { namespace } = client.options;
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
  return new Map(Object.entries(customAttributes ?? {}).map(([name, type]) => [name, TYPES[type] ?? String(type)]));
}

/** Registers a keyword; one that is registered as such stays as it is. */
export async function addKeyword(client: Client, name: string): Promise<void> {
  const { namespace } = client.options;
  await client.connection.operatorService.addSearchAttributes({ namespace, searchAttributes: { [name]: KEYWORD } });
}

/** Names of the tags that the newest 1,000 runs of sensors carry, in order. */
export async function tagsInUse(client: Client): Promise<readonly string[]> {
  const names = new Set<string>();
  let looked = 0;
  const query = `ParentWorkflowId STARTS_WITH ${quoted(LOOP_ID_PREFIX)}`;
  for await (const { memo } of listExecutions(client, query, RUNS_LOOKED_AT)) {
    const { tags = {} } = (memo?.[RUN_MEMO] as RunMemo | undefined) ?? {};
    for (const name of Object.keys(tags)) names.add(name);
    if (++looked >= RUNS_LOOKED_AT) break;
  }
  return [...names].sort();
}
