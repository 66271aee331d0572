// Builds dist/esm and dist/cjs. The package is ESM; the CommonJS copy is for projects of the shape of Temporal's
// own samples, whose compiler cannot import ESM. Nothing is done where nothing has changed since the last build.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const projects = ['tsconfig.build.json', 'tsconfig.cjs.json'];
// written last, with the time when the build began: what is older has been built; a removed file has changed its folder
const done = 'dist/cjs/package.json';
const inputs = ['scripts/build.mjs', 'package.json', 'package-lock.json', 'tsconfig.json', ...projects, 'src'];
const sources = readdirSync('src', { recursive: true }).map((path) => join('src', path));
const changed = (path) => statSync(path).mtimeMs >= statSync(done).mtimeMs;
if (existsSync(done) && ![...inputs, ...sources].some(changed)) process.exit();

const began = new Date();
rmSync('dist', { recursive: true, force: true });
for (const project of projects) {
  const { status } = spawnSync(process.execPath, [tsc, '--project', project], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
const bin = 'dist/esm/cli/main.js';
if (existsSync(bin)) chmodSync(bin, 0o755);
writeFileSync(done, '{ "type": "commonjs" }\n');
utimesSync(done, began, began);
