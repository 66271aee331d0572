/** Says from outside that orders are there: a script of somebody else's. `npx tsx examples/assets/record.ts` */
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { SensorClient } from 'temporal-sensors/client';
import { orders } from './assets.js';

const { connectionOptions, namespace } = loadClientConnectConfig();
const connection = await Connection.connect(connectionOptions);
const sensors = new SensorClient(new Client({ connection, namespace: namespace ?? 'default' }));
await sensors.materialize(orders, {
  partition: 'lisbon',
  metadata: { orders: 3, cents: 4950 },
  eventId: 'lisbon 2026-11-22', // the same ID is recorded once
  taskQueue: 'assets-orders', // where its log starts if this is its first event
});
await connection.close();
