/** Alerts to a Slack-shaped server: what is posted, and what each answer means for the event. */
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test, vi } from 'vitest';
import { slackDelivery, type SlackAlertOptions } from '../../../src/alerts/slack-delivery.js';
import { slackOnRunFailure } from '../../../src/alerts/slack.js';
import { DefinitionError, env, RetryAfterError } from '../../../src/index.js';
import { failedRun, failureOf, send, startReceiver, type Received } from '../../support/alerts.js';

const TOKEN = 'xoxb-secret-word';
const ok = (): Response => Response.json({ ok: true, ts: '1' });

/** A Slack that answers this, and a sensor's delivery to it by token. */
async function slack(answer: (request: Received) => Response | 'hang', options: Partial<SlackAlertOptions> = {}) {
  const { url, received } = await startReceiver(answer);
  const deliver = slackDelivery({ token: TOKEN, channel: 'C1', apiUrl: `${url}/api`, ...options } as SlackAlertOptions);
  const bodies = () => received.map(({ body }) => new URLSearchParams(body));
  return { deliver, received, bodies };
}

/** The same by webhook; its path is the secret. */
async function webhook(answer: (request: Received) => Response | 'hang', options: Partial<SlackAlertOptions> = {}) {
  const { url, received } = await startReceiver(answer);
  return {
    deliver: slackDelivery({ webhookUrl: `${url}/services/secret-word`, ...options } as SlackAlertOptions),
    received,
  };
}

describe('a message', () => {
  test('is posted by token to the channel, with a text for notifications', async () => {
    const { deliver, received, bodies } = await slack(ok);
    await send(deliver, failedRun());
    expect(received[0]).toMatchObject({ path: '/api/chat.postMessage', headers: { authorization: `Bearer ${TOKEN}` } });
    const [body] = bodies();
    expect(body?.get('channel')).toBe('C1');
    expect(body?.get('text')).toMatch(/^processOrders failed: a\.csv, line 4, column 4/);
    expect(body?.get('blocks')).toContain('"text":"sensor orders, tick 7, run key a.csv"');
  });

  test('is posted by webhook', async () => {
    const { deliver, received } = await webhook(() => new Response('ok'));
    await send(deliver, failedRun());
    expect(received[0]?.path).toBe('/services/secret-word');
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({
      text: expect.stringMatching(/^processOrders failed: /) as string,
    });
  });

  test('is what the functions give, and the default where they give nothing', async () => {
    const { deliver, bodies } = await slack(ok, {
      text: (subject, { title }) =>
        subject.kind === 'run' && subject.type === 'processOrders' ? `!${title}` : undefined,
    });
    await send(deliver, failedRun());
    await send(deliver, failedRun({ type: 'other' }));
    expect(bodies().map((body) => [body.get('text'), body.has('blocks')])).toMatchObject([
      ['!processOrders failed', false],
      [/^other failed: /, true].map((each) =>
        typeof each === 'boolean' ? each : (expect.stringMatching(each) as string)
      ),
    ]);

    const own = await slack(ok, { text: '<!subteam^S1>', blocks: () => [{ type: 'divider' }] });
    await send(own.deliver, failedRun());
    expect(JSON.parse(own.bodies()[0]?.get('blocks') ?? '')).toEqual([
      { type: 'section', text: { type: 'mrkdwn', text: '<!subteam^S1>' } },
      { type: 'divider' },
    ]);
  });

  test('reads token and channel from the environment when it is sent, and says which variable is missing', async () => {
    const { deliver, received } = await slack(ok, { token: env('ALERTS_TEST_TOKEN') });
    const error = await failureOf(send(deliver, failedRun()));
    expect(error.message).toContain("token: the environment variable 'ALERTS_TEST_TOKEN' is not set");
    vi.stubEnv('ALERTS_TEST_TOKEN', TOKEN);
    await send(deliver, failedRun());
    vi.unstubAllEnvs();
    expect(received[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });
});

describe('an answer', () => {
  const waits = (): Response => new Response('', { status: 429, headers: { 'retry-after': '17' } });

  test.each([
    ['a token', slack],
    ['a webhook', webhook],
  ])('429 to %s pauses for as long as it asks', async (_, by) => {
    const { deliver } = await by(waits);
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).toBeInstanceOf(RetryAfterError);
    expect(error).toMatchObject({ retryAfterMs: 17_000, message: 'Slack answered 429; waiting 17 s as it asks' });
  });

  test.each([
    ['500', slack, () => new Response('oops', { status: 500 }), 'Slack answered 500: oops'],
    ['500 to a webhook', webhook, () => new Response('oops', { status: 500 }), 'Slack answered 500: oops'],
    [
      'an internal error',
      slack,
      () => Response.json({ ok: false, error: 'internal_error' }),
      'Slack answered internal_error',
    ],
    ['a page', slack, () => new Response('<html>'), 'Slack answered with something else than its API'],
    ['nothing', slack, (): 'hang' => 'hang', 'Slack did not answer within 500 ms'],
    ['nothing to a webhook', webhook, (): 'hang' => 'hang', 'Slack did not answer within 500 ms'],
  ])('%s is retried', async (_, by, answer, message) => {
    const { deliver, received } = await by(answer, { sendTimeout: '500ms' });
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).not.toBeInstanceOf(ApplicationFailure);
    expect(error).not.toBeInstanceOf(RetryAfterError);
    expect(error.message).toBe(message);
    // the library does not try again by itself
    expect(received).toHaveLength(1);
  });

  test.each([
    ['token_revoked', 'install the app again and give its new token'],
    ['invalid_auth', 'give a bot token'],
    ['account_inactive', 'install it again'],
    ['channel_not_found', "give the channel's ID"],
    ['not_in_channel', 'invite the app to the channel'],
    ['msg_blocks_too_long', 'Slack refuses the message (msg_blocks_too_long)'],
  ])('%s parks the event and says what to do', async (code, advice) => {
    const { deliver } = await slack(() => Response.json({ ok: false, error: code }));
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).toMatchObject({ nonRetryable: true });
    expect(error.message).toContain(code);
    expect(error.message).toContain(advice);
  });

  test.each([
    [404, 'no_service', 'Slack refuses the message (no_service): the webhook was removed'],
    [410, 'channel_is_archived', 'the channel is archived'],
    [403, 'action_prohibited', 'an admin of the workspace does not allow it'],
    [400, 'Invalid payload!', 'Slack answered 400: Invalid payload!'],
  ])('%d %s to a webhook parks the event', async (status, text, message) => {
    const { deliver } = await webhook(() => new Response(text, { status }));
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).toMatchObject({ nonRetryable: true });
    expect(error.message).toContain(message);
  });
});

