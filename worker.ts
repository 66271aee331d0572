/**
 * The demo: `npm start`. A worker with one sensor, which reports the CSV files that arrive in ./inbox to ./outbox, on
 * the Temporal server that is configured, or else on a local one that lives as long as this process.
 *
 * Ctrl-C lets work in progress end, then stops the server, which has to be there until the end. A second one does
 * not wait.
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker, type LogEntry } from '@temporalio/worker';
import { resolveTemporal } from 'temporal-sensors/dev';
import { SensorsPlugin } from 'temporal-sensors/worker';
import * as activities from './examples/orders/activities.js';
import { ordersSensor } from './examples/orders/sensors.js';

/** One line for each tick that did something, and for each warning. */
function printLine({ level, message, meta }: LogEntry): void {
  if (level === 'INFO' && meta?.['sdkComponent'] !== 'workflow') return;
  let error = meta?.['error'];
  while (error instanceof Object && 'cause' in error && error.cause) error = error.cause;
  const reason = error instanceof Object && 'message' in error ? `: ${String(error.message)}` : '';
  console.log(`${new Date().toTimeString().slice(0, 8)} ${level === 'INFO' ? '' : `${level} `}${message}${reason}`);
}

let worker: Worker | undefined;
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // the server that we started ends with this process in any case
    if (interrupted || worker?.getState() !== 'RUNNING') process.exit(interrupted ? 1 : 0);
    interrupted = true;
    worker.shutdown();
  });
}
Runtime.install({ logger: new DefaultLogger('INFO', printLine), shutdownSignals: [] });

const temporal = await resolveTemporal({ dbFile: '.temporal/dev.db', log: console.log }).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
const connection = await NativeConnection.connect(temporal.connectionOptions);
await mkdir('inbox', { recursive: true });
worker = await Worker.create({
  connection,
  namespace: temporal.namespace,
  taskQueue: 'orders',
  workflowsPath: fileURLToPath(new URL('./examples/orders/workflows.ts', import.meta.url)),
  activities,
  plugins: [new SensorsPlugin({ sensors: [ordersSensor({ inbox: './inbox', outbox: './outbox' })] })],
  shutdownForceTime: '10s',
});
if (temporal.webUrl !== undefined) console.log(`Temporal Web: ${temporal.webUrl}`);
console.log('Watching ./inbox; reports go to ./outbox. In another terminal:');
console.log('  cp examples/orders/*.csv inbox/\n  npx sensors runs orders\nCtrl-C ends it.');
try {
  await worker.run();
} finally {
  await connection.close();
  await temporal.stop();
}
