/**
 * Lists workflows like the SDK does, except that a memo that cannot be decoded (another application's codec) costs
 * only that memo: one encrypted sensor must not hide all others.
 */
import {
  ServiceError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import { executionInfoFromRaw, rethrowKnownErrorTypes } from '@temporalio/client/lib/helpers.js';
import { decodeMapFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { isNotFound } from './not-found.js';

export type Execution = WorkflowExecutionInfo & {
  /** The memo cannot be decoded by this client. */
  readonly unreadable: boolean;
};

/** The workflows of a visibility query, newest first. @param pageSize in one request. @default the server's, 1,000 */
export async function* listExecutions(client: Client, query: string, pageSize = 0): AsyncIterable<Execution> {
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await listPage(client, { query, pageSize, nextPageToken });
    for (const raw of page.executions) yield await executionOf(client, raw);
    ({ nextPageToken } = page);
  } while (nextPageToken.length > 0);
}

/** What the server says of one run, as a list would; nothing when it is gone. */
export async function describeRun(
  client: Client,
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string }
): Promise<Execution | undefined> {
  const { namespace } = client.options;
  try {
    const { workflowExecutionInfo } = await client.workflowService.describeWorkflowExecution({
      namespace,
      execution: { workflowId, runId },
    });
    return await executionOf(client, workflowExecutionInfo as RawExecution);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function executionOf(client: Client, raw: RawExecution): Promise<Execution> {
  const { namespace, loadedDataConverter } = client.options;
  // the fields of a message may be on its prototype, so it cannot be spread
  const bare = Object.create(raw, { memo: { value: null } }) as typeof raw;
  const info = await executionInfoFromRaw(bare, loadedDataConverter, raw, namespace);
  try {
    const memo = await decodeMapFromPayloads(loadedDataConverter, raw.memo?.fields);
    return { ...info, ...(memo === undefined ? {} : { memo }), unreadable: false };
  } catch {
    return { ...info, unreadable: true };
  }
}

/** What the server says of a workflow's last run; nothing when there is none. */
export async function describeExecution(
  client: Client,
  workflowId: string
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

type Page = Awaited<ReturnType<Client['workflowService']['listWorkflowExecutions']>>;
type RawExecution = Page['executions'][number];

/** Errors are the SDK's own, as from `client.workflow.list`. */
async function listPage(
  client: Client,
  request: { readonly query: string; readonly pageSize: number; readonly nextPageToken: Uint8Array }
): Promise<Page> {
  const { namespace } = client.options;
  try {
    return await client.workflowService.listWorkflowExecutions({ namespace, ...request });
  } catch (error) {
    rethrowKnownErrorTypes(error as Parameters<typeof rethrowKnownErrorTypes>[0]);
    throw new ServiceError('workflows could not be listed', { cause: error as Error });
  }
}
