import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { PayloadCodec } from '@temporalio/common';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { DefinitionError, defineJob, defineSensor } from '../../src/index.js';
import type { SensorDefinition } from '../../src/sensors/define-sensor.js';
import { SensorsPlugin } from '../../src/worker/index.js';
import { Harness, waitFor } from '../support/harness.js';

const noop = defineJob({ name: 'noop' });
const idle = defineSensor({ name: 'idle', job: noop, interval: '1h', evaluate: () => null });
const loopModule = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));

let folder = '';
beforeAll(async () => {
  // beside the sources, so that the bundler finds node_modules
  folder = await mkdtemp(fileURLToPath(new URL('../.workflows-', import.meta.url)));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts a worker with these workflows, and returns why it could not start. */
async function startError(
  workflows: Pick<WorkerOptions, 'workflowsPath' | 'workflowBundle'>,
  sensor = idle
): Promise<string> {
  const h = await Harness.create();
  const worker = await Worker.create({
    connection: h.native,
    taskQueue: h.taskQueue,
    plugins: [new SensorsPlugin({ sensors: [sensor], prefix: h.prefix })],
    ...workflows,
  });
  try {
    await worker.runUntil(() => Promise.resolve());
    return 'started';
  } catch (error) {
    expect(error).toBeInstanceOf(DefinitionError);
    return (error as Error).message;
  }
}

/** A workflow module of this text. */
async function moduleOf(text: string): Promise<{ readonly workflowsPath: string }> {
  const workflowsPath = join(folder, `${randomBytes(4).toString('hex')}.ts`);
  await writeFile(workflowsPath, text);
  return { workflowsPath };
}

test('a forgotten line, a shadowed name and a missing job are clear errors at worker start', async () => {
  const forgotten = await startError(await moduleOf('export async function noop() {}'));
  expect(forgotten).toContain(`add this line to your workflow module`);
  expect(forgotten).toContain(`export * from 'temporal-sensors/workflows';`);
  const shadowing = `export * from ${JSON.stringify(loopModule)};\nexport async function noop() {}\nexport async function sensorLoop() {}`;
  expect(await startError(await moduleOf(shadowing))).toContain(`which shadows the one of temporal-sensors`);
  // a bundle that was made before is looked into as well
  const workflowBundle = { code: await readFile(inject('bundlePath'), 'utf8') };
  const homeless = defineSensor({ name: 'homeless', job: defineJob({ name: 'homeless' }), evaluate: () => null });
  expect(await startError({ workflowBundle }, homeless)).toContain(
    `has no workflow 'homeless', but a job of that name is defined`
  );
});

test('a worker without workflows, clashing activities, and an unknown option are clear errors', async () => {
  const h = await Harness.create();
  const plugins = [new SensorsPlugin({ sensors: [idle], prefix: h.prefix })];
  const worker = await Worker.create({ connection: h.native, taskQueue: h.taskQueue, plugins });
  await expect(worker.run()).rejects.toThrow('this worker has no workflows');
  const activities = { evaluateSensor: () => Promise.resolve() };
  await expect(h.work([idle], { activities })).rejects.toThrow(
    `the activity 'evaluateSensor' is one of temporal-sensors' own`
  );
  expect(() => new SensorsPlugin({ sensors: [], sensor: [] } as never)).toThrow(`unknown option 'sensor'`);
});

test('a sensor name that another application uses is an error that names its task queue; nothing is taken over', async () => {
  const h = await Harness.create();
  await h.work([idle]);
  const stranger = await Worker.create({
    connection: h.native,
    taskQueue: 'another-queue',
    workflowBundle: { codePath: inject('bundlePath') },
    plugins: [new SensorsPlugin({ sensors: [idle], prefix: h.prefix })],
  });
  await expect(stranger.run()).rejects.toThrow(`whose task queue is '${h.taskQueue}'`);
  expect(await h.sensors.describe(h.name(idle))).toMatchObject({ taskQueue: h.taskQueue });
});

test(`the user's activities keep working, also as methods of a class instance`, async () => {
  class Greeter {
    readonly #greeting = 'hello';
    greet(name: string): Promise<string> {
      return Promise.resolve(`${this.#greeting} ${name}`);
    }
  }
  const h = await Harness.create();
  const greeting = defineJob({ name: 'greeting', config: z.object({ name: z.string() }) });
  const sensor = defineSensor({
    name: 'greeter',
    job: greeting,
    interval: '1h',
    defaultStatus: 'running',
    evaluate: (ctx) => ctx.run({ runKey: 'one', config: { name: 'world' } }),
  });
  await h.work([sensor], { activities: new Greeter() });
  await h.tickWhere(sensor, ({ runs }) => runs.count === 1, 'the run');
  expect(await h.client.workflow.getHandle(`${h.name(sensor)}:greeting:one`).result()).toBe('hello world');
});

class EncryptingCodec implements PayloadCodec {
  private readonly key = randomBytes(32);
  encode: PayloadCodec['encode'] = (payloads) =>
    Promise.resolve(
      payloads.map((payload) => {
        const iv = randomBytes(12);
        const cipher = createCipheriv('aes-256-gcm', this.key, iv);
        const plain = JSON.stringify({
          metadata: Object.fromEntries(
            Object.entries(payload.metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
          ),
          data: Buffer.from(payload.data ?? []).toString('base64'),
        });
        const data = Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
        return { metadata: { encoding: Buffer.from('binary/encrypted') }, data };
      })
    );
  decode: PayloadCodec['decode'] = (payloads) =>
    Promise.resolve(
      payloads.map((payload) => {
        // the server writes payloads of its own, of an activity that is cancelled before it began for instance
        if (Buffer.from(payload.metadata?.['encoding'] ?? []).toString() !== 'binary/encrypted') return payload;
        const bytes = Buffer.from(payload.data ?? []);
        const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, 12));
        decipher.setAuthTag(bytes.subarray(-16));
        const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8');
        const { metadata, data } = JSON.parse(plain) as { metadata: Record<string, string>; data: string };
        return {
          metadata: Object.fromEntries(
            Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')])
          ),
          data: Buffer.from(data, 'base64'),
        };
      })
    );
}

test.each([false, true])(
  'with an encrypting codec no config or cursor is in the history (encodeCommonAttributes: %s)',
  async (encodeCommonAttributes) => {
    const dataConverter = {
      payloadCodecs: [new EncryptingCodec()],
      ...(encodeCommonAttributes
        ? { failureConverterPath: fileURLToPath(new URL('../support/failure-converter.cjs', import.meta.url)) }
        : {}),
    };
    const h = await Harness.create({ dataConverter });
    const secret = defineJob({ name: 'echo', config: z.object({ password: z.string() }) });
    const plain = defineSensor({
      name: 'secret',
      job: secret,
      interval: 100,
      defaultStatus: 'running',
      runIds: 'hashed',
      cursor: z.object({ token: z.string() }).optional(),
      evaluate(ctx) {
        if (ctx.tick > 1) return ctx.skip('nothing to do');
        ctx.setCursor({ token: 'CURSORSECRET' });
        return ctx.run({ runKey: 'KEYSECRET', config: { password: 'CONFIGSECRET' }, tags: { t: 'TAGSECRET' } });
      },
    });
    const sensor: SensorDefinition = { ...plain, watchesRuns: { statuses: ['completed'], types: 'jobs' } };
    const workflowsPath = fileURLToPath(new URL('../support/workflows.ts', import.meta.url));
    const worker = await Worker.create({
      connection: h.native,
      taskQueue: h.taskQueue,
      dataConverter,
      plugins: [new SensorsPlugin({ sensors: [sensor], prefix: h.prefix })],
      ...(encodeCommonAttributes ? { workflowsPath } : { workflowBundle: { codePath: inject('bundlePath') } }),
    });
    await worker.runUntil(async () => {
      const name = h.name(sensor);
      await waitFor(
        async () => (await h.sensors.describe(name)).evaluation?.lastOutcome === 'nothing to do',
        'the decoded skip reason'
      );
      expect((await h.sensors.state(name)).cursor).toEqual({ value: { token: 'CURSORSECRET' } });
      const [run] = await h.settledRuns(sensor, 1);
      expect(run).toMatchObject({ runKey: 'KEYSECRET', tags: { t: 'TAGSECRET' } });
      expect(run?.workflowId).toMatch(/:echo#~[0-9a-f]{64}$/);
      // the bundle is the user's, or one that the plugin completed: its run wakes the sensor in both
      const loops = async () => await Promise.all((await previousRuns(h, name)).map((loop) => loop.fetchHistory()));
      const signaled = (history: Awaited<ReturnType<typeof loops>>[number]): boolean =>
        history.events?.some((event) => event.workflowExecutionSignaledEventAttributes?.signalName === 'push') === true;
      await waitFor(async () => (await loops()).some(signaled), 'the nudge by its run');
      const histories = await Promise.all(
        [h.loop(sensor), h.client.workflow.getHandle(run?.workflowId ?? ''), ...(await previousRuns(h, name))].map(
          (handle) => handle.fetchHistory()
        )
      );
      const raw = histories.map((history) => plainText(history)).join('\n');
      expect(raw).toContain('binary/encrypted');
      expect(raw).not.toMatch(/CURSORSECRET|CONFIGSECRET|KEYSECRET|TAGSECRET/);
    });
  }
);

async function previousRuns(h: Harness, name: string) {
  const handles = [];
  for await (const { workflowId, runId } of h.client.workflow.list({ query: `WorkflowId = 'sensor/${name}'` }))
    handles.push(h.client.workflow.getHandle(workflowId, runId));
  return handles;
}

/** Every text and every payload of a history, bytes as text. */
function plainText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value).map(plainText).join('\n');
}
