/** A worker with all sensors, in a process of its own. Tells its parent when it works, and ends with it. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { readFile } from 'node:fs/promises';
import { SensorsPlugin } from '../../src/worker/index.js';
import { chaosSensors } from './sensors.js';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.js';

const [address = '', taskQueue = '', codePath = '', worldFile = '', startFile = ''] = process.argv.slice(2);
process.once('disconnect', () => process.exit());
Runtime.install({ logger: new DefaultLogger('WARN') });
const world = JSON.parse(await readFile(worldFile, 'utf8')) as World;
let startAt: number | undefined;

async function clock(): Promise<number> {
  startAt ??= await readFile(startFile, 'utf8').then(Number, () => undefined);
  return startAt === undefined ? -1 : Date.now() - startAt;
}

const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowBundle: { codePath },
  plugins: [new SensorsPlugin({ sensors: chaosSensors(world, clock) })],
  // how long the tasks of a loop wait for a worker that was killed
  stickyQueueScheduleToStartTimeout: '1s',
});
const running = worker.run();
while (worker.getState() === 'INITIALIZED') await Promise.race([running, sleep(20)]);
process.send?.('running');
await running;
