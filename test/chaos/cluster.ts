/** A server and workers, each in a process of its own, that come back when they are killed. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { freePort, startDevServer, type DevServer, type DevServerOptions } from '../../src/cli/dev-server.js';

/** How long a worker that ended by itself (it found no server) is left alone. */
const RESPAWN_MS = 300;
/** How long the first workers may take to work. */
const START_MS = 60_000;

/** A dev server whose state survives `kill -9`. */
export class ChaosServer {
  kills = 0;
  private constructor(
    private server: DevServer,
    private readonly options: DevServerOptions
  ) {}

  static async start(options: Pick<DevServerOptions, 'binary' | 'dbFile' | 'logFile'>): Promise<ChaosServer> {
    const all = { ...options, port: await freePort(), fast: true, headless: true };
    return new ChaosServer(await startDevServer(all), all);
  }

  get address(): string {
    return this.server.address;
  }

  /** Kills the server in the midst of whatever it does, and starts it again on its port and database. */
  async killAndRestart(): Promise<void> {
    this.kills++;
    process.kill(this.server.pid, 'SIGKILL');
    await this.server.stop();
    this.server = await startDevServer(this.options);
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }
}

export interface FleetOptions {
  readonly workers: number;
  readonly args: readonly string[];
  readonly logFile: string;
}

/** Worker processes; one that ends is replaced. */
export class Fleet {
  kills = 0;
  private readonly members: ChildProcess[] = [];
  private stopped = false;
  private constructor(
    private readonly options: FleetOptions,
    private readonly log: number
  ) {}

  /** Returns when all workers work. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options, openSync(options.logFile, 'a'));
    for (let index = 0; index < options.workers; index++) fleet.spawn(index);
    try {
      await Promise.all(
        fleet.members.map((member) => once(member, 'message', { signal: AbortSignal.timeout(START_MS) }))
      );
    } catch (error) {
      await fleet.stop();
      throw new Error(`not all workers came up in ${START_MS} ms; see ${options.logFile}`, { cause: error });
    }
    return fleet;
  }

  kill(index: number): void {
    this.kills++;
    this.members[index]?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(
      this.members.map(async (member) => {
        if (member.exitCode !== null || member.signalCode !== null) return;
        const exit = once(member, 'exit');
        member.kill('SIGKILL');
        await exit;
      })
    );
    closeSync(this.log);
  }

  private spawn(index: number): void {
    const script = fileURLToPath(new URL('./worker.ts', import.meta.url));
    const member = fork(script, this.options.args, {
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', this.log, this.log, 'ipc'],
    });
    this.members[index] = member;
    member.once('exit', (_, signal) => {
      if (this.stopped) return;
      if (signal === 'SIGKILL') this.spawn(index);
      else setTimeout(() => !this.stopped && this.spawn(index), RESPAWN_MS);
    });
  }
}
