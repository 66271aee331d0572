/** The workflow bundle holds the loop and nothing that does not belong into Temporal's sandbox. */
import { readFile } from 'node:fs/promises';
import { expect, inject, test } from 'vitest';

test('src/workflows and src/job bring only @temporalio and pure files into the bundle', async () => {
  // of a workflow module that imports both, and otherwise only @temporalio/workflow
  const code = await readFile(inject('bundlePath'), 'utf8');
  // webpack names each module by its path
  const modules = [...code.matchAll(/^\/\*\*\*\/ "([^"]+)"/gm)].map(([, path]) => path ?? '');
  const packages = new Set(
    modules.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter((name) => name !== undefined)
  );
  expect([...packages].filter((name) => !name.startsWith('@temporalio/')).sort()).toEqual(
    expect.not.arrayContaining(['zod', 'commander'])
  );
  const own = modules.filter((path) => path.startsWith('./src/'));
  expect(own).toEqual(expect.arrayContaining(['./src/workflows/index.ts', './src/job/index.ts']));
  expect(
    own.filter(
      (path) =>
        !/\/src\/(workflows|job)\/|\/src\/sensors\/(asset-metadata|asset-name|backfill|describe-tick|errors|failures|json|key-ledger|limits|metrics|protocol|recent-runs|rhythm|text|trace)\.ts$/.test(
          path
        )
    )
  ).toEqual([]);
});