test('a server that is not there is retried, and an aborted attempt ends at once', async () => {
  const gone = slackDelivery({ webhookUrl: 'http://127.0.0.1:1/secret-word' });
  expect((await failureOf(send(gone, failedRun()))).message).toMatch(/^Slack cannot be reached \(\w+\)$/);

  const { deliver } = await slack(() => 'hang', { sendTimeout: '1m' });
  const abort = new AbortController();
  const sent = failureOf(send(deliver, failedRun(), abort.signal));
  abort.abort();
  expect((await sent).message).toBe('Slack had not answered when the attempt was aborted');
});

test('no token and no address of a webhook is in an error, nor in its causes', async () => {
  const answers = [
    ({ path }: Received) => new Response(`not here: ${path}`, { status: 404 }),
    ({ path }: Received) => new Response(`broken: ${path}`, { status: 500 }),
    ({ path }: Received) => new Response(`busy: ${path}`, { status: 503 }),
    () => new Response('', { status: 302, headers: { location: 'http://127.0.0.1:1/secret-word' } }),
    (): 'hang' => 'hang',
  ];
  for (const answer of answers) {
    const { deliver } = await webhook(answer, { sendTimeout: '500ms' });
    for (
      let error: unknown = await failureOf(send(deliver, failedRun()));
      error instanceof Error;
      error = error.cause
    ) {
      expect(`${error.message}\n${error.stack}`).not.toContain('secret-word');
    }
  }
});

test.each([
  [{}, 'accepted: either token and channel, or webhookUrl'],
  [{ token: TOKEN, channel: 'c', webhookUrl: 'https://x' }, 'accepted: either token and channel, or webhookUrl'],
  [{ token: TOKEN }, "token needs a channel, such as 'C0123456789'"],
  [{ webhookUrl: 'https://x', channel: 'c' }, 'the channel of a webhook was chosen in Slack'],
  [{ webhookUrl: 'secret-word' }, 'webhookUrl is no URL; accepted: https://… or http://…'],
  [{ webhookUrl: 'https://secret-word@x' }, 'webhookUrl is a URL with a user in it'],
  [{ token: 7, channel: 'c' }, "token is a number; accepted: a text, or env('NAME')"],
  [{ token: '', channel: 'c' }, 'token is empty'],
  [{ token: TOKEN, channel: 'c', chanel: 'd' }, "has an unknown option 'chanel'"],
  [{ token: TOKEN, channel: 'c', text: 7 }, 'text is 7; accepted: a text, or a function that gives one'],
  [{ token: TOKEN, channel: 'c', blocks: [] }, 'blocks is []; accepted: a function'],
  [{ token: TOKEN, channel: 'c', sendTimeout: '1h' }, "sendTimeout is '1h', which is out of range"],
  [{ token: TOKEN, channel: 'c', name: 'a b' }, "the name of a sensor is 'a b'"],
])('the options %j are an error at definition', (options, message) => {
  const define = (): unknown => slackOnRunFailure(options as unknown as SlackAlertOptions);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
  expect(define).not.toThrow('secret-word');
});
