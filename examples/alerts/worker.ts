/**
 * The orders of examples/orders with alerts: `npx tsx examples/alerts/worker.ts`. Which servers are told, the environment
 * says.
 */
import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { env } from 'temporal-sensors';
import { SensorsPlugin } from 'temporal-sensors/worker';
import * as activities from '../orders/activities.js';
import { ordersSensor } from '../orders/sensors.js';
import { orderAlerts } from './sensors.js';

const alerts = orderAlerts({
  transport: { host: env('SMTP_HOST'), auth: { user: env('SMTP_USER'), pass: env('SMTP_PASSWORD') } },
  webhookUrl: env('SLACK_WEBHOOK_URL'),
});
const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await NativeConnection.connect(connectionOptions);
const worker = await Worker.create({
  connection,
  namespace: namespace ?? 'default',
  taskQueue: 'alerts',
  workflowsPath: fileURLToPath(new URL('../orders/workflows.ts', import.meta.url)),
  activities,
  plugins: [new SensorsPlugin({ sensors: [ordersSensor({ inbox: './inbox', outbox: './outbox' }), ...alerts] })],
});
await worker.run();
await connection.close();
