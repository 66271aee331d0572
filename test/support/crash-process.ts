/** A worker process that kills itself at one step of a tick, as power cuts do. */
import {
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type ActivityInterceptorsFactory,
  type InjectedSinks,
} from '@temporalio/worker';
import { SensorsPlugin } from '../../src/worker/index.js';
import { crashSensor, type CrashStep } from './crash-steps.js';
import type { CrashSinks } from './crash-interceptor.js';

const [address = '', taskQueue = '', prefix = '', codePath = '', wanted = ''] = process.argv.slice(2);

function at(step: CrashStep): void {
  if (step === wanted) process.kill(process.pid, 'SIGKILL');
}

const sinks: InjectedSinks<CrashSinks> = {
  crash: { step: { fn: (_, step) => at(step as CrashStep), callDuringReplay: false } },
};

const dieAroundEvaluations: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute: async (input, next) => {
      at('before evaluate');
      const result = await next(input);
      at('after evaluate, before its result is reported');
      return result;
    },
  },
});

Runtime.install({ logger: new DefaultLogger('ERROR') });
const worker = await Worker.create({
  connection: await NativeConnection.connect({ address }),
  taskQueue,
  workflowBundle: { codePath },
  plugins: [new SensorsPlugin({ sensors: [crashSensor(wanted as CrashStep)], prefix })],
  sinks,
  interceptors: { activity: [dieAroundEvaluations] },
});
await worker.run();
