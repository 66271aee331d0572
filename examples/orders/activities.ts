/**
 * What the job does outside Temporal: reads a file of orders and writes a report.
 *
 * What is hashed is what is reported, in one reading: a file that was replaced after the sensor saw it fails the run
 * and is not reported under the wrong key. The report appears whole or not at all, so the activity may be repeated.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { JobConfig } from 'temporal-sensors';
import { hashFile } from './hash-file.js';
import type * as jobs from './jobs.js';
import { MalformedFileError, readOrders, type OrderTotals } from './read-orders.js';

type Config = JobConfig<typeof jobs.processOrders>;

/** The result of a run. The customers are in the report only: results have to be small. */
export interface OrdersSummary {
  readonly report: string;
  readonly orders: number;
  readonly customers: number;
  readonly totalCents: number;
}

/**
 * Checks a file, adds up its orders and writes `<outbox>/<file name>.json`.
 *
 * @throws a non-retryable `ApplicationFailure` when the file is malformed, has changed or is gone
 */
export async function reportOrders({ path, sha256, outbox }: Config): Promise<OrdersSummary> {
  const file = basename(path);
  const totals = await readAsRequested(path, sha256);
  const report = join(outbox, `${file}.json`);
  await mkdir(outbox, { recursive: true });
  await writeWhole(report, `${JSON.stringify({ file, sha256, ...totals }, undefined, 2)}\n`);
  const { orders, customers, totalCents } = totals;
  return { report, orders, customers: customers.length, totalCents };
}

async function readAsRequested(path: string, sha256: string): Promise<OrderTotals> {
  const { cancellationSignal: signal } = Context.current();
  const file = basename(path);
  const hash = createHash('sha256');
  async function* content(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
      Context.current().heartbeat();
      hash.update(chunk);
      yield chunk;
    }
  }
  try {
    const totals = await readOrders(content(), file);
    if (hash.digest('hex') === sha256) return totals;
  } catch (error) {
    if (isMissing(error)) {
      throw failure('FileGone', `${path} is gone. Put it back and reset this run in Temporal Web, or forget about it.`);
    }
    if (!(error instanceof MalformedFileError)) throw error;
    // something else may be malformed only because it is half-way through being replaced
    if ((await hashFile(path, signal)) === sha256) throw failure('MalformedFile', error.message);
  }
  throw failure(
    'FileChanged',
    `${path} was replaced before this run read it: expected the content with SHA-256 ${sha256}. ` +
      `The new content has a run of its own.`
  );
}

/** Under its name the file is either the old one or the new one, never half of it. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, text, { flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function failure(type: string, message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
