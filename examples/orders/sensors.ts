/**
 * Watches a folder for files of orders.
 *
 * A run key is the file's name and a hash of its content: the same content under the same name runs once, however
 * often it is copied there, and changed content runs again. The run keys alone make that sure. The cursor, which is
 * what the folder held, only saves asking for the same runs at every tick; it is stored together with the requests,
 * so no file is ever taken for seen without its run.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineSensor, type SensorDefinition } from 'temporal-sensors';
import { z } from 'zod';
import { FileHashes } from './hash-file.js';
import { processOrders } from './jobs.js';

/** Files in the cursor, 20 bytes each of the 64 KB that it may have. For files beyond it the run keys work alone. */
const MAX_SEEN = 2_000;

export interface OrdersSensorOptions {
  /** Where files arrive; relative to where the worker was started. */
  readonly inbox: string;
  /** Where reports go. */
  readonly outbox: string;
}

/** The sensor `orders`: one run of `processOrders` for each content of each `*.csv` file in the inbox. */
export function ordersSensor({ inbox, outbox }: OrdersSensorOptions): SensorDefinition {
  const hashes = new FileHashes();

  return defineSensor({
    name: 'orders',
    description: `Reports the orders in ${inbox} to ${outbox}`,
    job: processOrders,
    interval: '2s',
    // the first look at a full folder reads all of it
    timeout: '10m',
    defaultStatus: 'running',
    cursor: z.object({ seen: z.array(z.string()) }).default({ seen: [] }),
    async evaluate(ctx) {
      const names = await listCsv(inbox);
      if (names === undefined) return ctx.skip(`${inbox} does not exist`);
      hashes.keepOnly(new Set(names.map((name) => resolve(inbox, name))));

      const files: OrdersFile[] = [];
      const unreadable: string[] = [];
      let settling = 0;
      for (const name of names) {
        const path = resolve(inbox, name);
        try {
          const sha256 = await hashes.of(path, ctx.signal);
          if (sha256 === 'settling') settling++;
          else if (sha256 !== undefined) files.push(new OrdersFile(name, path, sha256));
        } catch (error) {
          // one file that cannot be read does not hold up the others
          ctx.signal.throwIfAborted();
          unreadable.push(`, cannot read ${name}: ${(error as Error).message}`);
        }
      }

      const seen = new Set(ctx.cursor.seen);
      const fresh = files.filter(({ mark }) => !seen.has(mark));
      if (fresh.length === 0) {
        const written = settling === 0 ? '' : `, ${settling} being written`;
        return ctx.skip(`no new files in ${inbox} (${files.length} known${written}${unreadable.join('')})`);
      }
      ctx.setCursor({ seen: files.slice(0, MAX_SEEN).map(({ mark }) => mark) });
      return fresh.map(({ path, sha256, name, runKey }) =>
        ctx.run({ runKey, config: { path, sha256, outbox: resolve(outbox) }, tags: { file: name } })
      );
    },
  });
}

class OrdersFile {
  readonly runKey: string;
  /** Stands for the run key in the cursor. */
  readonly mark: string;
  constructor(
    readonly name: string,
    readonly path: string,
    readonly sha256: string
  ) {
    this.runKey = `${name}:${sha256.slice(0, 16)}`;
    this.mark = createHash('sha256').update(this.runKey).digest('hex').slice(0, 16);
  }
}

/** The names of the CSV files, sorted; hidden ones are other programs' temporary files. */
async function listCsv(folder: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(folder)).filter((name) => /^[^.].*\.csv$/is.test(name)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
