/**
 * The four files of a first sensor: a folder is watched, and each new file name starts one run.
 *
 * A file that exists is never touched. What it lacks is given as code to add by hand, so a template is its imports and
 * its parts, and each part has a name by which a file that has it is known.
 */
import { posix } from 'node:path';
import type { Layout } from './layout.js';
import type { Project } from './project.js';

/** A template's kind; its file need not have this name. */
export type Kind = 'jobs' | 'sensors' | 'workflows' | 'worker';

/** Code to add by hand. */
export interface Addition {
  /** Where in the file; anywhere at its top level if absent. */
  readonly where?: string;
  readonly code: string;
}

export interface Template {
  readonly kind: Kind;
  /** Relative to the root. */
  readonly path: string;
  /** What the file is for, in a few words. */
  readonly purpose: string;
  /** The whole file. */
  readonly content: string;
  /** What an existing file of this content lacks. */
  readonly additions: (existing: string) => readonly Addition[];
}

/** The name of the first sensor. */
export const SENSOR = 'newFiles';
/** The folder that it watches, in the folder where the worker is started. */
export const INBOX = 'inbox';

/** One import of a template: what is imported, and from where. */
type Import = readonly [names: string, from: string];

export function templates(project: Project, layout: Layout): readonly Template[] {
  return [jobs(layout), sensors(project, layout), workflows(project, layout), worker(project, layout)];
}

function jobs({ jobs: path }: Layout): Template {
  const imports: Import[] = [
    ['{ defineJob }', 'temporal-sensors'],
    ['{ z }', 'zod'],
  ];
  const code = `/** What the sensor starts: the workflow of this name, with this config. */
export const processFile = defineJob({ name: 'processFile', config: z.object({ path: z.string() }) });
`;
  return {
    kind: 'jobs',
    path,
    purpose: 'the job processFile: its name and its config',
    content: `${lines(imports)}\n${code}`,
    additions: (existing) => (has(existing, 'processFile') ? [] : [{ code: `${lines(imports, existing)}\n${code}` }]),
  };
}

function sensors(project: Project, layout: Layout): Template {
  const imports: Import[] = [
    ['{ mkdir, readdir }', 'node:fs/promises'],
    ['{ resolve }', 'node:path'],
    ['{ defineSensor }', 'temporal-sensors'],
    ['{ processFile }', specifier(project, layout.sensors, layout.jobs)],
  ];
  const code = `const inbox = resolve('${INBOX}');

/** Starts processFile for each file in ./${INBOX}, once for each name. */
export const ${SENSOR} = defineSensor({
  name: '${SENSOR}',
  job: processFile,
  interval: '2s',
  defaultStatus: 'running',
  async *evaluate(ctx) {
    await mkdir(inbox, { recursive: true });
    const names = (await readdir(inbox)).filter((name) => !name.startsWith('.'));
    if (names.length === 0) return ctx.skip('${INBOX} is empty');
    // a run key that has run does not run again, so all are asked for at every tick
    for (const name of names) yield ctx.run({ runKey: name, config: { path: resolve(inbox, name) } });
  },
});
`;
  return {
    kind: 'sensors',
    path: layout.sensors,
    purpose: `the sensor ${SENSOR}: looks into ./${INBOX} every 2 s`,
    content: `${lines(imports)}\n${code}`,
    additions: (existing) => (has(existing, SENSOR) ? [] : [{ code: `${lines(imports, existing)}\n${code}` }]),
  };
}

function workflows(project: Project, layout: Layout): Template {
  const imports: Import[] = [
    ['{ log }', '@temporalio/workflow'],
    ['type { JobConfig }', 'temporal-sensors'],
    ['type * as jobs', specifier(project, layout.workflows, layout.jobs)],
  ];
  const loop = `export * from 'temporal-sensors/workflows';\n`;
  const code = `/** The job: an ordinary workflow. It calls your activities. */
export async function processFile({ path }: JobConfig<typeof jobs.processFile>): Promise<void> {
  log.info(\`processing \${path}\`);
}
`;
  return {
    kind: 'workflows',
    path: layout.workflows,
    purpose: `what processFile does, and the sensors' own workflows`,
    content: `${lines(imports)}${loop}\n${code}`,
    additions: (existing) => {
      const added = existing.includes('temporal-sensors/workflows') ? '' : loop;
      if (has(existing, 'processFile')) return added === '' ? [] : [{ code: added }];
      return [{ code: `${lines(imports, existing)}${added}\n${code}` }];
    },
  };
}

