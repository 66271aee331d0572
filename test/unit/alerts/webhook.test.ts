/** Alerts to any URL: what is sent, and what each answer means for the event. */
import { describe, expect, test } from 'vitest';
import { webhookDelivery, type WebhookAlertOptions } from '../../../src/alerts/webhook-delivery.js';
import { teamsCard, webhookOnRunFailure } from '../../../src/alerts/webhook.js';
import { ApplicationFailure } from '@temporalio/common';
import { DefinitionError, RetryAfterError } from '../../../src/index.js';
import { failedRun, failureOf, healthEvent, send, startReceiver, type Received } from '../../support/alerts.js';

async function receiver(answer?: (request: Received) => Response | 'hang', options: Partial<WebhookAlertOptions> = {}) {
  const { url, received } = await startReceiver(answer);
  return { deliver: webhookDelivery({ url: `${url}/secret-word`, ...options }), received };
}

describe('a request', () => {
  test('has all facts as JSON, and the ID of the event for receivers that must not act twice', async () => {
    const { deliver, received } = await receiver();
    await send(deliver, failedRun());
    const [request] = received;
    expect(request).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': failedRun().eventId },
    });
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      kind: 'run',
      eventId: 'orders:processOrders:a.csv/run-1/failed',
      status: 'failed',
      workflowId: 'orders:processOrders:a.csv',
      type: 'processOrders',
      closeTime: '2026-01-01T10:00:03.250Z',
      durationMs: 3250,
      failure: { message: expect.stringContaining('line 4, column 4') as string, activity: { type: 'reportOrders' } },
      startedBy: { sensor: 'orders', tick: 7, runKey: 'a.csv' },
      url: failedRun().url,
      title: 'processOrders failed',
    });
    await send(deliver, healthEvent());
    expect(JSON.parse(received[1]?.body ?? '')).toMatchObject({ kind: 'sensor', change: 'failing', sensor: 'orders' });
  });

  test('takes IDs of any characters', async () => {
    const { deliver, received } = await receiver();
    await send(deliver, failedRun({ eventId: 'Bücher 1\n\ud800/run/failed' }));
    expect(received[0]?.headers['idempotency-key']).toBe('B%C3%BCcher%201%0A%EF%BF%BD/run/failed');
  });

  test('has the method, headers and body that were given, and a card for Teams', async () => {
    const { deliver, received } = await receiver(undefined, {
      method: 'PUT',
      headers: { authorization: 'Bearer secret-word' },
      body: (subject, { title }) => (subject.kind === 'run' ? `${title}!` : undefined),
    });
    await send(deliver, failedRun());
    await send(deliver, healthEvent());
    expect(received).toMatchObject([
      { method: 'PUT', body: 'processOrders failed!', headers: { authorization: 'Bearer secret-word' } },
      { headers: { 'content-type': 'application/json' } },
    ]);
    const teams = await receiver(() => new Response('', { status: 202 }), { body: teamsCard });
    await send(teams.deliver, failedRun());
    const { type, attachments } = JSON.parse(teams.received[0]?.body ?? '') as { type: string; attachments: object[] };
    expect(type).toBe('message');
    expect(attachments).toMatchObject([{ contentType: 'application/vnd.microsoft.card.adaptive' }]);
    expect(JSON.stringify(attachments)).toContain('line 4, column 4');
  });
});

describe('an answer', () => {
  const at = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();

  test.each([
    ['429 with seconds', 429, '90', 90_000, 90_000],
    ['429 with a date', 429, at(600), 500_000, 600_000],
    ['429 with a date that is past', 429, at(-600), 1_000, 1_000],
    ['429 without', 429, undefined, 30_000, 30_000],
    ['429 with nonsense', 429, 'soon', 30_000, 30_000],
    ['429 with years', 429, '999999999', 86_400_000, 86_400_000],
    ['503 with seconds', 503, '5', 5_000, 5_000],
  ])('%s pauses', async (_, status, retryAfter, least, most) => {
    const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
    const { deliver } = await receiver(() => new Response('', { status, headers }));
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).toBeInstanceOf(RetryAfterError);
    expect((error as RetryAfterError).retryAfterMs).toBeGreaterThanOrEqual(least);
    expect((error as RetryAfterError).retryAfterMs).toBeLessThanOrEqual(most);
  });

  test.each([500, 502, 503, 408])('%d is retried', async (status) => {
    const { deliver } = await receiver(() => new Response('busy', { status }));
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).not.toBeInstanceOf(ApplicationFailure);
    expect(error).not.toBeInstanceOf(RetryAfterError);
    expect(error.message).toBe(`the webhook answered ${status}: busy`);
  });

  test('of another kind parks the event, with the first 200 characters of the answer', async () => {
    const { deliver } = await receiver(
      () => new Response(`no\n field 'secret-word' ${'x'.repeat(100_000)}`, { status: 422 }),
      {
        headers: { 'x-key': 'secret-word' },
      }
    );
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).toMatchObject({ nonRetryable: true });
    expect(error.message).toMatch(/^the webhook answered 422: no field '…' x+…$/);
    expect(error.message.length).toBeLessThan(240);
  });

  test('that leads elsewhere parks the event: a redirected POST may arrive without its body', async () => {
    const headers = { location: 'https://elsewhere.example/secret-word' };
    const { deliver, received } = await receiver(() => new Response('', { status: 302, headers }));
    const error = await failureOf(send(deliver, failedRun()));
    expect(error).toMatchObject({ nonRetryable: true });
    expect(error.message).toContain('a redirect, which is not followed: give the address that it leads to');
    expect(error.message).not.toContain('secret-word');
    expect(received).toHaveLength(1);
  });

  test('that does not come is retried, and not waited for when the attempt is aborted', async () => {
    const { deliver } = await receiver(() => 'hang', { sendTimeout: '500ms' });
    const error = await failureOf(send(deliver, failedRun()));
    expect(error.message).toBe('the webhook did not answer within 500 ms');
    const aborted = await failureOf(send(deliver, failedRun(), AbortSignal.abort()));
    expect(aborted.message).toBe('the webhook had not answered when the attempt was aborted');
    const gone = webhookDelivery({ url: 'http://127.0.0.1:1/secret-word' });
    expect((await failureOf(send(gone, failedRun()))).message).toMatch(/^the webhook cannot be reached \(\w+\)$/);
  });
});

test.each([
  [{}, 'url is missing'],
  [{ url: 'ftp://secret-word' }, 'url is no URL; accepted: https://… or http://…'],
  [{ url: 'https://ann:secret-word@x' }, 'url is a URL with a user in it'],
  [{ url: 'https://x', method: 'GET' }, "method is 'GET'; accepted: POST, PUT, PATCH"],
  [{ url: 'https://x', headers: { 'a b': 'c' } }, "headers: 'a b' is no name of a header"],
  [{ url: 'https://x', headers: { a: 'secret-word\nb: c' } }, 'headers.a is no value of a header'],
  [{ url: 'https://x', body: {} }, 'body is {}; accepted: a function that gives JSON or a text'],
  [{ url: 'https://x', uri: 'https://x' }, "has an unknown option 'uri'"],
])('the options %j are an error at definition', (options, message) => {
  const define = (): unknown => webhookOnRunFailure(options as unknown as WebhookAlertOptions);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
  expect(define).not.toThrow('secret-word');
});
