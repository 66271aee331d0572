#!/usr/bin/env node
/**
 * The `sensors` command. The exit code is set and the process left to end by itself, so that output to a pipe is
 * written whole; a reader that went away (`sensors list | head -1`) ends it quietly.
 */
import { EXIT } from './exit-codes.js';
import { runCli } from './program.js';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  process.stderr.write(`error: the output could not be written: ${error.message}\n`);
  process.exit(EXIT.failed);
});
process.stderr.on('error', () => undefined);

process.exitCode = await runCli(process.argv.slice(2));
