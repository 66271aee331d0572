/**
 * Starts Temporal's dev server and promises that it answers when the call returns, and that it goes when we go.
 *
 * The server runs in a process group of its own: Ctrl-C in a terminal reaches every process of the foreground group,
 * and a worker can only drain while its server still runs. So whoever starts one must `stop()` it last. Its ready
 * check also asks a port that only this server has, because on a port that another process took first a Temporal
 * server may answer too: the other one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '@temporalio/client';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const PORT_TRIES = 3;
/** Of each end of what a server said, in characters. */
const SHOWN_OUTPUT = 1_000;
const GRPC_DEADLINE_EXCEEDED = 4;
const GRPC_UNAVAILABLE = 14;

/** Timers fire ~1 s late and continue-as-new waits for the run to be 1 s old, unless these are set. */
const FAST_VALUES = [
  'history.timerProcessorMaxTimeShift="20ms"',
  'history.workflowIdReuseMinimalInterval="10ms"',
  'history.transferProcessorUpdateAckInterval="1s"',
];

/** Options of {@link startDevServer}. */
export interface DevServerOptions {
  /** Path of the `temporal` CLI, see `findTemporalBinary`. */
  readonly binary: string;
  /** @default a free port */
  readonly port?: number | undefined;
  /** @default a free port */
  readonly uiPort?: number | undefined;
  /** File that keeps the server's state; its folder is created. @default in memory */
  readonly dbFile?: string | undefined;
  /** Timers to 20 ms instead of 1 s, for tests and benchmarks. @default false */
  readonly fast?: boolean | undefined;
  /** Further values of the server's dynamic configuration, as `KEY=JSON`. */
  readonly dynamicConfig?: readonly string[] | undefined;
  /** The server's output is appended here; its folder must exist. @default a temporary file, removed when it stops */
  readonly logFile?: string | undefined;
  /** Created in addition to `default`. @default 'default' */
  readonly namespace?: string | undefined;
  /** No web UI. @default false */
  readonly headless?: boolean | undefined;
}

/** A dev server that we started. It dies with our process: at its end, or after an uncaught error. */
export interface DevServer {
  readonly address: string;
  readonly namespace: string;
  readonly webUrl?: string;
  readonly pid: number;
  /** Ends the server, by force after 10 s, and returns when its process is gone. More than one call is fine. */
  readonly stop: () => Promise<void>;
}

/** A Temporal server could not be started or used. The message says which one, why, and what to do. */
export class TemporalServerError extends Error {
  override readonly name = 'TemporalServerError';
}

/**
 * Starts a dev server on 127.0.0.1 and returns when it answers.
 *
 * @throws TemporalServerError with the server's output when it exits, or does not answer within 60 s.
 */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  if (options.dbFile === undefined) return await start(options);
  await mkdir(dirname(options.dbFile), { recursive: true });
  const unlock = await lock(`${options.dbFile}.lock`);
  try {
    return await start(options);
  } finally {
    await unlock();
  }
}

/** Free ports may be taken by somebody else before the server has them: then it gets others. */
async function start(options: DevServerOptions): Promise<DevServer> {
  for (let tries = 1; ; tries++) {
    try {
      return await startOnce(options);
    } catch (error) {
      const given = [options.port, options.uiPort].filter((port) => port !== undefined);
      const message = error instanceof TemporalServerError ? error.message : '';
      const clash = /127\.0\.0\.1:(\d+): bind: address already in use/.exec(message);
      if (clash === null || given.includes(Number(clash[1])) || tries === PORT_TRIES) throw error;
    }
  }
}

