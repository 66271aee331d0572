/** The loop's pages: sealing run keys, staging the requests of a big tick, and letting go of both. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { inBatches } from '../client/batches.js';
import { PageMissingError, readPage, releasePages, writePage } from '../client/pages.js';
import { FAILURE_TYPES } from '../sensors/errors.js';
import { splitByBytes } from '../sensors/json.js';
import type { KeyPage, Seal } from '../sensors/key-ledger.js';
import { MAX_BATCH_BYTES, MAX_BATCH_REQUESTS } from '../sensors/limits.js';
import { PENDING_PAGES, type LaunchRequest, type RequestPage } from '../sensors/protocol.js';
import { packSeal } from './known-keys.js';
import type { SearchAttributes } from './search-attributes.js';

/**
 * How long the requests of a tick may wait in their pages. An evaluation that dies after staging leaves its pages
 * behind, and this removes them; a tick that was committed must outlive any outage of the workers.
 */
const STAGED_FOR = '30 days';
const WRITES_AT_ONCE = 4;

export function createPageActivities(searchAttributes: SearchAttributes) {
  return {
    /** Writes a segment of the ledger, and the pages it takes over, as one page. */
    async sealKeys({ sensor, seal }: { sensor: string; seal: Seal }): Promise<KeyPage> {
      const { client, info } = Context.current();
      const contents: string[] = [];
      for (const { id } of seal.merge) {
        Context.current().heartbeat();
        contents.push(await contentOf<string>(id));
      }
      const { content, page } = packSeal(seal, contents);
      const id = await writePage(client, { sensor, kind: 'keys', content, taskQueue: info.taskQueue, memo: page });
      return { id, ...page };
    },

    /** The requests of a staged page. */
    async readRequests({ id }: { id: string }): Promise<readonly LaunchRequest[]> {
      const { client } = Context.current();
      return await searchAttributes.mark(client, await contentOf<readonly LaunchRequest[]>(id));
    },

    /** Copies staged pages that a stop holds back to pages that do not expire. */
    async keepRequests({
      sensor,
      pages,
    }: {
      sensor: string;
      pages: readonly RequestPage[];
    }): Promise<readonly RequestPage[]> {
      const { client, info } = Context.current();
      const kept: RequestPage[] = [];
      for (const page of pages) {
        try {
          const content = await readPage(client, page.id);
          const id = await writePage(client, { sensor, kind: PENDING_PAGES, content, taskQueue: info.taskQueue });
          kept.push({ id, requests: page.requests });
        } catch (error) {
          // the launch will miss it, and say so
          if (!(error instanceof PageMissingError)) throw error;
          kept.push(page);
        }
      }
      return kept;
    },

    async releasePages({ ids }: { ids: readonly string[] }): Promise<void> {
      await releasePages(Context.current().client, ids, 'no longer needed');
    },
  };
}

/** Splits requests into what one payload holds, and writes each part as a page. Gives nothing when one is enough. */
export async function stageRequests(
  sensor: string,
  nonce: string,
  requests: readonly LaunchRequest[],
  alive: () => void
): Promise<readonly RequestPage[]> {
  const parts = splitByBytes(requests, MAX_BATCH_BYTES, MAX_BATCH_REQUESTS);
  if (parts.length <= 1) return [];
  const { client, info } = Context.current();
  const pages: RequestPage[] = [];
  await inBatches([...parts.entries()], WRITES_AT_ONCE, async ([index, content]) => {
    alive();
    const id = await writePage(client, {
      sensor,
      kind: `tick-${nonce}`,
      content,
      taskQueue: info.taskQueue,
      expiresAfter: STAGED_FOR,
    });
    pages[index] = { id, requests: content.length };
  });
  return pages;
}

/** What a page holds. @throws `ApplicationFailure`, not retryable, when it is gone */
export async function contentOf<T>(id: string): Promise<T> {
  try {
    return (await readPage(Context.current().client, id)) as T;
  } catch (error) {
    if (!(error instanceof PageMissingError)) throw error;
    throw ApplicationFailure.create({ message: error.message, type: FAILURE_TYPES.pageMissing, nonRetryable: true });
  }
}
