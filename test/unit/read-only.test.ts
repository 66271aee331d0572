/** A read-only client refuses whatever changes something, before anything is sent. */
import { Client, Connection } from '@temporalio/client';
import { expect, test } from 'vitest';
import { ReadOnlyError, SensorClient } from '../../src/client/index.js';

/** What only looks. A method that is neither here nor in {@link CHANGES} fails the test: decide. */
const LOOKS = [
  'cursorBefore',
  'assetEvents',
  'assets',
  // checks by itself what it changes
  'backfills',
  'describe',
  'describeAll',
  'describeAsset',
  'explain',
  'lastPositions',
  'list',
  'namespace',
  'notFound',
  'partitions',
  'runError',
  'runs',
  'state',
  'tickHistory',
  'ticks',
  'workers',
];

const CHANGES: Readonly<Record<string, (client: SensorClient) => Promise<unknown>>> = {
  apply: (client) => client.apply('s', 'id'),
  clearCursor: (client) => client.clearCursor('s'),
  discardDeadLetters: (client) => client.discardDeadLetters('s'),
  discardPending: (client) => client.discardPending('s'),
  materialize: (client) => client.materialize('a'),
  observe: (client) => client.observe('a'),
  preview: (client) => client.preview('s'),
  prune: (client) => client.prune('s'),
  pruneAsset: (client) => client.pruneAsset('a'),
  push: (client) => client.push('s', 1),
  rearm: (client) => client.rearm('s', { runKey: 'k' }),
  rerun: (client) => client.rerun('s', { runKey: 'k' }),
  reset: (client) => client.reset('s'),
  retryDeadLetters: (client) => client.retryDeadLetters('s'),
  retainAsset: (client) => client.retainAsset('a', { events: 1 }),
  rewindCursor: (client) => client.rewindCursor('s', 1),
  rewindCursorTo: (client) => client.rewindCursorTo('s', 1, { value: 1 }),
  setCursor: (client) => client.setCursor('s', 1),
  start: (client) => client.start('s'),
  'start a backfill': (client) => client.backfills.start({ job: 'j', partitions: 'all' }),
  'preview a backfill': (client) => client.backfills.preview({ job: 'j', partitions: 'all' }),
  'pause a backfill': (client) => client.backfills.pause('b'),
  'resume a backfill': (client) => client.backfills.resume('b'),
  'cancel a backfill': (client) => client.backfills.cancel('b'),
  'retry a backfill': (client) => client.backfills.retry('b'),
  stop: (client) => client.stop('s'),
  tick: (client) => client.tick('s'),
};

/** Methods for the class itself. */
const OWN = [
  'constructor',
  'ask',
  'choose',
  'explainMissing',
  'handle',
  'lastLoop',
  'olderTick',
  'recover',
  'signal',
  'update',
];

test('every method looks, or is refused', async () => {
  expect(Object.getOwnPropertyNames(SensorClient.prototype).sort()).toEqual(
    [...LOOKS, ...Object.keys(CHANGES).filter((name) => !name.includes(' ')), ...OWN].sort()
  );
  let calls = 0;
  const connection = Connection.lazy({
    address: '127.0.0.1:9',
    interceptors: [
      () => {
        calls++;
        throw new Error('something was sent');
      },
    ],
  });
  const client = new SensorClient(new Client({ connection }), { readOnly: true });
  for (const change of Object.values(CHANGES)) await expect(change(client)).rejects.toThrow(ReadOnlyError);
  expect(calls).toBe(0);
  await expect(client.list()).rejects.toThrow();
  expect(calls).toBe(1);
  await connection.close();
});
