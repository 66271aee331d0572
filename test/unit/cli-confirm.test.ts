/** Questions and progress, on streams that stand for a terminal: tests of the command itself have none. */
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { confirm, type Question } from '../../src/cli/confirm.js';
import { startProgress, statusLine } from '../../src/cli/progress.js';

/** Asks on a terminal where somebody types `typed`, or ends the input. */
async function ask(question: Question, typed: string | null): Promise<string> {
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const output = Object.assign(new PassThrough(), { isTTY: true });
  if (typed === null) input.end();
  else input.write(typed);
  await confirm(question, { input, output });
  return String(output.read());
}

const question = { action: 'prune sensor orders', details: ['Its runs stay.'] };

test('a yes is enough, and the question comes with what to know', async () => {
  const asked = await ask(question, 'y\n');
  expect(stripVTControlCharacters(asked)).toContain('Its runs stay.\nprune sensor orders? [y/N] ');
  await ask(question, ' YES \n');
});

test.each(['\n', 'n\n', 'yesterday\n', '\u0003', null])('%j is no yes', async (typed) => {
  await expect(ask(question, typed)).rejects.toThrow('nothing was changed');
});

test('without a terminal nothing is asked, unless the yes was given before', async () => {
  const streams = { input: new PassThrough(), output: new PassThrough() };
  await expect(confirm(question, streams)).rejects.toThrow(
    /^refused: prune sensor orders asks first, .* add --yes\nIts runs stay\.$/
  );
  await confirm({ ...question, yes: true }, streams);
  expect(streams.output.read()).toBeNull();
});

test('a read-only client is not asked for what it would refuse', async () => {
  await expect(ask({ ...question, yes: true, readOnly: true }, 'y\n')).rejects.toThrow('read-only');
});

test('progress is shown on a terminal only, and gone at the end', () => {
  const written: string[] = [];
  const terminal = (isTTY: boolean) => ({ isTTY, columns: 80, write: (text: string) => written.push(text) > 0 });
  const silent = startProgress(statusLine(terminal(false)), 2, 'sensors');
  silent.advance();
  silent.end();
  expect(written).toEqual([]);
  const progress = startProgress(statusLine(terminal(true)), 4, 'sensors');
  progress.advance(3);
  expect(written.at(-1)).toContain(`[${'='.repeat(18)}${' '.repeat(6)}] 3 of 4 sensors`);
  progress.end();
  expect(written.at(-1)).toBe('\r\u001b[K');
});