function worker(project: Project, layout: Layout): Template {
  const { activities, worker: path } = layout;
  const sensors: Import = [`{ ${SENSOR} }`, specifier(project, path, layout.sensors)];
  const plugin: Import = ['{ SensorsPlugin }', 'temporal-sensors/worker'];
  const imports: Import[] = [
    ...(project.esm ? [['{ fileURLToPath }', 'node:url'] as const] : []),
    ['{ loadClientConnectConfig }', '@temporalio/envconfig'],
    ['{ NativeConnection, Worker }', '@temporalio/worker'],
    plugin,
    ...(activities === undefined ? [] : [['* as activities', specifier(project, path, activities)] as const]),
    sensors,
  ];
  const module = specifier(project, path, layout.workflows);
  const workflowsPath = project.esm
    ? `fileURLToPath(import.meta.resolve('${module}'))`
    : `require.resolve('${module}')`;
  const code = `async function run(): Promise<void> {
  // TEMPORAL_ADDRESS, TLS, API key, profile: as the temporal CLI reads them
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await NativeConnection.connect(connectionOptions);
  try {
    const worker = await Worker.create({
      connection,
      namespace: namespace ?? 'default',
      taskQueue: '${taskQueue(project)}',
      workflowsPath: ${workflowsPath},
${activities === undefined ? '' : '      activities,\n'}      plugins: [new SensorsPlugin({ sensors: [${SENSOR}] })],
    });
    await worker.run();
  } finally {
    await connection.close();
  }
}

run().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
`;
  return {
    kind: 'worker',
    path,
    purpose: 'the worker that runs both',
    content: `${lines(imports)}\n${code}`,
    additions: (existing) => {
      if (has(existing, SENSOR)) return [];
      if (has(existing, 'SensorsPlugin')) {
        return [{ code: lines([sensors]) }, { where: 'in the sensors of its SensorsPlugin', code: `${SENSOR},\n` }];
      }
      const create = `new SensorsPlugin({ sensors: [${SENSOR}] })`;
      return [
        { code: lines([plugin, sensors]) },
        /\bplugins\b/.test(existing)
          ? { where: 'in the plugins of Worker.create', code: `${create},\n` }
          : { where: 'in the options of Worker.create', code: `plugins: [${create}],\n` },
      ];
    },
  };
}

/** A task queue of the application's own: another one's worker would not know the sensors. */
function taskQueue({ manifest: { name = '' } }: Project): string {
  const own = name.replace(/^@.*\//, '').replaceAll(/[^\w.-]/g, '');
  return own === '' ? 'sensors' : `${own}-sensors`;
}

/** The import lines, without those whose names `existing` imports already. */
function lines(imports: readonly Import[], existing = ''): string {
  return imports
    .filter(([names, from]) => !imported(existing, names, from))
    .map(([names, from]) => `import ${names} from '${from}';\n`)
    .join('');
}

function imported(existing: string, names: string, from: string): boolean {
  const statements = existing.match(/\bimport\b[^;'"]*['"][^'"]*['"]/g) ?? [];
  const wanted = names.match(/\w+/g)?.filter((word) => word !== 'type' && word !== 'as') ?? [];
  return statements.some(
    (statement) => /['"](.*)['"]/.exec(statement)?.[1] === from && wanted.every((name) => has(statement, name))
  );
}

function has(code: string, name: string): boolean {
  return new RegExp(`\\b${name}\\b`).test(code);
}

/** How the file `from` imports the file `to`. */
function specifier({ esm, extension }: Project, from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to).replace(/\.ts$/, '');
  // only CommonJS finds the index of a folder
  const module = esm || extension === '.ts' ? path + extension : path.replace(/\/index$/, '');
  return module.startsWith('.') ? module : `./${module}`;
}
