/** What became of runs: told to people, and followed by another job. */
import { defineJob, defineResource, defineRunFailureSensor, defineRunStatusSensor } from 'temporal-sensors';
import { z } from 'zod';
import { logFile } from './directory.js';

interface Config {
  readonly url: string;
  readonly token: string;
}

/** Where people read messages: anything that takes a POST. */
export class Chat {
  constructor(private readonly config: Config) {}

  /** @param eventId tells the receiver a message that comes again */
  async post(text: string, eventId: string, signal: AbortSignal): Promise<void> {
    const headers = { authorization: `Bearer ${this.config.token}`, 'idempotency-key': eventId };
    const response = await fetch(this.config.url, { method: 'POST', headers, body: text, signal });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`the chat answered ${response.status}`);
  }
}

export const chat = defineResource({
  config: z.object({ url: z.url(), token: z.string().min(1) }),
  create: ({ config }) => new Chat(config),
});

export const tellSuccess = defineRunStatusSensor({
  name: 'tellSuccess',
  status: 'completed',
  resources: { chat },
  handle: (ctx, run) => ctx.resources.chat.post(`${run.type} succeeded`, run.eventId, ctx.signal),
});

export const tellFailure = defineRunFailureSensor({
  name: 'tellFailure',
  resources: { chat },
  handle: (ctx, run) => ctx.resources.chat.post(`${run.type} failed: ${run.failure.message}`, run.eventId, ctx.signal),
});

export const archiveFile = defineJob({ name: 'archiveFile', config: z.object({ filename: z.string() }) });

export const loggedFiles = defineRunStatusSensor({
  name: 'loggedFiles',
  status: 'completed',
  monitor: { jobs: [logFile] },
  job: archiveFile,
  async handle(ctx, run) {
    const [config] = await run.input();
    return ctx.run({ config: logFile.config.parse(config) });
  },
});

export const everyFailure = defineRunFailureSensor({
  name: 'everyFailure',
  monitor: 'all',
  resources: { chat },
  handle: (ctx, run) => ctx.resources.chat.post(`${run.workflowId} ${run.status}`, run.eventId, ctx.signal),
});
