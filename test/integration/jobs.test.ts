/** What a run is started with: tags, timeouts, retry, priority, search attributes, partitions. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { dailyPartitions, defineAsset, defineJob, defineSensor, dynamicPartitions } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

test('job options and tags reach the run; tags of the request win, and registered ones can be searched for', async () => {
  const h = await Harness.create();
  const attribute = `Customer${randomUUID().slice(0, 8)}`;
  await h.client.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: { [attribute]: 2 },
  });
  const echo = defineJob({
    name: 'echo',
    config: z.object({ n: z.number() }),
    tags: { team: 'sales', [attribute]: 'nobody' },
    workflowExecutionTimeout: '2 hours',
    workflowRunTimeout: '1 hour',
    workflowTaskTimeout: '20s',
    retry: { maximumAttempts: 3, initialInterval: '2s' },
    priority: { priorityKey: 2, fairnessKey: 'acme' },
  });
  const sensor = defineSensor({
    name: 'started',
    job: echo,
    interval: '1h',
    evaluate: (ctx) => ctx.run({ runKey: 'k', config: { n: 1 }, tags: { [attribute]: 'acme' } }),
  });
  await h.work([sensor]);
  expect(await h.sensors.tick(h.name(sensor))).toMatchObject({ runs: { count: 1 } });
  const handle = h.client.workflow.getHandle(`${h.name(sensor)}:echo:k`);
  const { info } = (await handle.result()) as { info: unknown };
  expect(info).toMatchObject({ sensor: h.name(sensor), runKey: 'k', tags: { team: 'sales', [attribute]: 'acme' } });
  const { events } = await handle.fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  expect(Number(started?.workflowExecutionTimeout?.seconds)).toBe(7200);
  expect(Number(started?.workflowRunTimeout?.seconds)).toBe(3600);
  expect(Number(started?.workflowTaskTimeout?.seconds)).toBe(20);
  expect(started).toMatchObject({
    retryPolicy: { maximumAttempts: 3 },
    priority: { priorityKey: 2, fairnessKey: 'acme' },
  });
  const found = await waitFor(async () => {
    const ids: string[] = [];
    for await (const { workflowId } of h.client.workflow.list({ query: `${attribute} = 'acme'` })) ids.push(workflowId);
    return ids.length > 0 ? ids : undefined;
  }, 'the search attribute');
  expect(found).toEqual([handle.workflowId]);
});

test('partitions that a tick adds count for its requests; what is in no set is rejected; a rerun keeps its partition and assets', async () => {
  const h = await Harness.create();
  const customers = dynamicPartitions('customers');
  const invoice = defineAsset({ key: ['sales', 'invoice'], partitions: customers });
  const letter = defineAsset({ key: 'letter', partitions: customers, upstream: [invoice] });
  const report = defineJob({ name: 'echo', assets: [letter, invoice] });
  let step = 0;
  const sensor = defineSensor({
    name: 'customers',
    job: report,
    interval: '1h',
    *evaluate(ctx) {
      step++;
      if (step === 1) {
        yield ctx.run({ runKey: 'new', partitionKey: 'acme', assets: [invoice] });
        yield ctx.run({ runKey: 'unknown', partitionKey: 'ghost', assets: ['letter'] });
        yield ctx.run({ runKey: 'none' });
        return { partitionRequests: [customers.add(['acme', 'zeta'])] };
      }
      if (step === 2) {
        yield ctx.run({ runKey: 'late', partitionKey: 'zeta' });
        return { partitionRequests: [customers.delete(['zeta', 'never']), customers.add(['acme', 'ghost'])] };
      }
      return { partitionRequests: [customers.add(['acme'])] };
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  expect(await h.sensors.tick(name)).toMatchObject({
    status: 'success',
    runs: { count: 1 },
    partitions: [{ set: h.name('customers'), added: 2, deleted: 0 }],
    rejected: {
      count: 2,
      sample: [
        { error: expect.stringContaining('partitionKey is not in partition set'), partitionKey: 'ghost' },
        { error: expect.stringContaining('partitionKey is missing') },
      ],
    },
  });
  expect(await h.sensors.partitions(h.name('customers'))).toEqual(['acme', 'zeta']);
  const run = h.client.workflow.getHandle(`${name}:echo:new`);
  const made = { partitionKey: 'acme', assets: ['sales/invoice'], tags: { partition: 'acme' } };
  expect(await run.result()).toMatchObject({ info: made });

  expect(await h.sensors.tick(name)).toMatchObject({
    runs: { count: 0 },
    partitions: [{ added: 1, deleted: 1 }],
    rejected: { sample: [{ error: expect.stringContaining('was deleted from partition set') }] },
  });
  expect(await h.sensors.partitions(h.name('customers'))).toEqual(['acme', 'ghost']);
  // the rejected request fits now
  const { deadLetters } = await h.sensors.state(name);
  const ids = deadLetters.filter(({ partitionKey }) => partitionKey === 'ghost').map(({ id }) => id);
  expect(await h.sensors.retryDeadLetters(name, { ids })).toMatchObject({ started: 1 });
  const late = await h.client.workflow.getHandle(`${name}:echo:unknown`).result();
  expect(late).toMatchObject({ info: { partitionKey: 'ghost', assets: ['letter'] } });
  const { workflowId } = await h.sensors.rerun(name, { runKey: 'new' });
  expect(await h.client.workflow.getHandle(workflowId).result()).toMatchObject({ info: made });
  await waitFor(async () => (await h.runs(sensor)).some(({ assets }) => assets?.[0] === 'letter'), 'the listed run');

  // somebody terminates the set: the next change brings it back with what it had
  await h.client.workflow.getHandle(`partitions/${h.name('customers')}`).terminate();
  expect(await h.sensors.tick(name)).toMatchObject({ status: 'skipped', skipReason: 'evaluate asked for no runs' });
  step = 1;
  await h.sensors.tick(name);
  expect(await h.sensors.partitions(h.name('customers'))).toEqual(['acme', 'ghost']);
});

test('a daily job runs for days that have ended', async () => {
  const h = await Harness.create();
  const daily = defineJob({ name: 'echo', partitions: dailyPartitions({ start: '2026-01-01' }) });
  const today = new Date().toISOString().slice(0, 10);
  const sensor = defineSensor({
    name: 'days',
    job: daily,
    interval: '1h',
    *evaluate(ctx) {
      for (const day of ['2026-01-01', today]) yield ctx.run({ runKey: day, partitionKey: day });
    },
  });
  await h.work([sensor]);
  expect(await h.sensors.tick(h.name(sensor))).toMatchObject({
    runs: { sample: [`${h.name(sensor)}:echo:2026-01-01`] },
    rejected: {
      sample: [
        {
          error: `partitionKey is not in the daily partitions of job 'echo' at this time (one is there when it has ended)`,
        },
      ],
    },
  });
});
