/** The package as users get it: what `npm pack` makes, unpacked into the node_modules of a project. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The archive, in `folder`. */
export async function packPackage(folder: string): Promise<string> {
  // npm test has built dist; building again here would pull it from under the tests beside this one
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
  const found = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  return join(folder, found ?? 'missing.tgz');
}

/** Unpacks the archive beside everything else that this project has installed. */
export async function installPackage(archive: string, project: string): Promise<void> {
  const modules = join(project, 'node_modules');
  const target = join(modules, 'temporal-sensors');
  await mkdir(target, { recursive: true });
  await run('tar', ['-xzf', archive, '-C', target, '--strip-components=1']);
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name.startsWith('.') || name === 'temporal-sensors') continue;
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(modules, name));
  }
}

/** What the compiler says about a project: nothing, when all is well. */
export async function typeCheck(project: string, ...args: readonly string[]): Promise<string> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run(process.execPath, [tsc, '--project', project, ...args]).catch(
    (error: { stdout: string }) => error
  );
  return stdout;
}
