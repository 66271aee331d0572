/** Posts to Slack by its own libraries, without their retries and logs, and says what an answer means. */
import type { EventContextBase } from '../sensors/event-handlers.js';
import { urlSecrets, withoutSecrets } from './late-text.js';
import { deadline, outcomeOf, readAnswer, refused, unanswered, type Answer } from './outcome.js';
import type { SlackPost } from './slack-message.js';

/** Where messages go. */
export type SlackTarget =
  | { readonly token: () => string; readonly channel: () => string; readonly apiUrl: string | undefined }
  | { readonly webhookUrl: () => string };

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** What to do about codes that Slack answers, by code. */
const ADVICE: Readonly<Record<string, string>> = {
  invalid_auth: 'give a bot token (xoxb-…) of an app that is installed in the workspace',
  not_authed: 'give a bot token (xoxb-…) of an app that is installed in the workspace',
  token_revoked: 'install the app again and give its new token',
  token_expired: 'give a token that has not expired',
  account_inactive: 'the app was removed from the workspace; install it again and give its new token',
  missing_scope: "give the app the scope 'chat:write' and install it again",
  channel_not_found: "give the channel's ID (C…); to a private channel the app must have been invited",
  not_in_channel: 'invite the app to the channel (/invite @app), or give it the scope chat:write.public',
  is_archived: 'the channel is archived; give another one',
  channel_is_archived: 'the channel is archived; give another one',
  no_service: 'the webhook was removed; make a new one in the settings of the Slack app',
  no_team: 'the webhook was removed; make a new one in the settings of the Slack app',
  invalid_token: 'the webhook was removed; make a new one in the settings of the Slack app',
  action_prohibited: 'an admin of the workspace does not allow it',
  restricted_action: 'an admin of the workspace does not allow it',
  invalid_blocks: "Slack cannot read what 'blocks' gives",
  no_text: "'text' and 'blocks' give nothing to show",
};

/** Codes of trouble on Slack's side, and its limit for one channel. */
const PASSING = new Set([
  'accesslimited',
  'fatal_error',
  'internal_error',
  'rate_limited',
  'ratelimited',
  'request_timeout',
  'rollup_error',
  'service_unavailable',
  'team_added_to_org',
]);

/** Slack's codes: `channel_not_found`. Anything else is the text of whatever stands between. */
const CODE = /^[a-z_]{1,60}$/;

/**
 * @throws RetryAfterError for a rate limit; an ApplicationFailure that is not retried for what somebody has to change;
 *   Error for everything that may pass
 */
export async function postToSlack(
  { signal }: Pick<EventContextBase, 'signal'>,
  target: SlackTarget,
  post: SlackPost,
  timeoutMs: number
): Promise<void> {
  const { secrets, send } = 'token' in target ? await byToken(target, post) : await byWebhook(target, post);
  const until = deadline(signal, timeoutMs);
  let outcome: Error | undefined;
  try {
    await send(async (url, init) => {
      const response = await fetch(url, { ...init, signal: until });
      if (response.ok) return response;
      // read here: the library for webhooks does not tell how long to wait, and both wrap what is thrown
      outcome = answerOutcome(await readAnswer(response), secrets);
      throw outcome;
    });
  } catch (error) {
    const { data, original } = error as SlackFailure;
    if (outcome !== undefined) throw outcome;
    throw data === undefined ? unanswered(original ?? error, 'Slack', timeoutMs, signal) : codeOutcome(data.error);
  }
}

/** A post that is ready to be sent, and what of it must not be shown. */
interface ReadyPost {
  readonly secrets: readonly string[];
  readonly send: (fetch: Fetch) => Promise<unknown>;
}

type TokenTarget = Extract<SlackTarget, { token: unknown }>;
type WebhookTarget = Extract<SlackTarget, { webhookUrl: unknown }>;

async function byToken({ token, channel, apiUrl }: TokenTarget, post: SlackPost): Promise<ReadyPost> {
  const { WebClient } = await import('@slack/web-api');
  const secret = token();
  const message = { ...post, channel: channel(), unfurl_links: false, unfurl_media: false };
  const options = {
    logger: SILENT,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }),
  };
  return {
    secrets: [secret],
    send: (fetch) => new WebClient(secret, { ...options, fetch }).apiCall('chat.postMessage', message),
  };
}

async function byWebhook({ webhookUrl }: WebhookTarget, post: SlackPost): Promise<ReadyPost> {
  const { IncomingWebhook } = await import('@slack/webhook');
  const url = webhookUrl();
  const message = { ...post, unfurl_links: false, unfurl_media: false } as never;
  return { secrets: urlSecrets(url), send: (fetch) => new IncomingWebhook(url, { fetch }).send(message) };
}

/** The library logs what it then throws. */
const SILENT = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  setLevel: () => undefined,
  getLevel: () => 'error' as never,
  setName: () => undefined,
};

/** The parts of the libraries' errors: an answer with `ok: false`, or none. */
interface SlackFailure {
  readonly data?: { readonly error?: unknown };
  readonly original?: unknown;
}

/** What an answer with another status than 200 means; a webhook has its codes there. */
function answerOutcome(answer: Answer, secrets: readonly string[]): Error {
  const { status, excerpt } = answer;
  if (status < 500 && status !== 429 && CODE.test(excerpt)) return codeOutcome(excerpt);
  const outcome = outcomeOf({ ...answer, excerpt: withoutSecrets(excerpt, secrets) }, 'Slack');
  return outcome ?? new Error(`Slack answered ${status}`);
}

function codeOutcome(code: unknown): Error {
  if (typeof code !== 'string' || !CODE.test(code)) return new Error('Slack answered with something else than its API');
  if (PASSING.has(code)) return new Error(`Slack answered ${code}`);
  return refused(`Slack refuses the message (${code})${ADVICE[code] === undefined ? '' : `: ${ADVICE[code]}`}`);
}
