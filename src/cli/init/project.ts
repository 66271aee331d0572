/** What `sensors init` has to know about a project before it writes into it. Only reads. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../errors.js';
import { readCompilerOptions } from './tsconfig.js';

/** The part of `package.json` that matters. */
export interface Manifest {
  readonly name?: string;
  readonly type?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export interface Project {
  readonly root: string;
  readonly manifest: Manifest;
  /** Whether its sources are ES modules. */
  readonly esm: boolean;
  /** What a relative import ends with. */
  readonly extension: '' | '.js' | '.ts';
  /** What has to change before the files compile, with the command when there is one. */
  readonly repairs: readonly { readonly what: string; readonly run?: string }[];
}

/**
 * @throws UsageError when the folder is not the root of a TypeScript project
 */
export async function readProject(root: string): Promise<Project> {
  const manifest = await readManifest(root);
  const tsconfig = join(root, 'tsconfig.json');
  if (!existsSync(tsconfig)) {
    throw new UsageError(
      `there is no tsconfig.json in ${root}, and sensors init writes TypeScript\n` +
        `Run it in the root of a TypeScript project; a new one: npm install -D typescript && npx tsc --init`
    );
  }
  const options = readCompilerOptions(tsconfig);
  const module = String(options['module']).toLowerCase();
  const declared = manifest.type === 'module';
  const needed = options['verbatimModuleSyntax'] === true && !declared;
  const esm = declared || needed;
  const repairs = [];
  if (needed) {
    const what = `Make the project ESM: tsconfig.json has verbatimModuleSyntax, which refuses import and export otherwise`;
    repairs.push({ what, run: 'npm pkg set type=module' });
  }
  if (esm && module === 'commonjs') {
    repairs.push({
      what: `Set "module": "nodenext" in tsconfig.json: it has 'commonjs', but package.json says "module"`,
    });
  }
  const withTs = options['allowImportingTsExtensions'] === true || options['rewriteRelativeImportExtensions'] === true;
  return { root, manifest, esm, extension: withTs ? '.ts' : esm ? '.js' : '', repairs };
}

async function readManifest(root: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(join(root, 'package.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UsageError(`there is no package.json in ${root}\nRun sensors init in the root of a TypeScript project`);
  }
  try {
    const manifest: unknown = JSON.parse(text);
    if (typeof manifest !== 'object' || manifest === null) throw new TypeError('it is not an object');
    return manifest;
  } catch (error) {
    throw new UsageError(`${join(root, 'package.json')} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
