/** What operators see of assets: trees of lineage, names that may be meant, and Temporal Web's details of a log. */
import { expect, test } from 'vitest';
import { metadataText, producerText, readerCells, treeLines } from '../../src/cli/asset-text.js';
import { watchedViews } from '../../src/cli/views.js';
import type { SensorDescription, SensorState } from '../../src/client/index.js';
import { placeOf, type ReadAssetLog } from '../../src/client/asset-readers.js';
import { similarNames } from '../../src/client/similar-names.js';
import { consumedIn, parkedOf, positionIn, retriedIn } from '../../src/sensors/asset-position.js';
import { jsonBytes, type Json } from '../../src/sensors/json.js';
import type { DeadLetter } from '../../src/sensors/protocol.js';
import { NEW_LOG, record, subscribe } from '../../src/workflows/asset-log-state.js';
import { assetDetailsOf, assetMemoOf } from '../../src/workflows/asset-log-views.js';

function tree(edges: Readonly<Record<string, readonly string[]>>): string[] {
  return treeLines('root', (asset) => (edges[asset] ?? []).map((below) => ({ asset: below, note: '' })));
}

test('a tree has the branches of an asset once, so that diamonds do not grow and circles end', () => {
  expect(tree({ root: ['a', 'b'], a: ['c'], b: ['c'], c: ['d'] })).toEqual([
    '  a',
    '    c',
    '      d',
    '  b',
    '    c …',
  ]);
  expect(tree({ root: ['a'], a: ['root'] })).toEqual(['  a', '    root …']);
  const wide = Object.fromEntries(
    Array.from({ length: 30 }, (_, n) => [n === 0 ? 'root' : `l${n}`, [`l${n + 1}`, 'x']])
  );
  expect(tree(wide).length).toBeLessThan(100);
});

test('a misspelt name is told those that are near it, and nothing that is not', () => {
  const names = ['sales/orders', 'sales/report', 'hr/people'];
  expect(similarNames('sales/order', names)).toEqual(['sales/orders']);
  expect(similarNames('Orders', names)).toEqual(['sales/orders']);
  expect(similarNames('sales/reprot', names)).toEqual(['sales/report']);
  expect(similarNames('weather', names)).toEqual([]);
});

test('metadata and producers are one line that a terminal does not obey', () => {
  expect(
    metadataText({
      rows: { type: 'number', value: 3 },
      file: { type: 'path', value: '/data/\u001b[31m.csv' },
      sample: { type: 'table', columns: ['a', 'b'], rows: [[1, 2]] },
    })
  ).toBe('rows=3 file=/data/\\u001b[31m.csv sample=(1 row of a, b)');
  expect(producerText({ workflowId: 'w', job: 'load', sensor: 'files', runKey: 'a.csv' })).toBe(
    'load (files, key a.csv)'
  );
  expect(producerText({ sensor: 'files' })).toBe('sensor files');
  expect(producerText({})).toBe('a program');
});

test('only the cursor of a sensor of assets says how far it has read', () => {
  expect(positionIn({ position: 7, retries: [] }, 'orders')).toBe(7);
  const several = { assets: { orders: { low: 4, above: '1' } }, retries: [] };
  expect(positionIn(several, 'orders')).toBe(4);
  expect(positionIn({ log: 'x', position: 7, retries: [] }, 'orders', 'y')).toBeUndefined();
  expect(positionIn({ log: 'x', position: 7, retries: [] }, 'orders', 'x')).toBe(7);
  expect(positionIn({ asset: 'prices', position: 7, retries: [] }, 'orders')).toBeUndefined();
  expect(positionIn(several, 'toString')).toBeUndefined();
  expect(consumedIn(several, 'orders')).toEqual({ events: 5, newest: 6 });
  expect(consumedIn({ position: 7, retries: [] }, 'orders')).toBeUndefined();
  const description = { watches: [{ asset: 'orders', last: 9 }] } as unknown as SensorDescription;
  const state = { cursor: { value: several } } as unknown as SensorState;
  expect(watchedViews(description, state)).toEqual([
    { asset: 'orders', position: 4, last: 9, lag: 4, open: 4, retried: 0, old: true },
  ]);
  // what the log has told may be a minute old, what it says when it is asked is not
  expect(watchedViews(description, state, new Map([['orders', { id: '', last: 12 }]]))).toMatchObject([
    { position: 4, last: 12, lag: 7, open: 7, old: undefined },
  ]);
  // the one before it had more: what was read of that says nothing of the present one
  const anew = { position: 0, last: 3, lag: 3, retried: 0, anew: true };
  const lasts = new Map([['orders', { id: 'y', last: 3 }]]);
  expect(watchedViews(description, state, lasts)).toMatchObject([{ ...anew, open: 3 }]);
  const one = { log: 'x', position: 120, retries: [{ ref: { log: 'x', position: 3 } }] };
  const ofOne = { cursor: { value: one } } as unknown as SensorState;
  expect(watchedViews(description, ofOne, lasts)).toMatchObject([{ ...anew, open: undefined }]);
  expect(positionIn({ position: 7 }, 'orders')).toBeUndefined();
  expect(positionIn(undefined, 'orders')).toBeUndefined();
});

