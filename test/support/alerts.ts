/** What tests of alerts share: events made by hand, handlers as a feed calls them, and servers that receive. */
import { TypedSearchAttributes } from '@temporalio/common';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerAuthentication, type SMTPServerOptions } from 'smtp-server';
import { onTestFinished } from 'vitest';
import type { Deliver } from '../../src/alerts/group.js';
import type { AlertEvent } from '../../src/alerts/message.js';
import type { FailedRun, RunFailure, SensorHealthEvent } from '../../src/sensors/status-run.js';
import { buildSensorContext } from '../../src/testing/index.js';

const START = new Date('2026-01-01T10:00:00Z');
const END = new Date('2026-01-01T10:00:03.250Z');

/** A run of an orders file that failed. */
export function failedRun(
  changes: Partial<Omit<FailedRun, 'failure'>> & { failure?: Partial<RunFailure> } = {}
): FailedRun {
  const message = 'a.csv, line 4, column 4 (quantity): expected a whole number, found "twelve"';
  return {
    kind: 'run',
    eventId: 'orders:processOrders:a.csv/run-1/failed',
    status: 'failed',
    at: END,
    workflowId: 'orders:processOrders:a.csv',
    runId: 'run-1',
    type: 'processOrders',
    taskQueue: 'orders',
    startTime: START,
    closeTime: END,
    durationMs: 3_250,
    memo: {},
    searchAttributes: new TypedSearchAttributes(),
    startedBy: { sensor: 'orders', job: 'processOrders', tick: 7, runKey: 'a.csv' },
    url: 'https://temporal.example.com/namespaces/default/workflows/orders%3AprocessOrders%3Aa.csv/run-1/history',
    input: () => Promise.resolve([]),
    result: () => Promise.reject(new Error('it failed')),
    ...changes,
    failure: { message, causes: [], activity: { type: 'reportOrders', id: '1' }, ...changes.failure },
  };
}

export function healthEvent(changes: Partial<SensorHealthEvent> = {}): SensorHealthEvent {
  return {
    kind: 'sensor',
    eventId: 'orders/failing/12',
    sensor: 'orders',
    change: 'failing',
    at: END,
    message: 'Error: the inbox is gone',
    workflowId: 'sensor/orders',
    ...changes,
  };
}

/** Delivers one event, as a sensor without grouping does. */
export async function send(deliver: Deliver, event: AlertEvent, signal?: AbortSignal): Promise<void> {
  await deliver(buildSensorContext(signal === undefined ? {} : { signal }), event);
}

/** What was thrown. */
export async function failureOf(result: Promise<unknown>): Promise<Error> {
  try {
    await result;
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An HTTP server that keeps what it gets, and answers as it is told, or never. */
export async function startReceiver(answer: (request: Received) => Response | 'hang' = () => new Response('ok')) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const got = { method, path, headers, body: Buffer.concat(chunks).toString('utf8') };
      received.push(got);
      const answered = answer(got);
      if (answered === 'hang') return;
      void answered
        .text()
        .then((text) => response.writeHead(answered.status, Object.fromEntries(answered.headers)).end(text));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as they came, with quoted-printable text decoded. */
  readonly text: string;
  readonly secure: boolean;
}

/** An SMTP server with a certificate of its own and the user `ann`, password `secret-word`. */
export async function startMailServer(options: SMTPServerOptions = {}) {
  const mails: ReceivedMail[] = [];
  const logIns: SMTPServerAuthentication[] = [];
  const server = new SMTPServer({
    logger: false,
    closeTimeout: 10,
    onAuth: (auth, _session, done) => {
      logIns.push(auth);
      const right = auth.username === 'ann' && auth.password === 'secret-word';
      if (right) done(null, { user: 'ann' });
      else done(new Error('Invalid username or password'));
    },
    onData: (stream, { envelope, secure }, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        const to = envelope.rcptTo.map(({ address }) => address);
        mails.push({ from, to, secure, text: decode(Buffer.concat(chunks).toString('latin1')) });
        done();
      });
    },
    ...options,
  });
  // clients that refuse the certificate
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => server.close(resolve)));
  return { port: (server.server.address() as AddressInfo).port, mails, logIns };
}

function decode(raw: string): string {
  const bytes = raw
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
