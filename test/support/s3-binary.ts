/**
 * The S3 server that tests of the S3 source run against, pinned by version. `npm run s3:server` builds it with Go into the
 * user's cache, in a minute or two, once; without Go it says so, and the tests that need it are skipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { homedir } from 'node:os';

const VERSION = 'v1.8.0';
const MODULE = `github.com/versity/versitygw/cmd/versitygw@${VERSION}`;
const NAME = process.platform === 'win32' ? 'versitygw.exe' : 'versitygw';

const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
/** Where the server is, or will be. */
export const s3ServerPath = join(cache, 'temporal-sensors', `versitygw-${VERSION}`, NAME);

/** Why the server cannot be run here, or nothing. */
export function s3ServerMissing(): string | undefined {
  if (existsSync(s3ServerPath)) return undefined;
  const { error } = spawnSync('go', ['version']);
  return error === undefined ? 'it is not built: npm run s3:server' : 'Go is not installed';
}

function build(): void {
  const missing = s3ServerMissing();
  if (missing === undefined) return console.log(s3ServerPath);
  if (missing.startsWith('Go')) return console.log(`The S3 server is not built: ${missing}`);
  const folder = dirname(s3ServerPath);
  mkdirSync(dirname(folder), { recursive: true });
  // beside the cache, and then moved in: two at once, or one that is killed, leave no broken binary
  const target = mkdtempSync(`${folder}-build-`);
  try {
    const env = { ...process.env, GOBIN: target };
    const { status } = spawnSync('go', ['install', MODULE], { stdio: ['ignore', 'inherit', 'inherit'], env });
    if (status !== 0) process.exit(status ?? 1);
    mkdirSync(folder, { recursive: true });
    renameSync(join(target, NAME), s3ServerPath);
    console.log(s3ServerPath);
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) build();
