/** The jobs as workflows, and the sensors' loop. Of the other files it takes the types only. */
import { log, proxyActivities } from '@temporalio/workflow';
import type { JobConfig } from 'temporal-sensors';
import { materialize, runInfo } from 'temporal-sensors/job';
import type * as assets from './assets.js';
import type * as backlog from './backlog.js';
import type * as customers from './bucket.js';
import type * as conditional from './conditional.js';
import type * as directory from './directory.js';
import type { processVersion as versionJob } from './external-system.js';
import type * as lateItems from './late-items.js';
import type * as observable from './observable.js';
import type * as outage from './outage.js';
import type * as records from './records.js';
import type * as runStatus from './run-status.js';
import type * as session from './session.js';
import type * as streams from './streams.js';
export * from 'temporal-sensors/workflows';

const { countLines } = proxyActivities<typeof customers.activities>({ startToCloseTimeout: '10 minutes' });

export async function logFile({ filename }: JobConfig<typeof directory.logFile>): Promise<void> {
  log.info(`file ${filename}`);
}

export async function processCustomers({ bucket, key }: JobConfig<typeof customers.processCustomers>): Promise<number> {
  return await countLines(bucket, key);
}

export async function processVersion({ version }: JobConfig<typeof versionJob>): Promise<void> {
  log.info(`version ${version}`);
}

export async function archiveFile({ filename }: JobConfig<typeof runStatus.archiveFile>): Promise<void> {
  log.info(`file ${filename} can be archived`);
}

export async function tidyUp(): Promise<void> {
  log.info('tidying up');
}

export async function refreshOrders(): Promise<void> {
  log.info(`orders of version ${runInfo()?.runKey}`);
}

export async function refreshCustomers(): Promise<void> {
  log.info(`customers of version ${runInfo()?.runKey}`);
}

export async function processTables(): Promise<void> {
  const { assets = ['processed_orders', 'processed_customers'], runKey = '' } = runInfo() ?? {};
  for (const asset of assets) await materialize(asset, { metadata: { version: runKey } });
}

export async function readMaterialization({ assetKey }: JobConfig<typeof assets.readMaterialization>): Promise<void> {
  log.info(`there is a new ${assetKey.join('/')}`);
}

export async function joinTables(): Promise<void> {
  log.info('both tables are new');
}

export async function incrementalLoad({ batch }: JobConfig<typeof conditional.incrementalLoad>): Promise<void> {
  log.info(`the rows of batch ${batch}`);
}

export async function fullLoad({ batch }: JobConfig<typeof conditional.fullLoad>): Promise<void> {
  log.info(`everything, as of batch ${batch}`);
}

export async function processRecords({ newRecordIds }: JobConfig<typeof records.processRecords>): Promise<number> {
  return newRecordIds.length;
}

export async function refreshTable({ table, position }: JobConfig<typeof streams.refreshTable>): Promise<void> {
  log.info(`${table} up to ${position}`);
}

export async function processChanges({ changeIds }: JobConfig<typeof observable.processChanges>): Promise<number> {
  return changeIds.length;
}

/** Returns its day. */
export async function reportDay(): Promise<string | undefined> {
  return runInfo()?.partitionKey;
}

/** Returns its customer. */
export async function reportCustomer(): Promise<string | undefined> {
  return runInfo()?.partitionKey;
}

export async function handleOutage({ downSince, problem }: JobConfig<typeof outage.handleOutage>): Promise<void> {
  log.warn(`down since ${downSince}: ${problem}`);
}

export async function processOrder({ id, updatedAt }: JobConfig<typeof lateItems.processOrder>): Promise<void> {
  log.info(`order ${id} of ${updatedAt}`);
}

export async function handleMessage({ id }: JobConfig<typeof backlog.handleMessage>): Promise<void> {
  log.info(`message ${id}`);
}

export async function welcomeUser({ user }: JobConfig<typeof session.welcomeUser>): Promise<void> {
  log.info(`welcome, ${user}`);
}
