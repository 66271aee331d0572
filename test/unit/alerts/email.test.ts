/** Alerts by e-mail to a real SMTP server: what is sent, how, and what each answer means for the event. */
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test, vi } from 'vitest';
import { emailDelivery, type EmailAlertOptions } from '../../../src/alerts/email-delivery.js';
import { emailOnRunFailure } from '../../../src/alerts/email.js';
import { DefinitionError, env } from '../../../src/index.js';
import { buildSensorContext } from '../../../src/testing/index.js';
import { failedRun, failureOf, healthEvent, send, startMailServer } from '../../support/alerts.js';

type MailServer = Awaited<ReturnType<typeof startMailServer>>;

/** The test server's certificate is its own. */
const tls = { rejectUnauthorized: false };
const auth = { user: 'ann', pass: 'secret-word' };

const to = ({ port }: Pick<MailServer, 'port'>, options: Partial<EmailAlertOptions> = {}) =>
  emailDelivery({
    from: 'Temporal, alerts <temporal@example.com>',
    to: ['ann@example.com', '"Doe, Bob" <bob@example.com>'],
    transport: { host: '127.0.0.1', port, auth, tls },
    ...options,
  });

describe('a mail', () => {
  test('is sent after STARTTLS and a log-in, which the next one shares', async () => {
    const server = await startMailServer();
    const deliver = to(server, { cc: 'cy@example.com' });
    await send(deliver, failedRun());
    await send(deliver, healthEvent());
    expect(server.logIns).toHaveLength(1);
    expect(server.mails).toMatchObject([
      { from: 'temporal@example.com', to: ['ann@example.com', 'bob@example.com', 'cy@example.com'], secure: true },
      { secure: true },
    ]);
    const text = server.mails[0]?.text ?? '';
    expect(text).toMatch(/^From: "Temporal, alerts" <temporal@example\.com>\r$/m);
    expect(text).toMatch(/^Subject: processOrders failed\r$/m);
    expect(text).toMatch(/^Auto-Submitted: auto-generated\r$/m);
    expect(text).toContain('Why:\r\n\r\na.csv, line 4, column 4 (quantity): expected a whole number, found "twelve"');
    expect(text).toContain('found &quot;twelve&quot;</pre>');
    expect(text).toContain(`<a href="${failedRun().url}">`);
    expect(server.mails[1]?.text).toMatch(/^Subject: Sensor orders is failing\r$/m);
  });

  test('has a Message-ID of the event, so that a repeated one is the same mail', async () => {
    const server = await startMailServer();
    for (const event of [failedRun(), failedRun(), failedRun({ eventId: 'another' })]) await send(to(server), event);
    const ids = server.mails.map(({ text }) => /^Message-ID: (<\S+@example\.com>)\r$/m.exec(text)?.[1]);
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toBe(ids[1]);
    expect(ids).not.toContain(undefined);
  });

  test('goes over TLS from the first byte with `secure`, with a password from the environment', async () => {
    const server = await startMailServer({ secure: true });
    const transport = { host: '127.0.0.1', port: server.port, secure: true, tls };
    const deliver = to(server, {
      transport: { ...transport, auth: { user: 'ann', pass: env('ALERTS_TEST_PASSWORD') } },
    });
    const error = await failureOf(send(deliver, failedRun()));
    expect(error.message).toContain("transport.auth.pass: the environment variable 'ALERTS_TEST_PASSWORD' is not set");
    vi.stubEnv('ALERTS_TEST_PASSWORD', 'secret-word');
    await send(deliver, failedRun());
    vi.unstubAllEnvs();
    expect(server.mails).toMatchObject([{ secure: true }]);
  });

  test('cannot be given another header or recipient by what others wrote', async () => {
    const server = await startMailServer();
    const type = 'x\r\nBcc: eve@example.com\r\n\r\nhello';
    await send(to(server), failedRun({ type, eventId: type }));
    await send(to(server, { subject: () => type, body: () => ({ html: '<b>own</b>' }) }), failedRun());
    await send(to(server, { subject: '[orders] ', body: (_, { title }) => title }), failedRun());
    for (const { to, text } of server.mails) {
      expect(to).toEqual(['ann@example.com', 'bob@example.com']);
      expect(text).not.toMatch(/^Bcc:/m);
    }
    expect(server.mails[1]?.text).toContain('<b>own</b>');
    expect(server.mails[2]?.text).toMatch(/^Subject: \[orders\] processOrders failed\r$/m);
  });
});

