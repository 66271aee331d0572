/**
 * A connection for one command, with a deadline on every call: a server that is gone, or a query that no worker
 * answers, must end the command with a sentence and not hang the terminal.
 */
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  type ConnectionOptions,
} from '@temporalio/client';
import { setMaxListeners } from 'node:events';
import { SensorClient } from '../client/index.js';
import { webLink } from '../client/web-url.js';
import { accepts } from './dev-server.js';
import { isUnanswered, NoWorkerError, UsageError, type Place } from './errors.js';
import { resolveConnection, type ResolvedConnection } from './resolve-temporal.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** Pages of histories may be larger than gRPC's own 4 MB; Temporal ends a workflow whose whole history is beyond 50 MB. */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
/** A hiccup is retried; a server that is not there is reported in half a second. */
const ATTEMPTS = 3;

/** Options of every command. */
export interface GlobalOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly profile?: string;
  readonly json?: true;
  /** Refuse whatever changes something. */
  readonly readOnly?: boolean;
  /** Bound of each call to the server. */
  readonly timeoutMs: number;
}

/** Temporal Web's page of a workflow, when its address is known. */
export type WebUrlOf = (workflow: { readonly workflowId: string; readonly runId?: string }) => string | undefined;

/** What a command talks through. */
export interface Session extends Place {
  /** For what is asked of Temporal itself, and not of a sensor. */
  readonly client: Client;
  readonly readOnly: boolean;
  readonly sensors: SensorClient;
  readonly timeoutMs: number;
  /** Runs `act` with a deadline on all its calls. @param timeoutMs default: that of the options */
  call<T>(act: () => Promise<T>, timeoutMs?: number): Promise<T>;
  /**
   * The same for what a worker has to answer.
   *
   * @throws NoWorkerError when none does
   */
  ask<T>(sensor: string, act: () => Promise<T>, timeoutMs?: number): Promise<T>;
  /** Ends the calls of `act` when the signal says so. */
  abortable<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T>;
  readonly webUrlOf: WebUrlOf;
}

/** The configured connection; what is wrong with the configuration is a usage error. */
export function connectionOf({ address, namespace, profile }: GlobalOptions): ResolvedConnection {
  try {
    return resolveConnection({ address, namespace, profile });
  } catch (error) {
    throw misconfigured(error);
  }
}

function misconfigured(error: unknown): UsageError {
  return new UsageError(
    `the connection to Temporal is configured wrongly: ${error instanceof Error ? error.message : String(error)}\n` +
      `Check --address, --profile, TEMPORAL_… in the environment and Temporal's configuration file`,
    { cause: error }
  );
}

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];

function connect({ connectionOptions }: ResolvedConnection, timeoutMs: number): Connection {
  const retry = makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ maxAttempts: ATTEMPTS }));
  // what makes many calls is bounded call by call; any call will do here, though the type names gRPC's own class
  const bounded: Interceptor = (options, next) =>
    next({ ...options, deadline: options.deadline ?? Date.now() + timeoutMs }) as ReturnType<Interceptor>;
  try {
    return Connection.lazy({
      ...(connectionOptions as ConnectionOptions),
      channelArgs: { 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES },
      interceptors: [bounded, retry],
    });
  } catch (error) {
    throw misconfigured(error);
  }
}

/** Connects, runs `act` and closes the connection. */
export async function withSession<T>(
  resolved: ResolvedConnection,
  { timeoutMs, readOnly = false }: Pick<GlobalOptions, 'timeoutMs' | 'readOnly'>,
  act: (session: Session) => Promise<T>
): Promise<T> {
  const { connectionOptions, namespace, webUrl } = resolved;
  const connection = connect(resolved, timeoutMs);
  try {
    await connection.withDeadline(Date.now() + Math.min(CONNECT_TIMEOUT_MS, timeoutMs), () =>
      connection.workflowService.getSystemInfo({})
    );
    const client = new Client({ connection, namespace });
    const call = <R>(run: () => Promise<R>, ms = timeoutMs): Promise<R> => client.withDeadline(Date.now() + ms, run);
    const web = webUrl !== undefined && (await accepts(Number(new URL(webUrl).port))) ? webUrl : undefined;
    return await act({
      address: connectionOptions.address,
      namespace,
      client,
      readOnly,
      sensors: new SensorClient(client, { readOnly }),
      timeoutMs,
      call,
      async ask(sensor, run, ms) {
        try {
          return await call(run, ms);
        } catch (error) {
          if (!isUnanswered(error)) throw error;
          throw new NoWorkerError(
            `no worker answered for sensor '${sensor}'; start a worker with it, and try again. ` +
              `If one runs: sensors describe ${sensor}`,
            { cause: error }
          );
        }
      },
      async abortable(signal, run) {
        // each call adds a listener and leaves it there: to a signal that ends with them, and may have as many as there are calls
        const own = AbortSignal.any([signal]);
        setMaxListeners(0, own);
        return await client.withAbortSignal(own, run);
      },
      webUrlOf: (workflow) => (web === undefined ? undefined : webLink(web, namespace, workflow)),
    });
  } finally {
    await connection.close();
  }
}
