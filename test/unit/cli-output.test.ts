/** What tables look like on a terminal that is too narrow for them: tests of the command itself have no terminal. */
import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { linkedTable } from '../../src/cli/output.js';

const rows = [
  ['5 s ago', 'FAILED', 'a.csv'],
  ['1 min ago', 'COMPLETED', 'b.csv'],
];
const links = ['http://localhost:8233/a', 'http://localhost:8233/b'];
const lines = (width: number, colors = createColors(false)): string[] =>
  linkedTable(['STARTED', 'STATUS', 'RUN KEY'], rows, links, colors, width);

test('links are a column where there is room, as in a pipe', () => {
  expect(lines(Infinity)).toEqual([
    'STARTED     STATUS      RUN KEY   TEMPORAL WEB',
    '5 s ago     FAILED      a.csv     http://localhost:8233/a',
    '1 min ago   COMPLETED   b.csv     http://localhost:8233/b',
  ]);
});

test('links are below their rows where a row would be wrapped', () => {
  expect(lines(40)).toEqual([
    'STARTED     STATUS      RUN KEY',
    '5 s ago     FAILED      a.csv',
    '  http://localhost:8233/a',
    '1 min ago   COMPLETED   b.csv',
    '  http://localhost:8233/b',
  ]);
});

test('colours take no room', () => {
  expect(lines(57)).toHaveLength(3);
  expect(lines(57, createColors(true))).toHaveLength(3);
  expect(lines(56, createColors(true))).toHaveLength(5);
});
