/**
 * `sensors init` as a new user runs it: the packed package in a project, the built command in its folder, the compiler
 * over the result, and the worker that it wrote until a file has had its run.
 */
import { Connection } from '@temporalio/client';
import Long from 'long';
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { waitFor } from '../support/harness.js';
import { installPackage, packPackage, typeCheck } from '../support/packed-package.js';

const run = promisify(execFile);
const CLI = 'node_modules/temporal-sensors/dist/esm/cli/main.js';
const PEERS = ['activity', 'client', 'common', 'envconfig', 'plugin', 'worker', 'workflow'];
/** A project that has everything. */
const COMPLETE = {
  dependencies: {
    ...Object.fromEntries(PEERS.map((name) => [`@temporalio/${name}`, '^1.24.0'])),
    'temporal-sensors': '^0.1.0',
    zod: '^4.0.0',
  },
  devDependencies: { '@types/node': '^20.0.0', tsx: '^4.0.0', typescript: '^7.0.0' },
};
/** Of Temporal's hello-world, without the base that it extends. */
const HELLO_TSCONFIG = `{
  "version": "4.4.2",
  "compilerOptions": {
    "target": "es2022", "module": "node16", "moduleResolution": "node16", "strict": true,
    "esModuleInterop": true, "skipLibCheck": true, "forceConsistentCasingInFileNames": true,
    "lib": ["es2021"], "declaration": true, "declarationMap": true, "sourceMap": true,
    "rootDir": "./src",
    "outDir": "./lib", // with a comma at the end
  },
  "include": ["src/**/*.ts"],
}`;
/** What `tsc --init` writes, without its comments. */
const NEW_TSCONFIG = JSON.stringify({
  compilerOptions: {
    module: 'nodenext',
    target: 'esnext',
    types: [],
    sourceMap: true,
    declaration: true,
    declarationMap: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    strict: true,
    jsx: 'react-jsx',
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noUncheckedSideEffectImports: true,
    moduleDetection: 'force',
    skipLibCheck: true,
  },
});

/** A worker bundles its workflows when it starts: seconds of computing, beside other tests. */
const PATIENCE_MS = 90_000;

