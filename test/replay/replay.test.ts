/** Every history that a released version of the loop wrote must replay with the present code. */
import proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, inject, test } from 'vitest';
import { PROTOCOL } from '../../src/sensors/protocol.js';

const folder = fileURLToPath(new URL('./histories', import.meta.url));

test('the histories of every protocol version replay', async () => {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.bin.gz'));
  expect(files.some((file) => file.startsWith(`v${PROTOCOL}`))).toBe(true);
  expect(await problems(await Promise.all(files.map(read)))).toEqual([]);
});

test('a history replays in which older code committed a tick without its asset events', async () => {
  const file = (await readdir(`${folder}/v2`)).find((name) => name.startsWith('keys-')) ?? '';
  const kept = await read(`v2/${file}`);
  const event = { asset: 'orders', kind: 'materialization', metadata: {} };
  let changed = 0;
  for (const { activityTaskCompletedEventAttributes: completed } of kept.history.events ?? []) {
    for (const payload of completed?.result?.payloads ?? []) {
      const result: unknown = JSON.parse(Buffer.from(payload.data ?? []).toString());
      if ((result as { readonly kind?: string } | null)?.kind !== 'evaluated') continue;
      const assetEvents = { id: `s/${++changed}/n`, events: [event] };
      payload.data = Buffer.from(JSON.stringify({ ...(result as object), assetEvents }));
    }
  }
  expect(changed).toBeGreaterThan(0);
  expect(await problems([kept])).toEqual([]);
});

async function read(file: string) {
  const history = proto.temporal.api.history.v1.History.decode(gunzipSync(await readFile(`${folder}/${file}`)));
  // a workflow may make use of its ID; the oldest histories do not tell it
  const [started] = history.events ?? [];
  return { file, workflowId: started?.workflowExecutionStartedEventAttributes?.workflowId || file, history };
}

async function problems(histories: readonly Awaited<ReturnType<typeof read>>[]): Promise<readonly string[]> {
  const found: string[] = [];
  // in this thread: a worker thread for each of them would cost most of the time
  const options = { workflowBundle: { codePath: inject('bundlePath') }, debugMode: true, reuseV8Context: true };
  for await (const { workflowId, error } of Worker.runReplayHistories(options, histories)) {
    if (error !== undefined) found.push(`${workflowId}: ${error.message}`);
  }
  return found;
}
