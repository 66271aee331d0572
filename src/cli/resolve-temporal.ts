/**
 * Answers "which Temporal server?" without the user having to think: the configured one, or else a local one, which
 * `resolveTemporal` starts when there is none.
 *
 * A configured address is never replaced by a local server: work meant for production must not silently run in a dev
 * server that looks empty. For the same reason TLS or an API key without an address is an error.
 */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { accepts, answers, startDevServer, TemporalServerError, waitForServer, type DevServer } from './dev-server.js';
import { reasonIn } from './grpc-text.js';
import { findTemporalBinary } from './temporal-binary.js';

const DEFAULT_PORT = 7233;
const ANSWER_TIMEOUT_MS = 5_000;
/** Most servers answer before anybody reads a line. */
const WAITING_AFTER_MS = 1_000;

/** Options for both `Connection.connect` (client) and `NativeConnection.connect` (worker). */
export type TemporalConnectionOptions = Pick<NativeConnectionOptions, 'tls' | 'apiKey' | 'metadata'> & {
  readonly address: string;
};

/** Options of {@link resolveConnection}. */
export interface ResolveConnectionOptions {
  /** Read instead of the process's environment. @default process.env */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Profile in the Temporal configuration file. @default TEMPORAL_PROFILE, or 'default' */
  readonly profile?: string | undefined;
  /** Goes before TEMPORAL_ADDRESS and the profile. */
  readonly address?: string | undefined;
  /** Goes before TEMPORAL_NAMESPACE and the profile. @default 'default' */
  readonly namespace?: string | undefined;
}

/** Options of {@link resolveTemporal}. */
export interface ResolveTemporalOptions extends ResolveConnectionOptions {
  /** Where a server that we start keeps its state. @default in memory */
  readonly dbFile?: string | undefined;
  /** Receives one line on what was found, downloaded and started. @default silent */
  readonly log?: ((line: string) => void) | undefined;
  /**
   * The local server's port when no address is configured, or the one that is configured is this port of this machine; its
   * UI has this plus 1000. @internal @default 7233
   */
  readonly port?: number | undefined;
}

/** A Temporal server's coordinates. */
export interface ResolvedConnection {
  readonly connectionOptions: TemporalConnectionOptions;
  readonly namespace: string;
  /** Known for a server on this machine only. */
  readonly webUrl?: string;
}

/** A Temporal server that answered. */
export interface ResolvedTemporal extends ResolvedConnection {
  /** Whether we started it. */
  readonly started: boolean;
  /** Ends the server when we started it, and does nothing to any other. Call it last, after the worker drained. */
  readonly stop: () => Promise<void>;
}

/**
 * The coordinates of the server to use, neither started nor asked: for commands that talk to a running project.
 * Without any configuration that is 127.0.0.1:7233.
 *
 * @throws TemporalServerError when TLS or an API key is configured without an address.
 */
export function resolveConnection(options: ResolveConnectionOptions = {}): ResolvedConnection {
  const { connectionOptions, namespace, webUrl } = configure(options, DEFAULT_PORT);
  return { connectionOptions, namespace, ...(webUrl === undefined ? {} : { webUrl }) };
}

/**
 * A server that answers: the configured one (address option, TEMPORAL_ADDRESS, profile), or the one on
 * 127.0.0.1:7233, or a dev server started there. A `port` that is asked for by number, and is also the configured address,
 * is where a dev server is started.
 *
 * @throws TemporalServerError when the configured server does not answer, the port is taken, or the start fails.
 * @throws TemporalNotFoundError when there is no `temporal` CLI to start a server with.
 */
