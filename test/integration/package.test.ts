/**
 * The package as users get it: what `npm pack` makes, installed in an ESM and in a CommonJS TypeScript project (of the
 * shape of Temporal's own hello-world), type-checked, compiled, and running a sensor until its run is complete.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { installPackage, packPackage, typeCheck } from '../support/packed-package.js';

const run = promisify(execFile);
let folder = '';
let archive = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-package-'));
  archive = await packPackage(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the archive holds what users need, and nothing else', async () => {
  const { stdout } = await run('tar', ['-tzf', archive]);
  const files = stdout
    .trim()
    .split('\n')
    .map((file) => file.replace('package/', ''));
  expect(
    files.filter(
      (file) => !/^(dist\/|docs\/|ops\/|README\.md|CHANGELOG\.md|ARCHITECTURE\.md|LICENSE|package\.json)/.test(file)
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

test('compilers that know no exports find the same types', () => {
  const { '.': root, ...others } = Object.fromEntries(
    Object.entries(manifest.exports).flatMap(([path, target]) =>
      typeof target === 'object' && 'require' in target ? [[path, target.require.types]] : []
    )
  );
  expect(manifest.types).toBe(root);
  const versions = Object.entries(manifest.typesVersions['*']).map(([path, types]) => [`./${path}`, types]);
  expect(Object.fromEntries(versions)).toEqual(
    Object.fromEntries(Object.entries(others).map(([path, type]) => [path, [type]]))
  );
});

const SENSORS = `
import { defineJob, defineSensor, env } from 'temporal-sensors';
import { directorySensor } from 'temporal-sensors/sources/directory';
import { s3Sensor } from 'temporal-sensors/sources/s3';
import { emailOnRunFailure } from 'temporal-sensors/alerts/email';
import { slackOnRunFailure } from 'temporal-sensors/alerts/slack';
import { teamsCard, webhookOnRunFailure } from 'temporal-sensors/alerts/webhook';
import { S3Client } from '@aws-sdk/client-s3';
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

export const greetFiles = directorySensor({
  name: 'greetFiles',
  path: '.',
  glob: '*.txt',
  job: greet,
  request: (file) => ({ config: { name: file.name } }),
});

export const greetObjects = s3Sensor({
  name: 'greetObjects',
  client: () => new S3Client({}),
  bucket: 'greetings',
  order: 'key',
  job: greet,
  request: (object) => ({ config: { name: object.key } }),
});

export const alerts = [
  slackOnRunFailure({ token: env('SLACK_TOKEN'), channel: 'C1', text: (subject, { title }) => (subject.kind === 'run' ? subject.type : title) }),
  webhookOnRunFailure({ url: env('TEAMS_URL'), body: teamsCard }),
  emailOnRunFailure({ from: 'a@example.com', to: 'b@example.com', transport: { host: 'localhost', tls: { minVersion: 'TLSv1.3' } } }),
];
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
  await installPackage(archive, project);
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
  expect(await typeCheck(project)).toBe('');
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
