/** How alerts get to any URL: the options, and a request made of each event. */
import type { EnvValue } from '../sensors/env.js';
import { DefinitionError, quote } from '../sensors/errors.js';
import type { EventContextBase } from '../sensors/event-handlers.js';
import { isObject, toJson, type Json } from '../sensors/json.js';
import { checkAlertOptions, type AlertOptions } from './alert-sensor.js';
import type { Deliver } from './group.js';
import { lateText, urlProblem, urlSecrets, withoutSecrets } from './late-text.js';
import { describeSubject, type FromSubject } from './message.js';
import { deadline, outcomeOf, parseTimeout, readAnswer, refused, unanswered, type Answer } from './outcome.js';
import { jsonBody } from './webhook-body.js';

export interface WebhookAlertOptions extends AlertOptions {
  /** `https:` or `http:`. It is never shown: many such addresses are secrets. */
  readonly url: string | EnvValue;
  /** @default 'POST' */
  readonly method?: 'POST' | 'PUT' | 'PATCH';
  /** Further headers, such as `authorization`. Their values are never shown. */
  readonly headers?: Readonly<Record<string, string | EnvValue>>;
  /** A function that gives the body: JSON, or a text to be sent as it is. @default all facts as JSON */
  readonly body?: FromSubject<Json>;
}

/** Default name of the sensor. */
export const WEBHOOK_SENSOR = 'webhookOnRunFailure';
const OWN_OPTIONS = ['url', 'method', 'headers', 'body'] as const;
const METHODS = ['POST', 'PUT', 'PATCH'] as const;
const WHO = 'the webhook';

/**
 * Sends each message.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function webhookDelivery(options: WebhookAlertOptions): Deliver {
  const place = checkAlertOptions(options, WEBHOOK_SENSOR, OWN_OPTIONS);
  const { method = 'POST', body = jsonBody } = options;
  if (options.url === undefined)
    throw new DefinitionError(`${place}: url is missing; accepted: https://…, or env('NAME')`);
  const url = lateText(options.url, `${place}: url`, urlProblem);
  if (!METHODS.includes(method)) {
    throw new DefinitionError(`${place}: method is ${quote(method)}; accepted: ${METHODS.join(', ')}`);
  }
  if (typeof body !== 'function') {
    throw new DefinitionError(`${place}: body is ${quote(body)}; accepted: a function that gives JSON or a text`);
  }
  const headers = checkHeaders(options.headers ?? {}, `${place}: headers`);
  const timeoutMs = parseTimeout(options.sendTimeout, place);

  return async (ctx, subject) => {
    const message = describeSubject(subject);
    const content = (await body(subject, message)) ?? jsonBody(subject, message);
    const own = headers.map(([name, value]) => [name, value()] as const);
    const request = new Request(url(), {
      method,
      // followed, a POST may become a GET without a body, which the receiver takes for something else
      redirect: 'manual',
      headers: requestHeaders(subject.eventId, content, own),
      body: typeof content === 'string' ? content : JSON.stringify(toJson(content, 'body')),
    });
    const outcome = webhookOutcome(await send(ctx, request, timeoutMs), [
      ...urlSecrets(url()),
      // `Bearer abc` may come back as `abc`
      ...own.flatMap(([, value]) => [value, ...value.split(/\s+/)]),
    ]);
    if (outcome !== undefined) throw outcome;
  };
}

async function send({ signal }: EventContextBase, request: Request, timeoutMs: number): Promise<Answer> {
  try {
    return await readAnswer(await fetch(request, { signal: deadline(signal, timeoutMs) }));
  } catch (error) {
    throw unanswered(error, WHO, timeoutMs, signal);
  }
}

function webhookOutcome({ status, retryAfter, excerpt }: Answer, secrets: readonly string[]): Error | undefined {
  if (status >= 300 && status < 400) {
    return refused(`${WHO} answered ${status}, a redirect, which is not followed: give the address that it leads to`);
  }
  return outcomeOf({ status, retryAfter, excerpt: withoutSecrets(excerpt, secrets) }, WHO);
}

function requestHeaders(eventId: string, content: Json, own: readonly (readonly [string, string])[]): Headers {
  const headers = new Headers({
    'content-type': typeof content === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
    // workflow IDs may be of any characters, headers may not
    'idempotency-key': eventId.toWellFormed().replaceAll(/[^\x21-\x7e]/gu, encodeURIComponent),
  });
  for (const [name, value] of own) headers.set(name, value);
  return headers;
}

function checkHeaders(headers: unknown, place: string): [string, () => string][] {
  if (!isObject(headers)) {
    throw new DefinitionError(
      `${place} is ${Array.isArray(headers) ? 'an array' : typeof headers}; accepted: texts by name`
    );
  }
  return Object.entries(headers as Record<string, string | EnvValue>).map(([name, value]) => {
    if (!isHeader(name, '')) throw new DefinitionError(`${place}: ${quote(name)} is no name of a header`);
    const problemOf = (text: string): string | undefined =>
      isHeader(name, text)
        ? undefined
        : 'no value of a header; accepted: a text of one line, without characters above U+00FF';
    return [name, lateText(value, `${place}.${name}`, problemOf)];
  });
}

function isHeader(name: string, value: string): boolean {
  try {
    return new Headers([[name, value]]).has(name);
  } catch {
    return false;
  }
}
