/** Where the four files of a first sensor are in a project, or belong. Only reads. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';

/** The files of a first sensor. Paths are relative to the root of the project, with `/`. */
export interface Layout {
  readonly jobs: string;
  readonly sensors: string;
  readonly workflows: string;
  readonly worker: string;
  /** The activities that a new worker should have. */
  readonly activities: string | undefined;
  /** Workers of the project that were passed over. */
  readonly otherWorkers: readonly string[];
  /** Whether the worker of the project says where its workflows are, in a way that could be read. */
  readonly workflowsKnown: boolean;
}

/**
 * Where the files are, or belong: beside the project's worker, unless `dir` says where.
 *
 * @param dir relative to the root, with `/`
 */
export async function findLayout(root: string, dir: string | undefined): Promise<Layout> {
  const [worker, ...otherWorkers] = await findWorkers(root, dir ?? '.');
  const folder = dir ?? (worker === undefined ? 'src' : folderOf(worker));
  const named = worker === undefined ? undefined : await workflowsOf(root, worker);
  const activities = posix.join(folder, 'activities');
  return {
    jobs: moduleAt(root, posix.join(folder, 'jobs')),
    sensors: moduleAt(root, posix.join(folder, 'sensors')),
    workflows: named ?? moduleAt(root, posix.join(folder, 'workflows')),
    worker: worker ?? moduleAt(root, posix.join(folder, 'worker')),
    activities: existingModule(root, activities),
    otherWorkers,
    workflowsKnown: worker === undefined || named !== undefined,
  };
}

/** `src/worker/index.ts` belongs to `src`. */
function folderOf(worker: string): string {
  const folder = posix.dirname(worker);
  return /^workers?$/.test(posix.basename(folder)) ? posix.dirname(folder) : folder;
}

/** Files that create a worker, the likeliest first. */
async function findWorkers(root: string, dir: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const file of await sourcesIn(root, dir)) {
    if ((await readFile(join(root, file), 'utf8')).includes('Worker.create(')) found.push(file);
  }
  const rank = (file: string): number =>
    (/(^|\/)workers?(\/index)?\.ts$/.test(file) ? 0 : 1_000) + file.split('/').length;
  return found.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The TypeScript sources below a folder, without tests. */
async function sourcesIn(root: string, dir: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, dir), { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    const path = posix.join(dir, entry.name);
    if (entry.isDirectory()) {
      if (!/^(\..*|node_modules|tests?|__tests__)$/.test(entry.name)) found.push(...(await sourcesIn(root, path)));
    } else if (/(?<!\.d|\.test|\.spec)\.ts$/.test(entry.name)) found.push(path);
  }
  return found;
}

/** The module that a worker names as its `workflowsPath`, where it is a text that leads to a file. */
async function workflowsOf(root: string, worker: string): Promise<string | undefined> {
  const code = await readFile(join(root, worker), 'utf8');
  for (const [, name = ''] of code.matchAll(/workflowsPath[^'"`]{0,200}['"`]([^'"`\n]+)['"`]/g)) {
    const found = existingModule(root, posix.join(posix.dirname(worker), name.replace(/\.[cm]?[jt]s$/, '')));
    if (found !== undefined) return found;
  }
  return undefined;
}

function existingModule(root: string, path: string): string | undefined {
  return [`${path}.ts`, `${path}/index.ts`].find((file) => existsSync(join(root, file)));
}

function moduleAt(root: string, path: string): string {
  return existingModule(root, path) ?? `${path}.ts`;
}
