/** Posts to Slack by its own libraries, without their retries and logs, and says what an answer means. */
import type { EventContextBase } from '../sensors/event-handlers.js';
import { withoutSecrets } from './late-text.js';
import { deadline, outcomeOf, readAnswer, refused, unanswered } from './outcome.js';
import { retryAfterOf } from '../sensors/retry-after-error.js';
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
  const until = deadline(signal, timeoutMs);
  // rate limits are read here: the library for webhooks does not tell for how long
  const fetchUntil: Fetch = async (url, init) => {
    const response = await fetch(url, { ...init, signal: until });
    if (response.status !== 429 && response.status !== 503) return response;
    throw outcomeOf(await readAnswer(response), 'Slack') ?? new Error(`Slack answered ${response.status}`);
  };
  const secrets = 'token' in target ? [target.token()] : [target.webhookUrl()];
  try {
    if ('token' in target) await postByToken(target, post, fetchUntil);
    else await postByWebhook(target, post, fetchUntil);
  } catch (error) {
    throw slackOutcome(error, secrets, timeoutMs, signal);
  }
}

async function postByToken(
  { token, channel, apiUrl }: Extract<SlackTarget, { token: unknown }>,
  { text, blocks }: SlackPost,
  fetch: Fetch
): Promise<void> {
  const { WebClient } = await import('@slack/web-api');
  const client = new WebClient(token(), {
    fetch,
    logger: SILENT,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }),
  });
  const message = { channel: channel(), text, unfurl_links: false, unfurl_media: false };
  await client.apiCall('chat.postMessage', blocks === undefined ? message : { ...message, blocks });
}

async function postByWebhook(
  { webhookUrl }: Extract<SlackTarget, { webhookUrl: unknown }>,
  { text, blocks }: SlackPost,
  fetch: Fetch
): Promise<void> {
  const { IncomingWebhook } = await import('@slack/webhook');
  const message = { text, unfurl_links: false, unfurl_media: false };
  await new IncomingWebhook(webhookUrl(), { fetch }).send(
    blocks === undefined ? message : { ...message, blocks: [...blocks] as never }
  );
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

/** The parts of the libraries' errors: an answer with `ok: false`, another status than 200, or no answer. */
interface SlackFailure {
  readonly data?: { readonly error?: unknown };
  readonly statusCode?: number;
  readonly body?: unknown;
  readonly original?: unknown;
}

function slackOutcome(error: unknown, secrets: readonly string[], timeoutMs: number, signal: AbortSignal): Error {
  const { data, statusCode, body, original } = error as SlackFailure;
  const inner = original ?? error;
  if (inner instanceof Error && (retryAfterOf(inner) !== undefined || inner.message.startsWith('Slack answered')))
    return inner;
  if (data !== undefined) return codeOutcome(data.error);
  if (statusCode === undefined) return unanswered(inner, 'Slack', timeoutMs, signal);
  if (typeof body === 'string' && CODE.test(body)) return codeOutcome(body);
  const excerpt = typeof body === 'string' ? withoutSecrets(body, secrets).slice(0, 200) : '';
  return (
    outcomeOf({ status: statusCode, retryAfter: undefined, excerpt }, 'Slack') ??
    new Error(`Slack answered ${statusCode}`)
  );
}

function codeOutcome(code: unknown): Error {
  if (typeof code !== 'string' || !CODE.test(code)) return new Error('Slack answered with something else than its API');
  if (PASSING.has(code)) return new Error(`Slack answered ${code}`);
  return refused(`Slack refuses the message (${code})${ADVICE[code] === undefined ? '' : `: ${ADVICE[code]}`}`);
}
