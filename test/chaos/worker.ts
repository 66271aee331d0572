/** A worker with all sensors, in a process of its own. Ends with its parent. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { readFile } from 'node:fs/promises';
import { SensorsPlugin } from '../../src/worker/index.js';
import { chaosSensors } from './sensors.js';
import type { World } from './world.js';

const [address = '', taskQueue = '', codePath = '', worldFile = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit());
Runtime.install({ logger: new DefaultLogger('WARN') });
const world = JSON.parse(await readFile(worldFile, 'utf8')) as World;
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowBundle: { codePath },
  plugins: [new SensorsPlugin({ sensors: chaosSensors(world) })],
  // how long the tasks of a loop wait for a worker that was killed
  stickyQueueScheduleToStartTimeout: '1s',
});
await worker.run();
