/** What a Prometheus server would scrape from a worker, and that the documentation lists it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { takeOver } from '../../src/client/loops.js';
import { METRICS } from '../../src/sensors/metrics.js';
import { Harness, waitFor } from '../support/harness.js';
import { failing, givenUp, holding, lagging, measuredAsset } from '../support/measured.js';

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples of our metrics in the text format of Prometheus. */
function parse(text: string): readonly Sample[] {
  return [...text.matchAll(/^(sensors_\w+)\{(.*)\} (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text])),
    value: Number(value),
  }));
}

test('a worker exports every listed metric with its labels, and counts each tick once though every task is replayed', async () => {
  const h = await Harness.create();
  const asset = measuredAsset(h.prefix);
  const record = async (): Promise<void> => await h.sensors.materialize(asset, { taskQueue: h.taskQueue });
  await Promise.all([record(), record()]);
  const elsewhere = `${h.taskQueue}-elsewhere`;
  const ended = { ...holding, name: 'ended' };
  const renamed = { ...holding, name: 'renamed' };
  const fleets = await Promise.all([
    h.work([failing, holding, lagging(h.prefix)]),
    h.work([givenUp, ended, renamed, { ...holding, name: 'left' }], { taskQueue: elsewhere }),
  ]);
  await waitFor(async () => {
    const listed = new Map((await h.sensors.list()).map((each) => [each.sensor, each]));
    const failed = listed.get(h.name(failing))?.health === 'failing';
    const behind = listed.get(h.name('lagging'))?.behindSince !== undefined;
    const stopped = listed.get(h.name(givenUp))?.status === 'stopped';
    return (
      failed &&
      behind &&
      stopped &&
      ['holding', 'ended', 'renamed', 'left'].every((each) => listed.get(h.name(each))?.pending === 2)
    );
  }, 'the sensors to be as the gauges shall say');
  await Promise.all(fleets.map((fleet) => fleet.stop()));
  await Promise.all([
    h.loop(ended).terminate('by hand'),
    takeOver(h.client, { from: h.name(renamed), to: h.name('new'), taskQueue: elsewhere }),
  ]);
  await waitFor(async () => {
    const listed = new Map((await h.sensors.list()).map(({ sensor, status }) => [sensor, status]));
    return listed.get(h.name(ended)) === 'closed' && !listed.has(h.name(renamed));
  }, 'the closed sensor in the list, without the renamed one');

  const address = await freeAddress();
  const script = fileURLToPath(new URL('../support/measured-process.ts', import.meta.url));
  const args = [script, inject('temporalAddress'), h.taskQueue, h.prefix, inject('bundlePath'), address];
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  await record();

  const scrape = async (): Promise<readonly Sample[]> => parse(await (await fetch(`http://${address}/metrics`)).text());
  const valueOf = (samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>): unknown =>
    samples.find(
      (each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value)
    )?.value;
  const of = (sensor: string, labels = {}): Record<string, string> => ({ sensor: h.name(sensor), ...labels });
  const samples = await waitFor(async () => {
    const all = await scrape();
    const folded = (sensor: string): unknown => valueOf(all, 'sensors_ticks_total', of(sensor, { folded: 'true' }));
    const recorded = valueOf(all, 'sensors_asset_events_total', { asset: asset.name });
    const told = valueOf(all, 'sensors_closed', of('ended')) === 1;
    return Number(folded('busy')) > 2 && Number(folded('failing')) > 2 && recorded === 1 && told ? all : undefined;
  }, 'folded ticks');
  child.kill('SIGTERM');
  await once(child, 'exit');

  const base = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');
  expect(new Set(samples.map(({ name }) => base(name)))).toEqual(new Set(Object.keys(METRICS)));
  const theirs = new Set(['givenUp', 'ended', 'renamed', 'left'].map((each) => h.name(each)));
  for (const { name, labels } of samples) {
    const { le: _, workflowType: __, activityType: ___, ...own } = labels;
    const listed: readonly string[] = METRICS[base(name) as keyof typeof METRICS].labels;
    expect(Object.keys(own).toSorted()).toEqual([...listed, 'namespace', 'taskQueue'].toSorted());
    expect(own).toMatchObject({ namespace: 'default' });
    // the sensors of other tests have gauges, too
    if (own['sensor']?.startsWith(h.prefix) !== false)
      expect(own).toMatchObject({ taskQueue: theirs.has(own['sensor'] ?? '') ? elsewhere : h.taskQueue });
  }
  const stateOf = (sensor: string): readonly unknown[] =>
    ['running', 'stopped_itself', 'closed'].map((each) => valueOf(samples, `sensors_${each}`, of(sensor)));
  expect(
    Object.fromEntries(['failing', 'givenUp', 'ended', 'renamed', 'left'].map((each) => [each, stateOf(each)]))
  ).toEqual({
    failing: [1, 0, 0],
    givenUp: [0, 1, 0],
    ended: [0, 0, 1],
    renamed: [0, 0, 0],
    left: [1, 0, 0],
  });
  const recorded = { folded: 'false' };
  expect({
    ticked: valueOf(samples, 'sensors_ticks_total', of('busy', { outcome: 'success', ...recorded })),
    failed: valueOf(samples, 'sensors_ticks_total', of('failing', { outcome: 'failure', folded: 'true' })),
    started: valueOf(samples, 'sensors_requests_total', of('busy', { outcome: 'started', ...recorded })),
    rejected: valueOf(samples, 'sensors_requests_total', of('busy', { outcome: 'rejected', ...recorded })),
    keys: valueOf(samples, 'sensors_run_keys', of('busy')),
    running: valueOf(samples, 'sensors_running', of('failing')),
    failing: ['failing', 'holding'].map((each) => valueOf(samples, 'sensors_failing', of(each))),
    // of other task queues only what wakes somebody
    pending: ['holding', 'left'].map((each) => valueOf(samples, 'sensors_pending_requests', of(each))),
    letters: valueOf(samples, 'sensors_dead_letters', of('holding')),
    lag: ['holding', 'lagging'].map((each) => Number(valueOf(samples, 'sensors_lag_seconds', of(each))) > 0),
  }).toEqual({
    ticked: 1,
    failed: expect.any(Number),
    started: 2,
    rejected: 1,
    keys: 2,
    running: 1,
    failing: [1, 0],
    pending: [2, undefined],
    letters: 0,
    lag: [false, true],
  });
  const folded = Number(valueOf(samples, 'sensors_ticks_total', of('busy', { outcome: 'skipped', folded: 'true' })));
  const again = valueOf(samples, 'sensors_requests_total', of('busy', { outcome: 'duplicate', folded: 'true' }));
  expect(again).toBe(2 * folded);
  const evaluated = 'sensors_evaluation_duration_milliseconds';
  expect(valueOf(samples, `${evaluated}_count`, of('busy'))).toBe(folded + 1);
  expect(valueOf(samples, `${evaluated}_bucket`, of('busy', { le: '20000' }))).toBe(folded + 1);
  const late = 'sensors_evaluation_lateness_milliseconds';
  expect(Number(valueOf(samples, `${late}_sum`, of('busy')))).toBeLessThan(2_000 * folded);
});

test('the documentation lists every metric with its kind and labels', async () => {
  const docs = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = [...docs.matchAll(/^\| `(sensors_\w+)` *\| (\w+) *\| (.*?) *\|/gm)];
  const listed = rows.map(([, name, kind, labels = '']) => [
    name,
    { kind, labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label) },
  ]);
  const defined = Object.entries(METRICS).map(([name, { kind, labels }]) => [name, { kind, labels: [...labels] }]);
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(defined));
});
