/** The workflow module of the worker: the sensors' loop, and an ordinary workflow for each job. */
import { proxyActivities } from '@temporalio/workflow';
import type { JobConfig } from 'temporal-sensors';
import type * as activities from './activities.js';
import type * as jobs from './jobs.js';
export * from 'temporal-sensors/workflows';

const { reportOrders } = proxyActivities<typeof activities>({
  startToCloseTimeout: '10 minutes',
  // the activity heartbeats as it reads, so a dead worker is noticed long before the ten minutes are over
  heartbeatTimeout: '30 seconds',
  // a full disk is tried again until somebody makes room; a malformed file is not, the activity says so itself
  retry: { maximumInterval: '1 minute' },
});

/** One run for each content of each file. Fails when the file is malformed, has changed or is gone. */
export async function processOrders(config: JobConfig<typeof jobs.processOrders>): Promise<activities.OrdersSummary> {
  return await reportOrders(config);
}
