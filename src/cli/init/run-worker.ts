/** How the project's worker is run: by a script of package.json that does it, or else by a runner for TypeScript. */
import { declaredBy, type PackageManager } from './packages.js';
import type { Project } from './project.js';

export interface WorkerCommand {
  readonly run: string;
  /** Packages that it needs. */
  readonly tools: readonly string[];
}

/** @param worker relative to the root */
export function workerCommand({ manifest, esm }: Project, worker: string, manager: PackageManager): WorkerCommand {
  const scripts = manifest.scripts ?? {};
  const name = scriptOf(scripts, worker);
  if (name !== undefined) {
    const compiled = /\.js\b/.test(scripts[name] ?? '') && scripts['build'] !== undefined;
    const build = compiled && !/\bbuild\b/.test(scripts[name] ?? '') ? `${manager.run('build')} && ` : '';
    return { run: `${build}${manager.run(name)}`, tools: [] };
  }
  const declared = declaredBy(manifest);
  // ts-node does not know how to load ES modules on today's Node.js
  const runner = !esm && declared.has('ts-node') && !declared.has('tsx') ? 'ts-node' : 'tsx';
  return { run: `${manager.exec} ${runner} ${worker}`, tools: [runner] };
}

/** The script that runs the worker's file, or what it is compiled to: `start`, or else the one with the shortest name. */
function scriptOf(scripts: Readonly<Record<string, string>>, worker: string): string | undefined {
  const names = Object.keys(scripts).filter((name) =>
    (scripts[name] ?? '').split(/\s+/).some((word) => /[./]/.test(word) && moduleOf(word) === moduleOf(worker))
  );
  return names.sort((a, b) => Number(b === 'start') - Number(a === 'start') || a.length - b.length)[0];
}

/** `worker` for `src/worker.ts` and for `./lib/worker.js`: the folder is another one when it is compiled. */
function moduleOf(path: string): string {
  const [first = '', ...others] = path
    .replace(/^\.\//, '')
    .replace(/\.[cm]?[jt]s$/, '')
    .split('/');
  return others.length === 0 ? first : others.join('/');
}
