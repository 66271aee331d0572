import { expect, test } from 'vitest';
import { z } from 'zod';
import { assetState, readAsset, subscribeAsset } from '../../src/client/index.js';
import { defineAsset, defineAssetSensor, defineJob, defineSensor, staticPartitions } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

test('an asset sensor on another worker handles each event once and in order, soon after it was recorded', async () => {
  const h = await Harness.create();
  const orders = defineAsset({
    key: [`${h.prefix}sales`, 'orders'],
    partitions: staticPartitions(['before', 'observed', 'a', 'bad', 'b']),
  });
  const echo = defineJob({ name: 'echo', config: z.object({ position: z.number() }) });
  const invoices = defineAsset({ key: [`${h.prefix}sales`, 'invoices'] });
  const seen: string[] = [];
  let refuse = true;
  const onOrders = defineAssetSensor({
    name: 'onOrders',
    asset: orders,
    job: echo,
    interval: '1h',
    defaultStatus: 'running',
    maxAttempts: 1,
    handle(ctx, event) {
      ctx.materialize(invoices, { metadata: { position: event.position } });
      if (event.partitionKey === 'bad' && refuse) throw new Error('not this one');
      seen.push(`${event.position} ${event.partitionKey}`);
      return ctx.run({ config: { position: event.position } });
    },
  });
  const newest: number[] = [];
  let down = false;
  const onNewest = defineAssetSensor({
    name: 'onNewest',
    asset: orders,
    interval: '1h',
    defaultStatus: 'running',
    latest: true,
    startFrom: new Date(0),
    maxAttempts: 1,
    handle(_, { position }) {
      if (down) throw new Error('down');
      newest.push(position);
    },
  });
  const onBad = defineAssetSensor({
    name: 'onBad',
    asset: orders,
    interval: '1h',
    defaultStatus: 'running',
    handle(_, { partitionKey }) {
      if (partitionKey === 'bad') throw new Error('never this one');
    },
  });
  const producer = defineSensor({ name: 'producer', interval: '1h', evaluate: () => null });
  await h.work([producer]);
  const record = async (partition: string): Promise<void> =>
    await h.sensors.materialize(orders, { partition, taskQueue: h.taskQueue });
  for (let n = 0; n < 2; n++) await record('before');
  const worker = await h.work([onOrders, onNewest, onBad], { taskQueue: `${h.taskQueue}-other` });
  await h.tickWhere(onOrders, ({ skipReason }) => skipReason?.startsWith('no new events') ?? false, 'its first look');
  await h.sensors.observe(orders, { partition: 'observed', taskQueue: h.taskQueue });
  for (const partition of ['a', 'bad', 'b']) await record(partition);
  await waitFor(() => seen.length === 2, 'both events');
  expect(seen).toEqual(['4 a', '6 b']);
  await waitFor(() => newest.at(-1) === 6, 'the newest event');
  // neither what came before it nor what is an observation
  expect(newest.filter((position) => position === 1 || position === 3)).toEqual([]);
  const runs = await h.settledRuns(onOrders, 2);
  const { id } = (await assetState(h.client, orders)) ?? {};
  expect(new Set(runs.map(({ runKey }) => runKey))).toEqual(
    new Set([`${orders.name}@${id}.4`, `${orders.name}@${id}.6`])
  );
  const name = h.name(onOrders);
  expect((await h.sensors.state(name)).deadLetters.map(({ error }) => error)).toEqual([
    `${orders.name}@${id}.5: Error: not this one`,
  ]);
  const became = async (position: number, of: string = name): Promise<unknown> => {
    const explanation = await h.sensors.explain(of, { runKey: `${orders.name}@${id}.${position}` });
    return explanation.about === 'key' ? (explanation.event ?? explanation.answers[0]) : undefined;
  };
  expect(await became(4)).toMatchObject({ kind: 'started', run: { tick: expect.any(Number) as number } });
  expect(await became(5)).toMatchObject({ kind: 'deadLetter', what: 'event', count: 1 });
  expect(await became(7)).toMatchObject({ kind: 'absent', first: 1, last: 6 });
  // it has no job
  expect(await became(4, h.name(onNewest))).toMatchObject({ kind: 'read', readTo: 6, partitionKey: 'a' });
  // what the handler that failed said of assets is forgotten with its failure
  const invoiced = async (): Promise<unknown[]> =>
    (await readAsset(h.client, invoices)).map(({ metadata }) => metadata['position']);
  await waitFor(async () => (await invoiced()).length === 2, 'what the handler says of another asset');
  refuse = false;
  await h.sensors.retryDeadLetters(name);
  await waitFor(async () => (await invoiced()).length === 3, 'the event that was handed back');
  expect(seen).toEqual(['4 a', '6 b', '5 bad']);
  expect(await invoiced()).toEqual([4, 6, 5].map((value) => ({ type: 'number', value })));

  // a log that was deleted counts from 1 again, and what is tried again is parked by who notices
  expect(await became(5, h.name(onBad))).toMatchObject({ kind: 'retried' });
  const log = `asset/${orders.name}`;
  await h.client.workflowService.deleteWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: log },
  });
  await waitFor(async () => (await h.client.workflow.count(`WorkflowId = '${log}'`)).count === 0, 'the log to be gone');
  expect(await became(5, h.name(onBad))).toMatchObject({ kind: 'retried', gone: true });
  await record('a');
  for (const sensor of [name, h.name(onBad)]) await h.sensors.tick(sensor);
  await waitFor(async () => (await h.sensors.state(h.name(onBad))).deadLetters.length > 0, 'what is gone to be parked');
  expect(await became(5, h.name(onBad))).toMatchObject({ kind: 'deadLetter', what: 'event' });
  const anew = `the log of asset '${orders.name}' began anew`;
  await h.tickWhere(onOrders, ({ error }) => error?.includes(anew) ?? false, 'the new log to be told of');
  await waitFor(() => seen.length === 4, 'its first event');
  expect(seen.at(-1)).toBe('1 a');
  const again = await h.settledRuns(onOrders, 4);
  expect(again.map(({ runKey }) => runKey)).toContain(`${orders.name}@${(await assetState(h.client, orders))?.id}.1`);

  expect(await became(5)).toMatchObject({ kind: 'started' });
  expect(await became(7)).toMatchObject({ kind: 'otherLog', last: 1 });
  const notRead = { kind: 'notRead', asset: invoices.name, reads: [orders.name] };
  const explained = await h.sensors.explain(name, { runKey: `${invoices.name}@${id}.1` });
  expect(explained).toMatchObject({ event: notRead });

  // a preview has any cursor, and tells no log of it
  await subscribeAsset(h.client, invoices, { sensor: name, position: 1, taskQueue: h.taskQueue });
  const subscribers = async (): Promise<unknown[]> =>
    await Promise.all([orders, invoices].map(async (asset) => (await assetState(h.client, asset))?.subscribers));
  const subscribed = await subscribers();
  const other = { asset: invoices.name, log: '', position: 0, retries: [] };
  const otherwise = await h.sensors.preview(name, { cursor: other });
  expect(otherwise.skipReason).toContain(`after asset '${invoices.name}'`);
  await h.sensors.preview(name, { cursor: { ...other, asset: orders.name } });
  expect(await subscribers()).toEqual(subscribed);

  // of another asset, it begins with what is recorded from then on
  down = true;
  await record('b');
  expect(await h.sensors.tick(h.name(onNewest))).toMatchObject({ rejected: { count: 1 } });
  const refunds = defineAsset({ key: [`${h.prefix}sales`, 'refunds'] });
  const refund = async (): Promise<void> => await h.sensors.materialize(refunds, { taskQueue: h.taskQueue });
  for (let n = 0; n < 2; n++) await refund();
  const refunded: string[] = [];
  const onRefunds = defineAssetSensor({
    name: 'onNewest',
    asset: refunds,
    interval: '1h',
    defaultStatus: 'running',
    handle: (_, { asset, position }) => void refunded.push(`${asset} ${position}`),
  });
  await worker.stop();
  await h.work([onRefunds], { taskQueue: `${h.taskQueue}-other` });
  // at once, long before its interval
  const text = `begins with asset '${refunds.name}', after asset '${orders.name}': events from `;
  await h.tickWhere(onRefunds, ({ skipReason }) => skipReason?.startsWith(text) ?? false, 'the other asset');
  await refund();
  await waitFor(() => refunded.length > 0, 'its next event');
  expect(refunded).toEqual([`${refunds.name} 3`]);
  // an event of the asset before is still found, by that asset's name
  await h.sensors.retryDeadLetters(h.name(onRefunds));
  await waitFor(() => refunded.length > 1, 'the event that was handed back');
  expect(refunded.at(-1)).toBe(`${orders.name} 2`);

  await h.sensors.prune(name);
  const left = `Runs that it started remain: 'sensors runs ${name}' lists them`;
  await expect(h.sensors.explain(name, { runKey: 'any' })).rejects.toThrow(left);
});
