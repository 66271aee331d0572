/** Sealed run keys outlive the loop's own history: a sensor that comes back after retention finds them here. */
import type { Client } from '@temporalio/client';
import { inBatches } from './batches.js';
import { listExecutions } from './executions.js';
import { isNotFound } from './not-found.js';
import type { KeyPage } from '../sensors/key-ledger.js';
import { PAGE_MEMO, PAGE_TYPE, type PageMemo } from '../sensors/protocol.js';

/** Of these pages those that are there: visibility may still list one that was just removed. */
export async function openPages(client: Client, pages: readonly KeyPage[]): Promise<readonly KeyPage[]> {
  const open = new Set<string>();
  await inBatches(pages, 20, async ({ id }) => {
    try {
      const { status } = await client.workflow.getHandle(id).describe();
      if (status.name === 'RUNNING') open.add(id);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  });
  return pages.filter(({ id }) => open.has(id));
}

/** The sealed pages of every sensor on the namespace. */
export async function findLedgerPages(client: Client): Promise<ReadonlyMap<string, readonly KeyPage[]>> {
  const found = new Map<string, KeyPage[]>();
  const query = `WorkflowType = '${PAGE_TYPE}' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId, memo } of listExecutions(client, query)) {
    const { sensor, kind, keys, since, until } = (memo?.[PAGE_MEMO] ?? {}) as Partial<PageMemo>;
    if (sensor === undefined || kind !== 'keys' || keys === undefined) continue;
    const page: KeyPage = { id: workflowId, keys, since: since ?? 0, until: until ?? Date.now() };
    found.set(sensor, [...(found.get(sensor) ?? []), page]);
  }
  return found;
}
