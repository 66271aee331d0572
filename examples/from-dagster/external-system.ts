/** What most of these examples look at: a JSON API, whose address and key are configured and not written down. */
import { defineJob, defineResource, defineSensor, env, RetryAfterError } from 'temporal-sensors';
import { z } from 'zod';

interface Config {
  readonly endpoint: string;
  readonly apiKey: string;
}

export class ExternalSystem {
  constructor(private readonly config: Config) {}

  /** @throws RetryAfterError when the system says when to ask again */
  async get<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const headers = { authorization: `Bearer ${this.config.apiKey}` };
    const response = await fetch(new URL(path, this.config.endpoint), { headers, signal });
    const seconds = Number(response.headers.get('retry-after'));
    if (seconds > 0) throw new RetryAfterError(seconds * 1000, `${path} wants ${seconds} s of rest`);
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return schema.parse(await response.json());
  }
}

export const externalSystem = defineResource({
  config: z.object({ endpoint: z.url(), apiKey: z.string().min(1) }),
  create: ({ config }) => new ExternalSystem(config),
});

export const Status = z.object({ version: z.string(), newData: z.boolean() });
export const processVersion = defineJob({ name: 'processVersion', config: z.object({ version: z.string() }) });

export const configurable = defineSensor({
  name: 'configurable',
  job: processVersion,
  interval: env('SENSOR_INTERVAL', '300s'),
  resources: { externalSystem },
  async evaluate(ctx) {
    const { version } = await ctx.resources.externalSystem.get('/status', Status, ctx.signal);
    return ctx.run({ runKey: version, config: { version } });
  },
});