async function startOnce(options: DevServerOptions): Promise<DevServer> {
  const { binary, dbFile, namespace = 'default' } = options;
  const port = options.port ?? (await freePort());
  const uiPort = options.headless ? undefined : (options.uiPort ?? (await freePort()));
  const httpPort = await freePort();
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'warn', '--namespace', namespace];
  args.push('--port', String(port), '--http-port', String(httpPort));
  args.push(...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]));
  const dynamicConfig = [...(options.fast ? FAST_VALUES : []), ...(options.dynamicConfig ?? [])];
  args.push(...dynamicConfig.flatMap((value) => ['--dynamic-config-value', value]));
  if (dbFile !== undefined) args.push('--db-filename', dbFile);

  // Never a pipe: one that nobody reads any more would block the server, or end it.
  const temporaryDir = options.logFile === undefined ? await mkdtemp(join(tmpdir(), 'temporal-sensors-')) : undefined;
  const logFile = options.logFile ?? join(temporaryDir ?? '', 'server.log');
  const log = await open(logFile, 'a');
  const outputStart = (await log.stat()).size;
  const child = spawn(binary, args, { detached: true, stdio: ['ignore', log.fd, log.fd], windowsHide: true });
  let exit: string | undefined;
  child.once('error', (error) => (exit ??= error.message));
  child.once('exit', (code, signal) => (exit ??= `it exited with ${signal ?? `code ${code}`}`));
  child.unref();
  // registered before the next await: an exit in between would leave the server behind
  const killAtExit = (): void => {
    child.kill();
    if (temporaryDir !== undefined) rmSync(temporaryDir, { recursive: true, force: true });
  };
  process.once('exit', killAtExit);
  await log.close();
  const stop = async (): Promise<void> => {
    if (exit === undefined) {
      child.ref();
      child.kill();
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await once(child, 'exit');
      clearTimeout(force);
    }
    process.off('exit', killAtExit);
    if (temporaryDir !== undefined) await rm(temporaryDir, { recursive: true, force: true });
  };

  const address = `127.0.0.1:${port}`;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!((await accepts(httpPort)) && (await answers({ address }, 1_000)))) {
    if (exit === undefined && Date.now() < deadline) {
      await sleep(50);
      continue;
    }
    const reason = exit ?? `it did not answer within ${START_TIMEOUT_MS / 1000} s`;
    const output = shorten((await readFile(logFile)).subarray(outputStart).toString().trim());
    await stop();
    throw new TemporalServerError(
      `The Temporal dev server (${binary}) did not start on ${address}: ${reason}.\n` +
        `Its output:\n${output || '(none)'}`
    );
  }
  const webUrl = uiPort === undefined ? {} : { webUrl: `http://localhost:${uiPort}` };
  return { address, namespace, ...webUrl, pid: child.pid ?? 0, stop };
}

/** A panic says why in its first line, and then where at length. */
function shorten(output: string): string {
  return output.length <= 2 * SHOWN_OUTPUT
    ? output
    : `${output.slice(0, SHOWN_OUTPUT)}\n...\n${output.slice(-SHOWN_OUTPUT)}`;
}

/** Returns once a Temporal server answers; asks again while it may still be starting, and throws the last failure. */
export async function waitForServer(options: ConnectionOptions, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    // No interceptors: the default one retries and then hides the cause.
    const connection = Connection.lazy({ ...options, interceptors: [] });
    try {
      await connection.withDeadline(deadline, () => connection.workflowService.getSystemInfo({}));
      return;
    } catch (error) {
      const { code } = error as { code?: number };
      const mayStart = code === GRPC_UNAVAILABLE || code === GRPC_DEADLINE_EXCEEDED;
      if (!mayStart || Date.now() + 100 >= deadline) throw error;
    } finally {
      await connection.close();
    }
    await sleep(100);
  }
}

/** Whether a Temporal server answers within the time. */
export async function answers(options: ConnectionOptions, timeoutMs: number): Promise<boolean> {
  return await waitForServer(options, timeoutMs).then(
    () => true,
    () => false
  );
}

/** Whether anything accepts TCP connections on this port of 127.0.0.1. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
  socket.once('timeout', () => socket.destroy(new Error('timeout')));
  return await once(socket, 'connect')
    .then(
      () => true,
      () => false
    )
    .finally(() => socket.destroy());
}

/** One start at a time per database file: of servers that create its tables at the same moment, all may fail. */
async function lock(path: string): Promise<() => Promise<void>> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    // Empty: its holder is about to write its process id.
    const holder = await readFile(path, 'utf8').catch(() => '');
    if (Date.now() > deadline || (holder !== '' && !isAlive(Number(holder)))) await rm(path, { force: true });
    else await sleep(50);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A TCP port of this machine that is free at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
