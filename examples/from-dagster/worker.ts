/**
 * All of these examples on one worker: `npx tsx examples/from-dagster/worker.ts`, and in another shell
 * `npx sensors start newFiles`. Which folder, bucket and systems they look at, the environment says.
 */
import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { env } from 'temporal-sensors';
import { SensorsPlugin } from 'temporal-sensors/worker';
import { emailAlerts, slackAlerts } from './alerts.js';
import { bothTables, onOrders, rawTables } from './assets.js';
import { backlog } from './backlog.js';
import { activities, customerData, everyObject } from './bucket.js';
import { conditional } from './conditional.js';
import { changedFiles, newFiles, newFilesOrWhyNot } from './directory.js';
import { configurable } from './external-system.js';
import { updatedOrders } from './late-items.js';
import { observable } from './observable.js';
import { outages } from './outage.js';
import { finishedDays, newCustomers } from './partitions.js';
import { newRecords } from './records.js';
import { every30Seconds, every45Seconds } from './rhythm.js';
import { robust } from './robust.js';
import { everyFailure, loggedFiles, tellFailure, tellSuccess } from './run-status.js';
import { newUsers } from './session.js';
import { threeStreams } from './streams.js';
import { changedTables } from './tables.js';

const ofFiles = [newFiles, newFilesOrWhyNot, changedFiles, customerData, everyObject];
const ofApi = [configurable, robust, changedTables, conditional, newRecords, threeStreams, observable, newCustomers];
const ofSystems = [...ofApi, updatedOrders, backlog, newUsers, outages];
const ofTime = [every30Seconds, every45Seconds, finishedDays];
const ofRuns = [tellSuccess, tellFailure, loggedFiles, everyFailure, slackAlerts, emailAlerts];
const ofAssets = [rawTables, onOrders, bothTables];

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await NativeConnection.connect(connectionOptions);
const worker = await Worker.create({
  connection,
  namespace: namespace ?? 'default',
  taskQueue: 'from-dagster',
  workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  activities,
  plugins: [
    new SensorsPlugin({
      sensors: [...ofFiles, ...ofSystems, ...ofTime, ...ofRuns, ...ofAssets],
      resourceConfig: {
        inbox: { path: env('INBOX', 'inbox') },
        s3: { region: env('AWS_REGION', 'eu-central-1'), forcePathStyle: true },
        externalSystem: { endpoint: env('ENDPOINT', 'http://localhost:8080'), apiKey: env('API_KEY') },
        health: { url: env('HEALTH_URL', 'http://localhost:8080/health') },
        credentials: { user: env('API_USER', 'sensors'), password: env('API_PASSWORD') },
        session: { url: env('ENDPOINT', 'http://localhost:8080') },
        chat: { url: env('CHAT_URL', 'http://localhost:8080/chat'), token: env('CHAT_TOKEN') },
      },
    }),
  ],
});
try {
  await worker.run();
} finally {
  await connection.close();
}
