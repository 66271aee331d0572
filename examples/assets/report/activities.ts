import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { materialize, type JobConfig } from 'temporal-sensors';
import { report } from '../assets.js';
import type { makeReport } from './sensors.js';

/** Writes the report of a city, and says that it is there. */
export async function writeReport(city: string, { orders, cents }: JobConfig<typeof makeReport>): Promise<string> {
  const file = resolve('outbox', `${city}.txt`);
  await mkdir('outbox', { recursive: true });
  await writeFile(file, `${city}: ${orders} orders, ${(cents / 100).toFixed(2)}\n`);
  await materialize(report, { partition: city, metadata: { file: { type: 'path', value: file } } });
  return file;
}