describe('what goes wrong', () => {
  const answering = (responseCode: number, message: string) => ({
    onRcptTo: (_: unknown, __: unknown, done: (error?: Error) => void): void => {
      done(Object.assign(new Error(message), { responseCode }));
    },
  });

  test('a wrong password parks the event, and is not in the error', async () => {
    const server = await startMailServer();
    const transport = { host: '127.0.0.1', port: server.port, tls, auth: { user: 'ann', pass: 'wrong-secret' } };
    const error = await failureOf(send(to(server, { transport }), failedRun()));
    expect(error).toMatchObject({ nonRetryable: true });
    expect(error.message).toBe(
      'the mail server refuses the log-in: 535 Invalid username or password; give the right user and password (many servers want one for apps)'
    );
    expect(`${error.message}${error.stack}`).not.toContain('wrong-secret');
  });

  test.each([
    [550, 'no such mailbox secret-word', true, 'the mail server refuses the mail: 550 no such mailbox …'],
    [451, 'try again later', false, 'the mail server could not take the mail: 451 try again later'],
  ])('%d %s', async (code, text, nonRetryable, message) => {
    const server = await startMailServer(answering(code, text));
    const error = await failureOf(send(to(server), failedRun()));
    expect(error instanceof ApplicationFailure).toBe(nonRetryable);
    expect(error.message).toContain(message);
  });

  test('a recipient that the server refuses is named in the log, and the others get the mail', async () => {
    const server = await startMailServer({
      onRcptTo: ({ address }, _session, done) => done(address === 'bob@example.com' ? new Error('unknown') : null),
    });
    const ctx = buildSensorContext();
    await to(server)(ctx, failedRun());
    expect(server.mails).toMatchObject([{ to: ['ann@example.com'] }]);
    expect(ctx.logs).toMatchObject([
      { level: 'warn', message: 'the mail server took the mail, but not for bob@example.com' },
    ]);
  });

  test('a server without STARTTLS gets no password', async () => {
    const server = await startMailServer({
      hideSTARTTLS: true,
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
    });
    const error = await failureOf(send(to(server), failedRun()));
    expect(error.message).toMatch(
      /^the mail server does not do STARTTLS: \d+ .*; for TLS from the first byte set secure/
    );
    expect(server.logIns).toEqual([]);
  });

  test('a certificate that is not trusted, a server that is not there and one that hangs are retried', async () => {
    const server = await startMailServer();
    const untrusted = to(server, { transport: { host: '127.0.0.1', port: server.port, auth } });
    const hanging = await startMailServer({ onConnect: () => undefined });
    const errors = await Promise.all([
      failureOf(send(untrusted, failedRun())),
      failureOf(send(to({ port: 1 }), failedRun())),
      failureOf(send(to(hanging, { sendTimeout: '200ms' }), failedRun())),
    ]);
    expect(errors.map((error) => error instanceof ApplicationFailure)).toEqual([false, false, false]);
    expect(errors[0]?.message).toContain('certificate');
    expect(errors[1]?.message).toContain('ECONNREFUSED');
    expect(errors[2]?.message).toBe('the mail server did not answer within 200 ms');

    const abort = new AbortController();
    const aborted = failureOf(send(to(hanging), failedRun(), abort.signal));
    abort.abort();
    expect((await aborted).message).toBe('the mail server had not answered when the attempt was aborted');
  });
});

const good = { from: 'a@example.com', to: 'b@example.com', transport: { host: 'localhost' } };
test.each([
  [{ ...good, from: undefined }, 'from has no address'],
  [{ ...good, to: [] }, 'to has no address'],
  [
    { ...good, to: 'a@x.example, b@x.example' },
    "to is 'a@x.example, b@x.example', no address; accepted: ann@example.com",
  ],
  [{ ...good, to: ['a@x.example\r\nBcc: e@x.example'] }, 'no address'],
  [{ ...good, cc: 'A\r\nBcc: e <a@x.example>' }, 'no address'],
  [
    { ...good, transport: undefined },
    'transport is undefined; accepted: { host, port, secure, requireTLS, auth, tls }',
  ],
  [{ ...good, transport: {} }, 'transport: host is missing'],
  [{ ...good, transport: { host: 'h', password: 'secret-word' } }, "transport has an unknown option 'password'"],
  [{ ...good, transport: { host: 'h', auth: { pass: 'secret-word' } } }, 'transport: auth has no user and pass'],
  [{ ...good, subject: 7 }, 'subject is 7; accepted: a text, or a function'],
  [{ ...good, body: 'x' }, "body is 'x'; accepted: a function"],
])('the options %j are an error at definition', (options, message) => {
  const define = (): unknown => emailOnRunFailure(options as unknown as EmailAlertOptions);
  expect(define).toThrow(DefinitionError);
  expect(define).toThrow(message);
  expect(define).not.toThrow('secret-word');
});
