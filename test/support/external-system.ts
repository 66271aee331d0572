/** The systems that the examples look at: a local HTTP server that answers what a test says. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a path is answered: JSON, or a whole response. */
type Answer = (query: URLSearchParams) => unknown;

export interface ExternalSystemServer {
  readonly url: string;
  /** By path. Others are answered 404. */
  readonly answers: Map<string, Answer>;
  /** `GET /path`, oldest first, and the values of `authorization` that came with them. */
  readonly requests: string[];
  readonly authorizations: Set<string | undefined>;
  readonly close: () => Promise<void>;
}

export async function startExternalSystem(given: Readonly<Record<string, Answer>> = {}): Promise<ExternalSystemServer> {
  const answers = new Map(Object.entries(given));
  const requests: string[] = [];
  const authorizations = new Set<string | undefined>();
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://system');
    requests.push(`${request.method} ${pathname}`);
    authorizations.add(request.headers.authorization);
    const answer = answers.get(pathname)?.(searchParams) ?? new Response('', { status: 404 });
    const whole = answer instanceof Response ? answer : Response.json(answer);
    void whole.text().then((body) => response.writeHead(whole.status, Object.fromEntries(whole.headers)).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    requests,
    authorizations,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
