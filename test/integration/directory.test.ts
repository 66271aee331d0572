/** A sensor over a directory on a real server: one run for each file, and nudges from the file system. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../src/index.js';
import { directorySensor, watchDirectory } from '../../src/sources/directory.js';
import { Harness, waitFor } from '../support/harness.js';

const noop = defineJob({ name: 'noop', config: z.object({ path: z.string() }) });
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-inbox-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const inbox = (interval: '200ms' | '1h') =>
  directorySensor({
    name: 'inbox',
    path: folder,
    glob: '*.csv',
    stableFor: '50ms',
    job: noop,
    interval,
    defaultStatus: 'running',
    request: ({ path, name }) => ({ config: { path }, tags: { name } }),
  });

test('each file runs once, also when another worker takes over and files come and go', async () => {
  const h = await Harness.create();
  const write = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n++) await writeFile(join(folder, `${n}.csv`), `${n}`);
  };
  const first = await h.work([inbox('200ms')]);
  await write(0, 20);
  await h.settledRuns('inbox', 20);
  await first.stop();
  await write(20, 25);
  await rename(join(folder, '3.csv'), join(folder, 'renamed.csv'));
  await h.work([inbox('200ms')]);
  await h.settledRuns('inbox', 26);
  await h.folded('inbox');
  const names = Array.from({ length: 25 }, (_, n) => `${n}.csv`);
  expect((await h.runs('inbox')).map(({ workflowId }) => workflowId).toSorted()).toEqual(
    [...names, 'renamed.csv'].map((name) => `${h.name('inbox')}:noop:${name}`).toSorted()
  );
});

test('a nudge from the file system runs a file long before the interval', async () => {
  const h = await Harness.create();
  await h.work([inbox('1h')]);
  await h.tickWhere('inbox', ({ status }) => status === 'skipped', 'the first tick');
  const watch = watchDirectory(h.sensors, h.name('inbox'), folder, { debounce: '20ms' });
  try {
    await writeFile(join(folder, 'a.csv'), 'a');
    await waitFor(async () => (await h.runs('inbox')).length === 1, 'the run');
  } finally {
    await watch.close();
  }
});
