/** Sensors of which each is what one metric tells. */
import { z } from 'zod';
import {
  defineAsset,
  defineAssetSensor,
  defineJob,
  defineSensor,
  RetryAfterError,
  type SensorDefinition,
} from '../../src/index.js';

const echo = defineJob({ name: 'echo', config: z.object({ item: z.string().optional() }) });

export function measuredAsset(prefix: string) {
  return defineAsset({ key: [`${prefix}sales`, 'measured'] });
}

/** Ticks with something of everything, and then folds. */
export const busy = defineSensor({
  name: 'busy',
  job: echo,
  interval: '100ms',
  defaultStatus: 'running',
  async *evaluate(ctx) {
    for (const runKey of ['a', 'b']) yield ctx.run({ runKey });
    yield ctx.run({ runKey: 'bad', config: { item: 1 as unknown as string } });
  },
});

export const failing = defineSensor({
  name: 'failing',
  interval: '100ms',
  defaultStatus: 'running',
  evaluate() {
    throw new Error('no connection');
  },
});

/** Starts one of three and holds the others back. */
export const holding = defineSensor({
  name: 'holding',
  job: echo,
  interval: '1h',
  defaultStatus: 'running',
  maxRunsPerTick: 1,
  evaluate: (ctx) => ['a', 'b', 'c'].map((runKey) => ctx.run({ runKey })),
});

/** Stops itself. */
export const givenUp = defineSensor({
  name: 'givenUp',
  interval: '100ms',
  defaultStatus: 'running',
  stopAfterFailures: 1,
  evaluate() {
    throw new Error('no connection');
  },
});

/** Waits with what it is given. */
export function lagging(prefix: string): SensorDefinition {
  return defineAssetSensor({
    name: 'lagging',
    asset: measuredAsset(prefix),
    startFrom: new Date(0),
    interval: '1s',
    defaultStatus: 'running',
    handle() {
      throw new RetryAfterError('1h', 'not now');
    },
  });
}
