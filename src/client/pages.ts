/**
 * Pages: immutable payloads kept durably inside Temporal, with nothing else to run.
 *
 * A page is a workflow whose input is the payload. Its start is delayed by 100 years, so it never runs, and it is read
 * from event 1 of its history: no worker is needed, and a codec of the client is honoured. Its ID contains the
 * content's hash, so that a repeated write finds its own page. A page that is no longer needed is terminated: Temporal
 * keeps it readable for the namespace's retention (a reset to an earlier point still finds it) and then removes it.
 */
import type { Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { Duration } from '@temporalio/common';
import { inBatches } from './batches.js';
import { isNotFound } from './not-found.js';
import { PAGE_ID_PREFIX, PAGE_MEMO, PAGE_TYPE, type PageMemo } from '../sensors/protocol.js';
import { shortHash } from '../sensors/short-hash.js';

const NEVER = '36500 days';
const AT_ONCE = 20;

/** A page that is not there: deleted by somebody, or past its time. Waiting does not bring it back. */
export class PageMissingError extends Error {
  override readonly name = 'PageMissingError';
  constructor(readonly id: string) {
    super(`page '${id}' is not on the server: somebody deleted it, or it expired`);
  }
}

export interface NewPage {
  readonly sensor: string;
  /** What it belongs to, such as `keys`; part of its ID. */
  readonly kind: string;
  readonly content: unknown;
  readonly taskQueue: string;
  /** Kept with the page, for those who list pages. */
  readonly memo?: Omit<PageMemo, 'sensor' | 'kind'>;
  /** It removes itself after this time. @default never */
  readonly expiresAfter?: Duration;
}

/** Writes a page and gives its ID; one that is there already is left as it is. */
export async function writePage(client: Client, page: NewPage): Promise<string> {
  const { sensor, kind, content, taskQueue, memo, expiresAfter } = page;
  const hash = shortHash(JSON.stringify(content));
  const workflowId = `${PAGE_ID_PREFIX}${sensor}/${kind}/${hash}`;
  const pageMemo: PageMemo = { sensor, kind, ...memo };
  await client.workflow.start(PAGE_TYPE, {
    workflowId,
    taskQueue,
    args: [content],
    startDelay: NEVER,
    memo: { [PAGE_MEMO]: pageMemo },
    workflowIdConflictPolicy: 'USE_EXISTING',
    staticSummary: `${kind} of sensor ${sensor}; holds data, never runs`,
    ...(expiresAfter === undefined ? {} : { workflowExecutionTimeout: expiresAfter }),
  });
  return workflowId;
}

/**
 * The content of a page, also of a terminated one within retention.
 *
 * @throws {@link PageMissingError}
 */
export async function readPage(client: Client, id: string): Promise<unknown> {
  try {
    const [content] = await readInput(client, { workflowId: id });
    return content;
  } catch (error) {
    if (isNotFound(error)) throw new PageMissingError(id);
    throw error;
  }
}

/** What a workflow was started with: event 1 of its history. */
export async function readInput(
  client: Client,
  execution: { readonly workflowId: string; readonly runId?: string }
): Promise<unknown[]> {
  const { namespace, loadedDataConverter } = client.options;
  const request = { namespace, execution, maximumPageSize: 1 };
  const { history } = await client.workflowService.getWorkflowExecutionHistory(request);
  const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
  return await decodeArrayFromPayloads(loadedDataConverter, started?.input?.payloads);
}

/** Pages that are no longer needed; those that are gone already do not matter. */
export async function releasePages(client: Client, ids: readonly string[], reason: string): Promise<void> {
  await inBatches(ids, AT_ONCE, async (id) => {
    try {
      await client.workflow.getHandle(id).terminate(reason);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  });
}
