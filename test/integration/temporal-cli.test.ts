/** The commands of docs/temporal-web.md, as they stand there, run with the `temporal` CLI. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, inject, test } from 'vitest';
import { z } from 'zod';
import { assetState } from '../../src/client/index.js';
import { defineJob, defineSensor, dynamicPartitions } from '../../src/index.js';
import { Harness, waitFor } from '../support/harness.js';

const run = promisify(execFile);

/** The `temporal` commands in the document's shell blocks, in order. */
async function documentedCommands(): Promise<string[]> {
  const document = await readFile(fileURLToPath(new URL('../../docs/temporal-web.md', import.meta.url)), 'utf8');
  return [...document.matchAll(/```sh\n(.*?)```/gs)]
    .flatMap(([, block]) => (block ?? '').replaceAll('\\\n', '').split('\n'))
    .filter((line) => line.startsWith('temporal '));
}

test('every command in docs/temporal-web.md works', async () => {
  const h = await Harness.create();
  const noop = defineJob({ name: 'noop' });
  const customers = dynamicPartitions('customers');
  const sensor = defineSensor({
    name: 'newFiles',
    job: noop,
    interval: '1h',
    defaultStatus: 'running',
    cursor: z.object({ mtimeMs: z.number() }).default({ mtimeMs: 0 }),
    evaluate(ctx) {
      if (ctx.tick > 1) return ctx.skip('no new files');
      return { runRequests: [ctx.run({ runKey: 'a' })], partitionRequests: [customers.add(['zeta'])] };
    },
  });
  const name = h.name(sensor);
  await h.work([sensor]);
  await h.tickWhere(sensor, ({ tick }) => tick === 1, 'the first tick');
  const asset = `${h.prefix}sales/orders`;
  await h.sensors.materialize(asset, { taskQueue: h.taskQueue });
  const commands = await documentedCommands();
  expect(commands.length).toBeGreaterThan(8);
  const runId = `${name}:noop:a`;
  const outputs = new Map<string, string>();
  for (const command of commands) {
    const id = command.includes('page/newFiles/preview/…') ? await h.sensors.preview(name) : undefined;
    const shell = command
      .replace(/^temporal/, '"$TEMPORAL"')
      .replaceAll('sensor/newFiles', `sensor/${name}`)
      .replaceAll('asset/sales/orders', `asset/${asset}`)
      .replaceAll('partitions/customers', `partitions/${h.name('customers')}`)
      .replace('page/newFiles/preview/…', id?.id ?? '');
    const { stdout } = await run('sh', ['-c', shell], {
      env: { ...process.env, TEMPORAL: inject('temporalBinary'), TEMPORAL_ADDRESS: inject('temporalAddress') },
      timeout: 20_000,
    });
    outputs.set(command, stdout);
  }
  const state = await waitFor(async () => {
    const now = await h.sensors.state(name);
    return now.audit.some(({ what }) => what === 'reset') ? now : undefined;
  }, 'the last command');
  expect(state.audit.map(({ what }) => what)).toEqual(
    expect.arrayContaining([
      'stop',
      'start',
      'tick',
      'set cursor',
      'clear cursor',
      'rerun a as epoch 2',
      'rearm a',
      'retry 0 dead letters',
      'discard 0 pending requests',
      expect.stringContaining('apply preview of tick'),
      'reset',
    ])
  );
  expect(state.counters.events).toBeGreaterThan(0);
  expect([...outputs.values()].join('\n')).toContain('no new files');
  const metadata = outputs.get('temporal workflow metadata --workflow-id sensor/newFiles');
  expect(metadata).toContain('What to do next');
  expect(outputs.get(`temporal workflow list --query "ParentWorkflowId = 'sensor/newFiles'"`)).toContain(runId);
  const described = await h.client.workflow.getHandle(runId).describe();
  expect(await described.staticSummary()).toBe(`run key a, tick 1 of sensor ${name}`);
  expect(await described.staticDetails()).toContain(`/namespaces/default/workflows/sensor%2F${name}>`);
  expect(await h.sensors.partitions(h.name('customers'))).toEqual(['acme']);
  expect(await assetState(h.client, asset)).toMatchObject({ last: 1, retention: { events: 10_000 } });
});
