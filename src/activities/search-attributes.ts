/**
 * Tags that become search attributes: those the namespace has a keyword attribute for. Naming one that it does not
 * have would block the sensor, so it is asked; without the right to ask, tags stay in the memo only.
 */
import type { Client } from '@temporalio/client';
import { utf8Bytes } from '../sensors/json.js';
import { MAX_SEARCHABLE_TAG_BYTES, MAX_SEARCHABLE_TAGS } from '../sensors/limits.js';
import type { LaunchRequest } from '../sensors/protocol.js';

const ASK_EVERY_MS = 60_000;
/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API. */
const KEYWORD = 2;

export class SearchAttributes {
  private names: ReadonlySet<string> = new Set();
  private askedAt = -Infinity;

  /** These requests, with those of their tags that can be searched for. */
  async mark(client: Client, requests: readonly LaunchRequest[]): Promise<readonly LaunchRequest[]> {
    if (requests.every(({ tags }) => tags === undefined)) return requests;
    const names = await this.registered(client);
    if (names.size === 0) return requests;
    return requests.map((request) => {
      const found = Object.entries(request.tags ?? {})
        .filter(([name, value]) => names.has(name) && value !== '' && utf8Bytes(value) <= MAX_SEARCHABLE_TAG_BYTES)
        .slice(0, MAX_SEARCHABLE_TAGS);
      return found.length === 0 ? request : { ...request, searchAttributes: Object.fromEntries(found) };
    });
  }

  private async registered(client: Client): Promise<ReadonlySet<string>> {
    if (performance.now() - this.askedAt < ASK_EVERY_MS) return this.names;
    this.askedAt = performance.now();
    try {
      const { namespace } = client.options;
      const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace });
      const keywords = Object.entries(customAttributes ?? {}).filter(([, type]) => type === KEYWORD);
      this.names = new Set(keywords.map(([name]) => name));
    } catch {
      this.names = new Set();
    }
    return this.names;
  }
}
