/** An external system that is down: one run for each outage, however long it lasts and however often it is looked at. */
import { defineJob, defineResource, defineSensor } from 'temporal-sensors';
import { z } from 'zod';

export const handleOutage = defineJob({
  name: 'handleOutage',
  config: z.object({ downSince: z.iso.datetime(), problem: z.string() }),
});

export const health = defineResource({ config: z.object({ url: z.url() }), create: ({ config }) => config.url });

export const outages = defineSensor({
  name: 'outages',
  job: handleOutage,
  interval: '10s',
  resources: { health },
  cursor: z.object({ downSince: z.iso.datetime().optional() }).default({}),
  async evaluate(ctx) {
    const problem = await problemOf(ctx.resources.health, ctx.signal);
    // the same cursor again is no news: neither a long outage nor a long peace costs history
    ctx.setCursor(problem === undefined ? {} : { downSince: ctx.cursor.downSince ?? ctx.now.toISOString() });
    const { downSince } = ctx.cursor;
    if (problem === undefined || downSince === undefined) return ctx.skip('the system is up');
    return ctx.run({ runKey: downSince, config: { downSince, problem } });
  },
});

/** What is wrong; `undefined` when the system answers well within 5 s. */
async function problemOf(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) });
    await response.body?.cancel();
    return response.ok ? undefined : `it answered ${response.status}`;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof TypeError ? 'it cannot be reached' : 'it did not answer within 5 s';
  }
}