test('what is tried again is of one asset, as far as that is known', () => {
  const retry = (ref: unknown) => ({ ref, attempts: 1, at: 0, error: 'no' });
  const one = {
    log: 'x',
    asset: 'orders',
    position: 7,
    retries: [
      { asset: 'orders', log: 'x', position: 3 },
      { asset: 'prices', log: 'x', position: 3 },
      { asset: 'orders', log: 'before', position: 3 },
      { log: 'x', position: 4 },
    ].map(retry),
  };
  expect(retriedIn(one, 'orders', 'x')).toBe(2);
  expect(retriedIn(one, 'orders', 'before')).toBe(0);
  expect(retriedIn({ position: 7 }, 'orders')).toBe(0);
  const place = (log: string) => ({ log, low: 4, above: '' });
  const several = (logs: Readonly<Record<string, string>>) => ({
    assets: Object.fromEntries(Object.entries(logs).map(([name, log]) => [name, place(log)])),
    retries: [{ o: 'x.3', c: 'y.4' }, { o: 'x.1' }, { o: 'z.1' }].map(retry),
  });
  expect(retriedIn(several({ orders: 'x', customers: 'y' }), 'orders', 'x')).toBe(2);
  expect(retriedIn(several({ orders: 'x', customers: 'y' }), 'customers', 'y')).toBe(1);
  // logs that began in the same second: an event of x may be of either
  expect(retriedIn(several({ orders: 'x', customers: 'x' }), 'orders', 'x')).toBe(0);
});

test("a log's details are a few lines whatever it holds, and its memo a few bytes", () => {
  const events = Array.from({ length: 300 }, (_, n) => ({
    kind: n % 3 === 0 ? ('observation' as const) : ('materialization' as const),
    eventId: `e${n}`,
    partitionKey: `p|${'x'.repeat(200)}${n}`,
    metadata: {},
    // anybody may send anything
    producer: { workflowId: 5 as unknown as string },
  }));
  let state = record(NEW_LOG, 'sales/orders', events, Date.UTC(2030, 0, 1));
  for (let n = 0; n < 50; n++) state = subscribe(state, `sensor${n}`, 290, Date.UTC(2030, 0, 2));
  const details = assetDetailsOf(state, 'sales/orders').replaceAll('\u00a0', '');
  expect(details).toContain('**sales/orders** has 300 events: materializations 200 · observations 100');
  expect(details).toContain('| 300 | materialization | 2030-01-01T00:00:00Z | p\\|xxx');
  expect(details).toContain('| sensor0 | 290 | 10 | 2030-01-02T00:00:00Z |');
  expect(details).toContain('and 30 more');
  expect(details.split('\n').length).toBeLessThan(55);
  expect(jsonBytes(details)).toBeLessThan(8_000);
  expect(assetMemoOf(state)).toEqual({
    last: 300,
    materializations: 200,
    observations: 100,
    partitions: 200,
    materializedAt: Date.UTC(2030, 0, 1),
    observedAt: Date.UTC(2030, 0, 1),
  });
});

test('where a reader stands is what it says itself, else what the log knows, else unknown', () => {
  const log: ReadAssetLog = { asset: 'orders', log: 'running', state: { id: 'x', last: 7 }, told: 6 };
  const silent: ReadAssetLog = { asset: 'orders', log: 'running', told: 6 };
  const none: ReadAssetLog = { asset: 'orders', log: 'none' };
  const said = (value: Json | undefined, tick = 3) => ({
    ...(value === undefined ? {} : { cursor: { value } }),
    tick,
    deadLetters: [],
  });
  const cells = (...[of, state, subscriber]: Parameters<typeof placeOf>): string[] =>
    readerCells({ sensor: 's', ...placeOf(of, state, subscriber) }).slice(0, 2);
  const one = said({ asset: 'orders', log: 'x', position: 5, retries: [] });
  expect(cells(log, one, undefined)).toEqual(['5', '2']);
  const several = said({ assets: { orders: { log: 'x', low: 6, above: '' } }, retries: [] });
  expect(cells(log, several, undefined)).toEqual(['6', '1 open']);
  // the log does not answer, the sensor does
  expect(cells(silent, one, undefined)).toEqual(['5', '1']);
  expect(cells(silent, undefined, undefined)).toEqual(['unknown', '']);
  expect(cells(log, undefined, { sensor: 's', position: 4, at: 0 })).toEqual(['4', '3']);
  // a log that began anew, or that nobody has begun
  const anew = said({ asset: 'orders', log: 'before', position: 9, retries: [] });
  for (const of of [log, none]) expect(cells(of, anew, undefined)[0]).toBe('has not looked at this log yet');
  expect(cells(log, said(undefined, 0), undefined)[0]).toBe('has not looked at this log yet');
  expect(cells(log, said({ mine: 1 }), undefined)[0]).toBe('does not read it');

  const letter = (payload: Json) => ({ kind: 'event' as const, payload }) as DeadLetter;
  const letters = [
    letter({ asset: 'orders', log: 'x', position: 2 }),
    letter({ asset: 'prices', log: 'x', position: 2 }),
    letter({ o: 'x.1', p: 'y.2' }),
    letter({ workflowId: 'w', runId: 'r', status: 'failed' }),
    { ...letter({ position: 3 }), kind: 'request' as const },
  ];
  expect(parkedOf(letters, 'orders')).toBe(2);
  expect(cells(log, { ...one, deadLetters: letters }, undefined)).toEqual(['5', '2, 2 parked']);
});
