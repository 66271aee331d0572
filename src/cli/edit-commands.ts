/** The commands that change what a sensor remembers, and those that show what they need. */
import type { Command } from 'commander';
import type { CursorOptions } from './commands/cursor.js';
import type { DeadLetterOptions } from './commands/dead-letters.js';
import type { KeyOptions } from './commands/keys.js';
import type { PendingOptions } from './commands/pending.js';
import type { PruneOptions } from './commands/prune.js';
import type { ExitCode } from './exit-codes.js';
import type { ReasonOption } from './note.js';
import { json, runKey, text, tickNumber } from './options.js';
import type { Output } from './output.js';
import type { Session } from './session.js';
import type { Json } from '../sensors/json.js';

/** Runs a command on a connection. */
export type InSession = (act: (session: Session) => Promise<ExitCode | void>) => Promise<void>;

/** Adds them to the program. */
export function addEditCommands(program: Command, output: Output, inSession: InSession): void {
  addCursor(program, output, inSession);
  addKeys(program, output, inSession);
  addDeadLetters(program, output, inSession);
  addPending(program, output, inSession);
  withReason(program.command('reset <sensor>'))
    .description("forget an operator's start or stop: the code's default counts again")
    .action(async (sensor: string, own: ReasonOption) => {
      const { reset } = await import('./commands/reset.js');
      await inSession((session) => reset(session, output, sensor, own));
    });
  program
    .command('prune <sensor>')
    .description('forget a sensor for good: its cursor, run keys, ticks and status; its runs stay')
    .option('--yes', 'do not ask')
    .action(async (sensor: string, own: PruneOptions) => {
      const { prune } = await import('./commands/prune.js');
      await inSession((session) => prune(session, output, sensor, own));
    });
  program
    .command('audit <sensor>')
    .description('who changed what and why: the last 50 things, newest first')
    .action(async (sensor: string) => {
      const { audit } = await import('./commands/audit.js');
      await inSession((session) => audit(session, output, sensor));
    });
}

function withReason(command: Command): Command {
  return command.option('--reason <text>', 'why, for the others', text);
}

function withQuestion(command: Command): Command {
  return withReason(command).option('--yes', 'do not ask');
}

function addCursor(program: Command, output: Output, inSession: InSession): void {
  const cursor = program.command('cursor').description('show or change where a sensor goes on');
  cursor
    .command('get <sensor>')
    .description('print the cursor')
    .action(async (sensor: string) => {
      const { getCursor } = await import('./commands/cursor.js');
      await inSession((session) => getCursor(session, output, sensor));
    });
  withQuestion(cursor.command('set <sensor>').argument('<json>', 'the new cursor', json))
    .description("set the cursor; the sensor's schema checks it")
    .action(async (sensor: string, value: Json, own: CursorOptions) => {
      const { setCursor } = await import('./commands/cursor.js');
      await inSession((session) => setCursor(session, output, sensor, value, own));
    });
  withQuestion(
    cursor.command('rewind <sensor>').argument('<tick>', 'one of those that sensors ticks shows', tickNumber)
  )
    .description('set the cursor to what it was before a tick; keys that have run do not run again')
    .action(async (sensor: string, tick: number, own: CursorOptions) => {
      const { rewindCursor } = await import('./commands/cursor.js');
      await inSession((session) => rewindCursor(session, output, sensor, tick, own));
    });
  withQuestion(cursor.command('clear <sensor>'))
    .description('forget the cursor')
    .action(async (sensor: string, own: CursorOptions) => {
      const { clearCursor } = await import('./commands/cursor.js');
      await inSession((session) => clearCursor(session, output, sensor, own));
    });
}

function addKeys(program: Command, output: Output, inSession: InSession): void {
  withReason(program.command('rerun <sensor>').argument('<run-key>', 'of a run that it started', runKey))
    .description('run a key again now, with the config of its last run')
    .option('--job <name>', 'its job, when the sensor has several', text)
    .action(async (sensor: string, key: string, own: KeyOptions) => {
      const { rerun } = await import('./commands/keys.js');
      await inSession((session) => rerun(session, output, sensor, key, own));
    });
  withReason(program.command('rearm <sensor>').argument('<run-key>', 'that has run', runKey))
    .description('let the next request of a key start a run, once, whatever ran before')
    .option('--job <name>', 'its job, when the sensor has several', text)
    .action(async (sensor: string, key: string, own: KeyOptions) => {
      const { rearm } = await import('./commands/keys.js');
      await inSession((session) => rearm(session, output, sensor, key, own));
    });
}

function addDeadLetters(program: Command, output: Output, inSession: InSession): void {
  const letters = program.command('dead-letters').description('requests and events that were rejected');
  letters
    .command('list <sensor>')
    .description('list them')
    .action(async (sensor: string) => {
      const { listDeadLetters } = await import('./commands/dead-letters.js');
      await inSession((session) => listDeadLetters(session, output, sensor));
    });
  withReason(letters.command('retry <sensor> [ids...]'))
    .description("try them again, against today's code: those with these IDs, else all")
    .action(async (sensor: string, ids: string[], own: DeadLetterOptions) => {
      const { retryDeadLetters } = await import('./commands/dead-letters.js');
      await inSession((session) => retryDeadLetters(session, output, sensor, ids, own));
    });
  withQuestion(letters.command('discard <sensor> [ids...]'))
    .description('drop them: those with these IDs, else all')
    .action(async (sensor: string, ids: string[], own: DeadLetterOptions) => {
      const { discardDeadLetters } = await import('./commands/dead-letters.js');
      await inSession((session) => discardDeadLetters(session, output, sensor, ids, own));
    });
}

function addPending(program: Command, output: Output, inSession: InSession): void {
  const pending = program.command('pending').description('accepted requests that wait for a start or the next tick');
  pending
    .command('list <sensor>')
    .description('list them')
    .action(async (sensor: string) => {
      const { listPending } = await import('./commands/pending.js');
      await inSession((session) => listPending(session, output, sensor));
    });
  withQuestion(pending.command('discard <sensor>'))
    .description('drop them all')
    .action(async (sensor: string, own: PendingOptions) => {
      const { discardPending } = await import('./commands/pending.js');
      await inSession((session) => discardPending(session, output, sensor, own));
    });
}
