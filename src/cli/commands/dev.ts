/**
 * `sensors dev`: a local Temporal server for as long as the command runs.
 *
 * A server that runs already, or is configured, is used and left alone. Signals are handled before the server is
 * started, because the default handling would end this process without ending the server.
 */
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TemporalServerError, waitForServer } from '../dev-server.js';
import { fields, type Output } from '../output.js';
import { resolveTemporal, type ResolvedTemporal } from '../resolve-temporal.js';
import { connectionOf, type GlobalOptions } from '../session.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What shells report for a process that Ctrl-C ended. */
const INTERRUPTED = 130;
const LOOK_EVERY_MS = 2_000;
const ANSWER_TIMEOUT_MS = 5_000;

export interface DevOptions {
  readonly db?: string;
  readonly port?: number;
}

/** `sensors dev` */
export async function dev(output: Output, options: GlobalOptions, { db, port }: DevOptions): Promise<void> {
  const { address, namespace, profile } = options;
  // a configuration that cannot be used is a usage error, as everywhere
  connectionOf(options);
  const ended = new AbortController();
  let serving = false;
  const onSignal = (): void => {
    // while it starts, and at the second Ctrl-C: now, and the server with us
    if (!serving || ended.signal.aborted) process.exit(INTERRUPTED);
    ended.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    const dbFile = db === undefined ? undefined : resolve(db);
    const temporal = await resolveTemporal({
      address,
      namespace,
      profile,
      dbFile,
      port,
      log: (line) => output.note(line),
    });
    serving = true;
    print(output, temporal, { db: dbFile, port });
    try {
      await untilGone(temporal, ended.signal);
    } finally {
      await temporal.stop();
    }
    if (temporal.started) output.note('The Temporal server is stopped.');
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

function print(
  output: Output,
  { connectionOptions: { address }, namespace, webUrl, started }: ResolvedTemporal,
  { db, port }: { readonly db: string | undefined; readonly port: number | undefined }
): void {
  output.result({ address, namespace, webUrl, started }, (colors) => [
    ...fields(
      [
        ['Temporal', address],
        ['Namespace', namespace],
        ['Temporal Web', webUrl ?? 'not known'],
      ],
      colors
    ),
    started
      ? `Ctrl-C stops it${db === undefined ? ', and its state is lost; --db <file> keeps it' : ''}.`
      : 'It was not started by this command, and goes on when this command ends (Ctrl-C).',
  ]);
  if (!started && (db !== undefined || port !== undefined)) {
    output.note(`--db and --port have no effect: the server at ${address} is used.`);
  }
}

/**
 * Returns when the signal says so.
 *
 * @throws TemporalServerError when the server no longer answers
 */
async function untilGone({ connectionOptions }: ResolvedTemporal, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await waitForServer(connectionOptions, ANSWER_TIMEOUT_MS).catch((cause: unknown) => {
      if (signal.aborted) return;
      throw new TemporalServerError(`The Temporal server at ${connectionOptions.address} no longer answers.`, {
        cause,
      });
    });
  }
}
