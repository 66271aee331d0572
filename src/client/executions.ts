/**
 * Lists workflows like the SDK does, except that a memo that cannot be decoded (another application's codec) costs
 * only that memo: one encrypted sensor must not hide all others.
 */
import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { executionInfoFromRaw } from '@temporalio/client/lib/helpers.js';
import { decodeMapFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';

export type Execution = Omit<WorkflowExecutionInfo, 'raw'> & {
  /** The memo cannot be decoded by this client. */
  readonly unreadable: boolean;
};

/** The workflows of a visibility query, newest first. */
export async function* listExecutions(client: Client, query: string): AsyncIterable<Execution> {
  const { namespace, loadedDataConverter } = client.options;
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await client.workflowService.listWorkflowExecutions({ namespace, query, nextPageToken });
    for (const raw of page.executions) {
      // the fields of a message may be on its prototype, so it cannot be spread
      const bare = Object.create(raw, { memo: { value: null } }) as typeof raw;
      const info = await executionInfoFromRaw(bare, loadedDataConverter, raw, namespace);
      try {
        const memo = await decodeMapFromPayloads(loadedDataConverter, raw.memo?.fields);
        yield { ...info, ...(memo === undefined ? {} : { memo }), unreadable: false };
      } catch {
        yield { ...info, unreadable: true };
      }
    }
    ({ nextPageToken } = page);
  } while (nextPageToken.length > 0);
}
