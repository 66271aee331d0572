/** A worker of an earlier deployment, in a process of its own: two workers of one queue cannot share a process. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { z } from 'zod';
import { defineJob, defineSensor } from '../../src/index.js';
import { SensorsPlugin } from '../../src/worker/index.js';

const [address = '', taskQueue = '', prefix = '', codePath = ''] = process.argv.slice(2);
Runtime.install({ logger: new DefaultLogger('ERROR') });
const job = defineJob({ name: 'noop' });
const changed = defineSensor({
  name: 'changed',
  job,
  interval: 200,
  defaultStatus: 'running',
  cursor: z.number().default(0),
  *evaluate(ctx) {
    yield ctx.run({ runKey: `old-${ctx.cursor}`, tags: { code: 'old' } });
    ctx.setCursor(ctx.cursor + 1);
  },
});
const removed = defineSensor({
  name: 'removed',
  job,
  interval: 200,
  defaultStatus: 'running',
  evaluate: (ctx) => ctx.skip('the old code still looks'),
});
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue,
  workflowBundle: { codePath },
  plugins: [new SensorsPlugin({ sensors: [changed, removed], prefix })],
});
const running = worker.run();
while (worker.getState() !== 'RUNNING') await new Promise((resolve) => setTimeout(resolve, 10));
process.stdout.write('running\n');
await running;
await connection.close();
