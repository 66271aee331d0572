/** What docs/production.md and docs/runbook.md tell to run, and to watch, exists. */
import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.js';
import { createOutput } from '../../src/cli/output.js';
import { createProgram } from '../../src/cli/program.js';

const program = createProgram({ output: createOutput({ json: true }), exitCode: EXIT.ok, place: undefined });
const read = async (path: string): Promise<string> => await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

let alerts: readonly string[];
let metrics: string;
beforeAll(async () => {
  alerts = [...(await read('ops/prometheus-alerts.yaml')).matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
  metrics = await read('docs/metrics.md');
});

/** The command that words name, and those that are left for it. */
function find(of: Command, words: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  const [word, ...rest] = words;
  const command = of.commands.find((each) => each.name() === word);
  return command === undefined ? { command: of, rest: words } : find(command, rest);
}

/** What does not exist of a command line; options of every command may come first. */
function unknownIn(line: string): string[] {
  const words = line.replaceAll(/'[^']*'/g, 'text').split(/\s+/);
  const global = program.options.map(({ long }) => long);
  while (words[0]?.startsWith('--') === true) words.splice(0, words[0] === '--read-only' ? 1 : 2);
  const { command, rest } = find(program, words);
  if (command.commands.length > 0 && rest[0]?.startsWith('--') === false) return [line];
  const known = new Set([...global, ...command.options.map(({ long }) => long)]);
  return rest.filter((word) => word.startsWith('--') && !known.has(word));
}

describe.each(['docs/runbook.md', 'docs/production.md'])('%s', (path) => {
  test('commands exist with their options', async () => {
    const lines = [...(await read(path)).matchAll(/(?:^\$ |^npx |`(?:npx )?)sensors ([a-z-][^`\n]*)/gm)];
    expect(lines.length).toBeGreaterThan(5);
    for (const [, line = ''] of lines) expect(unknownIn(line), line).toEqual([]);
  });

  test('metrics and alerts exist', async () => {
    const text = await read(path);
    for (const [, name = ''] of text.matchAll(/`(sensors_\w+)/g)) expect(metrics).toContain(`\`${name}\``);
    for (const [, name = ''] of text.matchAll(/`((?:Sensor[A-Z]|NoSensors)\w*)`/g))
      if (name !== 'SensorClient' && name !== 'SensorsPlugin') expect(alerts).toContain(name);
  });
});

test('the runbook says what to do about each alert', async () => {
  const runbook = await read('docs/runbook.md');
  for (const name of alerts) expect(runbook).toContain(`\`${name}\``);
});