export async function resolveTemporal(options: ResolveTemporalOptions = {}): Promise<ResolvedTemporal> {
  const { env, dbFile, log = () => {}, port = DEFAULT_PORT } = options;
  const { connectionOptions, namespace, source } = configure(options, port);
  const { address } = connectionOptions;
  const existing = async (): Promise<ResolvedTemporal> => {
    log(`Using the Temporal server at ${address}.`);
    const uiPort = localUiPort(address);
    const webUrl = uiPort !== undefined && (await accepts(uiPort)) ? { webUrl: webUrlOf(uiPort) } : {};
    return { connectionOptions, namespace, ...webUrl, started: false, stop: async () => {} };
  };

  const isOwn = options.port !== undefined && isPlainLocal(connectionOptions, port);
  if (source !== undefined && !isOwn) {
    const waiting = `Waiting for the Temporal server at ${address} (from ${source}) …`;
    const shown = setTimeout(() => log(waiting), WAITING_AFTER_MS);
    await waitForServer(connectionOptions, ANSWER_TIMEOUT_MS)
      .catch((cause: unknown) => {
        throw new TemporalServerError(
          `No Temporal server answers at ${address} (from ${source}): ${reasonOf(cause)}\n` +
            `Start that server, correct the address, or remove it to have a local dev server started${hintOf(address)}.`,
          { cause }
        );
      })
      .finally(() => clearTimeout(shown));
    return await existing();
  }

  if (await accepts(port)) {
    if (await answers(connectionOptions, ANSWER_TIMEOUT_MS)) return await existing();
    throw new TemporalServerError(
      `Port ${port} on 127.0.0.1 is taken by something that does not answer as a Temporal server.\n` +
        'End that process, or set TEMPORAL_ADDRESS to the address of the Temporal server to use.'
    );
  }

  const binary = await findTemporalBinary({ env, log });
  const wantedUiPort = localUiPort(address);
  const uiPort = wantedUiPort === undefined || (await accepts(wantedUiPort)) ? undefined : wantedUiPort;
  let server: DevServer;
  try {
    server = await startDevServer({ binary, port, uiPort, dbFile, namespace });
  } catch (error) {
    // Another process may have started one since we looked: then ours found its port or database taken.
    if (await answers(connectionOptions, ANSWER_TIMEOUT_MS)) return await existing();
    throw error;
  }
  const state = dbFile === undefined ? 'in memory' : `in ${dbFile}`;
  log(`Started a Temporal dev server at ${address}, its state is ${state}.`);
  const { webUrl, stop } = server;
  return { connectionOptions, namespace, ...(webUrl === undefined ? {} : { webUrl }), started: true, stop };
}

interface Configuration {
  readonly connectionOptions: TemporalConnectionOptions;
  readonly namespace: string;
  readonly webUrl: string | undefined;
  /** What gave the address, undefined for the local default. */
  readonly source: string | undefined;
}

function configure(options: ResolveConnectionOptions, defaultPort: number): Configuration {
  const env = options.env ?? process.env;
  // An empty variable means unset, as in a shell or a compose file, except where it removes a header.
  const set = Object.entries(env).filter(([name, value]) => value || name.startsWith('TEMPORAL_GRPC_META_'));
  const config = loadClientConnectConfig({
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    overrideEnvVars: Object.fromEntries(set) as Record<string, string>,
  });
  const { address: configuredAddress, tls, apiKey, metadata } = config.connectionOptions;
  const configured = options.address ?? configuredAddress;
  if (configured === undefined && (tls || apiKey !== undefined)) {
    throw new TemporalServerError(
      'TLS or an API key for Temporal is configured, but no address. Set TEMPORAL_ADDRESS to the address of that ' +
        'server, or remove the TLS and API key settings to use a local dev server.'
    );
  }
  const address = configured ?? `127.0.0.1:${defaultPort}`;
  const uiPort = localUiPort(address);
  return {
    connectionOptions: {
      address,
      ...(tls === undefined ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
    },
    namespace: options.namespace ?? config.namespace ?? 'default',
    webUrl: uiPort === undefined ? undefined : webUrlOf(uiPort),
    source: configured === undefined ? undefined : sourceOf(options, env),
  };
}

function sourceOf(options: ResolveConnectionOptions, env: NodeJS.ProcessEnv): string {
  if (options.address !== undefined) return 'the address option';
  if (env['TEMPORAL_ADDRESS']) return 'TEMPORAL_ADDRESS';
  return `profile ${options.profile ?? (env['TEMPORAL_PROFILE'] || 'default')} of the Temporal configuration file`;
}

/** The dev server puts its UI 1000 above its own port. */
function localUiPort(address: string): number | undefined {
  const uiPort = (localPort(address) ?? Infinity) + 1000;
  return uiPort > 65_535 ? undefined : uiPort;
}

/** Of an address on this machine. */
function localPort(address: string): number | undefined {
  const match = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d+))?$/.exec(address);
  return match === null ? undefined : Number(match[1] ?? DEFAULT_PORT);
}

/** What a dev server on this port would answer to: none has TLS, asks for an API key or listens on IPv6. */
function isPlainLocal({ address, tls, apiKey }: TemporalConnectionOptions, port: number): boolean {
  return localPort(address) === port && !address.startsWith('[') && !tls && apiKey === undefined;
}

/** How to have one started exactly there. */
function hintOf(address: string): string {
  const port = localPort(address);
  return port === undefined ? '' : ` (to start one at this address: sensors dev --port ${port})`;
}

function webUrlOf(uiPort: number): string {
  return `http://localhost:${uiPort}`;
}

function reasonOf(error: unknown): string {
  const { details, message } = error as { details?: string; message?: string };
  return reasonIn(details || message || String(error));
}
