import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import {
  defineAsset,
  defineAssetSensor,
  defineJob,
  defineResource,
  defineSensor,
  withResources,
  type SensorDefinition,
} from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const SECRET = 'hunter2';

function leak(): never {
  throw new Error(`cannot log in as root:${SECRET}`, { cause: new Error(`${SECRET} was refused`) });
}

/** All of an answer of the server as text, with its payloads decoded. */
function textOf(answer: unknown): string {
  const decode = (key: string, value: unknown): unknown =>
    key === 'data' && typeof value === 'string' ? Buffer.from(value, 'base64').toString() : value;
  return JSON.stringify(answer, decode);
}

test('no error text of an author is in Temporal, and the log of the worker has it under the ID that is', async () => {
  const h = await Harness.create();
  const broken = defineResource({ create: leak });
  const positional = defineJob({ name: 'positional', args: leak });
  const greeting = defineJob({ name: 'greeting', config: z.object({ name: z.string() }) });
  const base = { interval: '200ms', defaultStatus: 'running' } as const;
  const evaluate = leak;
  const sensors: Readonly<Record<string, SensorDefinition>> = {
    thrown: defineSensor({ ...base, name: 'thrown', evaluate, onFailure: leak }),
    text: defineSensor({
      ...base,
      name: 'text',
      evaluate() {
        // eslint-disable-next-line no-throw-literal, typescript/only-throw-error
        throw SECRET;
      },
    }),
    needing: defineSensor({ ...base, name: 'needing', resources: { broken }, evaluate: () => null }),
    beginning: defineSensor({
      ...base,
      name: 'beginning',
      cursor: z.number(),
      initialCursor: leak,
      evaluate: () => null,
    }),
    asking: defineSensor({
      ...base,
      name: 'asking',
      jobs: [positional, greeting],
      *evaluate(ctx) {
        ctx.log.warn('something is wrong', { error: new Error(SECRET) });
        yield ctx.run({ job: positional, runKey: 'a' });
        yield ctx.run({ job: greeting, runKey: 'b', config: { name: 'Ada' } });
      },
    }),
    handling: defineAssetSensor({
      ...base,
      name: 'handling',
      asset: defineAsset({ key: [`${h.prefix}sales`] }),
      startFrom: new Date(0),
      maxAttempts: 2,
      handle: leak,
    }),
  };
  const logged: string[] = [];
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => logged.push(String(text)) > 0);
  onTestFinished(() => stderr.mockRestore());
  await h.sensors.materialize([`${h.prefix}sales`], { taskQueue: h.taskQueue });
  await h.work(
    Object.values(sensors),
    { activities: withResources({ broken }, { greet: (_, name: string) => name }) },
    { redactErrors: true }
  );

  const { thrown, handling, asking, ...failing } = sensors;
  const errors: string[] = [];
  for (const each of [thrown, ...Object.values(failing)] as SensorDefinition[]) {
    const { error = '' } = await h.tickWhere(each, ({ status }) => status === 'failure', 'the failure');
    errors.push(error);
    await h.folded(each);
  }
  const letters = async (sensor: SensorDefinition | undefined): Promise<readonly string[]> =>
    await waitFor(async () => {
      const { deadLetters } = await h.sensors.state(h.name(sensor as SensorDefinition));
      return deadLetters.length > 0 ? deadLetters.map(({ error }) => error) : undefined;
    }, 'the dead letter');
  errors.push(...(await letters(handling)), ...(await letters(asking)));
  const run = h.client.workflow.getHandle(`${h.name('asking')}:greeting:b`);
  await waitFor(async () => (await run.describe()).raw.pendingActivities?.[0]?.lastFailure, 'the activity of the job');
  const preview = await h.sensors.preview(h.name('thrown'));
  errors.push(preview.error ?? '');

  for (const error of errors) {
    const [, id] = /its ID in the worker's log is (\w{12})$/.exec(error) ?? [];
    expect(id, error).toBeDefined();
    const line = logged.find((each) => each.includes(`error ${id}: `));
    expect(line).toContain(SECRET);
  }
  expect(errors[0]).toMatch(/^evaluate threw an error, which is redacted; /);
  const ofResource = /^resource 'broken' could not be created: create threw an error/;
  expect(errors).toContainEqual(expect.stringMatching(ofResource));
  expect(logged.join('')).toMatch(/at .*\bleak\b/);
  // every run of every loop: histories, memos, pending activities with their heartbeats
  const everything = [JSON.stringify(preview)];
  for (const { workflowId } of [...Object.keys(sensors).map((name) => h.loop(name)), run]) {
    const { workflow } = h.client;
    let { firstRunId: runId } = (await workflow.getHandle(workflowId).describe()).raw.workflowExecutionInfo ?? {};
    const before = everything.length;
    while (runId) {
      const handle = workflow.getHandle(workflowId, runId);
      const history = await handle.fetchHistory();
      everything.push(textOf(history), textOf((await handle.describe()).raw));
      runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    }
    expect(everything.slice(before).join('')).toContain('is redacted');
  }
  expect(everything.filter((text) => text.includes(SECRET))).toEqual([]);
});
