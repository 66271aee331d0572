/**
 * The command line: what there is, what it accepts, and which exit code it ends with.
 *
 * Temporal's client takes half a second to load, so it is imported only when a command needs it: help and usage errors
 * come at once.
 */
import { createRequire } from 'node:module';
import { debuglog } from 'node:util';
import { Command, CommanderError, Option } from 'commander';
import { showAssetEvents, type AssetEventsCommandOptions } from './commands/assets-events.js';
import { listAssets } from './commands/assets-list.js';
import type { RetainOptions } from './commands/assets-retain.js';
import type { PruneOptions } from './commands/prune.js';
import { showAsset } from './commands/assets-show.js';
import { addBackfills } from './backfill-program.js';
import { describe } from './commands/describe.js';
import type { DevOptions } from './commands/dev.js';
import type { ExplainOptions } from './commands/explain.js';
import type { InitOptions } from './commands/init.js';
import type { ListOptions } from './commands/list.js';
import { preview, type PreviewOptions } from './commands/preview.js';
import type { LogsOptions } from './commands/logs.js';
import type { RunStatusName, RunsOptions } from './commands/runs.js';
import type { SetupOptions } from './commands/setup.js';
import { startStop, type StartStopOptions } from './commands/start-stop.js';
import { tick } from './commands/tick.js';
import type { TicksOptions } from './commands/ticks.js';
import { addEditCommands } from './edit-commands.js';
import { explainError, type Place } from './errors.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import {
  duration,
  events,
  flag,
  futureTime,
  json,
  limit,
  oneOf,
  pastTime,
  port,
  position,
  seconds,
  tag,
  text,
  tickNumber,
  timeAfter,
} from './options.js';
import { createOutput, type Output } from './output.js';
import { checkSelection } from './select.js';
import type { GlobalOptions, Session } from './session.js';

const DEFAULT_TIMEOUT_S = '15';
const DEFAULT_LIMIT = '20';
const DEFAULT_LOG_LINES = '100';
const TICK_STATUSES = ['success', 'skipped', 'failure', 'started'] as const;
const RUN_STATUSES = [
  'running',
  'completed',
  'failed',
  'cancelled',
  'terminated',
  'timedOut',
  'continuedAsNew',
] as const satisfies readonly RunStatusName[];

const debug = debuglog('sensors');

interface ParsedGlobalOptions extends Omit<GlobalOptions, 'timeoutMs'> {
  readonly timeout: number;
}

/**
 * Runs one command. Never throws: errors are printed.
 *
 * @param args without node and script
 * @returns the exit code
 */
export async function runCli(args: readonly string[]): Promise<ExitCode> {
  // not from the parsed options: a usage error has to be JSON, too
  const output = createOutput({ json: args.includes('--json') });
  const run: Run = { output, exitCode: EXIT.ok, place: undefined };
  try {
    await createProgram(run).parseAsync(args, { from: 'user' });
    return run.exitCode;
  } catch (error) {
    debug('%O', error);
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok;
      // no command at all, or none of assets: the help is on stderr
      if (error.code === 'commander.help') return EXIT.usage;
    }
    const explained = explainError(error, run.place);
    output.error(explained);
    return explained.exitCode;
  }
}

/** One invocation. */
export interface Run {
  readonly output: Output;
  exitCode: ExitCode;
  place: Place | undefined;
}

