/** One real dev server and one workflow bundle for the whole test run. */
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startDevServer } from '../../src/cli/dev-server.js';
import { findTemporalBinary } from '../../src/cli/temporal-binary.js';

declare module 'vitest' {
  interface ProvidedContext {
    temporalAddress: string;
    temporalBinary: string;
    bundlePath: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-'));
  const binary = await findTemporalBinary({ log: (line) => console.log(line) });
  const [server, { code }] = await Promise.all([
    startDevServer({ binary, fast: true, headless: true }),
    bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
      // as the plugin would add it, from the sources
      workflowInterceptorModules: [fileURLToPath(new URL('../../src/workflows/interceptors.ts', import.meta.url))],
      logger: new DefaultLogger('ERROR'),
    }),
  ]);
  const bundlePath = join(folder, 'workflows.js');
  await writeFile(bundlePath, code);
  project.provide('temporalAddress', server.address);
  project.provide('temporalBinary', binary);
  project.provide('bundlePath', bundlePath);
  return async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
}
