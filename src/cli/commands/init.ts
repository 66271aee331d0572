/**
 * `sensors init`: writes the four files of a first sensor into a TypeScript project, and says how to see it run.
 *
 * Nothing that exists is changed: a file that is there is kept, and what it lacks is printed for adding by hand.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { UsageError } from '../errors.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { findLayout, type Layout } from '../init/layout.js';
import { checkPackages, installLine, packageManager, type Packages } from '../init/packages.js';
import { readProject } from '../init/project.js';
import { workerCommand } from '../init/run-worker.js';
import { INBOX, SENSOR, templates, type Addition, type Template } from '../init/templates.js';
import type { Colors, Output } from '../output.js';
import { plain } from '../../sensors/text.js';

export interface InitOptions {
  readonly dir?: string;
}

/** What became of one file. */
interface InitFile {
  /** Relative to the project. */
  readonly path: string;
  readonly purpose: string;
  readonly state: 'written' | 'kept';
  /** What a kept file lacks. */
  readonly add: readonly Addition[];
}

/** Something to do next; `run` are the commands, each a line. */
interface Step {
  readonly what: string;
  readonly run: readonly string[];
}

/** `sensors init`, in `root`. */
export async function init(output: Output, { dir }: InitOptions, root = process.cwd()): Promise<ExitCode> {
  const project = await readProject(root);
  const layout = await findLayout(root, dir === undefined ? undefined : folderIn(root, dir));
  const files: InitFile[] = [];
  for (const template of templates(project, layout)) files.push(await place(root, template));

  const manager = packageManager(root);
  const worker = workerCommand(project, layout.worker, manager);
  const packages = checkPackages(project, ['typescript', '@types/node', ...worker.tools]);
  const install = installLine(packages, manager);
  const lacking = files.filter(({ add }) => add.length > 0).map(({ path }) => path);
  const steps: Step[] = [
    ...(lacking.length === 0 ? [] : [{ what: `Add the lines above to ${lacking.join(', ')}`, run: [] }]),
    ...project.repairs.map(({ what, run }) => ({ what, run: run === undefined ? [] : [run] })),
    ...(install === undefined ? [] : [{ what: 'Install what is missing', run: [install] }]),
    { what: 'Start a Temporal server for development, in a shell of its own', run: [`${manager.exec} sensors dev`] },
    { what: 'Start the worker, in another one, and wait until its log says RUNNING', run: [worker.run] },
    {
      what: 'Give it a file, and see its run 2 s later',
      run: [`mkdir -p ${INBOX} && echo hello > ${INBOX}/hello.txt`, `${manager.exec} sensors runs ${SENSOR}`],
    },
    { what: 'If there is none, ask why', run: [`${manager.exec} sensors describe ${SENSOR}`] },
  ];
  const remarks = remarksOn(layout, packages);
  output.result({ files: files.map(({ path, state, add }) => ({ path, state, add })), remarks, steps }, (colors) =>
    text(files, remarks, steps, colors)
  );
  return files.some(({ state }) => state === 'written') ? EXIT.ok : EXIT.nothingWritten;
}

/** A folder inside of the root, relative to it and with `/`. */
function folderIn(root: string, dir: string): string {
  const path = relative(root, resolve(root, dir));
  if (path.split(sep)[0] === '..' || isAbsolute(path)) {
    throw new UsageError(`--dir is '${dir}'; accepted: a folder inside of ${root}`);
  }
  return path === '' ? '.' : path.split(sep).join('/');
}

async function place(root: string, { path, purpose, content, additions }: Template): Promise<InitFile> {
  const target = join(root, path);
  if (existsSync(target)) {
    return { path, purpose, state: 'kept', add: additions(await readFile(target, 'utf8')) };
  }
  await mkdir(dirname(target), { recursive: true });
  // never over one that somebody else made in the meantime
  await writeFile(target, content, { flag: 'wx' });
  return { path, purpose, state: 'written', add: [] };
}

function remarksOn({ worker, workflows, workflowsKnown, otherWorkers }: Layout, { outdated }: Packages): string[] {
  const remarks = outdated.map(
    ({ name, version, needed }) => `${name} is ${version}, and temporal-sensors needs ${needed}`
  );
  if (!workflowsKnown) {
    remarks.push(
      `${worker} does not say where its workflows are; if it is not ${workflows}, move what that exports there`
    );
  }
  if (otherWorkers.length > 0) {
    remarks.push(
      `there are further workers (${otherWorkers.join(', ')}); the sensor runs on the one of ${worker}, or choose by --dir`
    );
  }
  return remarks;
}

function text(
  files: readonly InitFile[],
  remarks: readonly string[],
  steps: readonly Step[],
  colors: Colors
): string[] {
  const width = Math.max(...files.map(({ path }) => path.length));
  const lacking = files.filter(({ add }) => add.length > 0);
  const begun = files.some(({ state }) => state === 'written');
  return [
    ...(begun ? [] : ['All four files exist, so nothing was written.']),
    ...files.map(({ path, state, purpose }) => {
      const word = state === 'written' ? colors.green(state) : colors.yellow(state.padEnd('written'.length));
      return `  ${word}  ${plain(path.padEnd(width))}  ${colors.dim(purpose)}`;
    }),
    ...remarks.map((remark) => `${colors.yellow('warning:')} ${plain(remark)}`),
    ...lacking.flatMap(({ path, add }) => [
      '',
      colors.bold(`Add to ${plain(path)}, which was there before:`),
      ...code(add),
    ]),
    '',
    colors.bold('Next:'),
    ...steps.flatMap(({ what, run }, index) => [
      `  ${index + 1}. ${plain(what)}${run.length === 0 ? '' : ':'}`,
      ...run.map((line) => `       ${colors.cyan(plain(line))}`),
    ]),
  ];
}

function code(additions: readonly Addition[]): string[] {
  return additions.flatMap(({ where, code: lines }) => [
    ...(where === undefined ? [] : ['', `  ${where}:`]),
    '',
    ...lines
      .trimEnd()
      .split('\n')
      .map((line) => (line === '' ? '' : `    ${plain(line)}`)),
  ]);
}
