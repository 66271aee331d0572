/**
 * The package as users get it: what `npm pack` makes, installed in an ESM and in a CommonJS TypeScript project (of the
 * shape of Temporal's own hello-world), type-checked, compiled, and running a sensor until its run is complete.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-package-'));
  // npm test has built dist; building again here would pull it from under the tests beside this one
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function archive(): Promise<string> {
  const found = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  return join(folder, found ?? 'missing.tgz');
}

test('the archive holds what users need, and nothing else', async () => {
  const { stdout } = await run('tar', ['-tzf', await archive()]);
  const files = stdout
    .trim()
    .split('\n')
    .map((file) => file.replace('package/', ''));
  expect(
    files.filter(
      (file) => !/^(dist\/|docs\/|README\.md|CHANGELOG\.md|ARCHITECTURE\.md|LICENSE|package\.json)/.test(file)
    )
  ).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining([
      'dist/esm/index.js',
      'dist/esm/index.d.ts',
      'dist/cjs/index.js',
      'dist/cjs/package.json',
      'dist/esm/cli/main.js',
    ])
  );
});

const SENSORS = `
import { defineJob, defineSensor } from 'temporal-sensors';
import { z } from 'zod';

export const greet = defineJob({ name: 'greet', config: z.object({ name: z.string(), times: z.number().default(1) }) });

export const greeter = defineSensor({
  name: process.env.SENSOR_NAME ?? 'greeter',
  job: greet,
  interval: '1s',
  defaultStatus: 'running',
  cursor: z.number().default(0),
  *evaluate(ctx) {
    if (ctx.cursor > 0) return ctx.skip('greeted');
    yield ctx.run({ runKey: 'once', config: { name: 'world' } });
    ctx.setCursor(ctx.cursor + 1);
  },
});
`;
const WORKFLOWS = `
export * from 'temporal-sensors/workflows';
import { runInfo } from 'temporal-sensors/job';
import type { JobConfig } from 'temporal-sensors';
import type { greet as job } from './sensorsEXT';

export async function greet({ name, times }: JobConfig<typeof job>): Promise<string> {
  return \`hello \${name} \${times} from \${runInfo()?.runKey}\`;
}
`;
const MAIN = `
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { SensorClient } from 'temporal-sensors/client';
import { buildSensorContext, evaluateTick, simulate } from 'temporal-sensors/testing';
import { SensorsPlugin } from 'temporal-sensors/worker';
import { greeter } from './sensorsEXT';
PATHS
async function main(): Promise<void> {
  const [request] = [...greeter.evaluate(buildSensorContext({ sensor: greeter, cursor: 0 }))];
  const { requests } = await evaluateTick(greeter, buildSensorContext());
  const { runs, quietTicks } = await simulate(greeter, { for: '1 minute', crashes: ['after evaluate'] });
  console.log('TESTED', request?.runKey, requests[0]?.config, runs.length, quietTicks > 0);
  const address = process.env.TEMPORAL_ADDRESS ?? '';
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const worker = await Worker.create({ connection, taskQueue: greeter.name, workflowsPath, plugins: [new SensorsPlugin({ sensors: [greeter] })] });
  await worker.runUntil(async () => {
    const sensors = new SensorClient(client);
    for (;;) {
      const ticks = await sensors.ticks(greeter.name).catch(() => []);
      const id = ticks[0]?.runs.sample[0];
      if (id !== undefined) return console.log('RESULT', await client.workflow.getHandle(id).result());
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  await client.connection.close();
  await connection.close();
}
main().catch((error) => { console.error(error); process.exit(1); });
`;

test.each([
  {
    kind: 'an ESM project',
    packageJson: { type: 'module' },
    compilerOptions: { module: 'nodenext', lib: ['es2022'] },
    extension: '.js',
    paths: `import { fileURLToPath } from 'node:url';\nconst workflowsPath = fileURLToPath(new URL('./workflows.js', import.meta.url));`,
  },
  {
    kind: 'a CommonJS project of the shape of hello-world',
    packageJson: {},
    compilerOptions: { module: 'node16', moduleResolution: 'node16', esModuleInterop: true, lib: ['es2021'] },
    extension: '',
    paths: `const workflowsPath = require.resolve('./workflows');`,
  },
])('works from $kind: types and run time', async ({ packageJson, compilerOptions, extension, paths }) => {
  const project = await mkdtemp(join(folder, 'project-'));
  await installPackage(project);
  await mkdir(join(project, 'src'));
  const text = (source: string): string => source.replaceAll('EXT', extension).replace('PATHS', paths);
  await Promise.all([
    writeFile(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, ...packageJson })),
    writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'es2022',
          strict: true,
          skipLibCheck: true,
          types: ['node'],
          declaration: true,
          rootDir: './src',
          outDir: './lib',
          ...compilerOptions,
        },
        include: ['src/**/*.ts'],
      })
    ),
    writeFile(join(project, 'src', 'sensors.ts'), text(SENSORS)),
    writeFile(join(project, 'src', 'workflows.ts'), text(WORKFLOWS)),
    writeFile(join(project, 'src', 'main.ts'), text(MAIN)),
  ]);
  const { stdout: types } = await run(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '--project',
    project,
  ]).catch((error: { stdout: string }) => error);
  expect(types).toBe('');
  const { stdout } = await run(process.execPath, [join(project, 'lib', 'main.js')], {
    cwd: project,
    env: {
      ...process.env,
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      SENSOR_NAME: `packaged-${process.pid}-${extension.length}`,
    },
    timeout: 50_000,
  });
  expect(stdout).toContain(`TESTED once { name: 'world', times: 1 } 1 true`);
  expect(stdout).toContain('RESULT hello world 1 from once');
});

/** The packed archive in node_modules, beside everything that the project has installed. */
async function installPackage(project: string): Promise<void> {
  const modules = join(project, 'node_modules');
  const target = join(modules, 'temporal-sensors');
  await mkdir(target, { recursive: true });
  await run('tar', ['-xzf', await archive(), '-C', target, '--strip-components=1']);
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name.startsWith('.') || name === 'temporal-sensors') continue;
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name));
  }
}
