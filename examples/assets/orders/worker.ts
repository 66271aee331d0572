/** One of two workers: files in ./inbox become orders. `npx tsx examples/assets/orders/worker.ts` */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { SensorsPlugin } from 'temporal-sensors/worker';
import * as activities from './activities.js';
import { newOrders } from './sensors.js';

await mkdir('inbox', { recursive: true });
const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await NativeConnection.connect(connectionOptions);
const worker = await Worker.create({
  connection,
  namespace: namespace ?? 'default',
  taskQueue: 'assets-orders',
  workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
  activities,
  plugins: [new SensorsPlugin({ sensors: [newOrders] })],
});
await worker.run();
await connection.close();
