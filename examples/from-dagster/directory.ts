/** A folder: one run for each file by name, with a skip reason, or for each version of a file. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { defineJob, defineResource, defineSensor } from 'temporal-sensors';
import { z } from 'zod';

export const logFile = defineJob({ name: 'logFile', config: z.object({ filename: z.string() }) });

/** The folder's path: `resourceConfig` has it, so that no sensor does. */
export const inbox = defineResource({ config: z.object({ path: z.string() }), create: ({ config }) => config.path });

export const newFiles = defineSensor({
  name: 'newFiles',
  job: logFile,
  resources: { inbox },
  async *evaluate(ctx) {
    for (const file of await readdir(ctx.resources.inbox, { withFileTypes: true })) {
      if (file.isFile()) yield ctx.run({ runKey: file.name, config: { filename: file.name } });
    }
  },
});

export const newFilesOrWhyNot = defineSensor({
  name: 'newFilesOrWhyNot',
  job: logFile,
  resources: { inbox },
  async evaluate(ctx) {
    const entries = await readdir(ctx.resources.inbox, { withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    if (files.length === 0) return ctx.skip(`no files in ${ctx.resources.inbox}`);
    return files.map(({ name }) => ctx.run({ runKey: name, config: { filename: name } }));
  },
});

export const changedFiles = defineSensor({
  name: 'changedFiles',
  job: logFile,
  resources: { inbox },
  cursor: z.object({ mtimeMs: z.number() }).default({ mtimeMs: 0 }),
  async *evaluate(ctx) {
    let newest = ctx.cursor.mtimeMs;
    for (const filename of await readdir(ctx.resources.inbox)) {
      const file = await stat(join(ctx.resources.inbox, filename));
      if (!file.isFile() || file.mtimeMs <= ctx.cursor.mtimeMs) continue;
      // with the time in its key, a file runs again when it has changed
      yield ctx.run({ runKey: `${filename}:${file.mtimeMs}`, config: { filename } });
      newest = Math.max(newest, file.mtimeMs);
    }
    ctx.setCursor({ mtimeMs: newest });
  },
});
