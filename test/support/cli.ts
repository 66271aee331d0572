/**
 * The built command as users run it: in a child process without a terminal, against the test server. Whatever it prints
 * is also checked for colour codes, stack traces and the values that must never be printed.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url));
const HOST = fileURLToPath(new URL('cli-host.mjs', import.meta.url));
/** Put it where the command must not look. */
export const SECRET = 'never-print-me';
/** Nothing of the developer's own configuration. Empty but for what tests put there. */
export const home = mkdtempSync(join(tmpdir(), 'cli-test-'));

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const clean = { PATH: process.env['PATH'] ?? '', HOME: home, FORCE_COLOR: '1' };

export function spawnCli(args: readonly string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, [MAIN, ...args], { env: { ...clean, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs `sensors` in a process of its own. */
async function runAlone(args: readonly string[]): Promise<Result> {
  const child = spawnCli(args);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

let host: ChildProcess | undefined;
let runs = 0;

/** Runs `sensors` in the process that all commands of a test process share. */
async function runInHost(args: readonly string[]): Promise<Result> {
  host ??= fork(HOST, { env: clean, execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const child = host;
  const id = ++runs;
  return await new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      child.off('message', take).off('exit', fail);
      end();
    };
    const fail = (code: number | null): void => {
      host = undefined;
      settle(() => reject(new Error(`the process of the commands ended with ${code} while it ran ${args.join(' ')}`)));
    };
    const take = (answer: unknown): void => {
      const { id: answered, result } = answer as { readonly id: number; readonly result: Result };
      if (answered === id) settle(() => resolve(result));
    };
    child.on('message', take).on('exit', fail).setMaxListeners(0);
    child.send({ id, args });
  });
}

/** Runs `sensors`; the test server's address is given unless the arguments have one. */
export async function sensors(...args: string[]): Promise<Result> {
  const isElsewhere = args.includes('--address');
  const { code, stdout, stderr } = isElsewhere
    ? await runAlone(args)
    : await runInHost([...args, '--address', inject('temporalAddress')]);
  const all = stdout + stderr;
  expect(all).not.toContain('\u001b');
  // that of the command's own; authors' are indented
  expect(all).not.toMatch(/^ {4}at .*:\d+:\d+/m);
  expect(all).not.toContain(SECRET);
  return { code, stdout, stderr };
}

/** Runs `sensors … --json`, which must succeed. */
export async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await sensors(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

/** Runs a `sensors …` that must succeed. */
export async function text(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await sensors(...args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return stdout;
}

/** Sends the command's output to nobody, as `sensors … | true`. */
export async function unread(...args: string[]): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const child = spawnCli([...args, '--address', inject('temporalAddress')]);
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}
