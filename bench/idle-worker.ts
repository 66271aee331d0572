/** A worker with so many idle sensors; tells its parent how many MB it takes once all of them have ticked and wait. */
import { withBench, pause, until } from './support.js';
import { quietSensors } from './quiet.js';

const [count, codePath] = [Number(process.argv[2]), String(process.argv[3])];
let evaluations = 0;
await withBench(
  async (bench) => {
    await bench.withWorker(
      quietSensors(count, () => void evaluations++, '1h'),
      async () => {
        await until(() => evaluations >= count, 100);
        await pause(10_000);
        globalThis.gc?.();
        await pause(1_000);
        process.send?.(process.memoryUsage().rss / 1024 / 1024);
      }
    );
  },
  { codePath }
);
