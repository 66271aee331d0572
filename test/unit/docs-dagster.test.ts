/** docs/coming-from-dagster.md: its TypeScript is that of the examples, and its error messages are the real ones. */
import { readdir, readFile } from 'node:fs/promises';
import { buildResources, defineJob, defineSensor, dynamicPartitions, env, type Evaluation } from 'temporal-sensors';
import { buildSensorContext, evaluateTick } from 'temporal-sensors/testing';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { logFile } from '../../examples/from-dagster/directory.js';
import { externalSystem } from '../../examples/from-dagster/external-system.js';
import { tidyUp } from '../../examples/from-dagster/rhythm.js';

const page = await readFile(new URL('../../docs/coming-from-dagster.md', import.meta.url), 'utf8');
const folder = new URL('../../examples/from-dagster/', import.meta.url);
const files = new Map<string, string>();
for (const name of await readdir(folder)) files.set(name, await readFile(new URL(name, folder), 'utf8'));

const toolkit = await readFile(new URL('../integration/toolkit.test.ts', import.meta.url), 'utf8');

const snippets = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);

test('every TypeScript snippet is in an example, word for word; one needs a server and is in the test of the toolkit', () => {
  expect(snippets.length).toBeGreaterThan(20);
  for (const snippet of snippets)
    expect(
      [...files.values(), toolkit].some((text) => text.includes(snippet)),
      snippet
    ).toBe(true);
});

test('every example is on the page, and every file that it names is there', () => {
  const named = [...page.matchAll(/`([\w.-]+\.ts)`/g)].map(([, name = '']) => name);
  expect([...new Set(named)].toSorted()).toEqual([...files.keys()].toSorted());
});

const customers = dynamicPartitions('customers');
const perCustomer = defineJob({ name: 'perCustomer', partitions: customers });

/** A context with all that the types would refuse. */
interface Anything {
  readonly cursor: unknown;
  run(request?: object): never;
  skip(reason: string): never;
  setCursor(cursor: unknown): void;
}
type Options = Omit<Parameters<typeof defineSensor>[0], 'name' | 'evaluate'>;

/** What a tick of such a sensor says: its error, the first rejection, or its skip reason. */
async function said(evaluate: (ctx: Anything) => unknown, options: object = { job: tidyUp }): Promise<string> {
  const sensor = defineSensor({
    ...(options as Options),
    name: 'misused',
    evaluate: evaluate as unknown as () => Evaluation<never>,
  });
  const { error, rejected, skipReason } = await evaluateTick(sensor, buildSensorContext(), {
    knownKeys: ['known', 'also known'],
  });
  return [error, rejected.sample[0]?.error, skipReason].join(' ');
}
const thrown = (act: () => unknown) => async (): Promise<string> => {
  try {
    await act();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing';
};
const define = (options: object) => thrown(() => defineSensor({ name: 'misused', evaluate: () => null, ...options }));

const position = { job: tidyUp, cursor: z.object({ at: z.number() }).default({ at: 0 }) };
const anyCursor = { cursor: z.custom<string>() };

const MISUSE: Readonly<Record<string, () => Promise<string>>> = {
  'a skip reason and requests': () => said((ctx) => [ctx.skip('no'), ctx.run()]),
  'two skip reasons': () => said((ctx) => [ctx.skip('no'), ctx.skip('no')]),
  'two result objects': () => said(() => [{ runRequests: [] }, { skipReason: 'no' }]),
  'the cursor by `setCursor` and by the result': () =>
    said((ctx) => {
      ctx.setCursor({ at: 1 });
      return { cursor: { at: 2 } };
    }, position),
  'a cursor that does not fit': () => said((ctx) => ctx.setCursor({ at: 'now' }), position),
  'a cursor that is not JSON': () => said((ctx) => ctx.setCursor(new Map()), anyCursor),
  'a cursor of more than 64 KB': () => said((ctx) => ctx.setCursor('x'.repeat(70_000)), anyCursor),
  'a cursor schema that hides what no longer fits': define({ cursor: z.number().catch(0) }),
  'several jobs, and a request that names none': () => said((ctx) => ctx.run(), { jobs: [logFile, tidyUp] }),
  'a job that the sensor does not have': () => said((ctx) => ctx.run({ job: logFile })),
  'a request by a sensor without a job': () => said((ctx) => ctx.run(), {}),
  'a config that does not fit the job': () => said((ctx) => ctx.run({ config: { filename: 1 } }), { job: logFile }),
  'a partition that is not in its set': () => said((ctx) => ctx.run({ partitionKey: 'acme' }), { job: perCustomer }),
  'a partition that the tick itself deletes': () =>
    said(
      (ctx) => ({ partitionRequests: [customers.delete(['acme'])], runRequests: [ctx.run({ partitionKey: 'acme' })] }),
      {
        job: perCustomer,
      }
    ),
  'a partition added and deleted by one tick': () =>
    said(() => ({ partitionRequests: [customers.add(['acme']), customers.delete(['acme'])] })),
  'a request made and forgotten': () => said((ctx) => void ctx.run({ runKey: 'forgotten' })),
  'something else returned': () => said(() => 'run'),
  'an error that nobody caught': () => said(() => Promise.reject(new Error('the source is down'))),
  'no cursor where there should be one': () =>
    said((ctx) => [ctx.run({ runKey: 'known' }), ctx.run({ runKey: 'also known' })]),
  'an interval of 0': define({ interval: 0 }),
  'a misspelt option': define({ minimumInterval: '30s' }),
  "a resource's variable that is not set": thrown(() =>
    buildResources(
      { externalSystem },
      { config: { externalSystem: { endpoint: 'http://x', apiKey: env('API_KEY') } }, env: {} }
    )
  ),
};
/** Needs a worker: test/integration/rhythm.test.ts. */
const ELSEWHERE = 'heavy work in the sensor';

describe('every mistake is answered as the page says', () => {
  const section = page.slice(page.indexOf('\n## Misuse'), page.indexOf('\n## What is left out'));
  const rows = [...section.matchAll(/^\| (.*?) +\| `(.*)` +\|$/gm)].map(([, mistake = '', message = '']) => [
    mistake,
    message,
  ]);

  test('all of them are tested', () => {
    expect(rows.map(([mistake = '']) => mistake).toSorted()).toEqual([...Object.keys(MISUSE), ELSEWHERE].toSorted());
  });

  test.each(rows.filter(([mistake]) => mistake !== ELSEWHERE))('%s', async (mistake, message) => {
    expect(await MISUSE[mistake ?? '']?.()).toContain(message);
  });
});

test('one key for two jobs is two runs; async, and null among requests, are fine', async () => {
  const again = defineJob({ name: 'again' });
  const sensor = defineSensor({
    name: 'both',
    jobs: [tidyUp, again],
    evaluate: async (ctx) => [
      ctx.run({ job: tidyUp, runKey: 'k' }),
      null,
      undefined,
      ctx.run({ job: again, runKey: 'k' }),
    ],
  });
  expect((await evaluateTick(sensor)).requests.map(({ workflowId }) => workflowId)).toEqual([
    'both:tidyUp:k',
    'both:again:k',
  ]);
});
