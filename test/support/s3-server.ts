/** A real S3 server on this machine, if `npm run s3:server` has built one. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { freePort } from '../../src/cli/dev-server.js';
import { s3ServerMissing, s3ServerPath } from './s3-binary.js';

export interface S3Server {
  readonly client: S3Client;
  stop(): Promise<void>;
}

/** Why there is no server, or nothing. Says it once, for whoever wonders about skipped tests. */
export function whyNoS3Server(): string | undefined {
  const why = s3ServerMissing();
  if (why !== undefined) console.log(`Not tested on a real S3 server, because ${why}`);
  return why;
}

export async function startS3Server(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-sensors-s3-'));
  const credentials = { accessKeyId: 'test', secretAccessKey: 'testtest' };
  const port = await freePort();
  const server = spawn(s3ServerPath, ['--port', `127.0.0.1:${port}`, '--quiet', 'posix', folder], {
    stdio: 'ignore',
    env: { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey },
  });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const client = s3ClientOf(`http://127.0.0.1:${port}`, credentials);
  return {
    client,
    async stop() {
      client.destroy();
      server.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A client of a server on this machine, which retries quickly. */
export function s3ClientOf(
  endpoint: string,
  credentials = { accessKeyId: 'test', secretAccessKey: 'testtest' }
): S3Client {
  return new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true, maxAttempts: 2 });
}
