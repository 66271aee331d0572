/** How alerts get into Slack: the options, and a message made of each event. */
import type { EnvValue } from '../sensors/env.js';
import { DefinitionError, EvaluationError, quote } from '../sensors/errors.js';
import { checkAlertOptions, type AlertOptions } from './alert-sensor.js';
import type { Deliver } from './group.js';
import { lateText, urlProblem } from './late-text.js';
import { describeSubject, type FromSubject } from './message.js';
import { parseTimeout } from './outcome.js';
import { fallbackText, slackBlocks, textBlock } from './slack-message.js';
import { postToSlack, type SlackTarget } from './slack-post.js';

interface SlackContent extends AlertOptions {
  /**
   * In Slack's mrkdwn: a text to put above the message, such as a mention (`<!subteam^S0123456789>`), or a function that
   * gives the whole message. Put what others wrote through `escapeMrkdwn`. @default what failed and why
   */
  readonly text?: string | FromSubject<string>;
  /** A function that gives the whole message as blocks (`KnownBlock[]` of `@slack/types`). @default what failed and why */
  readonly blocks?: FromSubject<readonly object[]>;
}

/** By a bot token, with the scope `chat:write`; needs `@slack/web-api`. */
export interface SlackTokenOptions extends SlackContent {
  readonly token: string | EnvValue;
  /** ID of the channel, or its name if it is public. */
  readonly channel: string | EnvValue;
  /** @default 'https://slack.com/api/' */
  readonly apiUrl?: string;
  readonly webhookUrl?: never;
}

/** By an incoming webhook, whose channel was chosen in Slack; needs `@slack/webhook`. */
export interface SlackWebhookOptions extends SlackContent {
  readonly webhookUrl: string | EnvValue;
  readonly token?: never;
  readonly channel?: never;
  readonly apiUrl?: never;
}

export type SlackAlertOptions = SlackTokenOptions | SlackWebhookOptions;

/** Default name of the sensor. */
export const SLACK_SENSOR = 'slackOnRunFailure';
const OWN_OPTIONS = ['token', 'channel', 'webhookUrl', 'apiUrl', 'text', 'blocks'] as const;

/**
 * Posts each message.
 *
 * @throws {@link DefinitionError} for a bad option
 */
export function slackDelivery(options: SlackAlertOptions): Deliver {
  const place = checkAlertOptions(options, SLACK_SENSOR, OWN_OPTIONS);
  const target = targetOf(options, place);
  const { text, blocks } = options;
  if (text !== undefined && typeof text !== 'function' && (typeof text !== 'string' || text === '')) {
    throw new DefinitionError(`${place}: text is ${quote(text)}; accepted: a text, or a function that gives one`);
  }
  if (blocks !== undefined && typeof blocks !== 'function') {
    throw new DefinitionError(
      `${place}: blocks is ${quote(blocks)}; accepted: a function that gives an array of blocks`
    );
  }
  const timeoutMs = parseTimeout(options.sendTimeout, place);
  return async (ctx, subject) => {
    const message = describeSubject(subject);
    const ownText = typeof text === 'function' ? await text(subject, message) : undefined;
    const ownBlocks = await blocks?.(subject, message);
    if (ownText !== undefined && typeof ownText !== 'string') {
      throw new EvaluationError(`text gave a ${typeof ownText}; accepted: a text, or undefined for the default`);
    }
    if (ownBlocks !== undefined && !Array.isArray(ownBlocks)) {
      throw new EvaluationError(`blocks gave a ${typeof ownBlocks}; accepted: an array, or undefined for the default`);
    }
    const above = typeof text === 'string' ? [textBlock(text)] : [];
    const shown = ownBlocks ?? (ownText === undefined ? slackBlocks(message) : undefined);
    const post = {
      text: ownText ?? fallbackText(message),
      ...(shown === undefined ? {} : { blocks: [...above, ...shown] }),
    };
    await postToSlack(ctx, target, post, timeoutMs);
  };
}

function targetOf(options: SlackAlertOptions, place: string): SlackTarget {
  const { token, channel, webhookUrl, apiUrl } = options;
  if ((token === undefined) === (webhookUrl === undefined)) {
    throw new DefinitionError(`${place}: accepted: either token and channel, or webhookUrl`);
  }
  if (webhookUrl !== undefined) {
    if (channel !== undefined || apiUrl !== undefined) {
      throw new DefinitionError(
        `${place}: channel and apiUrl are for a token; the channel of a webhook was chosen in Slack, remove them`
      );
    }
    return { webhookUrl: lateText(webhookUrl, `${place}: webhookUrl`, urlProblem) };
  }
  if (channel === undefined) throw new DefinitionError(`${place}: token needs a channel, such as 'C0123456789'`);
  return {
    token: lateText(token, `${place}: token`),
    channel: lateText(channel, `${place}: channel`),
    apiUrl: apiUrl === undefined ? undefined : lateText(apiUrl, `${place}: apiUrl`, urlProblem)(),
  };
}
