/** docs/cli.md has every command with all its options, and every exit code and error code. */
import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.js';
import { createOutput } from '../../src/cli/output.js';
import { createProgram } from '../../src/cli/program.js';

let docs: string;
let headings: readonly string[];
beforeAll(async () => {
  docs = await readFile(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  headings = docs.split('\n').filter((line) => line.startsWith('### `sensors '));
});

const program = createProgram({ output: createOutput({ json: true }), exitCode: EXIT.ok, place: undefined });

/** Commands that do something, with the names above them. */
function commands(of: Command, above = 'sensors'): { readonly name: string; readonly command: Command }[] {
  return of.commands.flatMap((command) => {
    const name = `${above} ${command.name()}`;
    return command.commands.length > 0 ? commands(command, name) : [{ name, command }];
  });
}

test.each(commands(program))('$name has a chapter with its arguments and options', ({ name, command }) => {
  const heading =
    headings.find((line) => line.startsWith(`### \`${name}\``) || line.startsWith(`### \`${name} `)) ?? '';
  expect(heading).not.toBe('');
  for (const argument of command.registeredArguments) expect(heading).toContain(argument.name());
  for (const { flags } of command.options) expect(heading).toContain(flags);
});

test('no chapter is of a command that there is not', () => {
  const names = commands(program).map(({ name }) => name);
  for (const heading of headings) expect(names.filter((name) => heading.startsWith(`### \`${name}`))).not.toEqual([]);
});

test('options of every command and exit codes are in their tables', () => {
  for (const { long } of program.options.filter(({ long }) => long !== '--version'))
    expect(docs).toContain(`| \`${long}`);
  for (const code of Object.values(EXIT)) expect(docs).toMatch(new RegExp(`^\\| ${code} +\\| `, 'm'));
});

test('every code of an error is in the table', async () => {
  const source = await readFile(new URL('../../src/cli/errors.ts', import.meta.url), 'utf8');
  const codes = [...source.matchAll(/code: '([a-z-]+)'/g)].map(([, code = '']) => code);
  expect(codes.length).toBeGreaterThan(10);
  for (const code of codes) expect(docs).toContain(`\`${code}\``);
});
