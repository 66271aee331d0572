/** Pages that were read, kept in memory: they never change. The least recently used go first. */
import type { Client } from '@temporalio/client';
import { jsonBytes } from '../sensors/json.js';
import { readPage } from './pages.js';

const MAX_BYTES = 32 * 1024 * 1024;

interface Cached {
  readonly content: unknown;
  readonly bytes: number;
}

export class PageCache {
  readonly #cached = new Map<string, Cached>();
  #bytes = 0;

  /**
   * The content of a page.
   *
   * @throws PageMissingError
   */
  async read(client: Client, id: string): Promise<unknown> {
    const key = `${client.options.namespace} ${id}`;
    const known = this.#cached.get(key);
    if (known !== undefined) {
      this.#cached.delete(key);
      this.#cached.set(key, known);
      return known.content;
    }
    const content = await readPage(client, id);
    this.#add(key, { content, bytes: jsonBytes(content) });
    return content;
  }

  #add(key: string, page: Cached): void {
    // another reader may have been faster
    this.#bytes += page.bytes - (this.#cached.get(key)?.bytes ?? 0);
    this.#cached.set(key, page);
    for (const [oldest, { bytes }] of this.#cached) {
      if (this.#bytes <= MAX_BYTES || oldest === key) break;
      this.#cached.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}
