/**
 * Lists and describes workflows like the SDK does, except that a memo that cannot be decoded (another application's
 * codec) costs only that memo: one encrypted sensor must not hide all others.
 */
import {
  isGrpcServiceError,
  ServiceError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import { executionInfoFromRaw, rethrowKnownErrorTypes } from '@temporalio/client/lib/helpers.js';
import { decodeMapFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { isNotFound } from './not-found.js';

export type Execution = WorkflowExecutionInfo & {
  /** Why this client cannot decode the memo, if it cannot. */
  readonly unreadable?: Error;
};

/** What the server says of a workflow's last run, with what a list does not tell: its pending activities and tasks. */
export type Description = Omit<Execution, 'raw'> & Pick<WorkflowExecutionDescription, 'raw'>;

/** Loops have memos of up to some 20 KB, and gRPC-JS takes no answer above 4 MB unless it is told otherwise. */
export const LOOPS_PER_PAGE = 150;
/** A codec may ask a key server for each memo. */
const DECODED_AT_ONCE = 20;

/** The workflows of a visibility query, newest first. @param pageSize in one request. @default the server's, 1,000 */
export async function* listExecutions(client: Client, query: string, pageSize = 0): AsyncIterable<Execution> {
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await listPage(client, { query, pageSize, nextPageToken });
    for (let index = 0; index < page.executions.length; index += DECODED_AT_ONCE) {
      const some = page.executions.slice(index, index + DECODED_AT_ONCE);
      yield* await Promise.all(some.map(async (raw) => await executionOf(client, raw)));
    }
    ({ nextPageToken } = page);
  } while (nextPageToken.length > 0);
}

/** What the server says of one run, as a list would; nothing when it is gone. */
export async function describeRun(
  client: Client,
  run: { readonly workflowId: string; readonly runId: string }
): Promise<Execution | undefined> {
  const raw = await rawDescription(client, run);
  return raw === undefined ? undefined : await executionOf(client, raw.workflowExecutionInfo as RawExecution);
}

/** What the server says of a workflow's last run; nothing when there is none. */
export async function lookUpExecution(client: Client, workflowId: string): Promise<Description | undefined> {
  const raw = await rawDescription(client, { workflowId });
  if (raw === undefined) return undefined;
  return { ...(await executionOf(client, raw.workflowExecutionInfo as RawExecution)), raw };
}

/**
 * The same for those who decide by the memo.
 *
 * @throws what the client's data converter said of it
 */
export async function describeExecution(client: Client, workflowId: string): Promise<Description | undefined> {
  const execution = await lookUpExecution(client, workflowId);
  return execution === undefined ? undefined : withMemo(execution);
}

/**
 * The execution, when its memo could be decoded.
 *
 * @throws what the client's data converter said of it
 */
export function withMemo<E extends Pick<Execution, 'unreadable'>>(execution: E): E {
  if (execution.unreadable !== undefined) throw execution.unreadable;
  return execution;
}

/** Of the runs that each continued the one before. */
export function firstRunOf({ raw, runId }: Description): string {
  return raw.workflowExecutionInfo?.firstRunId || runId;
}

async function rawDescription(
  client: Client,
  execution: { readonly workflowId: string; readonly runId?: string }
): Promise<RawDescription | undefined> {
  const { namespace } = client.options;
  try {
    return await client.workflowService.describeWorkflowExecution({ namespace, execution });
  } catch (error) {
    const failed = serviceError(error, 'the workflow could not be described');
    if (isNotFound(failed.cause)) return undefined;
    throw failed;
  }
}

async function executionOf(client: Client, raw: RawExecution): Promise<Execution> {
  const { namespace, loadedDataConverter } = client.options;
  // the fields of a message may be on its prototype, so it cannot be spread
  const bare = Object.create(raw, { memo: { value: null } }) as typeof raw;
  const info = await executionInfoFromRaw(bare, loadedDataConverter, raw, namespace);
  const context = { type: 'workflow', namespace, workflowId: info.workflowId } as const;
  try {
    const memo = await decodeMapFromPayloads(loadedDataConverter, raw.memo?.fields, context);
    return { ...info, ...(memo === undefined ? {} : { memo }) };
  } catch (error) {
    return { ...info, unreadable: error as Error };
  }
}

type RawDescription = WorkflowExecutionDescription['raw'];
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
    throw serviceError(error, 'workflows could not be listed');
  }
}

/** @throws the SDK's own error where it has one, as for a namespace that does not exist */
function serviceError(error: unknown, message: string): ServiceError {
  if (isGrpcServiceError(error)) rethrowKnownErrorTypes(error);
  return new ServiceError(message, { cause: error as Error });
}
