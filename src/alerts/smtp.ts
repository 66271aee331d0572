/**
 * Sends mails by SMTP, over connections that the alerts of one worker process share for as long as there is something to
 * send: one log-in for many mails, and none is left open for longer than five seconds.
 */
import type { ConnectionOptions } from 'node:tls';
import { createTransport, type SendMailOptions, type Transporter } from 'nodemailer';
import { resolveEnv, type WithEnv } from '../sensors/env.js';
import { DefinitionError, quote, refuseUnknownOptions } from '../sensors/errors.js';
import type { EventContextBase } from '../sensors/event-handlers.js';
import { plain } from '../sensors/text.js';
import { withoutSecrets } from './late-text.js';
import { deadline, refused, unanswered } from './outcome.js';

/** The mail server. */
export interface EmailTransport {
  readonly host: string;
  /** @default 465 with `secure`, else 587 */
  readonly port?: number | string;
  /** TLS from the first byte. @default true for port 465 */
  readonly secure?: boolean;
  /** Without STARTTLS the mail is not sent. @default true with `auth`, unless `secure` */
  readonly requireTLS?: boolean;
  readonly auth?: { readonly user: string; readonly pass: string };
  /** For servers with a certificate of their own: `{ ca }`. As `tls.connect` takes it. */
  readonly tls?: ConnectionOptions;
}

/** Sends one mail, or throws what that means for its event. */
export type SendMail = (ctx: Pick<EventContextBase, 'signal' | 'log'>, mail: SendMailOptions) => Promise<void>;

const OPTIONS = ['host', 'port', 'secure', 'requireTLS', 'auth', 'tls'] as const;
/** An open connection keeps the process from ending. */
const IDLE_MS = 5_000;
const WHO = 'the mail server';

/**
 * @throws {@link DefinitionError} for a bad option; user and password are never shown
 */
export function smtpSender(transport: WithEnv<EmailTransport>, place: string, timeoutMs: number): SendMail {
  checkTransport(transport, place);
  let opened: { readonly transporter: Transporter; readonly secrets: readonly string[] } | undefined;
  return async ({ signal, log }, mail) => {
    opened ??= open(transport, place, timeoutMs);
    const { transporter, secrets } = opened;
    try {
      const { rejected = [] } = await transporter.sendMail({ ...mail, signal: deadline(signal, timeoutMs) });
      if (rejected.length > 0) {
        log.warn(`${WHO} took the mail, but not for ${plain(rejected.join(', '), 500)}`);
      }
    } catch (error) {
      throw smtpOutcome(error, secrets, timeoutMs, signal);
    }
  };
}

/** What is known before the environment is read. */
function checkTransport(transport: WithEnv<EmailTransport>, place: string): void {
  if (typeof transport !== 'object' || transport === null) {
    throw new DefinitionError(
      `${place} is ${typeof transport}; accepted: { host, port, secure, requireTLS, auth, tls }`
    );
  }
  refuseUnknownOptions(transport, OPTIONS, place);
  if (!('host' in transport))
    throw new DefinitionError(`${place}: host is missing; accepted: the name of a mail server`);
  const { auth } = transport;
  if (auth === undefined) return;
  if (typeof auth !== 'object' || auth === null || !('user' in auth) || !('pass' in auth)) {
    throw new DefinitionError(`${place}: auth has no user and pass; accepted: { user, pass }, or no auth at all`);
  }
}

function open(transport: WithEnv<EmailTransport>, place: string, timeoutMs: number) {
  const { host, auth, tls, ...given } = resolveEnv(transport, place) as EmailTransport;
  if (typeof host !== 'string' || host === '') {
    throw new DefinitionError(`${place}: host is ${quote(host)}; accepted: the name of a mail server`);
  }
  const port = Number(given.port ?? (given.secure === true ? 465 : 587));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new DefinitionError(`${place}: port is ${quote(given.port)}; accepted: 1 to 65535`);
  }
  for (const name of ['user', 'pass'] as const) {
    const value: unknown = auth?.[name];
    if (auth !== undefined && (typeof value !== 'string' || value === '')) {
      throw new DefinitionError(`${place}: auth.${name} is ${value === '' ? 'empty' : typeof value}; accepted: a text`);
    }
  }
  const secure = given.secure ?? port === 465;
  const transporter = createTransport({
    pool: true,
    maxConnections: 1,
    idleTimeout: IDLE_MS,
    maxRequeues: 1,
    host,
    port,
    secure,
    requireTLS: given.requireTLS ?? (!secure && auth !== undefined),
    ...(auth === undefined ? {} : { auth: { ...auth } }),
    ...(tls === undefined ? {} : { tls }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    // a body is text, whatever an author's function gives
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return { transporter, secrets: auth === undefined ? [] : [auth.pass] };
}

/** The parts of nodemailer's errors. */
interface SmtpFailure {
  readonly code?: string;
  readonly originalCode?: string;
  /** What the server answered, and its number. */
  readonly response?: string;
  readonly responseCode?: number;
  readonly permanent?: boolean;
}

function smtpOutcome(error: unknown, secrets: readonly string[], timeoutMs: number, signal: AbortSignal): Error {
  const { code = '', originalCode, response, responseCode, permanent } = error as SmtpFailure;
  const answer = response === undefined ? '' : `: ${plain(withoutSecrets(response, secrets), 200)}`;
  if (code === 'EABORT' || code === 'ETIMEDOUT') {
    const reason = code === 'EABORT' ? (error as Error).cause : new DOMException('', 'TimeoutError');
    return unanswered(reason, WHO, timeoutMs, signal);
  }
  if (code === 'EAUTH' && permanent !== false) {
    return refused(
      `${WHO} refuses the log-in${answer}; give the right user and password (many servers want one for apps)`
    );
  }
  if (code === 'ETLS') {
    return new Error(`${WHO} does not do STARTTLS${answer}; for TLS from the first byte set secure (port 465)`);
  }
  if (permanent === true) {
    return refused(`${WHO} refuses the mail${answer}; change sender, recipients or server as it says`);
  }
  if (responseCode !== undefined) return new Error(`${WHO} could not take the mail${answer}`);
  const message = plain(withoutSecrets((error as Error).message, secrets), 200);
  // without an answer these are about the mail itself
  if (code === 'EENVELOPE' || code === 'EMESSAGE') return refused(`the mail cannot be sent: ${message}`);
  return new Error(`${WHO} cannot be reached (${originalCode ?? code}: ${message})`);
}
