/**
 * Errors as the person at the terminal needs them: one sentence with the remedy, a stable code for scripts, an exit
 * code. Users never see a stack trace; `NODE_DEBUG=sensors` prints it for a bug report.
 *
 * Errors are told by their names, never by `instanceof`: this file must not load Temporal's client (see program.ts).
 */
import { CommanderError } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.js';
import { reasonIn } from './grpc-text.js';
import { describeTlsFault, MAYBE_TLS } from './tls-errors.js';

/** Codes of gRPC, by the names of its documentation. */
const GRPC = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The command line, or the configuration of the connection, cannot be used. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The answer has to come from the sensor's loop, and no worker ran it in time. */
export class NoWorkerError extends Error {
  override readonly name = 'NoWorkerError';
}

/** The sensor was asked for a change, and whether it made it is not known. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

/** The sensor has no such tick, or Temporal has forgotten it. */
export class TickNotFoundError extends Error {
  override readonly name = 'TickNotFoundError';
}

/** An error ready to be printed; with `--json` it is `{ "error": … }`. */
export interface ExplainedError {
  /** Stable, for scripts: `usage`, `server-unreachable`, `sensor-not-found`, … */
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly message: string;
}

/** Where the command looked, for messages. */
export interface Place {
  readonly address: string;
  readonly namespace: string;
}

/** The gRPC code and details of an error or of its cause, if it came from the server. */
function grpcStatus(error: unknown): { readonly code: number; readonly details: string } | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const { code, details } = each as Error & { readonly code?: unknown; readonly details?: unknown };
    if (typeof code === 'number') return { code, details: typeof details === 'string' ? details : each.message };
  }
  return undefined;
}

/** Whether an answer did not come because no worker, or none that is alive, gave it. */
export function isUnanswered(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === 'WorkflowUpdateRPCTimeoutOrCancelledError') return true;
  const status = grpcStatus(error);
  return (
    error.name === 'ServiceError' &&
    (status?.code === GRPC.deadlineExceeded ||
      // what a query's deadline looks like from the server's side
      status?.code === GRPC.cancelled ||
      (status?.code === GRPC.failedPrecondition && status.details.includes('poller')))
  );
}

/** Whether the server refused because of who asks, or does not offer the call to anybody (as Temporal Cloud does). */
export function isForbidden(error: unknown): boolean {
  const code = grpcStatus(error)?.code;
  return code === GRPC.permissionDenied || code === GRPC.unauthenticated || code === GRPC.unimplemented;
}

/** What the server said, or the error's own message. */
export function detailsOf(error: unknown): string {
  return grpcStatus(error)?.details ?? (error instanceof Error ? error.message : String(error));
}

/**
 * @param place undefined when the connection was not yet known
 */
export function explainError(error: unknown, place: Place | undefined): ExplainedError {
  if (error instanceof CommanderError) return usage(`${describeUsage(error)}\nRun sensors --help to see what there is`);
  if (error instanceof UsageError) return usage(error.message);
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  switch (name) {
    case 'SensorNotFoundError':
      return { code: 'sensor-not-found', exitCode: EXIT.noSuchSensor, message };
    case 'AssetNotFoundError':
      return { code: 'asset-not-found', exitCode: EXIT.noSuchSensor, message };
    case 'BackfillNotFoundError':
      return { code: 'backfill-not-found', exitCode: EXIT.noSuchSensor, message };
    case 'NoMatchError':
      return { code: 'sensor-not-found', exitCode: EXIT.noSuchSensor, message: `${message}; sensors list shows all` };
    case 'UnconfirmedError':
      return { code: 'unconfirmed', exitCode: EXIT.usage, message };
    case 'ReadOnlyError':
      return {
        code: 'read-only',
        exitCode: EXIT.usage,
        message: `${message}\nWithout --read-only (and SENSORS_READ_ONLY in the environment) it would be done`,
      };
    case 'NoSuchJobError':
      return usage(message);
    case 'TickNotFoundError':
      return { code: 'tick-not-found', exitCode: EXIT.noSuchSensor, message };
    case 'BackfillRejectedError':
    case 'SensorRejectedError':
    case 'ApplicationFailure':
      return { code: 'refused', exitCode: EXIT.refused, message };
    case 'NoWorkerError':
    case 'AssetLogUnavailableError':
      return { code: 'no-worker', exitCode: EXIT.refused, message };
    case 'UnansweredError':
      return { code: 'unanswered', exitCode: EXIT.refused, message };
    case 'TemporalServerError':
    case 'TemporalNotFoundError':
      return { code: 'server-unreachable', exitCode: EXIT.unreachable, message };
  }
  const at = place === undefined ? 'the Temporal server' : place.address;
  if (name === 'NamespaceNotFoundError') return noNamespace(at, place);
  if (name === 'ValueError' && message.startsWith('Unknown encoding')) {
    return {
      code: 'encrypted',
      exitCode: EXIT.failed,
      message:
        `what ${at} holds is encoded by a payload codec that this command does not have (${message}); ` +
        `use SensorClient from temporal-sensors/client with the data converter of your workers`,
    };
  }
  const status = grpcStatus(error);
  if (status !== undefined) return explainStatus(status, at, place);
  return { code: 'failed', exitCode: EXIT.failed, message };
}

