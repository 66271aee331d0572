/** How alerts get into mailboxes: the options, and a mail made of each event. */
import type { EnvValue, WithEnv } from '../sensors/env.js';
import { DefinitionError, EvaluationError, quote } from '../sensors/errors.js';
import { shortHash } from '../sensors/short-hash.js';
import { checkAlertOptions, type AlertOptions } from './alert-sensor.js';
import { emailBody, subjectLine, type EmailBody } from './email-message.js';
import type { Deliver } from './group.js';
import { lateText } from './late-text.js';
import { describeSubject, type FromSubject } from './message.js';
import { parseTimeout } from './outcome.js';
import { smtpSender, type EmailTransport } from './smtp.js';

/** `ann@example.com` or `Ann <ann@example.com>`. */
type Address = string | EnvValue;

export interface EmailAlertOptions extends AlertOptions {
  /** `ann@example.com` or `Ann <ann@example.com>`. */
  readonly from: Address;
  readonly to: Address | readonly Address[];
  readonly cc?: Address | readonly Address[];
  /** The mail server. Give the password as `env('NAME')`. */
  readonly transport: WithEnv<EmailTransport>;
  /** Put before the default subject (`[orders] `), or a function that gives the whole. @default what failed */
  readonly subject?: string | FromSubject<string>;
  /** A function that gives the text, or text and HTML. Put what others wrote through `escapeHtml`. @default all facts */
  readonly body?: FromSubject<string | EmailBody>;
}

/** Default name of the sensor. */
export const EMAIL_SENSOR = 'emailOnRunFailure';
const OWN_OPTIONS = ['from', 'to', 'cc', 'transport', 'subject', 'body'] as const;

interface Mailbox {
  readonly name: string;
  readonly address: string;
}

/**
 * Mails each message.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function emailDelivery(options: EmailAlertOptions): Deliver {
  const place = checkAlertOptions(options, EMAIL_SENSOR, OWN_OPTIONS);
  const { subject, body } = options;
  if (subject !== undefined && typeof subject !== 'string' && typeof subject !== 'function') {
    throw new DefinitionError(`${place}: subject is ${quote(subject)}; accepted: a text, or a function that gives one`);
  }
  if (body !== undefined && typeof body !== 'function') {
    throw new DefinitionError(
      `${place}: body is ${quote(body)}; accepted: a function that gives a text, or { text, html }`
    );
  }
  const from = mailboxes(options.from, `${place}: from`);
  const to = mailboxes(options.to, `${place}: to`);
  const cc = options.cc === undefined ? () => [] : mailboxes(options.cc, `${place}: cc`);
  const send = smtpSender(options.transport, `${place}: transport`, parseTimeout(options.sendTimeout, place));

  return async (ctx, event) => {
    const message = describeSubject(event);
    const ownSubject = typeof subject === 'function' ? await subject(event, message) : undefined;
    const ownBody = await body?.(event, message);
    const [sender] = from();
    await send(ctx, {
      from: sender,
      to: to(),
      cc: cc(),
      subject: subjectLine(
        checkText(ownSubject, 'subject') ?? `${typeof subject === 'string' ? subject : ''}${message.title}`
      ),
      ...(ownBody === undefined ? emailBody(message) : checkBody(ownBody)),
      // the same for the same event, so that a mail client can show a repeated one once
      messageId: `<${shortHash(event.eventId)}@${sender?.address.split('@')[1] ?? 'localhost'}>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
  };
}

function checkText(value: unknown, what: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new EvaluationError(`${what} gave a ${typeof value}; accepted: a text, or undefined for the default`);
}

function checkBody(body: string | EmailBody): EmailBody {
  const { text, html } = typeof body === 'string' ? { text: body } : { text: undefined, html: undefined, ...body };
  const parts = { text: checkText(text, 'body.text'), html: checkText(html, 'body.html') };
  if (parts.text === undefined && parts.html === undefined)
    throw new EvaluationError('body gave neither text nor html');
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined));
}

function mailboxes(given: Address | readonly Address[] | undefined, place: string): () => Mailbox[] {
  const all = Array.isArray(given) ? (given as readonly Address[]) : [given as Address];
  if (all.length === 0 || given === undefined)
    throw new DefinitionError(`${place} has no address; accepted: one or more`);
  const read = all.map((each) => lateText(each, place, addressProblem));
  return () => read.map((text) => parseMailbox(text()) ?? { name: '', address: '' });
}

function addressProblem(text: string): string | undefined {
  return parseMailbox(text) === undefined
    ? `${quote(text)}, no address; accepted: ann@example.com or Ann <ann@example.com>, one each`
    : undefined;
}

// neither line ends nor what separates addresses: nothing of it can become another header or recipient
const ADDRESS = /^[^\s<>@,;:"()]+@[^\s<>@,;:"()]+$/u;

function parseMailbox(text: string): Mailbox | undefined {
  const [, name = '', address = text.trim()] = /^([^<>\p{Cc}]*)<([^<>]*)>\s*$/u.exec(text) ?? [];
  return ADDRESS.test(address) ? { name: name.trim().replaceAll(/^"|"$/g, ''), address } : undefined;
}