/** The commands, for one invocation. */
export function createProgram(run: Run): Command {
  const { output } = run;
  const program = new Command('sensors')
    .description('Operates the sensors of a Temporal namespace.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .option(
      '--address <host:port>',
      'Temporal server (default: TEMPORAL_ADDRESS, the profile, or 127.0.0.1:7233)',
      text
    )
    .option('--namespace <name>', "namespace (default: TEMPORAL_NAMESPACE, the profile, or 'default')", text)
    .option(
      '--profile <name>',
      "profile of Temporal's configuration file (default: TEMPORAL_PROFILE, or 'default')",
      text
    )
    .option(
      '--timeout <seconds>',
      'how long a call to the server or a worker may take',
      seconds,
      seconds(DEFAULT_TIMEOUT_S)
    )
    .option('--json', 'print one JSON document')
    .option('--read-only', 'refuse whatever changes something (default: SENSORS_READ_ONLY)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => undefined })
    .exitOverride();

  const options = (): GlobalOptions => {
    const { timeout, ...rest } = program.opts<ParsedGlobalOptions>();
    return { ...rest, timeoutMs: timeout * 1_000, readOnly: rest.readOnly ?? flag(process.env['SENSORS_READ_ONLY']) };
  };
  const inSession = async (act: (session: Session) => Promise<ExitCode | void>): Promise<void> => {
    const { connectionOf, withSession } = await import('./session.js');
    const connection = connectionOf(options());
    run.place = { address: connection.connectionOptions.address, namespace: connection.namespace };
    run.exitCode = (await withSession(connection, options(), act)) ?? EXIT.ok;
  };

  program
    .command('init')
    .description('write the four files of a first sensor into the TypeScript project of this folder')
    .option('--dir <folder>', "the files' folder (default: that of the project's worker, or src)", text)
    .action(async (own: InitOptions) => {
      const { init } = await import('./commands/init.js');
      run.exitCode = await init(output, own);
    });
  program
    .command('dev')
    .description('run a local Temporal server until Ctrl-C, unless one runs already or is configured')
    .option('--db <file>', 'keep its state in this file (default: in memory)', text)
    .option('--port <number>', 'its port; Temporal Web has this plus 1000 (default: 7233)', port)
    .action(async (own: DevOptions) => {
      const { dev } = await import('./commands/dev.js');
      await dev(output, options(), own);
    });
  program
    .command('list')
    .argument('[name]', "a name, which may have * and ?: 'orders-*'", text)
    .description('list the sensors')
    .option('--status <status>', 'only these: running, stopped or closed', oneOf('running', 'stopped', 'closed'))
    .option('--health <health>', 'only these: ok, failing or notLoaded', oneOf('ok', 'failing', 'notLoaded'))
    .option('--tag <key=value>', 'only those with this tag; may be repeated', tag)
    .option('--watch', 'draw it again and again, on a terminal')
    .action(async (name: string | undefined, own: ListOptions) => {
      const { checkWatch, list } = await import('./commands/list.js');
      checkWatch({ ...own, json: options().json });
      await inSession((session) => list(session, output, name, own));
    });
  program
    .command('describe <sensor>')
    .description('show a sensor, and why it did or did not run')
    .action((sensor: string) => inSession((session) => describe(session, output, sensor)));
  program
    .command('start [sensors...]')
    .description('start sensors, by names and globs; also those whose loop was cancelled or terminated')
    .option('--reason <text>', 'why, for the others', text)
    .option('--tag <key=value>', 'those with this tag; repeat it for those with all of them', tag)
    .option('--all', 'all sensors of the namespace')
    .option('--dry-run', 'only show which')
    .option('--yes', 'do not ask')
    .action(async (names: string[], own: StartStopOptions) => {
      checkSelection({ ...own, names });
      await inSession((session) => startStop(session, output, 'start', names, own));
    });
  program
    .command('stop [sensors...]')
    .description('stop sensors, by names and globs; cursor, keys and pending requests stay, running jobs go on')
    .option('--reason <text>', 'why, for the others', text)
    .option('--until <ISO time>', 'start again by itself at this time', futureTime)
    .addOption(
      new Option('--for <duration>', 'start again by itself after so long, such as 2h')
        .argParser(timeAfter)
        .conflicts('until')
    )
    .option('--tag <key=value>', 'those with this tag; repeat it for those with all of them', tag)
    .option('--all', 'all sensors of the namespace')
    .option('--dry-run', 'only show which')
    .option('--yes', 'do not ask')
    .action(async (names: string[], own: StartStopOptions) => {
      checkSelection({ ...own, names });
      await inSession((session) => startStop(session, output, 'stop', names, own));
    });
  program
    .command('tick <sensor>')
    .description('evaluate a sensor now, also a stopped one, and wait for the tick')
    .option('--reason <text>', 'why, for the others', text)
    .action((sensor: string, own: { readonly reason?: string }) =>
      inSession((session) => tick(session, output, sensor, own))
    );
  program
    .command('preview <sensor>')
    .description('evaluate without committing: what would start, what is a duplicate, what would be rejected')
    .option('--cursor <json>', 'with this cursor instead of the stored one', json)
    .option('--clear-cursor', 'with no cursor')
    .option('--apply', 'then commit exactly what was shown')
    .action((sensor: string, own: PreviewOptions) => inSession((session) => preview(session, output, sensor, own)));
  program
    .command('ticks <sensor>')
    .description('list the last ticks, newest first, and those that only Temporal remembers')
    .option('--limit <number>', 'at most this many', limit, limit(DEFAULT_LIMIT))
    .option('--status <status>', `only these: ${TICK_STATUSES.join(', ')}`, oneOf(...TICK_STATUSES))
    .option('--since <time>', 'only since then: 2h, 30min, or an ISO time', pastTime)
    .option('--follow', 'then print each new tick, until Ctrl-C')
    .action(async (sensor: string, own: TicksOptions) => {
      const { ticks } = await import('./commands/ticks.js');
      await inSession((session) => ticks(session, output, sensor, own));
    });
  program
    .command('logs <sensor>')
    .description("print the log lines that ticks keep: the author's ctx.log")
    .option('--tick <number>', 'only those of this tick', tickNumber)
    .option('--limit <number>', 'at most this many, the last ones', limit, limit(DEFAULT_LOG_LINES))
    .option('--since <time>', 'only of ticks since then: 2h, 30min, or an ISO time', pastTime)
    .addOption(new Option('--follow', 'then print those of each new tick, until Ctrl-C').conflicts('tick'))
    .action(async (sensor: string, own: LogsOptions) => {
      const { logs } = await import('./commands/logs.js');
      await inSession((session) => logs(session, output, sensor, own));
    });
  program
    .command('runs <sensor>')
    .description('list the runs that a sensor started, newest first')
    .option('--limit <number>', 'at most this many', limit, limit(DEFAULT_LIMIT))
    .option('--status <status>', `only these: ${RUN_STATUSES.join(', ')}`, oneOf(...RUN_STATUSES))
    .option('--since <time>', 'only those started since then: 2h, 30min, or an ISO time', pastTime)
    .option('--key <run key>', 'only those of this key', text)
    .action(async (sensor: string, own: RunsOptions) => {
      const { runs } = await import('./commands/runs.js');
      await inSession((session) => runs(session, output, sensor, own));
    });
  program
    .command('explain')
    .argument('<sensor>')
    .argument('<what>', 'a run key, a time, or the ID of a run, event or dead letter', text)
    .description('what became of a run key, what took place at a time and why not more, or where a run came from')
    .option('--as <kind>', 'what is asked about: key, time or run (default: found out)', oneOf('key', 'time', 'run'))
    .option('--job <name>', 'only the key of this job', text)
    .option('--show-cursor', "print the cursor's value")
    .action(async (sensor: string, what: string, own: ExplainOptions) => {
      const { explain } = await import('./commands/explain.js');
      await inSession((session) => explain(session, output, sensor, what, own));
    });
  const assets = program.command('assets').description('list and explain assets: lineage, events, who reads them');
  assets
    .command('list')
    .argument('[name]', "a name, which may have * and ?: 'sales/*'", text)
    .description('list the assets')
    .action((name: string | undefined) => inSession((session) => listAssets(session, output, name)));
  assets
    .command('show <asset>')
    .description(
      'show an asset: lineage, last materialization of each partition, where the sensors that watch it stand'
    )
    .action((asset: string) => inSession((session) => showAsset(session, output, asset)));
  assets
    .command('events <asset>')
    .description('list the events of an asset in their order: the newest, or those after a position')
    .option('--after <number>', 'only events after this position, the oldest first', position)
    .option('--limit <number>', 'at most this many', limit, limit(DEFAULT_LIMIT))
    .option('--partition <key>', 'only those of this partition', text)
    .option('--follow', 'then print what comes, a line each, until Ctrl-C')
    .action((asset: string, own: AssetEventsCommandOptions) =>
      inSession((session) => showAssetEvents(session, output, asset, own))
    );
  assets
    .command('retain <asset>')
    .description('set how much of the log of an asset is kept beyond what its sensors have still to read')
    .option('--events <number>', 'the newest so many events (default: 100000)', events)
    .option('--age <duration>', 'only what is younger, such as 30d (default: any age)', duration)
    .option('--yes', 'do not ask')
    .action(async (asset: string, own: RetainOptions) => {
      const { parseRetainOptions, retainAsset } = await import('./commands/assets-retain.js');
      const retention = parseRetainOptions(own);
      await inSession((session) => retainAsset(session, output, asset, retention, own));
    });
  assets
    .command('prune <asset>')
    .description(
      'forget what was recorded of an asset: its events, and how far its readers are; the runs that made it stay'
    )
    .option('--yes', 'do not ask')
    .action(async (asset: string, own: PruneOptions) => {
      const { pruneAsset } = await import('./commands/assets-prune.js');
      await inSession((session) => pruneAsset(session, output, asset, own));
    });
  addBackfills(program, (act) => inSession((session) => act(session, output)));
  addEditCommands(program, output, inSession);
  program
    .command('setup [tags...]')
    .description("register search attributes for runs' tags (default: those that the newest runs carry)")
    .option('--dry-run', 'only show what is there and what is missing')
    .option('--yes', 'do not ask')
    .action(async (tags: string[], own: SetupOptions) => {
      const { setup } = await import('./commands/setup.js');
      await inSession((session) => setup(session, output, tags, own));
    });
  program
    .command('doctor')
    .description('check server, namespace, workers and sensors, and say what to do')
    .action(async () => {
      const { doctor, doctorUnreachable } = await import('./commands/doctor.js');
      let connected = false;
      try {
        await inSession((session) => {
          connected = true;
          return doctor(session, output);
        });
      } catch (error) {
        if (connected || run.place === undefined) throw error;
        run.exitCode = doctorUnreachable(output, error, run.place);
      }
    });
  return program;
}

function version(): string {
  const { version: value } = createRequire(import.meta.url)('temporal-sensors/package.json') as { version: string };
  return value;
}
