/** The job that makes the orders of a city. It knows nobody who waits for them. */
import { proxyActivities } from '@temporalio/workflow';
import type { JobConfig } from 'temporal-sensors';
import { materialize, runInfo } from 'temporal-sensors/job';
import type * as activities from './activities.js';
import type * as jobs from './sensors.js';
export * from 'temporal-sensors/workflows';

const { countOrders } = proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

export async function loadOrders({ path }: JobConfig<typeof jobs.loadOrders>): Promise<void> {
  const counted = await countOrders(path);
  const { partitionKey: partition = '' } = runInfo() ?? {};
  await materialize('sales/orders', { partition, metadata: { ...counted, file: { type: 'path', value: path } } });
}
