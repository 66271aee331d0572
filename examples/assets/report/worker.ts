/** The other worker: orders become reports in ./outbox. `npx tsx examples/assets/report/worker.ts` */
import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { SensorsPlugin } from 'temporal-sensors/worker';
import * as activities from './activities.js';
import { onOrders } from './sensors.js';

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await NativeConnection.connect(connectionOptions);
const worker = await Worker.create({
  connection,
  namespace: namespace ?? 'default',
  taskQueue: 'assets-report',
  workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  activities,
  plugins: [new SensorsPlugin({ sensors: [onOrders] })],
});
await worker.run();
await connection.close();
