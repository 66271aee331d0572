/** A worker in a process of its own, for tests that kill it. Says `running` when its sensor is evaluated. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { defineJob, defineSensor } from '../../src/index.js';
import { SensorsPlugin } from '../../src/worker/index.js';

const [address = '', taskQueue = '', prefix = '', codePath = '', slowMs = '0', how = 'waits'] = process.argv.slice(2);
Runtime.install({ logger: new DefaultLogger('ERROR') });
const sensor = defineSensor({
  name: 'killed',
  job: defineJob({ name: 'noop' }),
  interval: '1h',
  defaultStatus: 'running',
  async *evaluate(ctx) {
    process.stdout.write('running\n');
    yield ctx.run({ runKey: 'keyed' });
    // blocks without burning a core
    if (how === 'blocks') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(slowMs));
    else await new Promise((resolve) => setTimeout(resolve, Number(slowMs)));
    yield ctx.run();
  },
});
const connection = await NativeConnection.connect({ address });
const worker = await Worker.create({
  connection,
  taskQueue,
  workflowBundle: { codePath },
  plugins: [new SensorsPlugin({ sensors: [sensor], prefix })],
});
await worker.run();
await connection.close();
