/** Which sensors a command is for, and what its options accept. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duration, flag, tag } from '../../src/cli/options.js';
import { checkSelection, onlyName, select } from '../../src/cli/select.js';

const sensors = [
  { sensor: 'orders', tags: { team: 'sales' } },
  { sensor: 'orders-eu', tags: { team: 'sales', region: 'eu' } },
  { sensor: 'stock.eu', tags: { region: 'eu' } },
];
const chosen = (...args: Parameters<typeof select>[1][]): string[] =>
  args.flatMap((selection) => select(sensors, selection).map(({ sensor }) => sensor));

test('names and globs choose any of them, tags those that have all', () => {
  expect(chosen({ names: ['orders*'] })).toEqual(['orders', 'orders-eu']);
  expect(chosen({ names: ['*eu'] })).toEqual(['orders-eu', 'stock.eu']);
  expect(chosen({ names: ['orders', 'stock.eu'] })).toEqual(['orders', 'stock.eu']);
  expect(chosen({ names: [], tag: { region: 'eu' } })).toEqual(['orders-eu', 'stock.eu']);
  expect(chosen({ names: [], tag: { region: 'eu', team: 'sales' } })).toEqual(['orders-eu']);
  expect(chosen({ names: ['orders*'], tag: { region: 'eu' } })).toEqual(['orders-eu']);
  expect(chosen({ names: [], all: true })).toHaveLength(3);
});

test('a name that nobody has and a glob that fits none are errors, however many others fit', () => {
  const refusal = (selection: Parameters<typeof select>[1]): string => {
    try {
      return `chosen: ${chosen(selection).join(' ')}`;
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(refusal({ names: ['orders', 'order', '*eu'] })).toBe(
    "there is no sensor 'order', so the others are left alone"
  );
  expect(refusal({ names: ['orders', 'x*', 'stock.eu', 'y*'] })).toBe(
    "no sensor matches 'x*', 'y*', so the others are left alone"
  );
  expect(refusal({ names: ['x*', 'order'] })).toBe("there is no sensor 'order', and no sensor matches 'x*'");
  expect(refusal({ names: ['stock*'], tag: { team: 'sales' } })).toBe("no sensor matches 'stock*' team=sales");
});

test('a selection says what it means, once', () => {
  expect(() => checkSelection({ names: [] })).toThrow(/names, globs such as 'orders-\*', --tag <key>=<value>, --all/);
  expect(() => checkSelection({ names: ['a', ''] })).toThrow('a name is empty');
  expect(() => checkSelection({ names: ['a'], all: true })).toThrow('--all goes with neither');
  for (const fine of [{ names: ['a'] }, { names: [], tag: { a: 'b' } }, { names: [], all: true }])
    expect(() => checkSelection(fine)).not.toThrow();
});

test('one plain name is taken as it is, without a list', () => {
  expect(onlyName({ names: ['orders'] })).toBe('orders');
  for (const selection of [
    { names: ['orders*'] },
    { names: ['a', 'b'] },
    { names: ['a'], tag: { b: 'c' } },
    { names: [], all: true },
  ])
    expect(onlyName(selection)).toBeUndefined();
});

test('whatever is asked for, only sensors that there are come back, each once and in order', () => {
  const name = fc.constantFrom('orders', 'orders-eu', 'stock.eu', '*', 'orders*', '?(x)', '[', '{a,b}', '', '**/x');
  fc.assert(
    fc.property(fc.array(name), (names) => {
      try {
        checkSelection({ names });
        const found = select(sensors, { names });
        expect(found).toEqual(sensors.filter((each) => found.includes(each)));
      } catch (error) {
        expect((error as Error).name).toMatch(/^(NoMatch|Usage)Error$/);
      }
    })
  );
});

test('durations need a unit', () => {
  expect([duration('90s'), duration('1.5h'), duration('2 d'), duration('30min')]).toEqual([
    90_000, 5_400_000, 172_800_000, 1_800_000,
  ]);
  for (const bad of ['', '2', '0s', '-1h', '2w', '1e3s', '99999d']) expect(() => duration(bad)).toThrow('Accepted');
});

test('tags add up, and their values may hold anything', () => {
  expect(tag('b=c=d', tag('a='))).toEqual({ a: '', b: 'c=d' });
  expect(() => tag('team')).toThrow('Accepted: <key>=<value>');
  expect(() => tag('=x')).toThrow('Accepted');
});

test('a variable switches something on unless it says no', () => {
  expect(['1', 'true', 'yes'].map(flag)).toEqual([true, true, true]);
  expect([undefined, '', '0', 'false', 'No', 'off'].map(flag)).toEqual(Array.from({ length: 6 }, () => false));
});