let folder = '';
let archive = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-init-'));
  archive = await packPackage(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A project of these files, with the package installed. */
async function projectOf(files: Readonly<Record<string, string | object>>): Promise<string> {
  const project = await mkdtemp(join(folder, 'project-'));
  await installPackage(archive, project);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(project, path)), { recursive: true });
    await writeFile(join(project, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return project;
}

interface Added {
  readonly where?: string;
  readonly code: string;
}
interface InitResult {
  readonly files: readonly { readonly path: string; readonly state: string; readonly add: readonly Added[] }[];
  readonly remarks: readonly string[];
  readonly steps: readonly { readonly what: string; readonly run: readonly string[] }[];
}

async function sensors(project: string, ...args: readonly string[]) {
  const env = { PATH: process.env['PATH'], HOME: folder };
  const ended = await run(process.execPath, [CLI, ...args], { cwd: project, env }).then(
    (printed) => ({ code: 0, ...printed }),
    (error: { code: number; stdout: string; stderr: string }) => error
  );
  return { code: ended.code, stdout: ended.stdout, stderr: ended.stderr };
}

async function init(project: string, ...args: readonly string[]): Promise<InitResult> {
  const { code, stdout, stderr } = await sensors(project, 'init', '--json', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as InitResult;
}

function commands({ steps }: InitResult): readonly string[] {
  return steps.flatMap(({ run }) => run);
}

/** Starts the worker in a namespace of its own, gives its inbox a file and waits for what the job logs. */
async function seeOneRun(project: string, ...worker: readonly string[]): Promise<void> {
  const namespace = `init-${randomUUID()}`;
  const address = inject('temporalAddress');
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: Long.fromNumber(86_400) },
  });
  await connection.close();
  await mkdir(join(project, 'inbox'));
  await writeFile(join(project, 'inbox', 'hello.txt'), 'hello');
  const env = { PATH: process.env['PATH'], HOME: folder, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  const child = spawn(process.execPath, worker, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  try {
    await waitFor(
      () => {
        if (child.exitCode !== null) throw new Error(log);
        return log.includes(`processing ${join(project, 'inbox', 'hello.txt')}`);
      },
      'the run',
      PATIENCE_MS
    );
    const place = ['--address', address, '--namespace', namespace];
    const runs = await waitFor(async () => {
      const listed = await sensors(project, 'runs', 'newFiles', '--json', ...place);
      const found = JSON.parse(listed.stdout) as readonly { status: string; runKey: string }[];
      return found[0]?.status === 'COMPLETED' && found;
    }, 'the completed run');
    expect(runs).toMatchObject([{ job: 'processFile', runKey: 'hello.txt' }]);
  } finally {
    child.kill();
    await ended;
  }
}

test('in an empty ESM project it writes four files, and its worker runs the first sensor', async () => {
  const project = await projectOf({
    'package.json': { name: '@me/first', type: 'module', ...COMPLETE },
    'tsconfig.json': NEW_TSCONFIG,
  });
  const result = await init(project);
  expect(result.files).toEqual(
    ['src/jobs.ts', 'src/sensors.ts', 'src/workflows.ts', 'src/worker.ts'].map((path) => ({
      path,
      state: 'written',
      add: [],
    }))
  );
  expect(result.remarks).toEqual([]);
  expect(commands(result)).toEqual([
    'npx sensors dev',
    'npx tsx src/worker.ts',
    'mkdir -p inbox && echo hello > inbox/hello.txt',
    'npx sensors runs newFiles',
    'npx sensors describe newFiles',
  ]);
  const sensor = await readFile(join(project, 'src/sensors.ts'), 'utf8');
  expect(sensor.trimEnd().split('\n').length).toBeLessThan(30);
  expect(await typeCheck(project, '--noEmit')).toBe('');
  await seeOneRun(project, '--import', 'tsx', 'src/worker.ts');
});

test('in an empty CommonJS project the files also work compiled', async () => {
  const project = await projectOf({ 'package.json': COMPLETE, 'tsconfig.json': HELLO_TSCONFIG });
  expect((await init(project)).files.map(({ state }) => state)).toEqual(Array(4).fill('written'));
  expect(await typeCheck(project)).toBe('');
  await seeOneRun(project, 'lib/worker.js');
});

const HELLO = {
  'package.json': {
    name: 'temporal-hello-world',
    scripts: { build: 'tsc --build', start: 'ts-node src/worker.ts', workflow: 'ts-node src/client.ts' },
    dependencies: {
      '@temporalio/client': '^1.24.0',
      '@temporalio/worker': '^1.24.0',
      '@temporalio/workflow': '^1.24.0',
    },
    devDependencies: { '@types/node': '^22.9.1', 'ts-node': '^10.9.2', typescript: '^5.6.3' },
  },
  'tsconfig.json': HELLO_TSCONFIG,
  'src/activities.ts': 'export async function greet(name: string): Promise<string> {\n  return `Hello, ${name}!`;\n}\n',
  'src/workflows.ts': `import { log, proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

const { greet } = proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

export async function example(name: string): Promise<string> {
  log.info('an example');
  return await greet(name);
}
`,
  'src/worker.ts': `import { NativeConnection, Worker } from '@temporalio/worker';
import * as activities from './activities';

async function run() {
  const connection = await NativeConnection.connect({ address: 'localhost:7233' });
  const worker = await Worker.create({
    connection,
    taskQueue: 'hello-world',
    workflowsPath: require.resolve('./workflows'),
    activities,
  });
  await worker.run();
}

run().catch((error) => {
  console.error(error);
  process.exit(1);
});
`,
  'src/mocha/worker.test.ts': '// await Worker.create({})\n',
};

test("in a project like Temporal's hello-world it keeps what is there, and says what to add", async () => {
  const project = await projectOf(HELLO);
  const result = await init(project);
  expect(result.files.map(({ path, state }) => `${path} ${state}`)).toEqual([
    'src/jobs.ts written',
    'src/sensors.ts written',
    'src/workflows.ts kept',
    'src/worker.ts kept',
  ]);
  const [, , workflows, worker] = result.files;
  for (const path of ['src/workflows.ts', 'src/worker.ts'] as const) {
    expect(await readFile(join(project, path), 'utf8')).toBe(HELLO[path]);
  }
  expect(workflows?.add).toHaveLength(1);
  expect(workflows?.add[0]?.code).toMatch(/^export \* from 'temporal-sensors\/workflows';$/m);
  // it imports log already
  expect(workflows?.add[0]?.code).not.toContain('@temporalio/workflow');
  expect(worker?.add).toEqual([
    { code: expect.stringContaining(`import { newFiles } from './sensors';`) as string },
    { where: 'in the options of Worker.create', code: 'plugins: [new SensorsPlugin({ sensors: [newFiles] })],\n' },
  ]);
  expect(commands(result)).toContain('npm start');
  expect(commands(result)[0]).toMatch(
    /^npm install @temporalio\/activity@1\.\d+\.\d+ .*@temporalio\/plugin@\S+ temporal-sensors zod$/
  );

  // by hand, as it says
  const [imports, option] = worker?.add ?? [];
  await writeFile(join(project, 'src/workflows.ts'), `${HELLO['src/workflows.ts']}\n${workflows?.add[0]?.code}`);
  await writeFile(
    join(project, 'src/worker.ts'),
    `${imports?.code}${HELLO['src/worker.ts'].replace('    activities,\n', `    activities,\n    ${option?.code}`)}`
  );
  expect(await typeCheck(project, '--noEmit')).toBe('');
  const again = await sensors(project, 'init');
  expect(again).toMatchObject({ code: 8, stderr: '' });
  expect(again.stdout).toMatch(/^All four files exist, so nothing was written\.\n/);
  expect(again.stdout).not.toContain('Add to');
});

test('--dir puts the files beside a worker of the project', async () => {
  const project = await projectOf(HELLO);
  const result = await init(project, '--dir', 'src/sensors');
  expect(result.files.map(({ path, state }) => `${path} ${state}`)).toEqual([
    'src/sensors/jobs.ts written',
    'src/sensors/sensors.ts written',
    'src/sensors/workflows.ts written',
    'src/sensors/worker.ts written',
  ]);
  expect(commands(result)).toContain('npx ts-node src/sensors/worker.ts');
  expect(await readFile(join(project, 'src/sensors/worker.ts'), 'utf8')).toContain(`'temporal-hello-world-sensors'`);
  expect(await typeCheck(project, '--noEmit')).toBe('');
});

test('it finds a worker and workflows that lie elsewhere', async () => {
  const project = await projectOf({
    'package.json': { type: 'module', scripts: { worker: 'tsx src/worker/index.ts' }, ...COMPLETE },
    'tsconfig.json': NEW_TSCONFIG,
    'tools/load.ts': '// await Worker.create({ workflowBundle })\n',
    'src/flows/index.ts': 'export {};\n',
    'src/worker/index.ts': `import { Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
const plugins = [];
const worker = await Worker.create({
  taskQueue: 'mine',
  plugins,
  workflowsPath: fileURLToPath(
    new URL('../flows/index.js', import.meta.url)
  ),
});
`,
  });
  const { files, steps, remarks } = await init(project);
  expect(remarks).toEqual([
    'there are further workers (tools/load.ts); the sensor runs on the one of src/worker/index.ts, or choose by --dir',
  ]);
  expect(files.map(({ path, state }) => `${path} ${state}`)).toEqual([
    'src/jobs.ts written',
    'src/sensors.ts written',
    'src/flows/index.ts kept',
    'src/worker/index.ts kept',
  ]);
  expect(files[2]?.add[0]?.code).toContain(`import type * as jobs from '../jobs.js';`);
  expect(files[3]?.add).toEqual([
    { code: expect.stringContaining(`import { newFiles } from '../sensors.js';`) as string },
    { where: 'in the plugins of Worker.create', code: 'new SensorsPlugin({ sensors: [newFiles] }),\n' },
  ]);
  expect(steps.flatMap(({ run }) => run)).toContain('npm run worker');
  const elsewhere = await init(project, '--dir', 'tools');
  expect(elsewhere.files.map(({ path, state }) => `${path} ${state}`)).toEqual([
    'tools/jobs.ts written',
    'tools/sensors.ts written',
    'tools/workflows.ts written',
    'tools/load.ts kept',
  ]);
  expect(elsewhere.remarks).toEqual([
    'tools/load.ts does not say where its workflows are; if it is not tools/workflows.ts, move what that exports there',
  ]);
});

test('it says what a project lacks, and what is too old', async () => {
  const project = await projectOf({
    'package.json': {
      name: 'old',
      dependencies: { '@temporalio/worker': '^1.11.3', '@temporalio/client': '1.11.3', zod: '^3.23.8' },
      devDependencies: { '@types/node': '*', typescript: '^5.0.0' },
    },
    'pnpm-lock.yaml': '',
    'base/tsconfig.json': `{ "compilerOptions": { "verbatimModuleSyntax": true } }`,
    'tsconfig.json': `{ "extends": "./base/tsconfig", /* none of its own */ }`,
  });
  // what is installed counts, and here nothing old is
  for (const name of ['@temporalio', 'zod']) await rm(join(project, 'node_modules', name));
  const result = await init(project);
  expect(result.remarks).toEqual([
    '@temporalio/client is 1.11.3, and temporal-sensors needs ^1.24.0',
    '@temporalio/worker is ^1.11.3, and temporal-sensors needs ^1.24.0',
    'zod is ^3.23.8, and temporal-sensors needs ^4.0.0',
  ]);
  expect(commands(result).slice(0, 3)).toEqual([
    'npm pkg set type=module',
    'pnpm add @temporalio/activity @temporalio/client@1 @temporalio/common @temporalio/envconfig @temporalio/plugin ' +
      '@temporalio/worker@1 @temporalio/workflow temporal-sensors zod@4',
    'pnpm exec sensors dev',
  ]);
  expect(await readFile(join(project, 'src/worker.ts'), 'utf8')).toContain('import.meta.resolve');
});

test('where there is no TypeScript project it writes nothing and says why', async () => {
  const project = await projectOf({});
  const refused = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await sensors(project, 'init', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    return stderr;
  };
  expect(await refused()).toMatch(/^error: there is no package\.json in .*\nRun sensors init in the root/);
  await writeFile(join(project, 'package.json'), '{ "name": ');
  expect(await refused()).toMatch(/^error: .*package\.json cannot be read: /);
  await writeFile(join(project, 'package.json'), '{}');
  expect(await refused()).toMatch(/^error: there is no tsconfig\.json in .*\n.*npx tsc --init/);
  await writeFile(join(project, 'tsconfig.json'), '{ "compilerOptions": [');
  expect(await refused()).toMatch(/^error: .*tsconfig\.json cannot be read: /);
  await writeFile(join(project, 'tsconfig.json'), '{}');
  expect(await refused('--dir', '../elsewhere')).toMatch(
    /^error: --dir is '\.\.\/elsewhere'; accepted: a folder inside/
  );
});
