/** Errors: one that is expected is a skip reason, any other one a failed tick. */
import { defineSensor } from 'temporal-sensors';
import { externalSystem, processVersion, Status } from './external-system.js';

export const robust = defineSensor({
  name: 'robust',
  job: processVersion,
  resources: { externalSystem },
  failureBackoff: { max: '10m' },
  async evaluate(ctx) {
    try {
      const { version, newData } = await ctx.resources.externalSystem.get('/status', Status, ctx.signal);
      return newData ? ctx.run({ runKey: version, config: { version } }) : ctx.skip('no new data');
    } catch (error) {
      // a TypeError of fetch: no connection
      if (!(error instanceof TypeError)) throw error;
      ctx.log.error('no connection to the external system', { cause: error.cause });
      return ctx.skip('connection error');
    }
  },
});
