import { expect, test } from 'vitest';
import { Outbox } from '../../src/client/outbox.js';
import type { Json } from '../../src/sensors/json.js';

test('a push alone goes at once; those that come while it is on its way share the next signals, in order', async () => {
  const signals: (readonly Json[])[] = [];
  const outbox = new Outbox<Json>(async (events) => void signals.push(events));
  await Promise.all(Array.from({ length: 250 }, (_, n) => outbox.push([n])));
  expect(signals.map(({ length }) => length)).toEqual([1, 100, 100, 49]);
  expect(signals.flat()).toEqual(Array.from({ length: 250 }, (_, n) => n));
  // without events it only wakes; one that is large alone goes alone
  signals.length = 0;
  await Promise.all([outbox.push([]), outbox.push([1]), outbox.push(Array<Json>(500).fill(2)), outbox.push([3])]);
  expect(signals.map(({ length }) => length)).toEqual([0, 1, 500, 1]);
});

test('what a signal fails with, each of its pushes fails with; the next ones go on', async () => {
  let fail = true;
  const outbox = new Outbox<Json>(async () => {
    if (fail) throw new Error('refused');
  });
  const results = await Promise.allSettled([outbox.push([1]), outbox.push([2]), outbox.push([3])]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  fail = false;
  await outbox.push([4]);
});

test('all that wait fail with one that the workflow had no room for, and are not sent; later ones are sent again', async () => {
  const sent: Json[] = [];
  const busy = new Error('busy');
  let refused: ((error: Error) => void) | undefined;
  const outbox = new Outbox<Json>(
    async (events) => {
      sent.push(...events);
      if (sent.length === 1) await new Promise((_, reject) => (refused = reject));
    },
    (error) => error === busy
  );
  const pushes = Array.from({ length: 250 }, (_, n) => outbox.push([n]));
  refused?.(busy);
  expect((await Promise.allSettled(pushes)).every((end) => end.status === 'rejected' && end.reason === busy)).toBe(
    true
  );
  await outbox.push(['later']);
  expect(sent).toEqual([0, 'later']);
});
