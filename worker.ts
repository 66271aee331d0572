/**
 * The demo, `npm start`: reports the CSV files that arrive in ./inbox to ./outbox, on the Temporal server that is
 * configured, or else on a local one that ends with this process. Ctrl-C lets work in progress end first.
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker, type LogEntry } from '@temporalio/worker';
import { resolveTemporal, type ResolvedTemporal } from 'temporal-sensors/dev';
import { SensorsPlugin } from 'temporal-sensors/worker';
import * as activities from './examples/orders/activities.js';
import { ordersSensor } from './examples/orders/sensors.js';

/** One line for each tick that did something, and for each warning. */
function printLine({ level, message, meta }: LogEntry): void {
  if (level === 'INFO' && meta?.['sdkComponent'] !== 'workflow') return;
  let error = meta?.['error'] as Error | undefined;
  while (error?.cause) error = error.cause as Error;
  const reason = error?.message === undefined ? '' : `: ${error.message}`;
  console.log(`${new Date().toTimeString().slice(0, 8)} ${level === 'INFO' ? '' : `${level} `}${message}${reason}`);
}

let temporal: ResolvedTemporal | undefined;
let worker: Worker | undefined;
let interruptedAt: number | undefined;
function interrupt(): void {
  // one Ctrl-C may arrive twice: from the terminal, and passed on by npm
  if (interruptedAt !== undefined) return Date.now() - interruptedAt > 500 ? process.exit(1) : undefined;
  interruptedAt = Date.now();
  if (worker?.getState() === 'RUNNING') worker.shutdown();
  else void Promise.resolve(temporal?.stop()).then(() => process.exit(0));
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt);
const logger = new DefaultLogger('INFO', printLine);
Runtime.install({ logger, telemetryOptions: { logging: { forward: {} } }, shutdownSignals: [] });
temporal = await resolveTemporal({ dbFile: '.temporal/dev.db', log: console.log }).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
let connection: NativeConnection | undefined;
try {
  connection = await NativeConnection.connect(temporal.connectionOptions);
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
  console.log(`Temporal Web: ${temporal.webUrl ?? 'where your server has it'}\nReporting ./inbox to ./outbox. Try:`);
  console.log('  cp examples/orders/*.csv inbox/\n  npx sensors runs orders\nCtrl-C ends it.');
  await worker.run();
} catch (error) {
  if (interruptedAt === undefined) throw error;
} finally {
  await connection?.close();
  await temporal.stop();
}
