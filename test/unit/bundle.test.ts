/** The workflow bundle holds the loop and nothing that does not belong into Temporal's sandbox. */
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test.each(['workflows', 'job'])('src/%s brings only @temporalio and pure files into the bundle', async (entry) => {
  const workflowsPath = fileURLToPath(new URL(`../../src/${entry}/index.ts`, import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  // webpack names each module by its path
  const modules = [...code.matchAll(/^\/\*\*\*\/ "([^"]+)"/gm)].map(([, path]) => path ?? '');
  const packages = new Set(
    modules.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter((name) => name !== undefined)
  );
  expect([...packages].filter((name) => !name.startsWith('@temporalio/')).sort()).toEqual(
    expect.not.arrayContaining(['zod', 'commander'])
  );
  const own = modules.filter((path) => path.startsWith('./src/'));
  expect(own.length).toBeGreaterThan(0);
  expect(
    own.filter(
      (path) =>
        !/\/src\/(workflows|job)\/|\/src\/sensors\/(describe-tick|key-ledger|errors|failures|json|limits|protocol|rhythm)\.ts$/.test(
          path
        )
    )
  ).toEqual([]);
});
