/** What the project has to install, and how its package manager is told. Only reads. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Manifest, Project } from './project.js';

/** The commands of the project's package manager. */
export interface PackageManager {
  readonly install: string;
  readonly installDev: string;
  /** Runs a command of an installed package. */
  readonly exec: string;
  /** Runs a script of package.json. */
  readonly run: (script: string) => string;
}

const NPM: PackageManager = {
  install: 'npm install',
  installDev: 'npm install -D',
  exec: 'npx',
  run: (script) => (script === 'start' ? 'npm start' : `npm run ${script}`),
};
const PNPM: PackageManager = {
  install: 'pnpm add',
  installDev: 'pnpm add -D',
  exec: 'pnpm exec',
  run: (script) => `pnpm ${script}`,
};
const YARN: PackageManager = {
  install: 'yarn add',
  installDev: 'yarn add -D',
  exec: 'yarn',
  run: (script) => `yarn ${script}`,
};

export function packageManager(root: string): PackageManager {
  if (existsSync(join(root, 'pnpm-lock.yaml'))) return PNPM;
  if (existsSync(join(root, 'yarn.lock'))) return YARN;
  return NPM;
}

/** A package whose version does not do. */
export interface Outdated {
  readonly name: string;
  /** The installed version, or else the range of package.json. */
  readonly version: string;
  /** The range that does. */
  readonly needed: string;
}

export interface Packages {
  /** To install, as the package manager takes them: a name, with `@` and a version where it matters. */
  readonly missing: readonly string[];
  readonly missingDev: readonly string[];
  readonly outdated: readonly Outdated[];
}

const require = createRequire(import.meta.url);

/** @param tools what the files need at development time besides, such as `tsx` */
export function checkPackages({ root, manifest }: Project, tools: readonly string[]): Packages {
  const declared = declaredBy(manifest);
  const needed = peers();
  const outdated = [...needed].flatMap(([name, range]) => {
    const version = declared.has(name) ? (installed(root, name) ?? declared.get(name)) : undefined;
    return version === undefined || satisfies(version, range) ? [] : [{ name, version, needed: range }];
  });
  // Temporal's packages only work together in one version
  const temporal = [...declared.keys()].filter((name) => name.startsWith('@temporalio/'));
  const isOld = outdated.some(({ name }) => temporal.includes(name));
  const together = isOld ? undefined : temporal.map((name) => installed(root, name)).find(Boolean);
  const spec = (name: string): string => {
    if (name.startsWith('@temporalio/')) return together === undefined ? name : `${name}@${together}`;
    return name;
  };
  const absent = [...needed.keys(), 'temporal-sensors'].filter((name) => !declared.has(name));
  const renewed = [...outdated.map(({ name }) => name), ...(isOld ? temporal : [])];
  return {
    missing: [...absent.map(spec), ...new Set(renewed.map((name) => `${name}@${majorOf(needed.get(name))}`))].sort(),
    missingDev: tools.filter((name) => !declared.has(name) && installed(root, name) === undefined),
    outdated,
  };
}

/** One line that installs everything, or nothing when there is nothing to install. */
export function installLine({ missing, missingDev }: Packages, manager: PackageManager): string | undefined {
  const commands = [
    ...(missing.length === 0 ? [] : [[manager.install, ...missing]]),
    ...(missingDev.length === 0 ? [] : [[manager.installDev, ...missingDev]]),
  ];
  return commands.length === 0 ? undefined : commands.map((words) => words.join(' ')).join(' && ');
}

export function declaredBy(manifest: Manifest): ReadonlyMap<string, string> {
  const { dependencies, devDependencies, peerDependencies } = manifest;
  return new Map(Object.entries({ ...peerDependencies, ...devDependencies, ...dependencies }));
}

/** The packages that ours needs beside it, with their ranges. */
function peers(): ReadonlyMap<string, string> {
  const { peerDependencies, peerDependenciesMeta } = require('temporal-sensors/package.json') as {
    readonly peerDependencies: Readonly<Record<string, string>>;
    readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
  };
  const all = Object.entries(peerDependencies);
  return new Map(all.filter(([name]) => peerDependenciesMeta[name]?.optional !== true));
}

/** The installed version of a package, found as Node finds it from the project's root. */
function installed(root: string, name: string): string | undefined {
  const paths = createRequire(join(root, 'package.json')).resolve.paths(name) ?? [];
  const path = paths.map((folder) => join(folder, name, 'package.json')).find((file) => existsSync(file));
  return path === undefined ? undefined : (require(path) as { readonly version: string }).version;
}

/**
 * @param version a version, or a range, which counts as its lowest version; one without a number (`workspace:*`) does
 * @param range `^` and a version
 */
function satisfies(version: string, range: string): boolean {
  const [major, minor, patch] = numbersOf(version);
  const [lowMajor = 0, lowMinor = 0, lowPatch = 0] = numbersOf(range);
  if (major === undefined) return true;
  if (major !== lowMajor) return false;
  // '1' and '1.x' accept the newest
  if (minor === undefined || minor > lowMinor) return true;
  return minor === lowMinor && (patch ?? lowPatch) >= lowPatch;
}

function numbersOf(version: string): readonly number[] {
  const [, ...parts] = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version) ?? [];
  return parts.filter((part) => part !== undefined).map(Number);
}

/** Of a package outside of our needs, such as a further one of Temporal's: the newest. */
function majorOf(range = 'latest'): string {
  return String(numbersOf(range)[0] ?? range);
}
