/**
 * The compiler options of a project, as far as `extends` can be followed. Read without the project's TypeScript,
 * which may not be installed yet, and which refuses to show the configuration of a project that has no source files.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, resolve } from 'node:path';
import { UsageError } from '../errors.js';

export type CompilerOptions = Readonly<Record<string, unknown>>;

interface Tsconfig {
  readonly extends?: string | readonly string[];
  readonly compilerOptions?: CompilerOptions;
}

/**
 * @param path of the `tsconfig.json`, which must exist
 * @throws UsageError when it is not JSON with comments
 */
export function readCompilerOptions(path: string, above: readonly string[] = []): CompilerOptions {
  const { extends: bases = [], compilerOptions = {} } = parse(path);
  const inherited = [bases].flat().map((base) => {
    const found = resolveBase(path, base);
    // a base that is not installed: what it says is unknown, and most projects need none of it
    return found === undefined || above.includes(found) ? {} : readCompilerOptions(found, [...above, path]);
  });
  return Object.assign({}, ...inherited, compilerOptions) as CompilerOptions;
}

function parse(path: string): Tsconfig {
  // texts stay, comments go; then the commas before a closing bracket
  const json = readFileSync(path, 'utf8')
    .replace(/^\uFEFF/, '')
    .replaceAll(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (_, text: string | undefined) => text ?? '')
    .replaceAll(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_, text: string | undefined) => text ?? '');
  try {
    return JSON.parse(json) as Tsconfig;
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function resolveBase(path: string, base: string): string | undefined {
  const names = [base, `${base}.json`, `${base}/tsconfig.json`];
  if (base.startsWith('.') || isAbsolute(base)) {
    return names.map((name) => resolve(dirname(path), name)).find((file) => file.endsWith('.json') && existsSync(file));
  }
  const { resolve: find } = createRequire(path);
  for (const name of names) {
    try {
      return find(name);
    } catch {
      // the next spelling
    }
  }
  return undefined;
}
