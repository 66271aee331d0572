/** What people read when the server refuses: errors as Temporal's client gives them for real connections. */
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import { getEventListeners, once } from 'node:events';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ReadOnlyError } from '../../src/client/index.js';
import { explainError } from '../../src/cli/errors.js';
import { createProgram, type Run } from '../../src/cli/program.js';
import { withSession } from '../../src/cli/session.js';

let server: Http2Server | undefined;
afterEach(() => {
  server?.close();
});

/** A server that answers every call with this status, as gRPC does. */
async function answering(code: number, message: string): Promise<string> {
  server = createServer();
  server.on('sessionError', () => undefined);
  server.on('stream', (stream) => {
    const type = { ':status': 200, 'content-type': 'application/grpc' };
    const status = { 'grpc-status': code, 'grpc-message': message };
    if (code !== 0) return stream.respond({ ...type, ...status }, { endStream: true });
    stream.on('wantTrailers', () => stream.sendTrailers(status));
    stream.respond(type, { waitForTrailers: true });
    // one message, without any field
    stream.end(Buffer.alloc(5));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** How the CLI explains what `list`, or a raw call, fails with. */
async function explained(address: string, options: Partial<ConnectionOptions> = {}, raw = true) {
  const connection = Connection.lazy({ address, interceptors: [], ...options });
  const client = new Client({ connection, namespace: 'shop' });
  const call = async (): Promise<unknown> =>
    raw
      ? await connection.workflowService.describeNamespace({ namespace: 'shop' })
      : await client.workflow.getHandle('sensor/x').describe();
  try {
    await connection.withDeadline(Date.now() + 5_000, call);
  } catch (error) {
    return explainError(error, { address: 'cluster:7233', namespace: 'shop' });
  } finally {
    await connection.close();
  }
  throw new Error('it did not fail');
}

test.each([
  [['cursor', 'set', 'inbox', '{bad'], "argument <json> '{bad' is invalid. It is not JSON; a text needs quotes"],
  [['rearm', 'inbox', ''], "argument <run-key> '' is invalid. A run key is not empty."],
  [['rerun', 'inbox', ''], "argument <run-key> '' is invalid. A run key is not empty."],
])('what the command line does not accept is a usage error: %j', async (args, message) => {
  const parsed = createProgram({} as Run)
    .configureOutput({ writeErr: () => undefined })
    .parseAsync(args, { from: 'user' });
  const error: unknown = await parsed.catch((each: unknown) => each);
  const { code, exitCode, message: said } = explainError(error, undefined);
  expect({ code, exitCode }).toEqual({ code: 'usage', exitCode: 2 });
  expect(said.startsWith(message), said).toBe(true);
});

test.each([
  [
    16,
    'Request unauthorized.',
    'permission-denied',
    6,
    /does not know who asks: .*\nCheck the API key \(wrong, expired/,
  ],
  [7, 'Request unauthorized.', 'permission-denied', 6, /in namespace 'shop': .*\nCheck the API key .* and its rights/],
  [5, 'Namespace shop is not found.', 'namespace-not-found', 6, /^there is no namespace 'shop' .* namespace create/],
  [8, 'namespace rate limit exceeded', 'rate-limited', 1, /too busy .* try again/],
  [3, 'invalid query', 'failed', 1, /^cluster:7233 answered: invalid query$/],
])('status %i (%s) is %s', async (status, message, code, exitCode, sentence) => {
  const address = await answering(status, message);
  expect(await explained(address)).toEqual({ code, exitCode, message: expect.stringMatching(sentence) as string });
});

test('errors that the client has wrapped are told as well', async () => {
  const address = await answering(7, 'Request unauthorized.');
  expect(await explained(address, {}, false)).toMatchObject({ code: 'permission-denied', exitCode: 6 });
});

test('TLS where the server has none, as an API key switches it on', async () => {
  const address = await answering(0, '');
  expect(await explained(address, { apiKey: 'key' })).toMatchObject({
    code: 'tls',
    exitCode: 3,
    message: expect.stringMatching(/^no connection to cluster:7233: the server speaks no TLS/) as string,
  });
});

const LAST = 'No connection established. Last error: ';

// each as it came from a server with such a certificate
test.each([
  [`Error: certificate has expired. Resolution note: `, 'has expired .* has to be renewed on the server'],
  [`Error: self-signed certificate. Resolution note: `, 'TEMPORAL_TLS_SERVER_CA_CERT_PATH'],
  [`Error: unable to verify the first certificate. Resolution note: `, 'TEMPORAL_TLS_SERVER_CA_CERT_PATH'],
  [
    `Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the ` +
      `cert's list: 127.0.0.9. Resolution note: `,
    'TEMPORAL_TLS_SERVER_NAME',
  ],
  [
    `809C82D5DB7F0000:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/openssl/` +
      `openssl/ssl/record/rec_layer_s3.c:1601:SSL alert number 116\n (2030-01-01T00:00:00.000Z). Resolution note: `,
    'wants a client certificate .* TEMPORAL_TLS_CLIENT_CERT_PATH',
  ],
])('%s', (details, sentence) => {
  const error = Object.assign(new Error(`14 UNAVAILABLE: ${LAST}${details}`), { code: 14, details: LAST + details });
  const { code, exitCode, message } = explainError(error, { address: 'cluster:7233', namespace: 'shop' });
  expect({ code, exitCode }).toEqual({ code: 'tls', exitCode: 3 });
  expect(message).toMatch(new RegExp(`^no connection to cluster:7233: .*${sentence}`));
  expect(message).not.toContain('SSL routines');
});

test('a server that hangs up at once may want TLS', () => {
  const details = `${LAST}Failed to connect (2030-01-01T00:00:00.000Z). Resolution note: `;
  const error = Object.assign(new Error(`14 UNAVAILABLE: ${details}`), { code: 14, details });
  expect(explainError(error, undefined)).toMatchObject({
    code: 'server-unreachable',
    message: expect.stringContaining('if the server wants TLS: TEMPORAL_TLS=true') as string,
  });
});

test('a refusal of a read-only client says how to do it all the same', () => {
  expect(explainError(new ReadOnlyError('stop'), undefined)).toEqual({
    code: 'read-only',
    exitCode: 2,
    message: expect.stringMatching(
      /^refused: stop changes something, .*nothing was sent\nWithout --read-only/
    ) as string,
  });
});

test('a wait that looks again and again leaves no listeners behind that Node would warn of', async () => {
  const address = await answering(0, '');
  const warnings: Error[] = [];
  const keep = (warning: Error): unknown => warnings.push(warning);
  process.on('warning', keep);
  const { signal } = new AbortController();
  try {
    await withSession({ connectionOptions: { address }, namespace: 'shop' }, { timeoutMs: 5_000 }, async (session) => {
      const { workflowService } = session.client.connection as Connection;
      const look = async (): Promise<unknown> => await workflowService.getSystemInfo({});
      for (let looks = 0; looks < 12; looks++) await session.abortable(signal, look);
      await session.abortable(signal, async () => await Promise.all(Array.from({ length: 12 }, look)));
    });
  } finally {
    process.off('warning', keep);
  }
  expect(warnings).toEqual([]);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
