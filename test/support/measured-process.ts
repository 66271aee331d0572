/** A worker whose metrics can be scraped: the runtime that exports them is one per process. Says `running` when it runs. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { SensorsPlugin } from '../../src/worker/index.js';
import { busy, failing, holding, lagging } from './measured.js';

const [address = '', taskQueue = '', prefix = '', codePath = '', bindAddress = ''] = process.argv.slice(2);
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: {
    metrics: {
      prometheus: {
        bindAddress,
        unitSuffix: true,
        histogramBucketOverrides: { sensors_evaluation_duration_milliseconds: [20_000, 60_000] },
      },
    },
  },
});
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowBundle: { codePath },
  plugins: [new SensorsPlugin({ sensors: [busy, failing, holding, lagging(prefix)], prefix })],
  // every workflow task then replays the whole history, and nothing may be measured again
  maxCachedWorkflows: 0,
});
const done = worker.run();
process.stdout.write('running\n');
await done;
