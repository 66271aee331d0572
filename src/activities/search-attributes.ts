/**
 * Tags that become search attributes: those the namespace has a keyword attribute for. Naming one that it does not
 * have would block the sensor, so it is asked; without the right to ask, tags stay in the memo only.
 */
import type { Client } from '@temporalio/client';
import { listSearchAttributes } from '../client/search-attributes.js';
import { MAX_SEARCHABLE_TAG_LENGTH, MAX_SEARCHABLE_TAGS } from '../sensors/limits.js';
import type { LaunchRequest } from '../sensors/protocol.js';

const ASK_EVERY_MS = 60_000;
const DEADLINE_MS = 5_000;

export class SearchAttributes {
  private names: ReadonlySet<string> = new Set();
  private asking: Promise<void> | undefined;
  private askedAt = -Infinity;

  /**
   * These requests, with those of their tags that can be searched for. For requests that are about to start: what is
   * registered now may not be for long.
   */
  async mark(client: Client, requests: readonly LaunchRequest[]): Promise<readonly LaunchRequest[]> {
    if (requests.every(({ tags }) => tags === undefined)) return requests;
    const names = await this.registered(client);
    if (names.size === 0) return requests;
    return requests.map((request) => {
      const found = Object.entries(request.tags ?? {})
        .filter(([name, value]) => names.has(name) && value !== '' && value.length <= MAX_SEARCHABLE_TAG_LENGTH)
        .slice(0, MAX_SEARCHABLE_TAGS);
      return found.length === 0 ? request : { ...request, searchAttributes: Object.fromEntries(found) };
    });
  }

  private async registered(client: Client): Promise<ReadonlySet<string>> {
    if (performance.now() - this.askedAt >= ASK_EVERY_MS) this.asking ??= this.ask(client);
    await this.asking;
    return this.names;
  }

  private async ask(client: Client): Promise<void> {
    try {
      const attributes = await client.withDeadline(Date.now() + DEADLINE_MS, () => listSearchAttributes(client));
      this.names = new Set([...attributes].flatMap(([name, type]) => (type === 'Keyword' ? [name] : [])));
    } catch {
      // no right to ask, or no answer: what was known stays
    }
    this.askedAt = performance.now();
    this.asking = undefined;
  }
}