function noNamespace(at: string, place: Place | undefined): ExplainedError {
  const namespace = place?.namespace ?? '';
  return {
    code: 'namespace-not-found',
    exitCode: EXIT.noAccess,
    message:
      `there is no namespace '${namespace}' on ${at}; correct --namespace, TEMPORAL_NAMESPACE or the profile, ` +
      `or create it: temporal operator namespace create --namespace ${namespace}`,
  };
}

/** What Commander says, in words of ours where its own are those of its developers. */
function describeUsage({ message }: CommanderError): string {
  return message
    .replace(/^error: /, '')
    .replace(/^command-argument value '(.*)' is invalid for argument '(.*?)'\. /s, "argument <$2> '$1' is invalid. ");
}

function usage(message: string): ExplainedError {
  return { code: 'usage', exitCode: EXIT.usage, message };
}

function explainStatus(
  { code, details }: { readonly code: number; readonly details: string },
  at: string,
  place: Place | undefined
): ExplainedError {
  if (details.includes('Workflow Task in failed state')) {
    return {
      code: 'loop-broken',
      exitCode: EXIT.refused,
      message:
        `the sensor's loop cannot answer: its workflow task fails again and again. Temporal Web and the worker's log have ` +
        `the error; start workers whose code fits it`,
    };
  }
  switch (code) {
    case GRPC.notFound:
      if (/^Namespace .* is not found/.test(details)) return noNamespace(at, place);
      return { code: 'failed', exitCode: EXIT.failed, message: `${at} answered: ${details}` };
    case GRPC.unavailable:
    case GRPC.deadlineExceeded:
    case GRPC.unimplemented: {
      const fault = describeTlsFault(details);
      if (fault !== undefined)
        return { code: 'tls', exitCode: EXIT.unreachable, message: `no connection to ${at}: ${fault}` };
      const hungUp = /Last error: Failed to connect/.test(details) ? `; ${MAYBE_TLS}` : '';
      return {
        code: 'server-unreachable',
        exitCode: EXIT.unreachable,
        message:
          `no Temporal server answers at ${at}: ${reasonIn(details)}\nStart it (sensors dev starts a local one), or correct ` +
          `--address, TEMPORAL_ADDRESS or the profile${hungUp}`,
      };
    }
    case GRPC.unauthenticated:
      return {
        code: 'permission-denied',
        exitCode: EXIT.noAccess,
        message:
          `${at} does not know who asks: ${details}\nCheck the API key (wrong, expired or disabled?) or certificate: ` +
          `TEMPORAL_API_KEY, TEMPORAL_TLS_…, or the profile`,
      };
    case GRPC.permissionDenied:
      return {
        code: 'permission-denied',
        exitCode: EXIT.noAccess,
        message:
          `${at} does not allow this in namespace '${place?.namespace ?? ''}': ${details}\nCheck the API key or ` +
          `certificate (TEMPORAL_API_KEY, TEMPORAL_TLS_…, or the profile) and its rights; Temporal Cloud says the same ` +
          `of a namespace that does not exist (its names are <name>.<account>)`,
      };
    case GRPC.resourceExhausted:
      return { code: 'rate-limited', exitCode: EXIT.failed, message: `${at} is too busy (${details}); try again` };
    default:
      return { code: 'failed', exitCode: EXIT.failed, message: `${at} answered: ${details}` };
  }
}
