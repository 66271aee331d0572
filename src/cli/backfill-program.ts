/** The part of the command line that is about backfills. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { BACKFILL_POLICIES, type BackfillPartitions } from '../sensors/backfill.js';
import { MAX_BACKFILL_CONCURRENCY } from '../sensors/limits.js';
import { backfill, type BackfillCommandOptions } from './commands/backfill.js';
import { listBackfills, operateBackfill, retryBackfill, showBackfill } from './commands/backfills.js';
import type { ExitCode } from './exit-codes.js';
import type { ReasonOption } from './note.js';
import { json, limit, tag, text } from './options.js';
import type { Output } from './output.js';
import type { Session } from './session.js';

type InSession = (act: (session: Session, output: Output) => Promise<ExitCode | void>) => Promise<void>;

const DEFAULT_LIMIT = '20';

export function addBackfills(program: Command, inSession: InSession): void {
  program
    .command('backfill <job>')
    .description('run partitions of a job, each once')
    .requiredOption(
      '--partitions <partitions>',
      "'all', from..to (both included), from.., ..to, or keys: a,b,c",
      partitions
    )
    .addOption(
      new Option('--policy <policy>', "what it starts (default: as the job's assets say, or perPartition)").choices(
        BACKFILL_POLICIES
      )
    )
    .option('--concurrency <number>', 'runs at a time, at most 100 (default: 10)', concurrency)
    .option('--config <json>', 'config of every run', json)
    .option('--tag <name=value>', 'tag of every run; may be repeated', tag)
    .option('--assets <names>', 'those of its assets that the job is to make: a,b', names)
    .option('--id <id>', 'with the same ID a backfill is started once (default: the job and a random part)', text)
    .option('--task-queue <name>', 'of a worker with the job (default: that of a sensor with the job)', text)
    .option('--reason <text>', 'why, for the others', text)
    .option('--dry-run', 'only say what would be started')
    .option('--wait', 'wait for its end')
    .action((job: string, own: BackfillCommandOptions) =>
      inSession((session, output) => backfill(session, output, job, own))
    );

  const backfills = program.command('backfills').description('list, show and operate backfills');
  backfills
    .command('list', { isDefault: true })
    .description('list backfills, newest first')
    .option('--limit <number>', 'at most this many', limit, limit(DEFAULT_LIMIT))
    .action((own: { readonly limit: number }) => inSession((session, output) => listBackfills(session, output, own)));
  backfills
    .command('show <id>')
    .description('show a backfill, and the first of its failed runs')
    .action((id: string) => inSession((session, output) => showBackfill(session, output, id)));
  const operations = {
    pause: 'start no more runs until it is resumed',
    resume: 'go on',
    cancel: 'start no more runs, and end with those that run',
  } as const;
  for (const what of ['pause', 'resume', 'cancel'] as const) {
    const command = backfills
      .command(`${what} <id>`)
      .description(operations[what])
      .option('--reason <text>', 'why, for the others', text);
    if (what === 'cancel') command.option('--runs', 'cancel those, too');
    command.action((id: string, own: ReasonOption) =>
      inSession((session, output) => operateBackfill(session, output, id, what, own))
    );
  }
  backfills
    .command('retry <id>')
    .description('run the partitions of its failed runs again, as a backfill of its own')
    .option('--reason <text>', 'why, for the others', text)
    .action((id: string, own: ReasonOption) => inSession((session, output) => retryBackfill(session, output, id, own)));
}

function partitions(value: string): BackfillPartitions {
  if (value === 'all') return value;
  const range = /^(.*?)\.\.(.*)$/.exec(value);
  if (range === null) return names(value);
  const [, from = '', to = ''] = range;
  if (from === '' && to === '') throw new InvalidArgumentError(`A range has a first or a last key; for all: 'all'.`);
  return { ...(from === '' ? {} : { from }), ...(to === '' ? {} : { to }) };
}

function names(value: string): readonly string[] {
  const all = value.split(',').map((each) => each.trim());
  if (all.includes('')) throw new InvalidArgumentError('A name is empty.');
  return all;
}

function concurrency(value: string): number {
  const parsed = Number(value);
  if (!/^\d+$/.test(value) || parsed < 1 || parsed > MAX_BACKFILL_CONCURRENCY)
    throw new InvalidArgumentError(`Accepted: a whole number from 1 to ${MAX_BACKFILL_CONCURRENCY}.`);
  return parsed;
}
