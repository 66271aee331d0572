/** docs/cli.md has every command with all its options, and every exit code and error code. */
import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.js';
import { createOutput } from '../../src/cli/output.js';
import { createProgram } from '../../src/cli/program.js';
import { defineSensor } from '../../src/index.js';
import { loopOptions } from '../../src/sensors/loop-options.js';
import type { LoopState } from '../../src/sensors/protocol.js';
import { NEW_LOG } from '../../src/workflows/asset-log-state.js';
import { assetDetailsOf } from '../../src/workflows/asset-log-views.js';
import { backfillDetails, newBackfill, progressOf } from '../../src/workflows/backfill-state.js';
import { detailsOf } from '../../src/workflows/sensor-details.js';
import { newState } from '../../src/workflows/state.js';

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

test('no field is in the table of an object twice', () => {
  const tables = docs.split(/\n(?!\|)/).map((block) => block.split('\n').slice(1));
  for (const rows of tables) {
    const fields = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect(fields).toEqual([...new Set(fields)]);
  }
});

test('every code of an error is in the table', async () => {
  const source = await readFile(new URL('../../src/cli/errors.ts', import.meta.url), 'utf8');
  const codes = [...source.matchAll(/code: '([a-z-]+)'/g)].map(([, code = '']) => code);
  expect(codes.length).toBeGreaterThan(10);
  for (const code of codes) expect(docs).toContain(`\`${code}\``);
});

test('every command that Temporal Web shows is there', () => {
  const options = loopOptions(defineSensor({ name: 'x', evaluate: () => null, defaultStatus: 'running' }));
  const fresh = newState(options, 0);
  const troubled: LoopState = {
    ...fresh,
    choice: { status: 'stopped', at: 0 },
    health: { status: 'failing', since: 0, failures: 1 },
    deadLetters: [{ id: 'a', kind: 'request', error: 'no', tick: 1, firstAt: 0, lastAt: 0, count: 1 }],
    launch: { remaining: [], staged: [{ id: 'page', requests: 1 }], refused: [] },
  };
  const backfill = { ...progressOf(newBackfill(0), { job: 'x', partitions: 'all' }, 0), failed: 1 };
  const shown = [
    detailsOf('x', fresh),
    detailsOf('x', troubled),
    assetDetailsOf(NEW_LOG, 'x'),
    ...(['running', 'paused', 'failed', 'done'] as const).map((status) =>
      backfillDetails('x', { ...backfill, status })
    ),
  ].flatMap((details) => details.split('\n').filter((line) => line.startsWith('sensors ')));
  expect(shown.length).toBeGreaterThan(14);
  const all = commands(program);
  for (const line of shown)
    expect(
      all.filter(({ name }) => line.startsWith(`${name} x`)),
      line
    ).toHaveLength(1);
});
