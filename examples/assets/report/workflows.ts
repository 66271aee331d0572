/** The job that makes the report of a city. It knows nobody who makes orders. */
import { proxyActivities } from '@temporalio/workflow';
import type { JobConfig } from 'temporal-sensors';
import { runInfo } from 'temporal-sensors/job';
import type * as activities from './activities.js';
import type * as jobs from './sensors.js';
export * from 'temporal-sensors/workflows';

const { writeReport } = proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

export async function makeReport(config: JobConfig<typeof jobs.makeReport>): Promise<string> {
  return await writeReport(runInfo()?.partitionKey ?? '', config);
}
