import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { materialize, type JobConfig } from 'temporal-sensors';
import { SensorClient } from 'temporal-sensors/client';
import { orders as ordersAsset, report } from '../assets.js';
import { Counts, type makeReport } from './sensors.js';

type ReportConfig = JobConfig<typeof makeReport>;

/** Writes the report of a city, and says that it is there. */
export async function writeReport(city: string, { counts }: ReportConfig): Promise<string> {
  const { orders, cents } = counts ?? (await lastCounts(city));
  const file = resolve('outbox', `${city}.txt`);
  await mkdir('outbox', { recursive: true });
  await writeFile(file, `${city}: ${orders} orders, ${(cents / 100).toFixed(2)}\n`);
  await materialize(report, { partition: city, metadata: { file: { type: 'path', value: file } } });
  return file;
}

/** Those of the city's newest orders: who runs a backfill does not give them. */
async function lastCounts(city: string): Promise<NonNullable<ReportConfig['counts']>> {
  const sensors = new SensorClient(Context.current().client);
  // what was only observed need not say how many there are
  const events = await sensors.assetEvents(ordersAsset, { partition: city, limit: 20 });
  const newest = events.findLast(({ kind }) => kind === 'materialization');
  const counts = Counts.safeParse(newest?.metadata);
  // tried again it would be no better
  if (!counts.success) throw ApplicationFailure.nonRetryable(`no orders of ${city} are known`, 'NoOrders');
  return counts.data;
}
