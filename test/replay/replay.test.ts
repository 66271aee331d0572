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
  const histories = await Promise.all(
    files.map(async (file) => ({
      workflowId: file,
      history: proto.temporal.api.history.v1.History.decode(gunzipSync(await readFile(`${folder}/${file}`))),
    }))
  );
  const failed: string[] = [];
  const workflowBundle = { codePath: inject('bundlePath') };
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
    if (error !== undefined) failed.push(`${workflowId}: ${error.message}`);
  }
  expect(failed).toEqual([]);
});
